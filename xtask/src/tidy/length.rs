//! A file that no longer fits the head is two files.

use super::{Finding, tree::Tree};

/// The most lines of a Rust file.
const MOST: usize = 600;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let lengths = tree.rust().map(|(path, text)| (path, text.lines().count()));
    let long = lengths.filter(|(_, lines)| *lines > MOST);
    long.map(|(path, lines)| Finding::new(path, format!("{lines} lines; at most {MOST}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_have_six_hundred_lines_and_not_one_more() {
        let lines = |count: usize| "//\n".repeat(count);
        assert_eq!(check(&Tree::of(&[("a.rs", &lines(MOST))])), []);
        assert_eq!(check(&Tree::of(&[("a.rs", &lines(MOST + 1))])).len(), 1);
    }
}

//! Nothing is half done: no stubs, no notes to do it later, no tests that never run, no unreviewed snapshots.

use super::{Finding, tree::Tree};

/// What is not finished, and why.
const UNFINISHED: &[(&str, &str)] = &[
    ("todo!(", "a stub"),
    ("unimplemented!(", "a stub"),
    ("#[ignore", "a test that never runs"),
    ("FIXME", "a note to do it later: do it, or open an issue"),
    ("TODO", "a note to do it later: do it, or open an issue"),
    ("#[allow(", "`#[expect(…, reason = \"…\")]` says when it is no longer needed"),
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        for (index, line) in text.lines().enumerate() {
            for (name, why) in UNFINISHED.iter().filter(|(name, _)| line.contains(name)) {
                findings.push(Finding::new(format!("{path}:{}", index + 1), format!("`{name}`: {why}")));
            }
        }
    }
    let unreviewed = tree.paths().filter(|path| path.ends_with(".snap.new") || path.ends_with(".pending-snap"));
    findings.extend(unreviewed.map(|path| Finding::new(path, "a snapshot that nobody has reviewed")));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finished_code_is_free() {
        assert_eq!(check(&Tree::of(&[("harness/relay/src/lib.rs", "//! The relay.\nmod allocation;\n")])), []);
    }

    #[test]
    fn stubs_notes_and_leftovers_are_found() {
        let code = "fn later() { todo!() }\n#[ignore]\n// TODO: think\n#[allow(dead_code)]\n";
        let tree = Tree::of(&[("harness/relay/src/lib.rs", code), ("reports/tests/a.snap.new", "")]);
        assert_eq!(check(&tree).len(), 5);
    }
}

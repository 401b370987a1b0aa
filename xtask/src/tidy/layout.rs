//! The top level is fixed, rooms are nouns of the field, and `lib.rs` is a table of contents.

use super::{Finding, tree::Tree};

/// What the top level may hold besides dotfiles.
const TOP_LEVEL: &[&str] = &[
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "fixtures",
    "harness",
    "reports",
    "scenarios",
    "xtask",
];

/// Names of modules that say nothing.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helpers", "helper", "misc"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in tree.paths() {
        let top = path.split('/').next().unwrap_or(path);
        if !top.starts_with('.') && !TOP_LEVEL.contains(&top) {
            findings.push(Finding::new(path, "the top level holds nothing but what ARCHITECTURE.md lists"));
        }
        let rust = path.strip_suffix(".rs").into_iter().flat_map(|path| path.split('/'));
        for part in rust.filter(|part| EMPTY_NAMES.contains(part)) {
            findings.push(Finding::new(path, format!("`{part}` says nothing: name the module after what it knows")));
        }
    }
    for (path, text) in tree.rust().filter(|(path, _)| path.ends_with("src/lib.rs")) {
        let logic = |line: &str| line.starts_with("fn ") || line.starts_with("pub fn ") || line.starts_with("impl");
        for (index, _) in text.lines().enumerate().filter(|(_, line)| logic(line)) {
            findings
                .push(Finding::new(format!("{path}:{}", index + 1), "lib.rs is a table of contents, without logic"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_as_it_is_meant_is_free() {
        let files =
            [(".ci/run", ""), ("Cargo.toml", ""), ("harness/relay/src/lib.rs", "mod turn;\npub use turn::Relay;\n")];
        assert_eq!(check(&Tree::of(&files)), []);
    }

    #[test]
    fn a_new_folder_an_empty_name_and_logic_in_the_contents_are_found() {
        let files = [
            ("docs/guide.md", ""),
            ("harness/relay/src/utils.rs", ""),
            ("harness/relay/src/utils/time.rs", ""),
            ("harness/relay/src/lib.rs", "//! Relay.\npub fn relay() {}\n"),
        ];
        assert_eq!(check(&Tree::of(&files)).len(), 4);
    }
}

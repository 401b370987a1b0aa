//! Every scenario file names the schema first, so that editors complete it, and has a name of its own.

use super::{Finding, tree::Tree};
use std::collections::BTreeMap;

/// The first line of a scenario file.
const SCHEMA_LINE: &str = "#:schema ../scenario.schema.json";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut stems: BTreeMap<&str, &str> = BTreeMap::new();
    for path in tree.paths() {
        let parts: Vec<&str> = path.split('/').collect();
        let ["scenarios", _family, file] = parts[..] else { continue };
        let Some(stem) = file.strip_suffix(".toml") else { continue };
        if tree.text(path).unwrap_or_default().lines().next() != Some(SCHEMA_LINE) {
            findings.push(Finding::new(format!("{path}:1"), format!("the first line must be `{SCHEMA_LINE}`")));
        }
        if let Some(first) = stems.insert(stem, path) {
            findings.push(Finding::new(path, format!("{first} has the same name")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_names_the_schema_is_free() {
        let text = format!("{SCHEMA_LINE}\ntitle = \"A call\"\n");
        assert_eq!(check(&Tree::of(&[("scenarios/call/first-call.toml", &text), ("scenarios/Cargo.toml", "")])), []);
    }

    #[test]
    fn a_file_without_the_line_and_a_second_file_of_a_name_are_found() {
        let text = format!("{SCHEMA_LINE}\n");
        let tree = Tree::of(&[("scenarios/call/a.toml", "title = \"A\"\n"), ("scenarios/network/a.toml", &text)]);
        let places: Vec<_> = check(&tree).into_iter().map(|finding| finding.place).collect();
        assert_eq!(places, ["scenarios/call/a.toml:1", "scenarios/network/a.toml"]);
    }
}

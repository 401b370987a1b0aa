//! Everything says under which licence it comes: the texts, each crate, each fixture.

use super::{
    Finding,
    tree::{Tree, keys},
};

/// The texts of the licences that the workspace names.
const TEXTS: &[&str] = &["LICENSE-MIT", "LICENSE-APACHE"];
/// Where fixtures say where they come from.
const FIXTURES: &str = "fixtures/manifest.toml";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let missing = TEXTS.iter().filter(|text| tree.text(text).is_none());
    let mut findings: Vec<_> = missing.map(|text| Finding::new(*text, "the licence's text is missing")).collect();
    for (_, folder, manifest) in tree.crates() {
        if !keys(manifest, "package").iter().any(|(_, key)| *key == "license") {
            findings.push(Finding::new(format!("{folder}/Cargo.toml"), "names no licence: `license.workspace = true`"));
        }
    }
    let listed = tree.text(FIXTURES).unwrap_or_default();
    for path in tree.paths() {
        let Some(datum) = path.strip_prefix("fixtures/data/") else { continue };
        if !listed.contains(&format!("\"data/{datum}\"")) {
            findings.push(Finding::new(path, format!("{FIXTURES} does not say its source and licence")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRATE: (&str, &str) = ("harness/relay/Cargo.toml", "[package]\nlicense.workspace = true\n");

    #[test]
    fn what_names_its_licence_is_free() {
        let fixtures = [(FIXTURES, "path = \"data/a.csv\"\n"), ("fixtures/data/a.csv", "")];
        let files = [("LICENSE-MIT", ""), ("LICENSE-APACHE", ""), CRATE, fixtures[0], fixtures[1]];
        assert_eq!(check(&Tree::of(&files)), []);
    }

    #[test]
    fn a_missing_text_a_crate_and_a_datum_without_licence_are_found() {
        let files =
            [("LICENSE-MIT", ""), ("xtask/Cargo.toml", "[package]\nname = \"xtask\"\n"), ("fixtures/data/a.csv", "")];
        let places: Vec<_> = check(&Tree::of(&files)).into_iter().map(|finding| finding.place).collect();
        assert_eq!(places, ["LICENSE-APACHE", "xtask/Cargo.toml", "fixtures/data/a.csv"]);
    }
}

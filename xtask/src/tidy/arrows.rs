//! Crates depend on each other as the table of ARCHITECTURE.md says, and every crate is in it.

use super::{
    Finding,
    tree::{Tree, keys},
};
use std::collections::{BTreeMap, BTreeSet};

/// The head of the table.
const HEAD: &str = "| room | may depend on |";
/// Everybody's room.
const KERNEL: &str = "kernel";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(table) = tree.text("ARCHITECTURE.md").and_then(table) else {
        return vec![Finding::new("ARCHITECTURE.md", format!("has no table with the head `{HEAD}`"))];
    };
    let mut findings = Vec::new();
    let rooms: BTreeSet<&str> = tree.crates().map(|(room, _, _)| room).collect();
    for room in table.keys().filter(|room| !rooms.contains(*room)) {
        findings
            .push(Finding::new("ARCHITECTURE.md", format!("the table has a room `{room}` and there is no such crate")));
    }
    for (room, folder, manifest) in tree.crates() {
        let Some(allowed) = table.get(room) else {
            findings.push(Finding::new(
                format!("{folder}/Cargo.toml"),
                format!("`{room}` is not in the table of ARCHITECTURE.md"),
            ));
            continue;
        };
        for (line, target) in arrows(manifest) {
            if !allowed.contains(target) {
                let message = format!("the arrow {room} -> {target} is not in the table of ARCHITECTURE.md");
                findings.push(Finding::new(format!("{folder}/Cargo.toml:{line}"), message));
            }
        }
    }
    findings
}

/// The rooms that a manifest's crate is built from. What only its tests use makes no arrow.
fn arrows(manifest: &str) -> Vec<(usize, &str)> {
    let built_from = [keys(manifest, "dependencies"), keys(manifest, "build-dependencies")].concat();
    built_from.into_iter().filter_map(|(line, key)| Some((line, key.strip_prefix("callproof-")?))).collect()
}

/// Room by room, the rooms that it may depend on. "-" and "nothing of ours" are names that no room has.
fn table(text: &str) -> Option<BTreeMap<&str, BTreeSet<&str>>> {
    let rows = text.lines().skip_while(|line| line.trim() != HEAD).skip(2).take_while(|line| line.starts_with('|'));
    let mut table: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in rows {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let (rooms, targets) = (cells.next()?, cells.next()?);
        let kernel = (targets != "nothing of ours").then_some(KERNEL);
        for room in rooms.split(',').map(str::trim) {
            table.entry(room).or_default().extend(targets.split(',').map(str::trim).chain(kernel));
        }
    }
    (!table.is_empty()).then_some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# House\n\n| room | may depend on |\n| --- | --- |\n| kernel, xtask | nothing of ours |\n| network | - |\n| world | network |\n";

    fn tree(world: &str, xtask: &str) -> Tree {
        Tree::of(&[
            ("ARCHITECTURE.md", TABLE),
            ("harness/kernel/Cargo.toml", "[dependencies]\nserde.workspace = true\n"),
            ("harness/network/Cargo.toml", "[dependencies]\ncallproof-kernel.workspace = true\n"),
            ("harness/world/Cargo.toml", world),
            ("xtask/Cargo.toml", xtask),
        ])
    }

    #[test]
    fn arrows_of_the_table_and_of_tests_are_free() {
        let world = "[dependencies]\ncallproof-network.workspace = true\ncallproof-kernel = { workspace = true }\n\
                     [dev-dependencies]\ncallproof-oracle.workspace = true\n";
        assert_eq!(check(&tree(world, "")), []);
    }

    #[test]
    fn an_arrow_that_is_not_in_the_table_is_found() {
        let findings = check(&tree("[dependencies]\n# for verdicts\ncallproof-oracle.workspace = true\n", ""));
        assert_eq!(findings[0].place, "harness/world/Cargo.toml:3");
        let findings = check(&tree("", "[dependencies]\ncallproof-kernel.workspace = true\n"));
        assert_eq!(findings[0].place, "xtask/Cargo.toml:2");
    }

    #[test]
    fn a_crate_without_a_row_and_a_row_without_a_crate_are_found() {
        let tree = Tree::of(&[("ARCHITECTURE.md", TABLE), ("harness/new/Cargo.toml", "")]);
        let messages: Vec<_> = check(&tree).into_iter().map(|finding| finding.message).collect();
        assert!(messages.iter().any(|message| message.contains("`new` is not in the table")));
        assert!(messages.iter().any(|message| message.contains("a room `world` and there is no such crate")));
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }
}

//! What makes two runs of one seed differ and no lint sees: unordered maps, unseeded generators, unbiased `select!`. And what
//! would make two different runs look the same.

use super::{Finding, tree::Tree};

/// Code that is not in a simulation, or is the seam itself.
const OUTSIDE: &[&str] = &["xtask/", "harness/kernel/src/seam.rs", "harness/live/"];

/// What is forbidden, and what to use instead.
const FORBIDDEN: &[(&str, &str)] = &[
    ("std::collections::HashMap", "its order differs between processes: BTreeMap or IndexMap"),
    ("std::collections::HashSet", "its order differs between processes: BTreeSet or IndexSet"),
    ("OsRng", "draws from the system: a stream of kernel::random"),
    ("thread_rng(", "draws from the system: a stream of kernel::random"),
    ("rand::rng(", "draws from the system: a stream of kernel::random"),
];

/// Events are hashed without the names of their fields.
const HASHED: &str = "harness/kernel/src/event/";
/// So none may leave a field out: which one it is could not be told.
const OMISSION: &str = "skip_serializing";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (place, path, line) in tree.code() {
        if OUTSIDE.iter().any(|outside| path.starts_with(outside)) {
            continue;
        }
        for (name, instead) in FORBIDDEN.iter().filter(|(name, _)| line.contains(name)) {
            findings.push(Finding::new(&place, format!("`{name}`: {instead}")));
        }
        if path.starts_with(HASHED) && line.contains(OMISSION) {
            let message = format!("`{OMISSION}` in an event: the log's digest cannot tell which field is missing");
            findings.push(Finding::new(&place, message));
        }
    }
    findings.extend(tree.rust().flat_map(|(path, text)| unbiased(path, text)));
    findings
}

/// `select!` picks a branch by chance unless its first word is `biased`.
fn unbiased(path: &str, text: &str) -> Vec<Finding> {
    let starts = text.match_indices("select! {").filter(|(at, found)| {
        let commented = text[..*at].lines().last().is_some_and(|line| line.trim_start().starts_with("//"));
        !commented && !text[at + found.len()..].trim_start().starts_with("biased;")
    });
    let place = |at: usize| format!("{path}:{}", text[..at].matches('\n').count() + 1);
    starts.map(|(at, _)| Finding::new(place(at), "`select!` without `biased;` chooses by chance")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordered_and_biased_code_is_free() {
        let code = "use std::collections::BTreeMap;\ntokio::select! {\n    biased;\n    _ = done => {}\n}\n";
        assert_eq!(check(&Tree::of(&[("harness/world/src/run.rs", code)])), []);
    }

    #[test]
    fn an_event_that_leaves_a_field_out_is_found() {
        let code = "#[serde(skip_serializing_if = \"Option::is_none\")]\n";
        assert_eq!(check(&Tree::of(&[("harness/kernel/src/event/call.rs", code)])).len(), 1);
        assert_eq!(check(&Tree::of(&[("harness/kernel/src/plan.rs", code)])), []);
    }

    #[test]
    fn a_hash_map_an_unseeded_draw_and_an_unbiased_select_are_found() {
        let code = "use std::collections::HashMap;\nlet rng = OsRng;\n\ntokio::select! {\n    _ = done => {}\n}\n";
        let tree = Tree::of(&[("harness/world/src/run.rs", code)]);
        let places: Vec<_> = check(&tree).into_iter().map(|finding| finding.place).collect();
        assert_eq!(places, ["harness/world/src/run.rs:1", "harness/world/src/run.rs:2", "harness/world/src/run.rs:4"]);
    }
}

//! The matrix of promises and invariants over many runs, as text.

use crate::console::TABLE;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use oracle::{Conformance, Standing};
use std::{collections::BTreeSet, fmt::Write};

/// Names of a cell beyond these are counted: the JSON holds all.
const MAX_NAMES: usize = 4;

/// Two tables: what proves each promise, and what each invariant checked and killed.
pub fn conformance_tables(conformance: &Conformance) -> String {
    let mut promises = table(&["promise", "", "scenarios", "checks", "killed", "verdict"]);
    for row in &conformance.promises {
        let proof = if row.invariants.is_empty() { "nothing".into() } else { row.invariants.join(", ") };
        promises.add_row([
            row.id.clone(),
            format!("{}\nproven by {proof}", row.truth),
            row.scenarios.len().to_string(),
            row.checks.to_string(),
            row.killed.len().to_string(),
            word(row.standing).into(),
        ]);
    }
    let mut invariants = table(&["id", "invariant", "scenarios", "checks", "killed", "verdict"]);
    for row in &conformance.invariants {
        let survived = if row.survived.is_empty() { String::new() } else { format!("\nnot {}", some(&row.survived)) };
        invariants.add_row([
            row.id.clone(),
            row.name.clone(),
            row.scenarios.len().to_string(),
            row.checks.to_string(),
            format!("{}{survived}", some(&row.killed)),
            word(row.standing).into(),
        ]);
    }
    for numbers in [&mut promises, &mut invariants] {
        for column in [2, 3] {
            numbers.column_mut(column).expect("there are six").set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = String::new();
    let held = |standings: &mut dyn Iterator<Item = Standing>| standings.filter(|one| *one == Standing::Held).count();
    let counts = [
        (held(&mut conformance.promises.iter().map(|row| row.standing)), conformance.promises.len(), "promises"),
        (held(&mut conformance.invariants.iter().map(|row| row.standing)), conformance.invariants.len(), "invariants"),
    ];
    let sentences = counts.map(|(held, all, what)| format!("{held} of {all} {what} held and proven"));
    write!(text, "{}\n\n{}\n{}\n", promises.trim_fmt(), invariants.trim_fmt(), sentences.join(", "))
        .expect("writing to a string succeeds");
    text
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(TABLE).set_content_arrangement(ContentArrangement::Dynamic).set_header(head);
    table
}

fn some(names: &BTreeSet<String>) -> String {
    let shown: Vec<&str> = names.iter().take(MAX_NAMES).map(String::as_str).collect();
    match names.len() - shown.len() {
        0 if shown.is_empty() => "nothing".into(),
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Held => "held",
        Standing::Unproven => "UNPROVEN",
        Standing::NotExercised => "NOT EXERCISED",
        Standing::Broken => "BROKEN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oracle::{InvariantRow, PromiseRow};

    #[test]
    fn each_row_says_what_was_tried_and_what_it_killed() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let invariant = InvariantRow {
            id: "FG-1".into(),
            name: "only_friends_ring".into(),
            checks: 12,
            scenarios: names(&["one", "two"]),
            killed: names(&["V1", "V2", "V3", "V4", "V5"]),
            survived: names(&["V6"]),
            standing: Standing::Unproven,
        };
        let promise = |id: &str, invariants: &[&str], standing| PromiseRow {
            id: id.into(),
            truth: "Only friends can start a call.".into(),
            scenarios: invariant.scenarios.clone(),
            invariants: invariants.iter().map(|name| (*name).to_owned()).collect(),
            checks: 12,
            killed: invariant.killed.clone(),
            standing,
        };
        let promises =
            vec![promise("R07", &["only_friends_ring"], Standing::Held), promise("R12", &[], Standing::NotExercised)];
        insta::assert_snapshot!(conformance_tables(&Conformance { promises, invariants: vec![invariant] }));
    }
}

//! What there is: each catalogue printed from the room that owns it.

use crate::{
    args::Catalogue,
    exit::{Exit, Failure},
    suite,
};
use comfy_table::{ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use scenarios::Overrides;
use std::fs;

/// `list`.
pub(crate) fn list(what: Option<Catalogue>) -> miette::Result<Exit> {
    let all = [Catalogue::Scenarios, Catalogue::Presets, Catalogue::Invariants, Catalogue::Mutants, Catalogue::Metrics];
    for catalogue in what.map_or(all.to_vec(), |one| vec![one]) {
        let (head, rows) = rows(catalogue)?;
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(head);
        for row in rows {
            table.add_row(row);
        }
        anstream::println!("{table}");
    }
    Ok(Exit::Held)
}

/// `schema`: writes the JSON schema of scenario files, or says whether the committed one is current.
pub(crate) fn schema(check: bool) -> miette::Result<Exit> {
    let path = scenarios::directory().join(scenarios::SCHEMA_FILE);
    let current = format!("{}\n", serde_json::to_string_pretty(&scenarios::schema()).expect("a schema serializes"));
    let shown = suite::relative(&path);
    if check {
        let same = fs::read_to_string(&path).is_ok_and(|committed| committed == current);
        anstream::println!("{shown} is {}", if same { "current" } else { "out of date: run `cargo xtask schema`" });
        return Ok(if same { Exit::Held } else { Exit::Broken });
    }
    fs::write(&path, current).map_err(|error| Failure::Files { path: shown.clone(), error })?;
    anstream::println!("wrote {shown}");
    Ok(Exit::Held)
}

/// The hidden verb `fingerprint`: one `name value` a line.
pub(crate) fn fingerprint() -> miette::Result<Exit> {
    let environment = campaign::environment().map_err(|error| Failure::Campaign(error.into()))?;
    for (name, value) in environment {
        anstream::println!("{name} {value}");
    }
    Ok(Exit::Held)
}

type Rows = (Vec<&'static str>, Vec<Vec<String>>);

fn rows(catalogue: Catalogue) -> miette::Result<Rows> {
    Ok(match catalogue {
        Catalogue::Scenarios => {
            let scenarios = suite::scenarios(&["all".into()], &Overrides::default())?;
            let rows = scenarios
                .iter()
                .map(|scenario| vec![format!("{}/{}", scenario.family(), scenario.name()), scenario.plan(1).title]);
            (vec!["scenario", "story"], rows.collect())
        }
        Catalogue::Presets => {
            let rows =
                campaign::presets().into_iter().map(|preset| vec![preset.name.to_owned(), preset.doc.to_owned()]);
            (vec!["preset", "numbers and source"], rows.collect())
        }
        Catalogue::Invariants => {
            let rows =
                oracle::INVARIANTS.iter().map(|entry| vec![entry.id.into(), entry.name.into(), entry.truth.into()]);
            (vec!["id", "invariant", "truth"], rows.collect())
        }
        Catalogue::Mutants => {
            let rows = adversary::MUTANTS.iter().map(|entry| {
                vec![entry.mutant.to_string(), entry.invariant.into(), entry.scenario.into(), entry.sentence.into()]
            });
            (vec!["mutant", "killed by", "in", "what is planted"], rows.collect())
        }
        Catalogue::Metrics => {
            let rows = oracle::METRICS.iter().map(|metric| vec![metric.name.to_owned(), metric.doc.to_owned()]);
            (vec!["metric", "definition"], rows.collect())
        }
    })
}

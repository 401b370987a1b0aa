//! `mutants`: plants each known bug and proves that the invariant named for it catches it.

use crate::{
    args::MutantArgs,
    exit::{Exit, Failure},
    suite,
};
use adversary::{KnownAttack, MUTANTS};
use campaign::{
    CampaignError, Fate, MutantRow,
    matrix::{Trial, try_mutants},
};
use comfy_table::{ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use kernel::Mutant;
use scenarios::Overrides;

/// Prints the matrix. Fails when one survives or dies of another cause.
pub(crate) fn run(args: &MutantArgs) -> miette::Result<Exit> {
    let mut trials = Vec::new();
    for entry in chosen(&args.mutants)? {
        let scenario = suite::scenarios(&[entry.scenario.to_owned()], &Overrides::default())?.swap_remove(0);
        let plan = scenario.plan(scenario.seeds.as_slice().first().copied().unwrap_or(1));
        trials.push(Trial { mutant: entry.mutant, invariant: entry.invariant.to_owned(), plan });
    }
    let rows: Result<Vec<MutantRow>, CampaignError> = try_mutants(&trials, args.jobs).into_iter().collect();
    let rows = rows.map_err(Failure::Campaign)?;
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["mutant", "invariant", "scenario", "fate"]);
    for row in &rows {
        table.add_row([row.mutant.to_string(), row.invariant.clone(), row.scenario.clone(), words(&row.fate)]);
    }
    let killed = rows.iter().filter(|row| matches!(row.fate, Fate::Killed { .. })).count();
    anstream::println!("{table}\n{killed} of {} mutants killed by their invariant", rows.len());
    Ok(if killed == rows.len() { Exit::Held } else { Exit::Broken })
}

fn chosen(names: &[String]) -> miette::Result<Vec<&'static KnownAttack>> {
    let wanted: Result<Vec<Mutant>, _> = names.iter().map(|name| name.parse()).collect();
    let wanted = wanted.map_err(|error: kernel::mutant::UnknownMutant| Failure::Usage(error.to_string()))?;
    Ok(MUTANTS.iter().filter(|entry| wanted.is_empty() || wanted.contains(&entry.mutant)).collect())
}

fn words(fate: &Fate) -> String {
    match fate {
        Fate::Killed { checks, violations } => format!("killed ({violations} of {checks} checks)"),
        Fate::Survived => "SURVIVED: nothing failed".into(),
        Fate::WrongCause { failed } => format!("WRONG CAUSE: {}", failed.join(", ")),
        Fate::FailsAnyway { failed } => format!("FAILS WITHOUT IT TOO: {}", failed.join(", ")),
    }
}

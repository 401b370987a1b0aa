//! `conformance`: promises, what tried them, and what shows that they can fail.

use crate::{
    args::{ConformanceArgs, Format},
    exit::{Exit, Failure},
    gate, suite,
};
use oracle::{Census, PROMISES, Standing};
use scenarios::Overrides;

/// Runs every story and canary, and prints the matrix. Fails unless every promise that decides is held and proven.
pub(crate) fn run(args: &ConformanceArgs) -> miette::Result<Exit> {
    if let Some(unknown) = args.promises.iter().find(|id| PROMISES.iter().all(|promise| promise.id != **id)) {
        let known: Vec<&str> = PROMISES.iter().map(|promise| promise.id).collect();
        return Err(Failure::Usage(format!("`{unknown}` is no promise; there are {}", known.join(", "))).into());
    }
    let chosen = suite::plans(suite::scenarios(&["all".to_owned()], &Overrides::default())?, None, None);
    let mut census = Census::default();
    gate::each_run(&chosen, args.jobs, |_, judged| {
        census.add(&judged.judgement);
        Ok(())
    })?;
    let conformance = census.conformance();
    match args.format {
        Format::Human => anstream::print!("{}", reports::conformance_tables(&conformance)),
        Format::Json => println!("{}", serde_json::to_string(&conformance).expect("a matrix serializes")),
    }
    let decides = |id: &String| args.promises.is_empty() || args.promises.contains(id);
    let held = conformance.promises.iter().filter(|row| decides(&row.id)).all(|row| row.standing == Standing::Held);
    Ok(if held { Exit::Held } else { Exit::Broken })
}

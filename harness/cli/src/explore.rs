//! `explore`: orders of events. Without a scenario every order between the cores of devices and server, breadth first; with
//! scenarios seeded orders of whole runs.

mod schedules;

use crate::{args::ExploreArgs, exit::Exit};
use comfy_table::{ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use explore::{BUDGETS, Budget, Ending, Found, Limits, MUTANTS, ModelMutant, Promise, Report, search};
use kernel::mutant;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Explores what the arguments name.
pub(crate) fn run(args: &ExploreArgs) -> miette::Result<Exit> {
    let has_scenarios = args.consent || !args.scenarios.is_empty();
    if has_scenarios { schedules::run(args) } else { Ok(cores(args.budget.0)) }
}

/// The cores: each budget must hold to its end, and each planted bug be found by the promise named for it.
fn cores(time: Duration) -> Exit {
    let deadline = now() + time;
    let mut held = true;
    let mut table = table([
        "calls, answers, ends, unfriend, handovers, attacks, timers",
        "states",
        "transitions",
        "widest",
        "seconds",
        "states/s",
        "outcome",
    ]);
    let mut checks: BTreeMap<Promise, u64> = BTreeMap::new();
    for budget in BUDGETS {
        let (report, took) = timed(*budget, deadline);
        held &= report.ending == Ending::Complete;
        table.add_row([
            numbers(budget),
            report.states.to_string(),
            report.transitions.to_string(),
            report.widest.to_string(),
            format!("{:.2}", took.as_secs_f64()),
            format!("{:.0}", report.states as f64 / took.as_secs_f64().max(1e-9)),
            ending(&report.ending),
        ]);
        tell(&report.ending);
        for (promise, count) in report.checks {
            *checks.entry(promise).or_default() += count;
        }
    }
    anstream::println!("{table}");
    let counted = checks.iter().map(|(promise, count)| format!("{promise} {count}")).collect::<Vec<_>>();
    anstream::println!("checks: {}\n", counted.join(", "));
    held &= bugs(deadline);
    if held { Exit::Held } else { Exit::Broken }
}

/// Plants each bug; true when each is found by its promise.
fn bugs(deadline: Instant) -> bool {
    let mut table = table(["mutant", "promise", "states", "seconds", "events", "fate"]);
    let mut killed = 0;
    for ModelMutant { mutant, promise, budget } in MUTANTS {
        mutant::plant(&[*mutant]);
        let (report, took) = timed(*budget, deadline);
        mutant::plant(&[]);
        let found = if let Ending::Broken(found) = &report.ending { Some(found) } else { None };
        let is_killed = found.is_some_and(|found| found.promise == *promise);
        killed += usize::from(is_killed);
        let events = found.map_or(0, |found| found.history.len());
        let fate = if is_killed { "killed".to_owned() } else { format!("NOT KILLED: {}", ending(&report.ending)) };
        let seconds = format!("{:.2}", took.as_secs_f64());
        table.add_row([
            mutant.to_string(),
            promise.to_string(),
            report.states.to_string(),
            seconds,
            events.to_string(),
            fate,
        ]);
        if let Some(found) = found {
            anstream::println!("{mutant}: {}\n{}", found.sentence, history(found));
        }
    }
    anstream::println!("{table}\n{killed} of {} mutants killed by their promise", MUTANTS.len());
    killed == MUTANTS.len()
}

fn timed(budget: Budget, deadline: Instant) -> (Report, Duration) {
    let started = now();
    let report = search(budget, Limits::default(), || now() >= deadline);
    (report, started.elapsed())
}

fn tell(ending: &Ending) {
    if let Ending::Broken(found) = ending {
        anstream::println!("{} is broken: {}\n{}", found.promise, found.sentence, history(found));
    }
}

fn history(found: &Found) -> String {
    found.history.iter().enumerate().map(|(number, event)| format!("  {:>2}. {event}\n", number + 1)).collect()
}

fn ending(ending: &Ending) -> String {
    match ending {
        Ending::Complete => "complete, all held".into(),
        Ending::Broken(found) => format!("BROKEN: {}", found.promise),
        Ending::Stopped(limit) => format!("INCOMPLETE: {limit}"),
    }
}

fn numbers(budget: &Budget) -> String {
    budget.numbers().map(|number| number.to_string()).join(", ")
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table
}

#[expect(clippy::disallowed_methods, reason = "measures the harness; nothing here is simulated in time")]
fn now() -> Instant {
    Instant::now()
}

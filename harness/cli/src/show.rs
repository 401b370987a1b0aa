//! `show`: a scenario as it is resolved.

use crate::{exit::Exit, suite};
use scenarios::Overrides;

/// Prints the plan of each named scenario, with every default and preset resolved.
pub(crate) fn run(pattern: &str) -> miette::Result<Exit> {
    for scenario in suite::scenarios(&[pattern.to_owned()], &Overrides::default())? {
        let seed = scenario.seeds.as_slice().first().copied().unwrap_or(1);
        let plan = serde_json::to_string_pretty(&scenario.plan(seed)).expect("a plan serializes");
        anstream::println!("{plan}");
    }
    Ok(Exit::Held)
}

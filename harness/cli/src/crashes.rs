//! `crashes`: every crash that a store can suffer during a workload, and the planted bugs that must show in it.

use crate::{
    args::CrashesArgs,
    exit::{Exit, Failure},
};
use campaign::{CampaignError, CrashReport};
use comfy_table::{ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use kernel::Mutant;

/// Prints what was lost, without a bug and with each. Fails when something is lost, or a bug loses nothing.
pub(crate) fn run(args: &CrashesArgs) -> miette::Result<Exit> {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    let columns = ["bug", "transactions", "writes", "syncs", "crashes", "checks", "lost", "half there", "unreadable"];
    table.set_header(columns);
    let mut exit = Exit::Held;
    for bug in [None, Some(Mutant::V117), Some(Mutant::V122)] {
        let report = CrashReport::of(args.seed, usize::from(args.requests), bug);
        let report = report.map_err(|error| Failure::Campaign(CampaignError::World(error)))?;
        let sweep = report.sweep;
        let name = bug.map_or("none".into(), |bug| bug.to_string());
        let counts = [sweep.transactions, sweep.writes, sweep.syncs, sweep.crashes, report.checks];
        let findings = [report.lost, report.not_prefixes, report.unreadable];
        table.add_row(std::iter::once(name).chain(counts.into_iter().chain(findings).map(|count| count.to_string())));
        if bug.is_none() {
            anstream::println!(
                "{} old snapshots put back: {} miss something that was acknowledged, and are seen",
                sweep.snapshots,
                report.rollbacks_seen
            );
        }
        let shows = match bug {
            Some(Mutant::V117) => report.lost > 0 && report.not_prefixes == 0,
            Some(_) => report.not_prefixes > 0 && report.lost == 0,
            None => report.holds(),
        };
        if !shows {
            exit = Exit::Broken;
            let first = report.first.unwrap_or_else(|| "nothing was found".into());
            anstream::println!("{}: {first}", bug.map_or("without a bug".into(), |bug| format!("with {bug}")));
        }
    }
    anstream::println!("{table}");
    Ok(exit)
}

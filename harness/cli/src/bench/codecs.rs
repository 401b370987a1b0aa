//! What the simulator adds to its codecs.

use super::per_second;
use crate::exit::{Exit, Failure};
use campaign::{CampaignError, CodecCost, Judged, RunOptions, codecs_alone};
use kernel::Plan;

/// The most that simulation and judgement may cost, in thousandths of the codecs alone.
const MOST_PERMILLE: u128 = 1_300;

struct Round {
    with_probes: Judged,
    without_probes: Judged,
    codecs: CodecCost,
}

/// Runs the plan with and without its picture probes, then its codecs alone on the same frames.
pub(super) fn run(plan: &Plan, rounds: usize) -> miette::Result<Exit> {
    let rounds: Result<Vec<Round>, CampaignError> = (0..rounds).map(|_| round(plan)).collect();
    let mut rounds = rounds.map_err(Failure::Campaign)?;
    rounds.sort_by_key(ratio_permille);
    let median = &rounds[rounds.len() / 2];
    tell(plan, median);
    if median.codecs.different > 0 {
        anstream::println!(
            "the codecs alone made {} other frames: the ratio compares nothing",
            median.codecs.different
        );
        return Ok(Exit::Harness);
    }
    Ok(if ratio_permille(median) <= MOST_PERMILLE { Exit::Held } else { Exit::Broken })
}

fn round(plan: &Plan) -> Result<Round, CampaignError> {
    let mut bare = plan.clone();
    bare.media.quality_every = 0;
    let without_probes = Judged::run(&bare, &RunOptions::default())?;
    let with_probes = Judged::run(plan, &RunOptions::default())?;
    let codecs = codecs_alone(without_probes.log())?;
    Ok(Round { with_probes, without_probes, codecs })
}

/// Simulation and judgement without probes, over the codecs alone.
fn ratio_permille(round: &Round) -> u128 {
    let spent = round.without_probes.outcome.cpu + round.without_probes.judging;
    spent.as_micros() * 1_000 / round.codecs.codecs.as_micros().max(1)
}

fn tell(plan: &Plan, round: &Round) {
    let seconds = plan.duration.0 as f64 / 1e6;
    let probes = round.with_probes.outcome.cpu.saturating_sub(round.without_probes.outcome.cpu);
    let rows = [
        ("simulation with codecs, without probes", round.without_probes.outcome.cpu),
        ("judgement", round.without_probes.judging),
        ("picture probes (PSNR, SSIM)", probes),
        ("codecs alone on the same frames", round.codecs.codecs),
        ("camera pictures for the codecs", round.codecs.scene),
    ];
    anstream::println!(
        "{} seed {}: {seconds:.0} simulated seconds after the set-up, {} events",
        plan.scenario,
        plan.seed,
        round.with_probes.log().records.len()
    );
    for (what, spent) in rows {
        anstream::println!(
            "  {what:<42} {:7.2} s processor time, {:6.1} ms a simulated second",
            spent.as_secs_f64(),
            per_second(spent, seconds)
        );
    }
    let wall = round.with_probes.wall.as_secs_f64().max(1e-9);
    anstream::println!("  {:.2} simulated seconds a wall second, probes and judgement included", seconds / wall);
    let ratio = ratio_permille(round);
    anstream::println!(
        "  ratio to the codecs alone: {}.{:03} (at most {}.{:03})",
        ratio / 1_000,
        ratio % 1_000,
        MOST_PERMILLE / 1_000,
        MOST_PERMILLE % 1_000
    );
}

//! `bench`: what a run costs, as ratios of processor times taken in one run.

mod calls;
mod codecs;

use crate::{
    args::BenchArgs,
    exit::{Exit, Failure},
    suite,
};
use campaign::Cost;
use kernel::{Plan, plan::VideoCodec};
use scenarios::Overrides;
use std::time::Duration;

/// What is measured when nothing is named: with real codecs what the simulator adds to them, with the modelled codec how its
/// cost grows with the number of calls.
pub(crate) fn run(args: &BenchArgs) -> miette::Result<Exit> {
    if args.scenario.is_none() && args.codec.as_deref() == Some("modelled") {
        return calls::run(&args.calls, args.rounds.get());
    }
    let overrides = Overrides { codec: args.codec.clone(), ..Overrides::default() };
    let name = args.scenario.clone().unwrap_or_else(|| "first-call".into());
    let scenario = suite::scenarios(&[name], &overrides)?.swap_remove(0);
    let plan = scenario.plan(scenario.seeds.as_slice().first().copied().unwrap_or(1));
    match plan.media.video_codec {
        VideoCodec::Modelled => speed(&plan, args.rounds.get()),
        VideoCodec::Vp8 => codecs::run(&plan, args.rounds.get()),
    }
}

/// The modelled codec leaves the simulator alone: how many times faster than real time it is.
fn speed(plan: &Plan, rounds: usize) -> miette::Result<Exit> {
    let cost = Cost::of(plan, rounds).map_err(Failure::Campaign)?;
    anstream::println!("{} seed {}, modelled codec", plan.scenario, plan.seed);
    tell_speed(&cost);
    Ok(Exit::Held)
}

fn tell_speed(cost: &Cost) {
    let seconds = cost.simulated.as_secs_f64();
    anstream::println!(
        "  {seconds:.0} simulated seconds after the set-up, {} packets, a log of {} records and {:.2} MB a simulated second",
        cost.packets,
        cost.records,
        cost.log_bytes as f64 / 1e6 / seconds
    );
    let both = cost.simulation + cost.judgement;
    for (what, spent) in [("simulation", cost.simulation), ("judgement", cost.judgement), ("both", both)] {
        anstream::println!(
            "  {what:<12} {:7.3} s, {:6.2} ms a simulated second, {:6.1} us a packet, {:6.1} times real time",
            spent.as_secs_f64(),
            per_second(spent, seconds),
            spent.as_secs_f64() * 1e6 / cost.packets.max(1) as f64,
            seconds / spent.as_secs_f64().max(1e-9)
        );
    }
}

/// Milliseconds for each simulated second.
fn per_second(spent: Duration, seconds: f64) -> f64 {
    spent.as_secs_f64() * 1e3 / seconds
}

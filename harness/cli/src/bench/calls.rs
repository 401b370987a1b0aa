//! How the cost of a packet grows with the number of calls at once.

use super::tell_speed;
use crate::exit::{Exit, Failure};
use campaign::{Cost, HopCost, packet_hops, peak_memory};
use kernel::Plan;
use scenarios::Overrides;
use std::{fmt::Write, path::Path};

/// The most that a packet may cost in a run of many calls, in thousandths of what it costs in a run of the first number of
/// calls, in simulation and judgement. At 25 calls 1,382 and 1,812 were measured: growth is linear but for that.
const MOST_PERMILLE: [u64; 2] = [1_500, 2_000];
/// How long the one call lasts that speed and share are measured on, and how long each of many.
const LONG_S: u64 = 60;
const SHORT_S: u64 = 15;
/// Devices behind one router.
const HOUSEHOLD: usize = 5;

/// The speed of one call, the price of a packet on a link and its share, then runs of more and more calls.
pub(super) fn run(numbers: &[u8], rounds: usize) -> miette::Result<Exit> {
    anstream::println!("one call, modelled codec, 1.5 Mbit/s each way");
    let one = Cost::of(&plan(1, LONG_S)?, rounds).map_err(Failure::Campaign)?;
    tell_speed(&one);
    anstream::println!("  peak memory  {:7.1} MB", peak_memory() as f64 / 1e6);
    tell_hops(&packet_hops(), &one);
    anstream::println!("calls at once, {HOUSEHOLD} devices behind a router, {SHORT_S} s");
    anstream::println!(
        "  {:>5} {:>9} {:>14} {:>7} {:>14} {:>7} {:>12}",
        "calls",
        "packets",
        "simulation",
        "ratio",
        "judgement",
        "ratio",
        "peak memory"
    );
    let (mut first, mut is_linear) = (None, true);
    for number in numbers {
        let cost = Cost::of(&plan((*number).into(), SHORT_S)?, rounds).map_err(Failure::Campaign)?;
        let spent = [cost.simulation_ns(), cost.judgement_ns()];
        let base: [u64; 2] = *first.get_or_insert(spent);
        let ratios = [0, 1].map(|part| spent[part] * 1_000 / base[part].max(1));
        is_linear &= ratios.iter().zip(MOST_PERMILLE).all(|(ratio, most)| *ratio <= most);
        let [simulation, judgement] = [0, 1].map(|part| {
            let us = spent[part] as f64 / 1e3;
            format!("{us:>11.1} us {:>3}.{:03}", ratios[part] / 1_000, ratios[part] % 1_000)
        });
        let peak = peak_memory() as f64 / 1e6;
        anstream::println!("  {number:>5} {:>9} {simulation} {judgement} {peak:>9.1} MB", cost.packets);
    }
    let [simulation, judgement] = MOST_PERMILLE.map(|most| format!("{}.{:03}", most / 1_000, most % 1_000));
    anstream::println!(
        "  a packet may cost at most {simulation} times as much to simulate, {judgement} times to judge"
    );
    Ok(if is_linear { Exit::Held } else { Exit::Broken })
}

fn tell_hops(costs: &[HopCost], call: &Cost) {
    for HopCost { queue, links, bare_ns, logged_ns } in costs {
        anstream::println!(
            "  a packet on a link, {queue:<9} {links} links: {bare_ns:>4} ns, {logged_ns:>4} ns with the log and its digest"
        );
    }
    // Each packet of the call passes an uplink and, where it was not lost, a downlink.
    let hops = call.packets + call.arrived;
    let drop_tail = costs.first().map_or(0, |cost| cost.logged_ns);
    let share = hops * drop_tail * 100 / (call.simulation.as_nanos() as u64).max(1);
    anstream::println!("  {hops} packet-hops of the call: {share} % of its simulation");
}

/// So many pairs of friends, all in a call. Callers and callees live in households of their own.
fn plan(calls: usize, seconds: u64) -> miette::Result<Plan> {
    let text = story(calls, seconds);
    let (path, vocabulary) = (format!("{calls}-calls.toml"), campaign::vocabulary());
    let scenario = scenarios::read(Path::new(&path), &text, &vocabulary, &Overrides::default())?.swap_remove(0);
    Ok(scenario.plan(1))
}

fn story(calls: usize, seconds: u64) -> String {
    let (mut people, mut friends, mut steps) = (String::new(), String::new(), String::new());
    for call in 0..calls {
        let household = call / HOUSEHOLD;
        for side in ["caller", "callee"] {
            let home = format!("{side}s-{household}");
            let _ = writeln!(
                people,
                "    {{ user = \"{side}-{call}\", network = \"home-wifi\", nat = \"port-restricted\", home = \"{home}\" }},"
            );
        }
        let (caller, callee) = (format!("caller-{call}"), format!("callee-{call}"));
        let _ = write!(friends, "[\"{caller}\", \"{callee}\"], ");
        let _ = writeln!(
            steps,
            "    {{ at = \"1s\", user = \"{caller}\", does = \"call\", with = \"{callee}\", video = true }},\n    \
             {{ after_ring = \"1s\", user = \"{callee}\", does = \"accept\", video = true }},"
        );
    }
    format!(
        "title = \"Calls at once\"\nduration = \"{seconds}s\"\nexercises = [\"only_friends_ring\"]\n\
         participant = [\n{people}]\nfriends = [{friends}]\ntimeline = [\n{steps}]\n\
         [media]\nvideo_codec = \"modelled\"\nwidth = 640\nheight = 360\nfps = 30\nvideo_max = \"1500kbit/s\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_is_a_pair_and_five_of_a_side_share_a_router() {
        let plan = plan(7, 15).unwrap();
        assert_eq!((plan.participants.len(), plan.friends.len(), plan.timeline.len()), (14, 7, 14));
        let routers = |side: &str| {
            let own = plan.participants.iter().filter(|participant| participant.user.as_str().starts_with(side));
            let mut routers: Vec<_> = own.map(|participant| participant.access.public_address).collect();
            routers.dedup();
            routers.len()
        };
        assert_eq!((routers("caller"), routers("callee")), (2, 2));
    }
}

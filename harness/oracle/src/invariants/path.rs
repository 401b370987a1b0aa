//! PATH and MED: the way that media takes, and whether its time is accounted for.

use crate::{
    catalogue::{Evidence, Pair},
    checks::Checks,
    judgement::Metric,
    reachability::direct_pair_validates,
    run::{LEGS, Leg, Legs, Period, Run, Seen, access},
};
use kernel::{
    CallId, Micros, SimTime,
    event::{PairSelected, RtpSent},
};

/// How long ICE may take from connecting to the direct pair.
const SETTLING: Micros = Micros::from_secs(5);

/// Where an access loses a larger share of the packets, checks of ICE may take longer than that.
const MOST_LOSS_PPM: u64 = 300_000;

/// PATH-1.
pub(crate) fn direct_path_used_when_open(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for (id, call) in &run.calls.by_id {
        for leg in call.legs() {
            judge_leg(run, *id, &leg, &mut checks);
        }
    }
    checks
}

fn judge_leg(run: &Run, call: CallId, leg: &Leg, checks: &mut Checks) {
    let ends = [leg.ends.0, leg.ends.1];
    if ends.iter().any(|end| {
        let end = run.cast.participant(*end);
        end.relay_only || end.access.up.loss.mean_ppm().max(end.access.down.loss.mean_ppm()) > MOST_LOSS_PPM
    }) {
        return;
    }
    for period in run.interfaces.periods(ends).iter().filter(|period| is_open(run, ends, period)) {
        for device in ends {
            judge_path(run, (call, leg), device, period, checks);
        }
    }
}

/// Whether a direct pair of any two interfaces validates.
fn is_open(run: &Run, [one, other]: [usize; 2], period: &Period) -> bool {
    let [own, others] = &period.up;
    own.iter().any(|own| {
        let one = access(&run.cast, one, *own);
        others.iter().any(|others| direct_pair_validates(one, access(&run.cast, other, *others)))
    })
}

fn judge_path(run: &Run, (call, leg): (CallId, &Leg), device: usize, period: &Period, checks: &mut Checks) {
    let name = run.cast.name(device);
    let ends = [leg.ends.0, leg.ends.1];
    let Some(part) = run.part_at(device, call, leg.from.1) else { return };
    // A path to the device that had the call before is none of this one's.
    let began = part.began.1.max(leg.from.1);
    let is_connected = |state: &str| matches!(state, "connected" | "completed");
    let mut states = run.events.ice_states.of(name);
    let Some(connected) = states.find(|seen| seen.index > began && is_connected(&seen.state)) else { return };
    let limit = connected.at.max(period.from) + SETTLING;
    let end = part.over().map_or(run.end, |(at, _)| at).min(open_until(run, ends)).min(leg.until.0).min(period.until);
    if end < limit {
        return;
    }
    // No direct path is open while an end is cut off.
    let is_open = |at: SimTime| !ends.iter().any(|end| run.is_cut(*end, at, SETTLING));
    let in_call = |at: SimTime, index: u64| index > began && at <= end && is_open(at);
    let own = |seen: &&Seen<PairSelected>| in_call(seen.at, seen.index);
    let settled = run.events.pairs.of(name).filter(own).rfind(|seen| seen.at <= limit);
    let (at, record) = settled.map_or((limit, connected.index), |seen| (seen.at, seen.index));
    checks.check(settled.is_some_and(|pair| !pair.relayed), at, record, || {
        let since = if connected.at < period.from { "an interface changed" } else { "connecting" };
        format!("5 s after {since} {name} still uses a relay, although a direct path is open")
    });
    for pair in run.events.pairs.of(name).filter(own).filter(|seen| seen.at > limit) {
        checks.check(!pair.relayed, pair.at, pair.index, || {
            format!("{name} goes back to a relay, although a direct path is open")
        });
    }
    let media = |sent: &&Seen<RtpSent>| sent.at > limit && in_call(sent.at, sent.index);
    for sent in run.events.rtp_sent.of(name).filter(media) {
        checks.check(!is_relayed(run, sent), sent.at, sent.index, || {
            format!("{name} sends {} through a relay, although a direct path is open", sent.track)
        });
    }
}

/// Until when the direct path is open: the plan may cut the core between the two devices. After that a relay is right, and
/// remains so: ICE does not leave a path that works.
fn open_until(run: &Run, [one, other]: [usize; 2]) -> SimTime {
    let cut = run.plan.trouble.first_cut(run.cast.name(one), run.cast.name(other));
    cut.map_or(SimTime::NEVER, |cut| run.plan.timeline_start + cut)
}

fn is_relayed(run: &Run, sent: &RtpSent) -> bool {
    run.packets.get(sent.packet).is_some_and(|packet| {
        packet.carried_on_by.is_some() || packet.sent.is_some_and(|sent| run.is_relay(sent.destination.ip()))
    })
}

/// PATH-2. Only a plan that was run twice can say it, and only where one run was direct and the other relayed.
pub(crate) fn direct_is_not_slower_than_relayed(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    let Some(Pair { direct, relayed }) = evidence.pair else { return checks };
    // Without any propagation of its own the relay is as good as on every path.
    let detour = run.plan.relays.iter().any(|relay| relay.up.propagation + relay.down.propagation > Micros::ZERO);
    let value = |metrics: &[Metric], name: &str| metrics.iter().find(|metric| metric.name == name).map(|m| m.value);
    let kinds = (value(direct, "path_kind"), value(relayed, "path_kind"));
    if !detour || !matches!(kinds, (Some(1..=3), Some(4))) {
        return checks;
    }
    for way in run.ways() {
        let name = format!("{}/glass_to_glass_us_p50", run.way_name(way));
        let (Some(direct), Some(relayed)) = (value(direct, &name), value(relayed, &name)) else { continue };
        let last = run.log.records.len() as u64 - 1;
        checks.check(direct <= relayed, run.end, last, || {
            let way = run.way_name(way);
            format!("{way} takes {direct} us in the median over the direct path, but {relayed} us over the relay")
        });
    }
    checks
}

/// MED-1. Frames with an event missing on their way are no checks: the metric `frames_unmatched` counts them.
pub(crate) fn legs_sum_to_glass_to_glass(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for delivery in &run.frames.deliveries {
        let (Some((legs, glass_to_glass)), Some(rendered)) = (Legs::of(run, delivery), delivery.rendered) else {
            continue;
        };
        let sum = legs.sum();
        checks.check(sum == glass_to_glass, rendered.at, rendered.index, || {
            let sent = &run.frames.sent[delivery.frame];
            let (sender, number) = (run.cast.name(sent.device), sent.number);
            let named: Vec<String> =
                LEGS.iter().zip(legs.0).filter(|(_, leg)| *leg > 0).map(|(name, leg)| format!("{name} {leg}")).collect();
            format!(
                "frame {number} of {sender} took {glass_to_glass} us from glass to glass, but its legs add up to {sum} us: {}",
                named.join(", ")
            )
        });
    }
    checks
}

#[cfg(test)]
mod tests {
    use crate::story::{Story, Way, address_of, relay_address};
    use kernel::{
        Micros,
        event::{Event, InterfaceChanged},
        plan::{InterfacePlan, NatPlan, Pairing},
        trouble::{Fault, FaultKind},
    };

    const DIRECT: &str = "direct_path_used_when_open";
    const LEGS: &str = "legs_sum_to_glass_to_glass";

    #[test]
    fn a_direct_call() {
        let mut story = Story::new();
        story.live().at(13_000).frame("alice-phone", 0).over(15_000);
        assert_eq!(story.holds(DIRECT), 3);
    }

    /// A call whose frames take longer by `late` at the screen, over a direct or a relayed path.
    fn paired(relayed: bool, late: u64) -> Story {
        let mut story = Story::new();
        story.plan.paired_with = Some(Pairing::Relay);
        story.live().at(7_400);
        for (device, peer) in [("alice-phone", "bob-phone"), ("bob-phone", "alice-phone")] {
            let local = if relayed { relay_address() } else { address_of(device) };
            story.pair(device, local, address_of(peer), relayed);
        }
        for number in 0..3 {
            story.changed_frame("alice-phone", number, |way| {
                for (at, event) in way {
                    if let Event::Rendered(rendered) = event {
                        *at += Micros(late);
                        rendered.render_wait += Micros(late);
                    }
                }
            });
        }
        story.over(15_000);
        story
    }

    #[test]
    fn a_direct_path_that_is_slower_than_the_relay_is_found_out() {
        let judged = |direct: Story, relayed: Story| {
            let judgement = crate::judge_pair(&direct.log(), &relayed.log());
            judgement.invariants.into_iter().find(|report| report.name == "direct_is_not_slower_than_relayed").unwrap()
        };
        let report = judged(paired(false, 0), paired(true, 5_000));
        assert_eq!((report.checks, report.violations), (1, 0));
        let report = judged(paired(false, 5_000), paired(true, 0));
        assert_eq!((report.checks, report.violations), (1, 1));
        let sentence = report.first_violation.unwrap().message;
        assert!(sentence.contains("over the direct path, but"), "{sentence}");
        let report = judged(paired(true, 5_000), paired(true, 0));
        assert_eq!(report.checks, 0, "where both were relayed there is nothing to compare");
    }

    fn relayed_at(ms: u64) -> Story {
        let mut story = Story::new();
        story.live().at(ms).pair("alice-phone", relay_address(), address_of("bob-phone"), true).over(15_000);
        story
    }

    #[test]
    fn a_relay_is_used_although_a_direct_path_is_open() {
        let sentence = relayed_at(7_300).fails_only(DIRECT);
        assert_eq!(sentence, "5 s after connecting alice-phone still uses a relay, although a direct path is open");
        let sentence = relayed_at(14_000).fails_only(DIRECT);
        assert_eq!(sentence, "alice-phone goes back to a relay, although a direct path is open");
    }

    #[test]
    fn where_too_much_is_lost_a_relay_may_stay() {
        let lossy = |ppm| {
            let mut story = relayed_at(7_300);
            story.plan.participants[1].access.down.loss = kernel::plan::Loss::Bernoulli { ppm };
            story.report(DIRECT)
        };
        assert_eq!(lossy(300_000).violations, 1);
        assert_eq!(lossy(300_001).checks, 0);
    }

    #[test]
    fn where_no_direct_path_is_open_a_relay_is_right() {
        for close in ["nat", "relay_only"] {
            let mut story = relayed_at(7_300);
            match close {
                "nat" => story.plan.participants[0].access.nat = Some(NatPlan::SYMMETRIC),
                _ => story.plan.participants[1].relay_only = true,
            }
            let report = story.report(DIRECT);
            assert_eq!((report.checks, report.violations), (0, 0));
        }
    }

    #[test]
    fn once_the_core_is_cut_a_relay_is_right() {
        let mut story = relayed_at(14_000);
        let between = ("bob-phone".into(), "alice-phone".into());
        // The timeline begins at 10 s.
        let cut = Fault { at: Micros::from_secs(3), kind: FaultKind::Cut { between } };
        story.plan.trouble.faults.push(cut);
        assert_eq!(story.holds(DIRECT), 2);
    }

    /// A call whose caller has a second interface that leaves no direct path; Wi-Fi goes when it comes, and returns.
    fn moved(relayed_at_home: bool) -> Story {
        let mut story = Story::new();
        let alice = &mut story.plan.participants[0];
        let access = kernel::plan::AccessPlan {
            nat: Some(NatPlan::SYMMETRIC),
            public_address: "203.0.113.99".parse().unwrap(),
            ..alice.access.clone()
        };
        let address = "192.168.99.5".parse().unwrap();
        alice.interfaces = vec![InterfacePlan { name: "alice-phone.lte".into(), address, access, starts_down: true }];
        let change = |story: &mut Story, ms: u64, interface: &str, up: bool| {
            let (device, interface) = ("alice-phone".into(), interface.into());
            story.at(ms).tell(Event::InterfaceChanged(InterfaceChanged { device, interface, up }));
        };
        story.live();
        change(&mut story, 13_000, "alice-phone.lte", true);
        change(&mut story, 13_000, "alice-phone", false);
        story.at(13_500).pair("alice-phone", relay_address(), address_of("bob-phone"), true);
        change(&mut story, 20_000, "alice-phone", true);
        change(&mut story, 20_000, "alice-phone.lte", false);
        if !relayed_at_home {
            story.at(20_500).pair("alice-phone", address_of("alice-phone"), address_of("bob-phone"), false);
        }
        story.over(30_000);
        story
    }

    #[test]
    fn each_set_of_interfaces_is_judged_by_what_it_leaves_open() {
        // Both before the move, and both after the return; the relay in between is right.
        assert_eq!(moved(false).holds(DIRECT), 4);
        let sentence = moved(true).fails_only(DIRECT);
        assert_eq!(
            sentence,
            "5 s after an interface changed alice-phone still uses a relay, although a direct path is open"
        );
    }

    fn frame(change: impl FnOnce(&mut Way)) -> Story {
        let mut story = Story::new();
        story.live().frame("alice-phone", 0).changed_frame("alice-phone", 1, change);
        story
    }

    #[test]
    fn the_legs_add_up() {
        assert_eq!(frame(|_| {}).holds(LEGS), 2);
    }

    #[test]
    fn a_microsecond_is_missing() {
        for kind in ["encoded", "packet", "rendered"] {
            let story = frame(|way| {
                for (_, event) in way {
                    match event {
                        Event::Encoded(encoded) if kind == "encoded" => encoded.encode = Micros(1_999),
                        Event::PacketArrived(arrived) if kind == "packet" => arrived.propagation = Micros(4_999),
                        Event::Rendered(rendered) if kind == "rendered" => rendered.render_wait = Micros(3_999),
                        _ => {}
                    }
                }
            });
            let sentence = story.fails_only(LEGS);
            assert!(
                sentence.starts_with(
                    "frame 1 of alice-phone took 17920 us from glass to glass, but its legs add up to 17919 us"
                ),
                "{sentence}"
            );
        }
    }

    #[test]
    fn a_frame_with_a_gap_in_its_story_is_counted_and_not_judged() {
        let story = frame(|way| {
            for (_, event) in way {
                if let Event::Reassembled(reassembled) = event {
                    reassembled.completed_by = None;
                }
            }
        });
        let judgement = story.judge();
        let metric = judgement.metrics.iter().find(|metric| metric.name == "frames_without_legs").unwrap();
        assert_eq!(metric.value, 1);
        assert_eq!(judgement.invariants.iter().find(|report| report.name == LEGS).unwrap().checks, 1);
    }
}

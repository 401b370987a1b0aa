//! What a link can carry over time, and what of it cross traffic leaves.
//!
//! RFC 8867 and RFC 8868 hold a flow against the *available* capacity. UDP cross traffic does not yield: what it takes, by
//! its plan, is not available. TCP yields: what it has is a share of what is available to all.

use crate::run::Run;
use kernel::{
    BitRate, LinkName, Micros, SimTime,
    plan::{LinkPlan, RateTrace, TrafficEnd, TrafficKind, TrafficPlan},
};

/// The capacity of a link's direction over time.
pub(super) struct Capacity<'a> {
    paces: Vec<(SimTime, Pace<'a>)>,
    taken: Vec<Taken>,
}

#[derive(Clone, Copy)]
enum Pace<'a> {
    Unlimited,
    Rate(BitRate),
    /// A trace and when it began.
    Trace(&'a RateTrace, SimTime),
}

/// A flow that does not yield: the mean of what it takes for a time.
struct Taken {
    from: SimTime,
    to: SimTime,
    rate: BitRate,
}

impl<'a> Capacity<'a> {
    /// What of a link cross traffic that does not yield leaves.
    pub(super) fn of(run: &Run<'a>, link: String, planned: &'a LinkPlan) -> Capacity<'a> {
        let over = run.plan.traffic.iter().filter(|flow| crosses(run, flow, &link));
        let taken = over.filter_map(|flow| Taken::by(flow, run.plan.timeline_start)).collect();
        Capacity { taken, ..Capacity::whole(run, link, planned) }
    }

    /// All that a link can carry.
    pub(super) fn whole(run: &Run<'a>, link: String, planned: &'a LinkPlan) -> Capacity<'a> {
        let link = LinkName::from(link);
        let traces: &'a [RateTrace] = &run.plan.traces;
        let pace = |plan: &LinkPlan| {
            let trace = plan.trace.as_ref().and_then(|name| traces.iter().find(|trace| trace.name == *name));
            let trace = trace.map(|trace| Pace::Trace(trace, run.plan.timeline_start));
            trace.or(plan.rate.map(Pace::Rate)).unwrap_or(Pace::Unlimited)
        };
        let changes = run.events.links.iter().filter(|seen| seen.link == link).map(|seen| (seen.at, pace(&seen.to)));
        let paces = [(SimTime::ZERO, pace(planned))].into_iter().chain(changes).collect();
        Capacity { paces, taken: Vec::new() }
    }

    pub(super) fn has_trace(&self) -> bool {
        self.paces.iter().any(|(_, pace)| matches!(pace, Pace::Trace(..)))
    }

    /// When it changes, in no order.
    pub(super) fn changes(&self) -> impl Iterator<Item = SimTime> {
        let taken = self.taken.iter().flat_map(|taken| [taken.from, taken.to]);
        self.paces.iter().map(|(at, _)| *at).chain(taken)
    }

    /// The spans between two times in which it does not change, with the mean rate of each in bits per second. `None`
    /// where the link is unlimited.
    pub(super) fn spans(&self, from: SimTime, to: SimTime) -> Option<Vec<(SimTime, SimTime, u64)>> {
        let mut times: Vec<SimTime> = self.changes().filter(|at| *at > from && *at < to).collect();
        times.extend([from, to]);
        times.sort_unstable();
        times.dedup();
        let mut spans: Vec<(SimTime, SimTime, u64)> = Vec::new();
        for pair in times.windows(2) {
            let rate = self.microbits(pair[0], pair[1])? / u128::from(pair[1].since(pair[0]).0);
            let rate = u64::try_from(rate).unwrap_or(u64::MAX);
            match spans.last_mut() {
                // Something else of the link changed.
                Some((_, end, before)) if *before == rate => *end = pair[1],
                _ => spans.push((pair[0], pair[1], rate)),
            }
        }
        Some(spans)
    }

    /// Millionths of bits that it comes to in a span in which it does not change; `None` when it is unlimited.
    pub(super) fn microbits(&self, from: SimTime, to: SimTime) -> Option<u128> {
        let span = u128::from(to.since(from).0);
        let whole = match self.paces.iter().rfind(|(since, _)| *since <= from).map(|(_, pace)| *pace)? {
            Pace::Unlimited => return None,
            Pace::Rate(rate) => u128::from(rate.0) * span,
            Pace::Trace(trace, start) => u128::from(trace.capacity(start, from, to)) * 1_000_000,
        };
        let taken = self.taken.iter().filter(|taken| taken.from <= from && from < taken.to);
        Some(whole.saturating_sub(taken.map(|taken| u128::from(taken.rate.0) * span).sum()))
    }
}

impl Taken {
    /// What a flow takes; `None` for TCP.
    fn by(flow: &TrafficPlan, timeline_start: SimTime) -> Option<Taken> {
        let rate = match flow.kind {
            TrafficKind::Cbr { rate } => rate,
            TrafficKind::RandomWalk { least, most, .. } => BitRate(least.0.midpoint(most.0)),
            TrafficKind::Pulses { rate, on, off } => mean_of_pulses(rate, on, off),
            TrafficKind::LongTcp { .. } | TrafficKind::ShortTcp { .. } => return None,
        };
        Some(Taken { from: timeline_start + flow.start, to: timeline_start + flow.end, rate })
    }
}

fn mean_of_pulses(rate: BitRate, on: Micros, off: Micros) -> BitRate {
    let period = u128::from(on.0) + u128::from(off.0);
    let mean = (u128::from(rate.0) * u128::from(on.0)).checked_div(period);
    BitRate(mean.and_then(|mean| u64::try_from(mean).ok()).unwrap_or(0))
}

/// Whether a flow goes over a direction of a link: outwards from its source, or inwards to its sink.
pub(super) fn crosses(run: &Run, flow: &TrafficPlan, link: &str) -> bool {
    let over = |end: &TrafficEnd, direction: &str| {
        let owner = run.plan.participants.iter().find(|participant| participant.device == end.host);
        let access = end.access.as_ref().or(owner.map(|owner| &owner.access));
        let via = access.into_iter().flat_map(|access| &access.via).map(ToString::to_string);
        via.chain([end.host.to_string()]).any(|name| link == format!("{name}/{direction}"))
    };
    over(&flow.source, "up") || over(&flow.sink, "down")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Judgement, story::Story};
    use kernel::{
        event::{self, Event},
        plan::{AccessPlan, CongestionKind, CoreLink, TrafficSide},
    };

    const BEGIN: SimTime = SimTime(10_000_000);

    fn at(seconds: u64) -> SimTime {
        BEGIN + Micros::from_secs(seconds)
    }

    fn capacity(taken: &[(u64, u64, u64)]) -> Capacity<'static> {
        let taken =
            taken.iter().map(|&(from, to, kbps)| Taken { from: at(from), to: at(to), rate: BitRate::from_kbps(kbps) });
        Capacity { paces: vec![(SimTime::ZERO, Pace::Rate(BitRate::from_mbps(4)))], taken: taken.collect() }
    }

    #[test]
    fn what_does_not_yield_is_not_available_while_it_lasts() {
        let capacity = capacity(&[(0, 10, 3_000), (10, 20, 1_500), (15, 20, 500)]);
        let spans = capacity.spans(at(5), at(30)).unwrap();
        let expected = [(5, 10, 1_000_000), (10, 15, 2_500_000), (15, 20, 2_000_000), (20, 30, 4_000_000)];
        assert_eq!(spans, expected.map(|(from, to, rate)| (at(from), at(to), rate)));
    }

    #[test]
    fn a_flow_that_another_of_the_same_rate_follows_changes_nothing() {
        let spans = capacity(&[(0, 10, 3_000), (10, 20, 3_000)]).spans(at(5), at(15)).unwrap();
        assert_eq!(spans, [(at(5), at(15), 1_000_000)]);
    }

    #[test]
    fn more_than_the_link_carries_leaves_nothing() {
        assert_eq!(capacity(&[(0, 10, 5_000)]).microbits(at(1), at(2)), Some(0));
    }

    #[test]
    fn pulses_take_their_mean() {
        let (rate, on, off) = (BitRate::from_kbps(900), Micros::from_millis(100), Micros::from_millis(200));
        assert_eq!(mean_of_pulses(rate, on, off), BitRate::from_kbps(300));
        assert_eq!(mean_of_pulses(rate, Micros::ZERO, Micros::ZERO), BitRate(0));
    }

    /// Alice sends 137,360 bits of RTP a second without headers over a bottleneck of 1 Mbit/s that a flow shares with her.
    fn beside(kind: TrafficKind) -> Judgement {
        let mut story = Story::new();
        let alice = &mut story.plan.participants[0].access;
        alice.via = vec!["bottleneck".into()];
        let wide = LinkPlan { rate: Some(BitRate::from_mbps(1)), ..alice.up.clone() };
        story.plan.core_links = vec![CoreLink { name: "bottleneck".into(), up: wide.clone(), down: wide }];
        let end = |via: &[&str]| TrafficEnd {
            host: "somebody".into(),
            address: "192.0.2.101:20096".parse().unwrap(),
            access: Some(AccessPlan {
                via: via.iter().map(|name| (*name).into()).collect(),
                ..story.plan.participants[1].access.clone()
            }),
        };
        story.plan.traffic = vec![TrafficPlan {
            name: "cross".into(),
            kind,
            source: end(&["bottleneck"]),
            sink: end(&[]),
            opener: TrafficSide::Source,
            start: Micros::ZERO,
            end: Micros::from_secs(100),
        }];
        story.plan.timeline_start = SimTime::ZERO;
        story.live();
        for number in 0..=100u32 {
            story.at(8_000 + 10 * u64::from(number)).frame("alice-phone", number);
        }
        for sample in [8_200, 8_400, 8_600, 8_800, 9_000] {
            let link = LinkName::from("bottleneck/up");
            let (span, waited) = (Micros::from_millis(200), Micros::ZERO);
            let told = event::LinkSampled {
                link,
                span,
                packets: 20,
                bytes: 15_000,
                dropped: 0,
                marked: 0,
                waited,
                longest_wait: waited,
                most_queued: 0,
            };
            story.at(sample).tell(Event::LinkSampled(told));
        }
        story.over(12_000);
        story.judge()
    }

    fn value(judgement: &Judgement, name: &str) -> i64 {
        judgement.metrics.iter().find(|metric| metric.name == name).unwrap().value
    }

    #[test]
    fn media_is_held_against_what_udp_leaves_and_tcp_shares() {
        let name = "bottleneck/up/link_utilization_ppm";
        let udp = beside(TrafficKind::Cbr { rate: BitRate::from_kbps(800) });
        let tcp = beside(TrafficKind::LongTcp { congestion: CongestionKind::Cubic });
        // 100 packets of 170 bytes with 28 bytes of headers, in the second from the first to the last.
        assert_eq!(value(&tcp, name), 158_400);
        assert_eq!(value(&udp, name), 5 * 158_400);
        // What the link carried does not depend on whose it was: 15,000 bytes a sample are 600 kbit/s.
        for judgement in [&udp, &tcp] {
            assert_eq!(value(judgement, "bottleneck/up/link_carried_ppm"), 600_000);
        }
    }
}

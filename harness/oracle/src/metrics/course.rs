//! The course of a core link over time, for the eye: what it could carry, what each flow sent, how long packets waited.

use super::{
    capacity::{Capacity, crosses},
    congestion::Flow,
    cross_traffic,
};
use crate::{
    judgement::{FlowCourse, LinkCourse},
    run::Run,
};
use kernel::{Micros, SimTime, event::LinkSampled, plan::TrafficSide};

/// The span of a sample of a link (RFC 8867 section 4).
const SAMPLE: Micros = Micros::from_millis(200);
/// Over how long before a sample a flow's rate is taken: shorter times show single key frames.
const SMOOTHED: Micros = Micros::from_secs(1);
/// More samples than these are joined: five minutes have 1,500.
const MAX_SAMPLES: u64 = 1_600;

/// The course of a direction of a core link while flows are on it, from one time to another.
pub(super) fn of(
    run: &Run,
    link: &str,
    flows: &[&Flow],
    capacity: &Capacity,
    (from, to): (SimTime, SimTime),
) -> LinkCourse {
    let samples = to.since(from).0.div_ceil(SAMPLE.0).max(1);
    let step = Micros(SAMPLE.0 * samples.div_ceil(MAX_SAMPLES));
    let first = from.0 / step.0 + 1;
    let times: Vec<SimTime> = (first..=to.0.div_ceil(step.0).max(first)).map(|n| SimTime(n * step.0)).collect();
    let own = run.events.link_samples.iter().filter(|seen| seen.link == *link);
    let sampled: Vec<(SimTime, &LinkSampled)> = own.map(|seen| (seen.at, seen.get())).collect();
    let mut course =
        LinkCourse { link: link.to_owned(), flows: rates(run, link, flows, &times), ..LinkCourse::default() };
    for at in times {
        let begin = SimTime(at.0 - step.0);
        let within = sampled.partition_point(|(end, _)| *end <= begin)..sampled.partition_point(|(end, _)| *end <= at);
        let within = || sampled[within.clone()].iter().map(|(_, sample)| *sample);
        let sum = |of: fn(&LinkSampled) -> u64| within().map(of).sum::<u64>();
        course.at.push(at);
        course.capacity_bps.push(capacity.spans(begin, at).and_then(|spans| spans.first().map(|span| span.2)));
        course.carried_bps.push(sum(|sample| sample.bytes) * 8_000_000 / step.0);
        course.queue_us_mean.push(sum(|sample| sample.waited.0).checked_div(sum(|sample| sample.packets)));
        course.queue_us_max.push(within().map(|sample| sample.longest_wait.0).max());
        course.dropped.push(sum(|sample| sample.dropped));
        course.marked.push(sum(|sample| sample.marked));
    }
    course
}

fn rates(run: &Run, link: &str, flows: &[&Flow], times: &[SimTime]) -> Vec<FlowCourse> {
    let before = |at: SimTime| SimTime(at.0.saturating_sub(SMOOTHED.0));
    let calls = flows.iter().map(|flow| {
        let rate_bps = times.iter().map(|at| flow.bytes_between(before(*at), *at) * 8).collect();
        FlowCourse { name: flow.name.clone(), rate_bps }
    });
    let crossing = run.plan.traffic.iter().filter(|flow| crosses(run, flow, link));
    let crossing = crossing.map(|flow| {
        let delivered = cross_traffic::samples(run, flow, TrafficSide::Sink);
        let rate = |at: &SimTime| delivered.range(before(*at) + Micros(1)..=*at).map(|(_, bytes)| bytes * 8).sum();
        FlowCourse { name: format!("traffic/{}", flow.name), rate_bps: times.iter().map(rate).collect() }
    });
    calls.chain(crossing).collect()
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use kernel::{
        BitRate, Micros, SimTime,
        event::{Event, LinkSampled},
        plan::CoreLink,
    };

    #[test]
    fn a_link_with_a_flow_has_its_course() {
        let mut story = Story::new();
        let mut plan = story.plan.participants[0].access.up.clone();
        plan.rate = Some(BitRate::from_kbps(500));
        story.plan.participants[0].access.via = vec!["bottleneck".into()];
        story.plan.core_links = vec![CoreLink { name: "bottleneck".into(), up: plan.clone(), down: plan }];
        story.live().at(8_000);
        // 198 bytes with headers each 10 ms: 158,400 bit/s.
        for number in 0..300u32 {
            story.at(8_000 + 10 * u64::from(number)).frame("alice-phone", number);
            if number == 130 {
                let (packets, bytes, dropped, marked) = (20, 3_960, 3, 2);
                let (span, waited, longest_wait) = (Micros(200_000), Micros(80_000), Micros(9_000));
                let (link, most_queued) = ("bottleneck/up".into(), 900);
                story.at(9_400).tell(Event::LinkSampled(LinkSampled {
                    link,
                    span,
                    packets,
                    bytes,
                    dropped,
                    marked,
                    waited,
                    longest_wait,
                    most_queued,
                }));
            }
        }
        story.over(12_000);
        let judgement = story.judge();
        assert_eq!(judgement.courses.len(), 1);
        let course = &judgement.courses[0];
        assert_eq!((course.link.as_str(), course.flows[0].name.as_str()), ("bottleneck/up", "alice-phone>bob-phone"));
        let sample = course.at.iter().position(|at| *at == SimTime(9_400_000)).unwrap();
        assert_eq!(course.capacity_bps[sample], Some(500_000));
        assert_eq!(course.flows[0].rate_bps[sample], 158_400);
        assert_eq!(course.carried_bps[sample], 158_400);
        assert_eq!((course.queue_us_mean[sample], course.queue_us_max[sample]), (Some(4_000), Some(9_000)));
        assert_eq!((course.dropped[sample], course.marked[sample]), (3, 2));
        assert_eq!(course.queue_us_mean[sample + 1], None);
    }
}

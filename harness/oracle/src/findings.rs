//! What a person should know about a run, worst first, with its time and its likely cause.

use crate::{
    catalogue::Evidence,
    judgement::{Finding, InvariantReport, Metric},
    metrics::{Freeze, smoothness},
    run::{Run, Way},
    trial::Trial,
};
use kernel::{
    ActorName, Micros, SimTime,
    event::{DropReason, UncheckedReason},
    plan::{Participant, Plan},
};
use std::collections::BTreeMap;

/// More freezes than this a direction are summed up.
const MAX_FREEZES: usize = 5;
/// Before a freeze its cause is looked for this far back: a key frame takes a round trip and more.
const CAUSE_WINDOW: Micros = Micros::from_secs(1);

/// All findings: first what was not judged, then what was found, worst first and of equal severity the longest first. With
/// half a pair of runs there is nothing to compare.
pub(crate) fn find(
    evidence: &Evidence,
    invariants: &[InvariantReport],
    metrics: &[Metric],
    is_half_a_pair: bool,
) -> Vec<Finding> {
    let run = evidence.run;
    let mut findings = broken_promises(run, invariants);
    for way in run.ways() {
        find_freezes(run, way, &mut findings);
        find_relay(run, way, metrics, &mut findings);
    }
    find_by_metric(run, metrics, &mut findings);
    find_blind_spot(run, metrics, &mut findings);
    find_unchecked(run, &mut findings);
    find_late_start(run, &mut findings);
    findings
        .sort_by_key(|finding| (finding.severity, std::cmp::Reverse(finding.until.since(finding.from)), finding.from));
    let mut all = Vec::new();
    if is_half_a_pair {
        let sentence = "The plan compares two runs, and this log holds one of the two: that is not judged.".into();
        all.push(Finding { severity: 2, sentence, from: SimTime::ZERO, until: run.end });
    }
    find_untried(evidence, &mut all);
    all.append(&mut findings);
    all
}

fn broken_promises(run: &Run, invariants: &[InvariantReport]) -> Vec<Finding> {
    let broken = invariants.iter().filter_map(|invariant| Some((invariant, invariant.first_violation.as_ref()?)));
    broken
        .map(|(invariant, first)| Finding {
            severity: 0,
            sentence: format!(
                "{} is broken in {} of {} checks: {} (record {}).",
                invariant.name, invariant.violations, invariant.checks, first.message, first.record
            ),
            from: first.at.min(run.end),
            until: run.end,
        })
        .collect()
}

fn find_freezes(run: &Run, way: Way, findings: &mut Vec<Finding>) {
    let mut freezes = smoothness(run, way).freezes;
    freezes.sort_by_key(|freeze| std::cmp::Reverse(freeze.until.since(freeze.from)));
    let (shown, rest) = freezes.split_at(freezes.len().min(MAX_FREEZES));
    let (sender, receiver) = (run.cast.user(way.sender), run.cast.user(way.receiver));
    findings.extend(shown.iter().map(|freeze| Finding {
        severity: 1,
        sentence: format!(
            "{sender}'s picture froze for {} ms at {receiver}'s, at {}: {}.",
            freeze.until.since(freeze.from).0 / 1_000,
            seconds(freeze.from),
            cause(run, way, freeze)
        ),
        from: freeze.from,
        until: freeze.until,
    }));
    let (Some(from), Some(until)) = (rest.iter().map(|f| f.from).min(), rest.iter().map(|f| f.until).max()) else {
        return;
    };
    let sentence = format!("{sender}'s picture froze {} more times at {receiver}'s, each time shorter.", rest.len());
    findings.push(Finding { severity: 1, sentence, from, until });
}

/// The likeliest cause of a freeze, by what happened shortly before and during it.
fn cause(run: &Run, way: Way, freeze: &Freeze) -> String {
    let from = SimTime(freeze.from.0.saturating_sub(CAUSE_WINDOW.0));
    let during = |at: SimTime| at >= from && at <= freeze.until;
    let sender = run.cast.name(way.sender);
    let mut drops: BTreeMap<(&str, DropReason), u64> = BTreeMap::new();
    for dropped in run.events.packets_dropped.iter().filter(|seen| during(seen.at)) {
        let chain = run.packets.chain_to(dropped.packet);
        let is_media = chain.first().is_some_and(|packet| packet.rtp.is_some_and(|rtp| rtp.device == *sender));
        if is_media {
            *drops.entry((&dropped.get().place, dropped.reason)).or_default() += 1;
        }
    }
    let worst = drops.into_iter().max_by_key(|(_, count)| *count);
    if let Some(((place, reason), count)) = worst {
        return format!("{} on {place} took {count} packets", named(reason));
    }
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    let ends = [sender, run.cast.name(way.receiver)];
    for dropped in run.events.dropped_frames.iter().filter(|seen| during(seen.at) && ends.contains(&&seen.device)) {
        *reasons.entry(&dropped.get().reason).or_default() += 1;
    }
    match reasons.into_iter().max_by_key(|(_, count)| *count) {
        Some((reason, count)) => format!("{count} frames were dropped ({})", reason.replace('_', " ")),
        None => "no packet or frame was dropped, so they came late".into(),
    }
}

fn named(reason: DropReason) -> &'static str {
    match reason {
        DropReason::QueueFull => "queue overflow",
        DropReason::Aqm => "queue management",
        DropReason::Policed => "a policer",
        DropReason::TooBig => "a small MTU",
        DropReason::Loss => "loss",
        DropReason::NatNoMapping | DropReason::NatFiltered | DropReason::NatNoHairpin => "a NAT",
        DropReason::Firewall => "a firewall",
        DropReason::SpoofedSource => "source validation",
        DropReason::NoRoute => "a missing route",
        DropReason::PortClosed => "a closed port",
        DropReason::HostDown => "a host that was down",
        DropReason::InterfaceDown => "an interface that was down",
    }
}

fn find_relay(run: &Run, way: Way, metrics: &[Metric], findings: &mut Vec<Finding>) {
    let share = value(metrics, &format!("{}/relayed_ppm", run.way_name(way))).unwrap_or(0);
    if share == 0 {
        return;
    }
    let (one, other) = (run.cast.participant(way.sender), run.cast.participant(way.receiver));
    let why = if one.relay_only || other.relay_only {
        "a user hides the own addresses".into()
    } else {
        format!("NATs: {} and {}", nat_name(one), nat_name(other))
    };
    let (from, until) = call_span(run);
    let sentence =
        format!("{} % of what {} sent to {} went over a relay ({why}).", percent(share), one.user, other.user);
    findings.push(Finding { severity: 2, sentence, from, until });
}

/// What stands in front of a participant, for people.
fn nat_name(participant: &Participant) -> String {
    let nat = participant.access.nat.as_ref().map_or("none".into(), |nat| nat.to_string());
    match &participant.access.carrier {
        Some(carrier) => format!("{nat} behind the carrier's {}", carrier.nat),
        None => nat,
    }
}

/// A metric, the bound from which on it is worth a word, and the words.
struct Remark {
    metric: &'static str,
    /// At most this is fine; for the qualities at least this.
    bound: i64,
    low_is_bad: bool,
    severity: u8,
    words: fn(i64) -> String,
}

const REMARKS: &[Remark] = &[
    Remark {
        metric: "accept_to_media_us",
        bound: 2_000_000,
        low_is_bad: false,
        severity: 1,
        words: |value| format!("It took {} ms from the accept until both had picture or sound.", value / 1_000),
    },
    Remark {
        metric: "glass_to_glass_us_p95",
        bound: 400_000,
        low_is_bad: false,
        severity: 1,
        words: |value| {
            format!("Glass to glass is {} ms at the 95th percentile: talking over each other begins.", value / 1_000)
        },
    },
    Remark {
        metric: "mouth_to_ear_us_p95",
        bound: 400_000,
        low_is_bad: false,
        severity: 1,
        words: |value| {
            format!("Mouth to ear is {} ms at the 95th percentile; ITU-T G.114 advises at most 400 ms.", value / 1_000)
        },
    },
    Remark {
        metric: "psnr_y_mdb_p5",
        bound: 28_000,
        low_is_bad: true,
        severity: 1,
        words: |value| {
            format!(
                "The worst twentieth of the pictures is at {}.{} dB PSNR or below.",
                value / 1_000,
                value % 1_000 / 100
            )
        },
    },
    Remark {
        metric: "concealed_ppm",
        bound: 10_000,
        low_is_bad: false,
        severity: 1,
        words: |value| format!("{} % of the sound had to be concealed.", percent(value)),
    },
    Remark {
        metric: "loss_after_repair_ppm",
        bound: 10_000,
        low_is_bad: false,
        severity: 1,
        words: |value| {
            format!("{} % of the frames never came together at the receiver, in spite of repair.", percent(value))
        },
    },
    Remark {
        metric: "loss_ppm",
        bound: 1_000,
        low_is_bad: false,
        severity: 2,
        words: |value| format!("The network lost {} % of the media packets in the worse direction.", percent(value)),
    },
    Remark {
        metric: "retransmitted_ppm",
        bound: 1_000,
        low_is_bad: false,
        severity: 2,
        words: |value| {
            format!(
                "{} % of the media packets in the worse direction were sent again, for repair or to probe the rate.",
                percent(value)
            )
        },
    },
    Remark {
        metric: "frames_unmatched",
        bound: 0,
        low_is_bad: false,
        severity: 2,
        words: |value| format!("{value} events at receivers fit no frame that was sent."),
    },
    Remark {
        metric: "frames_without_legs",
        bound: 0,
        low_is_bad: false,
        severity: 2,
        words: |value| format!("Of {value} rendered frames the legs are not all known."),
    },
    Remark {
        metric: "video_frames_unaccounted",
        bound: 0,
        low_is_bad: false,
        severity: 2,
        words: |value| format!("{value} captured pictures were neither encoded nor dropped with a reason."),
    },
];

fn find_by_metric(run: &Run, metrics: &[Metric], findings: &mut Vec<Finding>) {
    let (from, until) = call_span(run);
    for remark in REMARKS {
        let Some(value) = value(metrics, remark.metric) else { continue };
        if if remark.low_is_bad { value < remark.bound } else { value > remark.bound } {
            findings.push(Finding { severity: remark.severity, sentence: (remark.words)(value), from, until });
        }
    }
}

/// What is not searched for cannot be found: at most 5 % of the frames may be too short.
fn find_blind_spot(run: &Run, metrics: &[Metric], findings: &mut Vec<Finding>) {
    let (searched, skipped) = (value(metrics, "frames_searched"), value(metrics, "frames_not_searched"));
    let (searched, skipped) = (searched.unwrap_or(0), skipped.unwrap_or(0));
    if skipped * 20 > searched + skipped {
        let (from, until) = call_span(run);
        let all = searched + skipped;
        let sentence = format!("{skipped} of {all} encoded frames are too short to be searched for in the views.");
        findings.push(Finding { severity: 2, sentence, from, until });
    }
}

/// CNF-2 tries only so many windows; that some were left out must be said.
fn find_untried(evidence: &Evidence, findings: &mut Vec<Finding>) {
    let Trial { windows, untried, .. } = evidence.trial;
    if *untried > 0 {
        let (from, until) = call_span(evidence.run);
        let all = windows + untried;
        let sentence = format!("{untried} of {all} windows of what servers saw were not tried as keys.");
        findings.push(Finding { severity: 2, sentence, from, until });
    }
}

/// What came from addresses that no check of ICE vouches for, by device and by why it was dropped.
fn find_unchecked(run: &Run, findings: &mut Vec<Finding>) {
    let mut spans: BTreeMap<(&ActorName, UncheckedReason), (u64, SimTime, SimTime)> = BTreeMap::new();
    for dropped in &run.events.unchecked {
        let span = spans.entry((&dropped.get().device, dropped.reason)).or_insert((0, dropped.at, dropped.at));
        (span.0, span.2) = (span.0 + 1, dropped.at);
    }
    for ((device, reason), (count, from, until)) in spans {
        let why = match reason {
            UncheckedReason::NoRoom => "too many waited already",
            UncheckedReason::NotInTime => "no check reached their sender in time",
            UncheckedReason::NotDtls => "they were no DTLS",
        };
        let sentence = format!("{device} dropped {count} packets from addresses that ICE had not checked: {why}.");
        findings.push(Finding { severity: 3, sentence, from, until });
    }
}

/// The world gives a set-up more time rather than to fail; how long it took on this network must not be lost with it.
fn find_late_start(run: &Run, findings: &mut Vec<Finding>) {
    let start = run.plan.timeline_start;
    if start > Plan::TIMELINE_START {
        let usual = seconds(Plan::TIMELINE_START);
        let sentence = format!("Accounts and friendships were not ready after {usual}: the timeline begins later.");
        findings.push(Finding { severity: 2, sentence, from: SimTime::ZERO, until: start });
    }
}

/// From the first to the last moment of any call.
fn call_span(run: &Run) -> (SimTime, SimTime) {
    let from = run.calls.parts.values().map(|part| part.began.0).min().unwrap_or(SimTime::ZERO);
    let until = run.calls.parts.values().map(|part| part.over().map_or(run.end, |(at, _)| at)).max();
    (from, until.unwrap_or(run.end))
}

fn value(metrics: &[Metric], name: &str) -> Option<i64> {
    metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
}

/// Millionths as per cent with one digit.
fn percent(ppm: i64) -> String {
    format!("{}.{}", ppm / 10_000, ppm % 10_000 / 1_000)
}

/// A time as `12.4 s`.
fn seconds(at: SimTime) -> String {
    format!("{}.{} s", at.0 / 1_000_000, at.0 % 1_000_000 / 100_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{judgement::Judgement, story::Story, views};
    use kernel::{
        PacketId,
        event::{Event, UncheckedDropped},
    };

    fn finds(judgement: &Judgement, sentence: &str) -> bool {
        judgement.findings.iter().any(|finding| finding.sentence == sentence)
    }

    fn call() -> Story {
        let mut story = Story::new();
        story.live().at(8_000).frame("alice-phone", 0);
        story.over(9_000);
        story
    }

    #[test]
    fn packets_of_unchecked_addresses_are_counted_by_device_and_reason() {
        let mut story = call();
        for reason in [UncheckedReason::NotInTime, UncheckedReason::NotInTime, UncheckedReason::NotDtls] {
            let (device, source) = ("bob-phone".into(), "203.0.113.66:5000".parse().unwrap());
            story.tell(Event::UncheckedDropped(UncheckedDropped { device, packet: PacketId(1), source, reason }));
        }
        let judgement = story.judge();
        let says = |what| finds(&judgement, &format!("bob-phone dropped {what}."));
        assert!(says("2 packets from addresses that ICE had not checked: no check reached their sender in time"));
        assert!(says("1 packets from addresses that ICE had not checked: they were no DTLS"));
        assert!(!call().judge().findings.iter().any(|finding| finding.sentence.contains("ICE had not checked")));
    }

    #[test]
    fn a_timeline_that_begins_later_is_told() {
        let late = "Accounts and friendships were not ready after 10.0 s: the timeline begins later.";
        let mut story = call();
        assert!(!finds(&call().judge(), late));
        story.plan.timeline_start = SimTime(20_000_000);
        assert!(finds(&story.judge(), late));
    }

    #[test]
    fn windows_that_were_not_tried_as_keys_are_told() {
        let mut story = call();
        story.signal("alice-phone", "signaling", "invite", &crate::story::noise("body", 200));
        let log = story.log();
        let run = Run::of(&log);
        let search = views::search(&run);
        for (most, told) in [(5, true), (usize::MAX, false)] {
            let trial = Trial::up_to(&run, most);
            assert_eq!((trial.windows == 10, trial.untried > 0), (told, told));
            let evidence = Evidence { run: &run, search: &search, trial: &trial, pair: None };
            let findings = find(&evidence, &[], &[], false);
            assert_eq!(findings.iter().any(|finding| finding.sentence.contains("were not tried as keys")), told);
        }
    }
}

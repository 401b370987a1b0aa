//! How long a broken path, or the peer's going on with another device, keeps its media away.

use super::Sheet;
use crate::run::{Part, Run, Seen};
use kernel::{
    Micros, SimTime,
    event::{CallState, CallStateName},
};

pub(super) fn measure(run: &Run, sheet: &mut Sheet) {
    let (mut gaps, mut moves): (Vec<Micros>, Vec<Micros>) = Default::default();
    for part in run.calls.parts.values().filter(|part| part.first(CallStateName::Live).is_some()) {
        let (by_moves, broken): (Vec<_>, Vec<_>) = gaps_of(run, part).into_iter().partition(|(moved, _)| *moved);
        gaps.extend(broken.into_iter().map(|(_, gap)| gap));
        moves.extend(by_moves.into_iter().map(|(_, gap)| gap));
    }
    if run.calls.parts.values().any(|part| part.first(CallStateName::Live).is_some()) {
        sheet.once("reconnects", gaps.len() as u64);
    }
    if let Some(longest) = gaps.into_iter().max() {
        sheet.once("reconnect_us", longest.0);
    }
    if let Some(longest) = moves.into_iter().max() {
        sheet.once("handover_us", longest.0);
    }
}

/// The gap in the peer's frames around each time that a device took the path for broken, or went on with another device of
/// the peer: which of both it was, and how long.
fn gaps_of(run: &Run, part: &Part) -> Vec<(bool, Micros)> {
    let device = run.cast.name(part.device);
    let over = part.over().map_or(run.end, |(at, _)| at);
    let frames: Vec<SimTime> = run.events.reassembled.of(device).map(|frame| frame.at).collect();
    let broken = part.states.iter().filter(|state| state.to == CallStateName::Reconnecting);
    let moves = || run.calls.by_id.get(&part.call).into_iter().flat_map(|call| &call.moves);
    let gap = |broken: SimTime| {
        let next = frames.partition_point(|at| *at <= broken);
        let last = next.checked_sub(1).map_or(part.began.0, |last| frames[last]);
        let first = frames.get(next).copied().unwrap_or(over).min(over);
        // The device that left may have been missed before the word of it came.
        let moved = moves().any(|moved| last <= moved.stored.at && moved.stored.at <= first);
        (moved, first.since(last))
    };
    let told = |state: &Seen<CallState>| state.because == "srv.moved";
    broken.map(|state| (told(state), gap(state.at))).map(|(told, (moved, gap))| (told || moved, gap)).collect()
}

#[cfg(test)]
mod tests {
    use crate::{
        judgement::Judgement,
        story::{CALL, Story},
    };
    use kernel::{
        event::{CallStateName, Fact},
        plan::Participant,
    };

    const TABLET: &str = "alice-tablet";

    fn value(judgement: &Judgement, name: &str) -> Option<i64> {
        judgement.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }

    #[test]
    fn the_gap_is_from_the_last_frame_to_the_next_one() {
        let mut story = Story::new();
        story.live().at(8_000).frame("alice-phone", 0).at(9_020);
        story.state("bob-phone", CallStateName::Live, CallStateName::Reconnecting);
        story.at(9_500).state("bob-phone", CallStateName::Reconnecting, CallStateName::Live);
        story.at(9_600).frame("alice-phone", 1).over(12_000);
        let judgement = story.judge();
        assert_eq!(value(&judgement, "reconnects"), Some(1));
        assert_eq!(value(&judgement, "reconnect_us"), Some(1_600_000));
    }

    #[test]
    fn a_call_that_goes_on_with_another_device_was_not_broken() {
        let mut story = Story::new();
        let tablet = Participant { device: TABLET.into(), ..story.plan.participants[0].clone() };
        story.plan.participants.push(tablet);
        story.live().at(8_000).frame("alice-phone", 0).at(9_020);
        story.state("bob-phone", CallStateName::Live, CallStateName::Reconnecting);
        let (from, to) = ("alice-phone".into(), TABLET.into());
        story.at(9_100).fact(Fact::CallMoved { call: CALL, from, to });
        story.at(9_500).state("bob-phone", CallStateName::Reconnecting, CallStateName::Live);
        story.at(9_600).frame("alice-phone", 1).over(12_000);
        let judgement = story.judge();
        assert_eq!(value(&judgement, "reconnects"), Some(0));
        assert_eq!(value(&judgement, "handover_us"), Some(1_600_000));
    }

    #[test]
    fn a_call_that_keeps_its_path_has_no_gap() {
        let mut story = Story::new();
        story.live().at(8_000).frame("alice-phone", 0).over(9_000);
        let judgement = story.judge();
        assert_eq!(value(&judgement, "reconnects"), Some(0));
        assert_eq!(value(&judgement, "reconnect_us"), None);
    }
}

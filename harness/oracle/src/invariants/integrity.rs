//! INT: what is decoded and shown is what the sender encoded, once.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{FrameIndex, Run, Seen, hash_prefix},
};
use kernel::{
    Micros, SimTime, Track,
    event::{Attack, AttackKind, Decoded, OpenVerdict, Opened},
};
use std::collections::{BTreeMap, BTreeSet};

/// How soon the copy that an attacker changed is refused: it goes straight to the frame decryption.
const REFUSAL: Micros = Micros::from_millis(100);
/// For how long a copy that was not refused may come to the decoder and to the screen.
const AFTERMATH: Micros = Micros::from_secs(1);

/// INT-1. A check is an attack; bytes that no encoder made fail it even without one.
pub(crate) fn tampering_is_rejected(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for tampering in tamperings(run) {
        let attack = tampering.attack;
        if tampering.refused.is_none() && run.end < attack.at + REFUSAL {
            continue;
        }
        checks.check(tampering.refused.is_some(), attack.at, attack.index, || {
            format!("{} does not refuse a frame that was changed on its way ({})", attack.target, attack.detail)
        });
    }
    for decoded in &run.events.decoded {
        if !is_known(run, &decoded.hash) {
            checks.fail(decoded.at, decoded.index, || {
                let (device, track, sender) = (&decoded.device, decoded.track, &decoded.sender);
                format!("the {track} decoder of {device} is given bytes as {sender}'s that no encoder made")
            });
        }
    }
    checks
}

/// A frame that was changed at a hop, with the refusal of the copy.
struct Tampering<'a> {
    attack: Seen<'a, Attack>,
    refused: Option<Seen<'a, Opened>>,
}

/// Refusals in the order of the attacks: a copy goes the same way as all frames, so they keep their order.
fn tamperings<'a>(run: &Run<'a>) -> Vec<Tampering<'a>> {
    let refusals = |opened: &&Seen<'a, Opened>| matches!(opened.verdict, OpenVerdict::Forged | OpenVerdict::UnknownKey);
    let mut taken: BTreeSet<u64> = BTreeSet::new();
    let attacks = run.events.attacks.iter().filter(|attack| attack.kind == AttackKind::Tamper);
    attacks
        .map(|attack| {
            let from = run.events.opened.partition_point(|opened| opened.index < attack.index);
            let near = run.events.opened[from..].iter().take_while(|opened| opened.at <= attack.at + REFUSAL);
            let refused =
                near.filter(refusals).find(|opened| opened.device == attack.target && !taken.contains(&opened.index));
            taken.extend(refused.map(|refused| refused.index));
            Tampering { attack: *attack, refused: refused.copied() }
        })
        .filter(|tampering| tampering.refused.is_some() || in_call(run, tampering.attack))
        .collect()
}

/// Whether the target was still in its call when the copy arrived: afterwards there is no key, and nobody to refuse.
fn in_call(run: &Run, attack: Seen<Attack>) -> bool {
    let Some(device) = run.cast.device(&attack.target) else { return false };
    let over = run.call_at(device, attack.index).and_then(|part| part.over());
    over.is_none_or(|(at, _)| at > attack.at + REFUSAL)
}

/// INT-3. Bytes that nobody encoded are INT-1's; bytes of another frame, track or sender fail here.
pub(crate) fn frames_come_from_their_sender(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for decoded in run.events.decoded.iter().filter(|decoded| is_known(run, &decoded.hash)) {
        checks.check(run.frames.decoded_as(*decoded).is_some(), decoded.at, decoded.index, || {
            let (device, track, sender, counter) = (&decoded.device, decoded.track, &decoded.sender, decoded.counter);
            let truth = hash_prefix(&decoded.hash).and_then(|hash| run.frames.with_hash(hash).first()).map(|index| {
                let sent = &run.frames.sent[*index];
                format!("{} frame {} of {}", sent.track, sent.number, run.cast.name(sent.device))
            });
            let truth = truth.unwrap_or_default();
            format!("{device} decodes {truth} as {track} frame with counter {counter} of {sender}")
        });
    }
    judge_marks(run, &mut checks);
    checks
}

/// The mark in each rendered picture. After a decoder was given bytes that are not its stream's (which fails INT-1, INT-3
/// or INT-4 by itself) its pictures are damaged up to the next key frame, and say nothing.
fn judge_marks(run: &Run, checks: &mut Checks) {
    let mut damaged = damage(run);
    for rendered in &run.events.rendered {
        let Some((receiver, sender)) = run.cast.pair(&rendered.device, &rendered.sender) else { continue };
        let (device, tile) = (&rendered.device, &rendered.tile);
        checks.check(tile == run.cast.user(sender), rendered.at, rendered.index, || {
            format!("{device} shows a picture of {} on the tile of {tile}", rendered.sender)
        });
        let stream = damaged.entry((receiver, sender)).or_default();
        let decoding = run.frames.decoding_of(receiver, sender, *rendered).unwrap_or(rendered.index);
        let Some(mark) = rendered.mark.filter(|_| !stream.is_damaged(decoding)) else { continue };
        let frame = run.frames.rendered_from(receiver, sender, *rendered).map(|index| run.frames.sent[index].number);
        let right = usize::from(mark.sender) == sender && frame.is_none_or(|number| number == mark.frame);
        checks.check(right, rendered.at, rendered.index, || {
            let named = run.plan.participants.get(usize::from(mark.sender));
            let named = named.map_or("nobody", |participant| participant.user.as_str());
            let counter = rendered.counter;
            format!(
                "the picture that {device} shows for {tile} (counter {counter}) is marked as frame {} of {named}",
                mark.frame
            )
        });
    }
}

/// When the pictures of a stream are not to be trusted.
#[derive(Default)]
struct Damage {
    /// From a record until a record.
    spans: Vec<(u64, u64)>,
}

impl Damage {
    fn is_damaged(&self, index: u64) -> bool {
        self.spans.iter().any(|(from, until)| (*from..*until).contains(&index))
    }
}

fn damage(run: &Run) -> BTreeMap<(usize, usize), Damage> {
    let mut streams: BTreeMap<(usize, usize), Damage> = BTreeMap::new();
    let mut seen: BTreeSet<(usize, FrameIndex)> = BTreeSet::new();
    for decoded in run.events.decoded.iter().filter(|decoded| decoded.track == Track::Video) {
        let Some((receiver, sender)) = run.cast.pair(&decoded.device, &decoded.sender) else { continue };
        let frame = run.frames.decoded_as(*decoded);
        let is_own_and_new = frame.is_some_and(|frame| seen.insert((receiver, frame)));
        let is_key = frame.and_then(|frame| run.frames.sent[frame].encoded).is_some_and(|encoded| encoded.key);
        let spans = &mut streams.entry((receiver, sender)).or_default().spans;
        match spans.last_mut() {
            Some((_, until)) if *until == u64::MAX && is_own_and_new && is_key => *until = decoded.index,
            Some((_, until)) if *until == u64::MAX => {}
            _ if !is_own_and_new => spans.push((decoded.index, u64::MAX)),
            _ => {}
        }
    }
    streams
}

/// INT-4. A check is a replay that was tried; a frame that is accepted, decoded or shown twice fails it even without one.
pub(crate) fn replayed_frames_are_rejected(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    let replays = run.events.attacks.iter().filter(|attack| attack.kind == AttackKind::Replay).count();
    checks.held(replays as u64);
    let accepted_tampering: Vec<Tampering> =
        tamperings(run).into_iter().filter(|tampering| tampering.refused.is_none()).collect();
    // A flipped bit of the tag leaves the frame as it was: that it comes twice then is INT-1's violation.
    let is_tampering = |device: &kernel::ActorName, at: SimTime| {
        accepted_tampering.iter().any(|tampering| {
            let attack = tampering.attack;
            attack.target == *device && attack.at <= at && at <= attack.at + AFTERMATH
        })
    };
    let mut opened_once: BTreeSet<(usize, &str, Track, u64, &str)> = BTreeSet::new();
    for opened in run.events.opened.iter().filter(|opened| opened.verdict == OpenVerdict::Accepted) {
        let (Some(receiver), Some(counter)) = (run.cast.device(&opened.device), opened.counter) else { continue };
        let Opened { sender, track, hash, .. } = opened.get();
        // A second call has other frames under the same counters.
        let is_new = opened_once.insert((receiver, sender.as_str(), *track, counter, hash));
        if !is_new && !is_tampering(&opened.device, opened.at) {
            checks.fail(opened.at, opened.index, || {
                format!("{} accepts the {track} frame with counter {counter} of {sender} a second time", opened.device)
            });
        }
    }
    let mut decoded_once: BTreeSet<(usize, FrameIndex)> = BTreeSet::new();
    for decoded in &run.events.decoded {
        let (Some(receiver), Some(frame)) = (run.cast.device(&decoded.device), run.frames.decoded_as(*decoded)) else {
            continue;
        };
        if !decoded_once.insert((receiver, frame)) && !is_tampering(&decoded.device, decoded.at) {
            checks.fail(decoded.at, decoded.index, || {
                let Decoded { device, track, counter, sender, .. } = decoded.get();
                format!("{device} decodes the {track} frame with counter {counter} of {sender} a second time")
            });
        }
    }
    let mut rendered_once: BTreeSet<(usize, FrameIndex)> = BTreeSet::new();
    for rendered in &run.events.rendered {
        let Some((receiver, sender)) = run.cast.pair(&rendered.device, &rendered.sender) else { continue };
        let Some(frame) = run.frames.rendered_from(receiver, sender, *rendered) else { continue };
        if !rendered_once.insert((receiver, frame)) && !is_tampering(&rendered.device, rendered.at) {
            checks.fail(rendered.at, rendered.index, || {
                let (device, counter, sender) = (&rendered.device, rendered.counter, &rendered.sender);
                format!("{device} shows the frame with counter {counter} of {sender} a second time")
            });
        }
    }
    checks
}

/// Whether some encoder of the run made bytes with this hash.
fn is_known(run: &Run, hash: &str) -> bool {
    hash_prefix(hash).is_some_and(|hash| !run.frames.with_hash(hash).is_empty())
}

#[cfg(test)]
mod tests {
    use crate::story::{Story, Way};
    use kernel::{
        Micros, Track,
        event::{self, AttackKind, Event, Mark, OpenVerdict},
    };

    const TAMPERING: &str = "tampering_is_rejected";
    const SENDER: &str = "frames_come_from_their_sender";
    const REPLAY: &str = "replayed_frames_are_rejected";

    fn attack(kind: AttackKind) -> Event {
        Event::Attack(event::Attack { kind, target: "bob-phone".into(), call: None, detail: "test".into() })
    }

    fn opened(verdict: OpenVerdict) -> Event {
        Event::Opened(event::Opened {
            device: "bob-phone".into(),
            sender: "alice-phone".into(),
            track: Track::Video,
            counter: Some(2),
            verdict,
            hash: String::new(),
            decrypt: Micros(10),
        })
    }

    /// A call of alice's frames, of which the last may be changed.
    fn call(frames: u32, change: impl FnOnce(&mut Way)) -> Story {
        let mut story = Story::new();
        story.live();
        for number in 0..frames - 1 {
            story.frame("alice-phone", number);
        }
        story.changed_frame("alice-phone", frames - 1, change);
        story
    }

    /// Lets the receiver take a frame in again, as far as to the screen.
    fn again(story: &mut Story, number: u32) {
        let way = story.way("alice-phone", number);
        let now = story.now();
        for (offset, (_, event)) in (0..).zip(way) {
            if matches!(event, Event::Opened(_) | Event::Decoded(_) | Event::Rendered(_)) {
                story.at(now.as_millis() + offset).tell(event);
            }
        }
    }

    #[test]
    fn a_changed_copy_is_refused() {
        let mut story = call(3, |_| {});
        story.tell(attack(AttackKind::Tamper)).tell(opened(OpenVerdict::Forged));
        story.tell(attack(AttackKind::Tamper)).tell(opened(OpenVerdict::UnknownKey)).over(9_000);
        assert_eq!(story.holds(TAMPERING), 2);
    }

    #[test]
    fn a_changed_copy_is_let_through() {
        let mut story = call(3, |_| {});
        story.tell(attack(AttackKind::Tamper)).tell(opened(OpenVerdict::Forged));
        story.tell(attack(AttackKind::Tamper)).over(9_000);
        let sentence = story.fails_only(TAMPERING);
        assert_eq!(sentence, "bob-phone does not refuse a frame that was changed on its way (test)");
    }

    #[test]
    fn a_copy_with_a_flipped_tag_that_is_taken_breaks_no_other_invariant() {
        let mut story = call(3, |_| {});
        story.tell(attack(AttackKind::Tamper));
        again(&mut story, 2);
        story.over(9_000);
        story.fails_only(TAMPERING);
    }

    #[test]
    fn bytes_that_nobody_encoded_reach_the_decoder() {
        let forge = |way: &mut Way| {
            for (_, event) in way {
                match event {
                    Event::Opened(opened) => opened.hash = "00".repeat(8),
                    Event::Decoded(decoded) => decoded.hash = "00".repeat(8),
                    // What a decoder makes of a forged frame may say anything.
                    Event::Rendered(rendered) => rendered.mark = Some(Mark { sender: 1, frame: 77 }),
                    _ => {}
                }
            }
        };
        let sentence = call(3, forge).fails_only(TAMPERING);
        assert_eq!(sentence, "the video decoder of bob-phone is given bytes as alice-phone's that no encoder made");
    }

    #[test]
    fn a_copy_that_comes_after_the_end_is_nobodys() {
        let mut story = call(3, |_| {});
        story.at(9_000).tell(attack(AttackKind::Tamper)).over(9_050);
        assert_eq!(story.holds(TAMPERING), 0);
    }

    #[test]
    fn frames_and_marks_fit() {
        // Three frames decoded, three tiles, three marks.
        assert_eq!(call(3, |_| {}).holds(SENDER), 9);
    }

    #[test]
    fn a_frame_is_taken_for_another_track() {
        let mistake = |way: &mut Way| {
            for (_, event) in way.iter_mut() {
                match event {
                    Event::Opened(opened) => opened.track = Track::Audio,
                    Event::Decoded(decoded) => decoded.track = Track::Audio,
                    _ => {}
                }
            }
            way.retain(|(_, event)| !matches!(event, Event::Rendered(_)));
        };
        let sentence = call(3, mistake).fails_only(SENDER);
        assert_eq!(
            sentence,
            "bob-phone decodes video frame 2 of alice-phone as audio frame with counter 2 of alice-phone"
        );
    }

    #[test]
    fn a_picture_with_another_mark() {
        for mark in [Mark { sender: 1, frame: 2 }, Mark { sender: 0, frame: 1 }] {
            let story = call(3, |way| {
                if let Some((_, Event::Rendered(rendered))) = way.last_mut() {
                    rendered.mark = Some(mark);
                }
            });
            let sentence = story.fails_only(SENDER);
            assert!(
                sentence.starts_with("the picture that bob-phone shows for alice (counter 2) is marked as frame"),
                "{sentence}"
            );
        }
    }

    #[test]
    fn a_picture_on_another_tile() {
        let story = call(3, |way| {
            if let Some((_, Event::Rendered(rendered))) = way.last_mut() {
                rendered.tile = "carol".into();
            }
        });
        assert_eq!(story.fails_only(SENDER), "bob-phone shows a picture of alice-phone on the tile of carol");
    }

    #[test]
    fn a_mark_that_cannot_be_read_is_no_check() {
        let story = call(3, |way| {
            if let Some((_, Event::Rendered(rendered))) = way.last_mut() {
                rendered.mark = None;
            }
        });
        assert_eq!(story.holds(SENDER), 8);
    }

    #[test]
    fn a_replay_is_refused() {
        let mut story = call(3, |_| {});
        story.tell(attack(AttackKind::Replay)).tell(opened(OpenVerdict::Replayed)).over(9_000);
        assert_eq!(story.holds(REPLAY), 1);
        assert_eq!(call(3, |_| {}).holds(REPLAY), 0);
    }

    #[test]
    fn a_replay_is_taken() {
        let mut story = call(4, |_| {});
        story.tell(attack(AttackKind::Replay));
        again(&mut story, 2);
        story.over(9_000);
        let sentence = story.fails_only(REPLAY);
        assert_eq!(sentence, "bob-phone accepts the video frame with counter 2 of alice-phone a second time");
    }

    #[test]
    fn after_a_replay_pictures_say_nothing_until_the_next_key_frame() {
        let mut story = call(4, |_| {});
        story.tell(attack(AttackKind::Replay));
        again(&mut story, 2);
        story.changed_frame("alice-phone", 4, |way| {
            if let Some((_, Event::Rendered(rendered))) = way.last_mut() {
                rendered.mark = Some(Mark { sender: 0, frame: 99 });
            }
        });
        story.over(9_000);
        story.fails_only(REPLAY);
    }
}

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

/// How long the copy that an attacker changed may take to be refused.
const REFUSAL: Micros = Micros::from_secs(1);

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
            let refused = near.filter(refusals).find(|opened| {
                opened.device == attack.target && !taken.contains(&opened.index)
            });
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
        let Some(mark) = rendered.mark.filter(|_| !stream.is_damaged(rendered.index)) else { continue };
        let frame = run.frames.rendered_from(receiver, sender, *rendered).map(|index| run.frames.sent[index].number);
        let right = usize::from(mark.sender) == sender && frame.is_none_or(|number| number == mark.frame);
        checks.check(right, rendered.at, rendered.index, || {
            let named = run.plan.participants.get(usize::from(mark.sender));
            let named = named.map_or("nobody", |participant| participant.user.as_str());
            let counter = rendered.counter;
            format!("the picture that {device} shows for {tile} (counter {counter}) is marked as frame {} of {named}", mark.frame)
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

/// INT-4. A check is a replay that was tried; a frame that comes twice fails it even without one.
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
            attack.target == *device && attack.at <= at && at <= attack.at + REFUSAL
        })
    };
    let mut decoded_once: BTreeSet<(usize, FrameIndex)> = BTreeSet::new();
    for decoded in &run.events.decoded {
        let (Some(receiver), Some(frame)) = (run.cast.device(&decoded.device), run.frames.decoded_as(*decoded)) else {
            continue;
        };
        if !decoded_once.insert((receiver, frame)) && !is_tampering(&decoded.device, decoded.at) {
            checks.fail(decoded.at, decoded.index, || twice(decoded, "decodes"));
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

fn twice(decoded: &Decoded, does: &str) -> String {
    let (device, track, counter, sender) = (&decoded.device, decoded.track, decoded.counter, &decoded.sender);
    format!("{device} {does} the {track} frame with counter {counter} of {sender} a second time")
}

/// Whether some encoder of the run made bytes with this hash.
fn is_known(run: &Run, hash: &str) -> bool {
    hash_prefix(hash).is_some_and(|hash| !run.frames.with_hash(hash).is_empty())
}

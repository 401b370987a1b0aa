//! A live call goes from one device of a user to another (call-machine.md: Live + user.handover).
//!
//! The device that has the call asks; the other one shows it, and offers to the peer's device once its user accepts there; the
//! first one closes camera and microphone, leaves, and says to the peer who goes on; then the server puts the one in the place
//! of the other, in one transaction, and the peer answers. Until then nothing of the call changes, so that a handover that
//! comes to nothing costs nothing. What is said again is answered again, as far as it has come.

use super::{
    Service,
    calls::{Sender, envelope_is_for},
    store::{Call, Stage},
    transaction::{Effect, Transaction},
};
use kernel::{
    event::{CallOutcome, Fact},
    names::{ActorName, CallId},
};
use protocol::{CallEnd, EnvelopeKind, RelayGrant, SealedEnvelope, ServerMessage};
use serde::{Deserialize, Serialize};

/// How a call goes from one device of a user to another. A call keeps its last one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Handover {
    from: ActorName,
    to: ActorName,
    step: Step,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Step {
    /// The device was asked.
    Asked,
    /// Its user accepted: its offer to the peer's device.
    Taken(SealedEnvelope),
    /// The other one left: its word to the peer's device, and the offer.
    Yielded(SealedEnvelope, SealedEnvelope),
    /// The peer's device goes on: its answer.
    Rejoined(SealedEnvelope),
}

impl Handover {
    /// The device that was asked and is no end of the call yet.
    pub(super) fn asked(&self) -> Option<&ActorName> {
        matches!(self.step, Step::Asked | Step::Taken(_)).then_some(&self.to)
    }

    /// What decides how it goes on.
    pub(super) fn essence(&self) -> (&ActorName, &ActorName, u8) {
        let step = match self.step {
            Step::Asked => 0,
            Step::Taken(_) => 1,
            Step::Yielded(..) => 2,
            Step::Rejoined(_) => 3,
        };
        (&self.from, &self.to, step)
    }
}

impl Service {
    /// Live + HandOver.
    pub(super) fn hand_over(&mut self, from: Sender<'_>, call: CallId, to: ActorName, work: &mut Transaction) {
        let Some(found) = self.store.call(call).filter(|found| found.is_end(from)) else {
            return work.unknown_call(from.device, call);
        };
        let is_under_way = |handover: &Handover| matches!(handover.step, Step::Taken(_) | Step::Yielded(..));
        let blocked = found.handover.as_ref().is_some_and(|handover| is_under_way(handover) && handover.to != to);
        let asked_before = found.handover.as_ref().and_then(Handover::asked).filter(|asked| **asked != to).cloned();
        // Whoever is no confirmed device of the user's, or has no session, is not even asked.
        let may = to != *from.device && self.store.is_listed(from.user, &to) && self.store.has_session(&to);
        if !may || blocked {
            return work.tell(from.device, ServerMessage::HandOverDeclined { call });
        }
        if let Some(before) = asked_before {
            work.tell(&before, ServerMessage::Elsewhere { call });
        }
        work.always_commits = true;
        let Some(found) = self.store.call_mut(call) else { return };
        if found.handover.as_ref().is_none_or(|handover| handover.to != to || !is_under_way(handover)) {
            found.handover = Some(Handover { from: from.device.clone(), to: to.clone(), step: Step::Asked });
        }
        let outgoing = found.caller == *from.user;
        let peer = if outgoing { found.callee.clone() } else { found.caller.clone() };
        let Some(device) = found.other_end(from.device).cloned() else { return };
        let video = found.video;
        work.tell(&to, ServerMessage::HandOver { call, from: from.device.clone(), peer, device, outgoing, video });
    }

    /// Live + TakeOver: the gate again, as at an accept.
    pub(super) fn take_over(&mut self, from: Sender<'_>, call: CallId, offer: SealedEnvelope, work: &mut Transaction) {
        let Some(found) = self.store.call(call) else { return work.unknown_call(from.device, call) };
        let (caller, callee) = (found.caller.clone(), found.callee.clone());
        let Some(handover) = found.handover.clone().filter(|handover| handover.to == *from.device) else {
            let is_ours = [&caller, &callee].contains(&from.user);
            let refusal = if is_ours {
                ServerMessage::Elsewhere { call }
            } else {
                ServerMessage::Ended { call, reason: CallEnd::Unknown }
            };
            return work.tell(from.device, refusal);
        };
        if handover.step == Step::Asked {
            let peer = found.other_end(&handover.from);
            let fits = peer.is_some_and(|peer| {
                envelope_is_for(&offer, (EnvelopeKind::Offer, call), (from.device, peer), &found.thread)
            });
            if !fits {
                return work.unknown_call(from.device, call);
            }
            if !self.may_ring(&caller, &callee, work.at) {
                return self.end_call(call, CallEnd::Unfriended, CallOutcome::Answered, work);
            }
            self.advance_handover(call, Step::Taken(offer), work);
        }
        self.tell_handover(call, work);
    }

    /// Live + Yield: the one device is in the place of the other from here on.
    pub(super) fn yield_call(&mut self, from: Sender<'_>, call: CallId, word: SealedEnvelope, work: &mut Transaction) {
        let Some(found) = self.store.call(call) else { return work.unknown_call(from.device, call) };
        let Some(handover) = found.handover.clone().filter(|handover| handover.from == *from.device) else {
            return self.leave(from, call, work);
        };
        let Step::Taken(offer) = handover.step else {
            return match handover.step {
                // Nobody takes it, and who says this has left.
                Step::Asked => self.leave(from, call, work),
                _ => work.tell(from.device, ServerMessage::Elsewhere { call }),
            };
        };
        let Some(peer) = found.other_end(from.device).cloned() else { return };
        let fits = envelope_is_for(&word, (EnvelopeKind::Peer, call), (from.device, &peer), &found.thread);
        if !fits || !self.store.has_session(&handover.to) {
            return self.leave(from, call, work);
        }
        self.change_hands(call, (from.device, &handover.to), work);
        self.advance_handover(call, Step::Yielded(word, offer), work);
        work.facts.push(Fact::CallMoved { call, from: from.device.clone(), to: handover.to.clone() });
        work.tell(from.device, ServerMessage::Elsewhere { call });
        self.tell_handover(call, work);
        self.log("info", format!("call {call}: {} goes on for {}", handover.to, from.device));
    }

    /// Live + Rejoin: the peer's device answers.
    pub(super) fn rejoin(&mut self, from: Sender<'_>, call: CallId, answer: SealedEnvelope, work: &mut Transaction) {
        let Some(found) = self.store.call(call).filter(|found| found.is_end(from)) else {
            return work.unknown_call(from.device, call);
        };
        let Some(handover) = &found.handover else { return };
        let parties = (from.device, &handover.to);
        let fits = envelope_is_for(&answer, (EnvelopeKind::Answer, call), parties, &found.thread);
        if matches!(handover.step, Step::Yielded(..)) && handover.to != *from.device && fits {
            self.advance_handover(call, Step::Rejoined(answer), work);
            self.tell_handover(call, work);
        }
    }

    /// The device that was asked does not take the call over. False when it is about something else.
    pub(super) fn decline_handover(&mut self, from: Sender<'_>, call: CallId, work: &mut Transaction) -> bool {
        let Some(found) = self.store.call_mut(call) else { return false };
        let is_asked = found.handover.as_ref().and_then(Handover::asked) == Some(from.device);
        if let Some(handover) = found.handover.take_if(|_| is_asked) {
            work.always_commits = true;
            work.tell(&handover.from, ServerMessage::HandOverDeclined { call });
            // So that it says so no more.
            work.tell(from.device, ServerMessage::Elsewhere { call });
        }
        is_asked
    }

    fn advance_handover(&mut self, call: CallId, step: Step, work: &mut Transaction) {
        work.always_commits = true;
        if let Some(handover) = self.store.call_mut(call).and_then(|found| found.handover.as_mut()) {
            handover.step = step;
        }
    }

    /// Tells whoever is to do the next thing; again, when it may have been lost.
    fn tell_handover(&mut self, call: CallId, work: &mut Transaction) {
        let Some(found) = self.store.call(call) else { return };
        let (Some(handover), Stage::Live { relays, .. }) = (&found.handover, &found.stage) else { return };
        let Some(peer) = found.other_end(if handover.asked().is_some() { &handover.from } else { &handover.to }) else {
            return;
        };
        let relays_of = |device: &ActorName| -> Vec<RelayGrant> { relays[found.side_of(device)].clone() };
        match &handover.step {
            Step::Asked => {}
            Step::Taken(_) => work.tell(&handover.from, ServerMessage::Taken { call, by: handover.to.clone() }),
            Step::Yielded(word, offer) => {
                let (device, word, offer) = (handover.to.clone(), word.clone(), offer.clone());
                work.tell(peer, ServerMessage::Moved { call, device, word, offer, relays: relays_of(peer) });
            }
            Step::Rejoined(answer) => {
                let (device, answer, relays) = (peer.clone(), Some(answer.clone()), relays_of(&handover.to));
                work.tell(&handover.to, ServerMessage::Accepted { call, device, answer, relays, origin: None });
            }
        }
    }

    /// One end of a live call is another device from now on: the credentials of the one that leaves are revoked.
    fn change_hands(&mut self, call: CallId, (from, to): (&ActorName, &ActorName), work: &mut Transaction) {
        let mut issued = Vec::new();
        let grants = self.issue_relays(call, to, &mut issued, work);
        let Some(found) = self.store.call_mut(call) else { return };
        let side = found.side_of(from);
        found.gone.remove(from);
        if side == 0 {
            found.caller_device = to.clone();
        }
        let Stage::Live { callee_device, credentials, relays, .. } = &mut found.stage else { return };
        if side == 1 {
            *callee_device = to.clone();
        }
        let old = std::mem::replace(&mut relays[side], grants);
        let (revoked, kept): (Vec<_>, Vec<_>) = std::mem::take(credentials)
            .into_iter()
            .partition(|(_, username)| old.iter().any(|grant| grant.username == *username));
        *credentials = kept.into_iter().chain(issued).collect();
        for (relay, username) in revoked {
            work.effects.push(Effect::Revoke { relay, username });
        }
    }
}

impl Call {
    /// The end of a live call that is not this one.
    fn other_end(&self, device: &ActorName) -> Option<&ActorName> {
        let (caller_device, callee_device) = self.ends()?;
        Some(if device == caller_device { callee_device } else { caller_device })
    }

    /// 0 for the caller's end, 1 for the callee's.
    fn side_of(&self, device: &ActorName) -> usize {
        usize::from(self.caller_device != *device)
    }
}

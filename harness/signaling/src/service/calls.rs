//! The server's call table (call-machine.md, section 3), for calls of two.
//!
//! The server is the only arbiter of whether a call exists. A thread has at most one call. A message that names a call
//! which is not there, or not the sender's, is answered alike: `Ended`, unknown.

use super::{
    Service, ServiceOutput,
    handover::Handover,
    redacted,
    store::{Call, Door, Stage, Stored},
    transaction::{Effect, Transaction},
};
use kernel::{
    event::{CallOutcome, Fact, SecretKind},
    mutant,
    names::{ActorName, CallId, ThreadId, UserName, to_hex},
    time::{Micros, SimTime},
};
use protocol::{
    CallEnd, CallRowEntry, ConnectionId, EnvelopeKind, RelayGrant, RequestId, RowEntry, SealedEnvelope, ServerMessage,
};
use std::collections::{BTreeMap, BTreeSet};

/// Most offers in an invite: one a device of the callee.
const MAX_OFFERS: usize = 8;

/// How long a relay credential is good for: the longest call that a relay carries. It is revoked when its call ends.
const RELAY_CREDENTIAL_LIFETIME: Micros = Micros::from_secs(8 * 3_600);

/// Who sends a message about a call.
#[derive(Clone, Copy)]
pub(super) struct Sender<'a> {
    pub(super) user: &'a UserName,
    pub(super) device: &'a ActorName,
}

/// What an invite asks for.
pub(super) struct Invite {
    pub(super) call: CallId,
    pub(super) to: UserName,
    pub(super) video: bool,
    pub(super) offers: Vec<SealedEnvelope>,
}

/// What the gate says of a caller.
struct Gate {
    /// Whether the callee may be rung.
    opens: bool,
    /// Whether the caller is on the callee's list of close friends.
    is_close: bool,
    door: Door,
}

/// The planted bug V21: what the gate said of a pair (caller, callee), good for half a minute.
#[derive(Clone, Default)]
pub(super) struct GateCache(BTreeMap<(UserName, UserName), (SimTime, bool)>);

impl GateCache {
    fn remember(&mut self, (caller, callee): (&UserName, &UserName), allows: bool, now: SimTime) -> bool {
        let entry = self.0.entry((caller.clone(), callee.clone())).or_insert((now, allows));
        if now.since(entry.0) > Micros::from_secs(30) {
            *entry = (now, allows);
        }
        entry.1
    }
}

impl Service {
    /// The gate: both edges are accepted, neither blocks the other, and the callee's setting lets the caller. One store access
    /// whatever the answer.
    pub(super) fn may_ring(&mut self, caller: &UserName, callee: &UserName, now: SimTime) -> bool {
        self.gate(caller, callee, now).opens
    }

    fn gate(&mut self, caller: &UserName, callee: &UserName, now: SimTime) -> Gate {
        let (relation, door) = (self.store.relation(caller, callee), self.store.door(callee));
        if mutant!(V126) && !relation.blocked_by.is_empty() {
            self.store.account(callee);
        }
        let follows = mutant!(V23) && relation.followed_by.contains(caller);
        let allows = mutant!(V20) || relation.is_friendship() || follows;
        let allows = if !mutant!(V21) { allows } else { self.gate_cache.remember((caller, callee), allows, now) };
        let is_close = relation.close_to.contains(callee);
        Gate { opens: allows && (door.callers.lets(is_close) || mutant!(V151)), is_close, door }
    }

    /// The devices of somebody, for sealing an offer: friends may have them, and the user.
    pub(super) fn fetch_keys(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        (user, other): (&UserName, &UserName),
        work: &mut Transaction,
    ) {
        let relation = self.store.relation(user, other);
        let may = user == other || relation.is_friendship() || relation.allows_messages();
        if !may && !mutant!(V107) {
            return work.refuse(connection, request);
        }
        match self.store.account(other) {
            Some(account) => {
                let links = account.list.links().to_vec();
                work.reply(connection, ServerMessage::Keys { request, links });
            }
            None => work.refuse(connection, request),
        }
    }

    /// None or Ringing + Invite.
    pub(super) fn invite(&mut self, from: Sender<'_>, invite: Invite, work: &mut Transaction) {
        let call = invite.call;
        let thread = ThreadId::between(from.user, &invite.to);
        if mutant!(V17) && self.store.calls().any(|active| active.ends().is_some() && active.callee == invite.to) {
            return work.tell(from.device, ServerMessage::Ended { call, reason: CallEnd::Busy });
        }
        // The sender's own bytes first: that costs no look at the callee. Then the gate, before any other look.
        if !offers_are_for(&invite, from.device, &thread) {
            return work.tell(from.device, ServerMessage::Rejected { call });
        }
        let Gate { opens, is_close, door } = self.gate(from.user, &invite.to, work.at);
        let pair = (from.user, &invite.to);
        if !opens || !self.is_within_rate(pair, call, &door, is_close, work.at) {
            return work.tell(from.device, ServerMessage::Rejected { call });
        }
        if let Some(active) = self.store.active_call(&thread)
            && !(mutant!(V13) && active.is_rung(from))
        {
            let active = active.clone();
            return self.invite_beside(&active, from, call, work);
        }
        let devices = self.store.devices(&invite.to);
        let mut offers: BTreeMap<ActorName, SealedEnvelope> =
            invite.offers.into_iter().map(|offer| (offer.header.to.clone(), offer)).collect();
        offers.retain(|device, _| devices.contains(device));
        if offers.is_empty() || self.store.is_used(call) {
            return work.tell(from.device, ServerMessage::Rejected { call });
        }
        self.store.count_ring(pair, call, is_close, work.at);
        work.facts.push(Fact::CallRinging { call, caller: from.user.clone(), callee: invite.to.clone() });
        work.effects.extend(offers.keys().map(|device| Effect::Ring { device: device.clone(), call }));
        self.log("info", format!("call {call}: {} rings {}", from.user, invite.to));
        self.store.insert_call(Call {
            id: call,
            thread,
            caller: from.user.clone(),
            caller_device: from.device.clone(),
            callee: invite.to,
            video: invite.video,
            invited: work.at,
            offers,
            busy: BTreeSet::new(),
            rings: false,
            gone: BTreeMap::new(),
            forgotten: false,
            handover: None,
            stage: Stage::Ringing,
        });
    }

    /// Ringing or Live + Invite: a thread has one call.
    fn invite_beside(&mut self, active: &Call, from: Sender<'_>, call: CallId, work: &mut Transaction) {
        if active.id == call && active.caller_device == *from.device {
            // Said again: what followed from it the first time may have been lost on its way.
            return self.answer_again(call, work);
        }
        if active.is_rung(from) {
            // Both call at once. The call that came first rings; its ring goes first, since it may have been lost.
            work.effects.push(Effect::Ring { device: from.device.clone(), call: active.id });
            return work.tell(from.device, ServerMessage::Glare { call, other: active.id });
        }
        let is_busy = active.ends().is_some() || active.caller != *from.user;
        let refusal = if is_busy {
            ServerMessage::Ended { call, reason: CallEnd::Busy }
        } else {
            ServerMessage::Rejected { call }
        };
        work.tell(from.device, refusal);
    }

    /// An invite or accept that was taken before came again: tells what its sender may have missed.
    fn answer_again(&mut self, call: CallId, work: &mut Transaction) {
        let Some(found) = self.store.call(call) else { return };
        match &found.stage {
            Stage::Ringing if found.rings => work.tell(&found.caller_device, ServerMessage::Ringing { call }),
            Stage::Ringing => {
                let silent = found.offers.keys().filter(|device| !found.busy.contains(*device));
                work.effects.extend(silent.map(|device| Effect::Ring { device: device.clone(), call }));
            }
            Stage::Live { callee_device, answer, relays: [caller_relays, callee_relays], .. } => {
                let device = callee_device.clone();
                let accepted = |answer, relays: &[RelayGrant]| ServerMessage::Accepted {
                    call,
                    device: device.clone(),
                    answer,
                    relays: relays.to_vec(),
                    origin: None,
                };
                work.tell(&found.caller_device, accepted(Some(answer.clone()), caller_relays));
                work.tell(callee_device, accepted(None, callee_relays));
            }
        }
    }

    /// Ringing + Ringing: the caller is told once.
    pub(super) fn ringing(&mut self, from: Sender<'_>, call: CallId, work: &mut Transaction) {
        match self.store.call_mut(call) {
            Some(found) if found.is_rung(from) => {
                if !std::mem::replace(&mut found.rings, true) {
                    let caller_device = found.caller_device.clone();
                    work.tell(&caller_device, ServerMessage::Ringing { call });
                }
            }
            Some(found) if found.is_answerer(from) => {}
            Some(found) if found.ends().is_some() && found.is_callee(from) => {
                work.tell(from.device, ServerMessage::Elsewhere { call });
            }
            _ => work.unknown_call(from.device, call),
        }
    }

    /// Ringing or Live + Accept.
    pub(super) fn accept(&mut self, from: Sender<'_>, call: CallId, answer: SealedEnvelope, work: &mut Transaction) {
        if mutant!(V10) {
            self.revive(from, call, &answer, work);
        }
        let Some(found) = self.store.call(call) else { return work.unknown_call(from.device, call) };
        if found.is_answerer(from) {
            // It accepted before; its `Accepted` may have been lost.
            return self.answer_again(call, work);
        }
        let again = mutant!(V14) && found.is_callee(from);
        if found.ends().is_some() && found.is_callee(from) && !again {
            return work.tell(from.device, ServerMessage::Elsewhere { call });
        }
        let rings = found.is_rung(from) || again || mutant!(V150) && found.stage == Stage::Ringing;
        if !rings {
            self.attacks += 1;
            self.log("warn", format!("call {call}: {} accepts, but does not ring", from.device));
            return work.unknown_call(from.device, call);
        }
        let (caller, callee, caller_device) = (found.caller.clone(), found.callee.clone(), found.caller_device.clone());
        if !envelope_is_for(&answer, (EnvelopeKind::Answer, call), (from.device, &caller_device), &found.thread) {
            return work.unknown_call(from.device, call);
        }
        // Again at the accept: with the teardown in the unfriend's own transaction this cannot differ, but a store in
        // several places could make it.
        if !self.may_ring(&caller, &callee, work.at) {
            return self.end_call(call, CallEnd::Unfriended, CallOutcome::Missed, work);
        }
        self.go_live(from, call, (caller_device, answer), work);
    }

    /// The planted bug V10: an accept brings a call back that is over.
    fn revive(&mut self, from: Sender<'_>, call: CallId, answer: &SealedEnvelope, work: &Transaction) {
        let caller_device = answer.header.to.clone();
        let Some(caller) = self.store.owner(&caller_device).cloned() else { return };
        if self.store.call(call).is_some() || !self.store.is_used(call) {
            return;
        }
        self.store.insert_call(Call {
            id: call,
            thread: answer.header.thread.clone(),
            caller,
            caller_device,
            callee: from.user.clone(),
            video: false,
            invited: work.at,
            offers: BTreeMap::from([(from.device.clone(), answer.clone())]),
            busy: BTreeSet::new(),
            rings: false,
            gone: BTreeMap::new(),
            forgotten: false,
            handover: None,
            stage: Stage::Ringing,
        });
    }

    fn go_live(
        &mut self,
        from: Sender<'_>,
        call: CallId,
        (caller_device, answer): (ActorName, SealedEnvelope),
        work: &mut Transaction,
    ) {
        work.facts.push(Fact::CallLive {
            call,
            caller_device: caller_device.clone(),
            callee_device: from.device.clone(),
        });
        let mut credentials = Vec::new();
        let caller_relays = self.issue_relays(call, &caller_device, &mut credentials, work);
        let callee_relays = self.issue_relays(call, from.device, &mut credentials, work);
        let Some(found) = self.store.call_mut(call) else { return };
        found.stage = Stage::Live {
            callee_device: from.device.clone(),
            since: work.at,
            credentials,
            answer: answer.clone(),
            relays: [caller_relays.clone(), callee_relays.clone()],
        };
        let others: Vec<ActorName> = found.offers.keys().filter(|device| *device != from.device).cloned().collect();
        let accepted = |answer, relays| ServerMessage::Accepted {
            call,
            device: from.device.clone(),
            answer,
            relays,
            origin: None,
        };
        work.tell(&caller_device, accepted(Some(answer), caller_relays));
        work.tell(from.device, accepted(None, callee_relays));
        if !mutant!(V14) {
            work.tell_all(&others, &ServerMessage::Elsewhere { call });
        }
        self.log("info", format!("call {call}: live between {caller_device} and {}", from.device));
    }

    /// The planted bug V128: credentials for a device that has not accepted.
    pub(super) fn issue_early(&mut self, call: CallId, device: &ActorName, now: SimTime) -> Vec<RelayGrant> {
        let mut work = Transaction::new(now);
        let grants = self.issue_relays(call, device, &mut Vec::new(), &mut work);
        for effect in work.effects {
            if let Effect::Grant { relay, username, password, lifetime } = effect {
                self.outputs.push_back(ServiceOutput::GrantRelay { relay, username, password, lifetime });
            }
        }
        grants
    }

    /// Draws a credential at each relay for one end of a live call. The user name is random: it crosses the network in
    /// clear.
    pub(super) fn issue_relays(
        &mut self,
        call: CallId,
        device: &ActorName,
        credentials: &mut Vec<(ActorName, String)>,
        work: &mut Transaction,
    ) -> Vec<RelayGrant> {
        let mut grants = Vec::new();
        for relay in self.relays.clone() {
            let username = to_hex(&self.relay_credentials.bytes::<8>());
            let password = to_hex(&self.relay_credentials.bytes::<16>());
            kernel::event!(Secret {
                holders: vec![device.clone(), self.name.clone(), relay.name.clone()],
                kind: SecretKind::RelayPassword,
                kid: None,
                value: password.clone(),
            });
            self.log("debug", format!("relay password {} for {device} at {}", redacted(&password), relay.name));
            credentials.push((relay.name.clone(), username.clone()));
            work.effects.push(Effect::Grant {
                relay: relay.name,
                username: username.clone(),
                password: password.clone(),
                lifetime: RELAY_CREDENTIAL_LIFETIME,
            });
            let lifetime = RELAY_CREDENTIAL_LIFETIME;
            let (address, tcp, tls) = (relay.address, relay.tcp, relay.tls);
            grants.push(RelayGrant { address, username, password, lifetime, tcp, tls });
        }
        if !grants.is_empty() {
            work.facts.push(Fact::RelayCredentialIssued { call, device: device.clone() });
        }
        grants
    }

    /// Ringing + Decline.
    pub(super) fn decline(&mut self, from: Sender<'_>, call: CallId, work: &mut Transaction) {
        if self.decline_handover(from, call, work) {
            return;
        }
        match self.store.call(call) {
            Some(found) if found.is_rung(from) => {
                self.end_call(call, CallEnd::Declined, CallOutcome::Declined, work);
            }
            Some(found) if found.is_answerer(from) => {}
            Some(found) if found.ends().is_some() && found.is_callee(from) => {
                work.tell(from.device, ServerMessage::Elsewhere { call });
            }
            _ => work.unknown_call(from.device, call),
        }
    }

    /// Ringing or Live + Cancel or Hangup: whatever the sender calls it, its end of the call is over.
    pub(super) fn leave(&mut self, from: Sender<'_>, call: CallId, work: &mut Transaction) {
        if mutant!(V113)
            && let Some((caller, callee)) =
                self.store.call(call).map(|found| (found.caller.clone(), found.callee.clone()))
        {
            self.store.forget_rings(&caller, &callee);
        }
        if self.decline_handover(from, call, work) {
            return;
        }
        let (reason, outcome) = match self.store.call(call) {
            Some(found) if found.is_end(from) => (CallEnd::HungUp, CallOutcome::Answered),
            Some(found) if found.ends().is_none() && found.caller_device == *from.device => {
                (CallEnd::Cancelled, CallOutcome::Cancelled)
            }
            Some(found) if found.is_rung(from) => (CallEnd::Declined, CallOutcome::Declined),
            _ => return work.unknown_call(from.device, call),
        };
        self.end_call(call, reason, outcome, work);
    }

    /// Ringing + Busy: the call ends when every device that rings is busy.
    pub(super) fn busy(&mut self, from: Sender<'_>, call: CallId, work: &mut Transaction) {
        if self.decline_handover(from, call, work) {
            return;
        }
        match self.store.call_mut(call) {
            Some(found) if found.is_rung(from) => {
                found.busy.insert(from.device.clone());
                if found.busy.len() == found.offers.len() {
                    self.end_call(call, CallEnd::Busy, CallOutcome::Missed, work);
                }
            }
            Some(found) if found.is_callee(from) => {}
            _ => work.unknown_call(from.device, call),
        }
    }

    /// Live + ToPeer: passed on between the two ends, otherwise dropped.
    pub(super) fn pass_to_peer(
        &mut self,
        from: Sender<'_>,
        call: CallId,
        body: SealedEnvelope,
        work: &mut Transaction,
    ) {
        let Some(found) = self.store.call(call) else { return work.unknown_call(from.device, call) };
        let to = match found.ends() {
            Some((caller_device, callee_device)) if from.device == caller_device => callee_device,
            Some((caller_device, callee_device)) if from.device == callee_device => caller_device,
            None if self.passes_before_accept && found.caller_device == *from.device => &body.header.to,
            _ => return,
        };
        let rings = found.caller_device == *to || found.offers.contains_key(to);
        if (found.ends().is_some() || rings)
            && envelope_is_for(&body, (EnvelopeKind::Peer, call), (from.device, to), &found.thread)
        {
            work.tell(&to.clone(), ServerMessage::FromPeer { call, body });
        }
    }

    /// The time of a call is up: nobody answered, or an end has been gone for too long.
    pub(super) fn expire(&mut self, call: CallId, work: &mut Transaction) {
        let Some(found) = self.store.call(call).filter(|found| found.deadline() <= work.at) else { return };
        let (reason, outcome) = match found.stage {
            Stage::Ringing if found.forgotten => (CallEnd::Unknown, CallOutcome::Missed),
            Stage::Live { .. } => (CallEnd::HungUp, CallOutcome::Answered),
            Stage::Ringing if found.gone.contains_key(&found.caller_device) => {
                (CallEnd::Cancelled, CallOutcome::Cancelled)
            }
            Stage::Ringing => (CallEnd::Unanswered, CallOutcome::Missed),
        };
        self.end_call(call, reason, outcome, work);
    }

    /// Ringing or Live -> None: the row is written, credentials are revoked, every device concerned is told.
    pub(super) fn end_call(&mut self, call: CallId, reason: CallEnd, outcome: CallOutcome, work: &mut Transaction) {
        let Some(ended) = self.store.remove_call(call) else { return };
        let (duration, credentials, mut told) = match ended.stage {
            Stage::Ringing => (Micros::ZERO, Vec::new(), ended.offers.into_keys().collect()),
            Stage::Live { callee_device, since, credentials, .. } => {
                (work.at.since(since), credentials, vec![callee_device])
            }
        };
        told.insert(0, ended.caller_device);
        told.extend(ended.handover.as_ref().and_then(Handover::asked).cloned());
        work.facts.push(Fact::CallOver { call, thread: ended.thread.clone(), outcome, duration });
        for (relay, username) in credentials {
            work.effects.push(Effect::Revoke { relay, username });
        }
        if !(mutant!(V15) && reason == CallEnd::Cancelled) {
            work.tell_all(&told, &ServerMessage::Ended { call, reason });
        }
        let row = CallRowEntry { thread: ended.thread, call, caller: ended.caller.clone(), outcome, duration };
        // V72: who only lets it ring leaves no trace.
        if !mutant!(V72) || outcome != CallOutcome::Cancelled {
            let row = Stored { entry: RowEntry::Call(row), bodies: BTreeMap::new() };
            self.write_row([(&ended.caller, row.clone()), (&ended.callee, row)], work);
        }
        self.log("info", format!("call {call}: over ({reason:?})"));
    }
}

impl Call {
    /// Whether a device is an end of the call, or rings.
    pub(super) fn concerns(&self, device: &ActorName) -> bool {
        let rings = self.stage == Stage::Ringing && self.offers.contains_key(device);
        rings || self.caller_device == *device || self.ends().is_some_and(|(_, callee)| callee == device)
    }

    fn is_callee(&self, from: Sender<'_>) -> bool {
        self.callee == *from.user && self.offers.contains_key(from.device)
    }

    /// Whether the sender is a device that rings.
    fn is_rung(&self, from: Sender<'_>) -> bool {
        self.stage == Stage::Ringing && self.is_callee(from)
    }

    /// Whether the sender is the device that accepted.
    fn is_answerer(&self, from: Sender<'_>) -> bool {
        self.ends().is_some_and(|(_, callee_device)| callee_device == from.device)
    }

    /// Whether the sender is an end of the live call.
    pub(super) fn is_end(&self, from: Sender<'_>) -> bool {
        self.ends().is_some_and(|(caller_device, callee_device)| [caller_device, callee_device].contains(&from.device))
    }
}

fn offers_are_for(invite: &Invite, from: &ActorName, thread: &ThreadId) -> bool {
    (1..=MAX_OFFERS).contains(&invite.offers.len())
        && invite
            .offers
            .iter()
            .all(|offer| envelope_is_for(offer, (EnvelopeKind::Offer, invite.call), (from, &offer.header.to), thread))
}

pub(super) fn envelope_is_for(
    envelope: &SealedEnvelope,
    (kind, call): (EnvelopeKind, CallId),
    (from, to): (&ActorName, &ActorName),
    thread: &ThreadId,
) -> bool {
    let header = &envelope.header;
    header.kind == kind
        && header.subject == call.0
        && header.from == *from
        && header.to == *to
        && header.thread == *thread
}

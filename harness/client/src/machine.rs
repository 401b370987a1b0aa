//! The call machine of a device: the table of `call-machine.md`, rows of a call between two. Pure: events in, a
//! transition with its effects out. Whatever the table does not list is ignored and counted, never a transition.
//!
//! Origins are distinct types. What a peer says ([`PeerEvent`]) is an input of no row at all, so that it can never change
//! consent.

mod event;

pub use event::{Effect, Event, PathEvent, PeerEvent, ServerEvent, UserEvent};

use kernel::{
    ActorName, CallId, Micros, SimTime, UserName,
    event::{CallStateName, EndReason},
    mutant,
};
use protocol::CallEnd;

/// The longest that a device rings, counted from the invite by the server's clock.
pub const RING_LIMIT: Micros = Micros::from_secs(60);
/// How long a caller waits for an answer. The server ends a ring after [`RING_LIMIT`]; the rest is grace for its word to
/// arrive, so that the row says what the server decided.
pub const ANSWER_LIMIT: Micros = Micros::from_secs(62);
/// The longest from the user's accept to the server's, and from that to the first media.
pub const CONNECTING_LIMIT: Micros = Micros::from_secs(20);
/// How long a call lasts without a path: as long as the server keeps one whose end lost its connection.
pub const RECONNECTING_LIMIT: Micros = Micros::from_secs(30);

/// A row of the table that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The call.
    pub call: CallId,
    /// State before.
    pub from: CallStateName,
    /// State after; equal to `from` when only an effect is due.
    pub to: CallStateName,
    /// The event, as in the table: `user.accept`, `srv.accepted`, `timer.ring`.
    pub because: &'static str,
    /// What is to be done, in order.
    pub effects: Vec<Effect>,
}

/// The call that a machine is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialog {
    /// The call.
    pub call: CallId,
    /// The other side.
    pub peer: UserName,
    /// Whether this device called.
    pub outgoing: bool,
    /// Whether the user of this device consented to the camera.
    pub video: bool,
    /// Whether the other side's camera is offered.
    pub peer_video: bool,
    /// Whether this device takes the call over from another one of its user.
    pub takes_over: bool,
}

/// A ring of the very user whom this device calls: the server will say which of the two calls goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Crossing {
    dialog: Dialog,
    deadline: Option<SimTime>,
}

/// The call machine of one device.
#[derive(Clone, Debug)]
pub struct Machine {
    state: CallStateName,
    dialog: Option<Dialog>,
    deadline: Option<SimTime>,
    /// On hold, also while it reconnects: until the own user takes it up, whoever held it.
    is_held: bool,
    is_held_by_peer: bool,
    crossing: Option<Crossing>,
    /// The device of the own user that was asked to take the call over.
    asked: Option<ActorName>,
    /// Whether a call may ring beside another one.
    takes_waiting: bool,
    /// The call that does.
    waiting: Option<Crossing>,
    ignored: u64,
}

impl Default for Machine {
    fn default() -> Self {
        Machine::new()
    }
}

impl Machine {
    /// A machine without a call.
    pub fn new() -> Machine {
        Machine {
            state: CallStateName::Idle,
            dialog: None,
            deadline: None,
            is_held: false,
            is_held_by_peer: false,
            crossing: None,
            asked: None,
            takes_waiting: false,
            waiting: None,
            ignored: 0,
        }
    }

    /// The same where a call may ring beside another one; else that other caller hears that the device is busy.
    pub fn with_call_waiting(self, takes_waiting: bool) -> Machine {
        Machine { takes_waiting, ..self }
    }

    /// The state.
    pub fn state(&self) -> CallStateName {
        self.state
    }

    /// The call that it is in; none in `Idle` and `Ended`.
    pub fn dialog(&self) -> Option<&Dialog> {
        self.dialog.as_ref()
    }

    /// Whether the peer holds the call.
    pub fn is_held_by_peer(&self) -> bool {
        self.is_held_by_peer
    }

    /// The call of the user whom this device calls, if that user calls too.
    pub fn crossing(&self) -> Option<CallId> {
        self.crossing.as_ref().map(|crossing| crossing.dialog.call)
    }

    /// The call that rings beside the one that it is in.
    pub fn waiting(&self) -> Option<&Dialog> {
        self.waiting.as_ref().map(|waiting| &waiting.dialog)
    }

    /// The device of the own user that was asked to take the call over, and may yet.
    pub fn asked(&self) -> Option<&ActorName> {
        self.asked.as_ref().filter(|_| self.dialog.is_some())
    }

    /// Whether the next call that rings would do so beside the one that it is in.
    pub fn lets_wait(&self) -> bool {
        let is_in = matches!(self.state, CallStateName::Live | CallStateName::Held);
        self.takes_waiting && is_in && self.waiting.is_none()
    }

    /// How many events the table did not list.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// When the machine wants [`Event::Timer`].
    pub fn next_wake(&self) -> Option<SimTime> {
        let waiting = self.waiting.as_ref().and_then(|waiting| waiting.deadline);
        self.deadline.into_iter().chain(waiting).min()
    }

    /// The machine is in no call any more: the one that waited rings from now on. To be asked for after each transition.
    pub fn ring_on(&mut self) -> Option<Transition> {
        if !matches!(self.state, CallStateName::Idle | CallStateName::Ended) {
            return None;
        }
        let Crossing { dialog, deadline } = self.waiting.take()?;
        let mut transition = self.begin(dialog, CallStateName::Incoming, "waiting.ring", deadline, Effect::ShowRing);
        // V163: camera and microphone were on for the other call, and stay on for this one.
        transition.effects.extend(mutant!(V163).then_some(Effect::CaptureUnasked));
        Some(transition)
    }

    /// Takes an event. `None` when the table has no row for it in this state: it is ignored and counted.
    pub fn handle(&mut self, event: Event, now: SimTime) -> Option<Transition> {
        let transition = match event {
            Event::User(event) => self.user(event, now),
            Event::Server(event) => self.server(event, now),
            Event::Peer(event) => self.peer(event, now),
            Event::Path(event) => self.path(event, now),
            Event::Timer => self.timer(now),
        };
        if transition.is_none() {
            self.ignored += 1;
        }
        transition
    }

    fn user(&mut self, event: UserEvent, now: SimTime) -> Option<Transition> {
        use CallStateName::{Accepting, Connecting, Held, Idle, Incoming, Live, Outgoing, Reconnecting};
        match (self.state, event) {
            (CallStateName::Idle | CallStateName::Ended, UserEvent::Call { call, peer, video }) => {
                let dialog = Dialog { call, peer, outgoing: true, video, peer_video: video, takes_over: false };
                Some(self.begin(dialog, Outgoing, "user.call", ring_deadline(now + ANSWER_LIMIT), Effect::Invite))
            }
            (Incoming, UserEvent::Accept { video }) => {
                let dialog = self.dialog.as_mut()?;
                dialog.video = video;
                let effect = if dialog.takes_over { Effect::TakeOver } else { Effect::Answer };
                self.deadline = Some(now + CONNECTING_LIMIT);
                self.go(Accepting, "user.accept", vec![effect])
            }
            (Incoming, UserEvent::Decline) => {
                self.end(Idle, "user.decline", EndReason::Declined, Some(Effect::SendDecline))
            }
            (Outgoing, UserEvent::Cancel) => {
                self.end(Idle, "user.cancel", EndReason::Cancelled, Some(Effect::SendCancel))
            }
            // "Any but Idle: hang up" ends each state in the words that the server has for it.
            (Outgoing, UserEvent::HangUp) => {
                self.end(Idle, "user.hangup", EndReason::Cancelled, Some(Effect::SendCancel))
            }
            (Incoming, UserEvent::HangUp) => {
                self.end(Idle, "user.hangup", EndReason::Declined, Some(Effect::SendDecline))
            }
            (Accepting | Connecting | Live | Reconnecting | Held, UserEvent::HangUp) => {
                self.end(Idle, "user.hangup", EndReason::HungUp, Some(Effect::SendHangUp))
            }
            (state @ (Connecting | Live | Reconnecting), UserEvent::SwitchOff(track)) => {
                self.go(state, "user.switch-off", vec![Effect::SwitchOff(track)])
            }
            (state @ (Connecting | Live | Reconnecting), UserEvent::SwitchOn(track)) => {
                self.go(state, "user.switch-on", vec![Effect::SwitchOn(track)])
            }
            (Live, UserEvent::Hold) => {
                self.is_held = true;
                self.go(Held, "user.hold", vec![Effect::Hold, Effect::TellHold])
            }
            (Held, UserEvent::Resume) => self.resume(),
            (Live, UserEvent::HandOver { to }) => {
                self.asked = Some(to.clone());
                self.go(Live, "user.hand-over", vec![Effect::AskHandOver(to)])
            }
            (Live | Reconnecting | Held, UserEvent::AcceptWaiting) if self.waiting.is_some() => {
                self.end(Idle, "user.accept-waiting", EndReason::HungUp, Some(Effect::SendHangUp))
            }
            (_, UserEvent::DeclineWaiting) => {
                self.end_waiting("user.decline-waiting", EndReason::Declined, Some(Effect::DeclineWaiting))
            }
            _ => None,
        }
    }

    fn server(&mut self, event: ServerEvent, now: SimTime) -> Option<Transition> {
        use CallStateName::{Accepting, Connecting, Ended, Held, Idle, Incoming, Live, Outgoing, Reconnecting};
        match (self.state, event) {
            (Idle | Ended, ServerEvent::Ring { call, peer, video, age }) => {
                let Crossing { dialog, deadline } = rung(call, peer, video, age, now)?;
                let mut transition = self.begin(dialog, Incoming, "srv.ring", deadline, Effect::Ring);
                // V11: the callee's device answers by itself, because the caller's says so.
                transition.effects.extend(mutant!(V11).then_some(Effect::CaptureUnasked));
                Some(transition)
            }
            (Idle | Ended, ServerEvent::HandOver { call, peer, outgoing, video }) => {
                let dialog = Dialog { call, peer, outgoing, video: false, peer_video: video, takes_over: true };
                let deadline = ring_deadline(now + RING_LIMIT);
                Some(self.begin(dialog, Incoming, "srv.hand-over", deadline, Effect::ShowHandOver))
            }
            (Idle | Ended, _) => None,
            (state, ServerEvent::Ring { call, peer, video, age }) if self.lets_wait() && !self.is(call) => {
                self.waiting = Some(rung(call, peer, video, age, now)?);
                let (from, to) = (state, state);
                Some(Transition { call, from, to, because: "srv.ring", effects: vec![Effect::RingBeside] })
            }
            (_, ServerEvent::Ring { call, .. }) if self.waits(call) => None,
            (_, ServerEvent::Ended { call, reason }) if self.waits(call) => {
                self.end_waiting("srv.ended", end_reason(reason), None)
            }
            (_, ServerEvent::Elsewhere { call }) if self.waits(call) => {
                self.end_waiting("srv.elsewhere", EndReason::Elsewhere, None)
            }
            (Outgoing, ServerEvent::Ring { call, peer, video, age }) if self.calls(&peer) && !self.is(call) => {
                self.crossing = Some(rung(call, peer, video, age, now)?);
                let (from, to) = (Outgoing, Outgoing);
                Some(Transition { call, from, to, because: "srv.ring", effects: vec![Effect::KeepRing] })
            }
            (Outgoing, ServerEvent::Glare { call, other }) if self.is(call) && self.crossing() == Some(other) => {
                let Crossing { dialog, deadline } = self.crossing.take()?;
                let mut transition = self.begin(dialog, Incoming, "srv.glare", deadline, Effect::GiveUp(call));
                transition.effects.push(Effect::Ring);
                Some(transition)
            }
            (Outgoing, ServerEvent::Ended { call, .. } | ServerEvent::Elsewhere { call })
                if self.crossing() == Some(call) =>
            {
                self.crossing = None;
                None
            }
            (state, ServerEvent::Ring { call, .. } | ServerEvent::HandOver { call, .. }) if !self.is(call) => {
                Some(Transition {
                    call,
                    from: state,
                    to: state,
                    because: "srv.ring",
                    effects: vec![Effect::SendBusy(call)],
                })
            }
            (Outgoing, ServerEvent::Rejected { call }) if self.is(call) => {
                self.end(Idle, "srv.rejected", EndReason::Unavailable, None)
            }
            (Outgoing | Accepting, ServerEvent::Accepted { call, verified: true }) if self.is(call) => {
                self.deadline = Some(now + CONNECTING_LIMIT);
                self.go(Connecting, "srv.accepted", vec![Effect::Connect])
            }
            (Live | Reconnecting | Held, ServerEvent::Taken { call, by })
                if self.is(call) && self.asked() == Some(&by) =>
            {
                // V161: it says who goes on, and goes on too.
                if mutant!(V161) {
                    return self.go(self.state, "srv.taken", vec![Effect::Yield(by)]);
                }
                self.end(Idle, "srv.taken", EndReason::HandedOver, Some(Effect::Yield(by)))
            }
            (Connecting | Live | Held | Reconnecting, ServerEvent::Moved { call }) if self.is(call) => {
                if self.state != Reconnecting {
                    self.deadline = Some(now + RECONNECTING_LIMIT);
                }
                // Whoever held it there is not there any more.
                self.is_held_by_peer = false;
                self.go(Reconnecting, "srv.moved", vec![Effect::Rejoin])
            }
            (Outgoing | Accepting, ServerEvent::Accepted { call, verified: false }) if self.is(call) => {
                self.end(Ended, "srv.accepted", EndReason::Security, Some(Effect::SendHangUp))
            }
            (Incoming | Accepting, ServerEvent::Elsewhere { call }) if self.is(call) => {
                self.end(Idle, "srv.elsewhere", EndReason::Elsewhere, None)
            }
            (_, ServerEvent::Ended { call, reason }) if self.is(call) => {
                self.end(Idle, "srv.ended", end_reason(reason), None)
            }
            _ => None,
        }
    }

    fn path(&mut self, event: PathEvent, now: SimTime) -> Option<Transition> {
        use CallStateName::{Accepting, Connecting, Ended, Held, Incoming, Live, Outgoing, Reconnecting};
        match (self.state, event) {
            (Reconnecting, PathEvent::Connected) if self.is_held => {
                self.deadline = None;
                self.go(Held, "path.connected", vec![Effect::ShowHold])
            }
            (Connecting | Reconnecting, PathEvent::Connected) => {
                self.deadline = None;
                self.go(Live, "path.connected", vec![Effect::GoLive])
            }
            (Live | Held, PathEvent::Broken) => {
                self.deadline = Some(now + RECONNECTING_LIMIT);
                self.go(Reconnecting, "path.broken", vec![Effect::Reconnect])
            }
            (Outgoing, PathEvent::Mismatch) => {
                self.end(Ended, "path.mismatch", EndReason::Security, Some(Effect::SendCancel))
            }
            (Incoming | Accepting, PathEvent::Mismatch) => {
                self.end(Ended, "path.mismatch", EndReason::Security, Some(Effect::SendDecline))
            }
            (Connecting | Live | Reconnecting | Held, PathEvent::Mismatch) => {
                self.end(Ended, "path.mismatch", EndReason::Security, Some(Effect::SendHangUp))
            }
            (Connecting | Live | Reconnecting | Held, PathEvent::Lost) => {
                self.end(Ended, "path.lost", EndReason::Failed, Some(Effect::SendHangUp))
            }
            _ => None,
        }
    }

    fn timer(&mut self, now: SimTime) -> Option<Transition> {
        use CallStateName::{Accepting, Connecting, Ended, Idle, Incoming, Outgoing, Reconnecting};
        let waited = |waiting: &Crossing| waiting.deadline.is_some_and(|deadline| deadline <= now);
        if self.waiting.as_ref().is_some_and(waited) {
            return self.end_waiting("timer.ring", EndReason::Unanswered, None);
        }
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return None;
        }
        self.deadline = None;
        match self.state {
            Outgoing => self.end(Idle, "timer.ring", EndReason::Unanswered, Some(Effect::SendCancel)),
            Incoming => {
                // The server does not know how long a device shows that it is asked.
                let takes_over = self.dialog.as_ref().is_some_and(|dialog| dialog.takes_over);
                self.end(Idle, "timer.ring", EndReason::Unanswered, takes_over.then_some(Effect::SendDecline))
            }
            Accepting | Connecting => self.end(Ended, "timer.connecting", EndReason::Failed, Some(Effect::SendHangUp)),
            Reconnecting => self.end(Ended, "timer.reconnecting", EndReason::Failed, Some(Effect::SendHangUp)),
            _ => None,
        }
    }

    /// What the peer says stops the own tracks at most.
    fn peer(&mut self, event: PeerEvent, now: SimTime) -> Option<Transition> {
        use CallStateName::{Held, Live};
        match (self.state, event) {
            (Live | Held, PeerEvent::Hold) => {
                let effect = if self.state == Live { Effect::Hold } else { Effect::ShowHold };
                (self.is_held, self.is_held_by_peer) = (true, true);
                self.go(Held, "peer.hold", vec![effect])
            }
            (Held, PeerEvent::Resume) => {
                self.is_held_by_peer = false;
                let effect = if mutant!(V34) { Effect::Resume } else { Effect::ShowHold };
                self.go(Held, "peer.resume", vec![effect])
            }
            (Live, PeerEvent::Update) => {
                let effect = if mutant!(V12) { Effect::CaptureUnasked } else { Effect::ShowRequest };
                self.go(Live, "peer.update", vec![effect])
            }
            _ => self.believed(event, now),
        }
    }

    /// The planted bugs V02, V03 and V124: a peer's claim is taken for the own user's accept, for an order to send, or for
    /// the server's word.
    fn believed(&mut self, event: PeerEvent, now: SimTime) -> Option<Transition> {
        use CallStateName::{Connecting, Incoming, Live, Outgoing};
        match (self.state, event) {
            (Incoming, PeerEvent::ClaimAccepted) if mutant!(V02) => {
                let video = self.dialog.as_ref()?.peer_video;
                self.user(UserEvent::Accept { video }, now)
            }
            (Incoming, PeerEvent::Update) if mutant!(V03) => {
                self.go(Incoming, "peer.update", vec![Effect::CaptureUnasked])
            }
            (Outgoing, PeerEvent::ClaimAccepted) if mutant!(V124) => {
                self.go(Connecting, "peer.claim", vec![Effect::Connect])
            }
            (Connecting, PeerEvent::ClaimAccepted) if mutant!(V124) => {
                self.go(Live, "peer.claim", vec![Effect::GoLive])
            }
            _ => None,
        }
    }

    /// The own user takes a held call up. While the peer holds it too, only the peer learns that.
    fn resume(&mut self) -> Option<Transition> {
        if self.is_held_by_peer {
            return self.go(CallStateName::Held, "user.resume", vec![Effect::ShowHold, Effect::TellResume]);
        }
        self.is_held = false;
        self.go(CallStateName::Live, "user.resume", vec![Effect::Resume, Effect::TellResume])
    }

    /// Whether this device calls that user.
    fn calls(&self, user: &UserName) -> bool {
        self.dialog.as_ref().is_some_and(|dialog| dialog.peer == *user)
    }

    fn waits(&self, call: CallId) -> bool {
        self.waiting().is_some_and(|dialog| dialog.call == call)
    }

    /// The call that waits is over; the other one goes on.
    fn end_waiting(&mut self, because: &'static str, reason: EndReason, tell: Option<Effect>) -> Option<Transition> {
        let Crossing { dialog, .. } = self.waiting.take()?;
        let effects = tell.into_iter().chain([Effect::EndWaiting(reason)]).collect();
        Some(Transition { call: dialog.call, from: self.state, to: self.state, because, effects })
    }

    fn is(&self, call: CallId) -> bool {
        self.dialog.as_ref().is_some_and(|dialog| dialog.call == call)
    }

    fn begin(
        &mut self,
        dialog: Dialog,
        to: CallStateName,
        because: &'static str,
        deadline: Option<SimTime>,
        effect: Effect,
    ) -> Transition {
        let call = dialog.call;
        self.dialog = Some(dialog);
        self.deadline = deadline;
        (self.is_held, self.is_held_by_peer, self.crossing, self.asked) = (false, false, None, None);
        let from = std::mem::replace(&mut self.state, to);
        Transition { call, from, to, because, effects: vec![effect] }
    }

    fn go(&mut self, to: CallStateName, because: &'static str, effects: Vec<Effect>) -> Option<Transition> {
        let call = self.dialog.as_ref()?.call;
        let from = std::mem::replace(&mut self.state, to);
        if to != CallStateName::Outgoing {
            self.crossing = None;
        }
        Some(Transition { call, from, to, because, effects })
    }

    fn end(
        &mut self,
        to: CallStateName,
        because: &'static str,
        reason: EndReason,
        tell: Option<Effect>,
    ) -> Option<Transition> {
        let effects = tell.into_iter().chain([Effect::End(reason)]).collect();
        let transition = self.go(to, because, effects);
        (self.dialog, self.deadline) = (None, None);
        (self.is_held, self.is_held_by_peer) = (false, false);
        transition
    }
}

/// A ring that is young enough, and until when it rings.
fn rung(call: CallId, peer: UserName, video: bool, age: Micros, now: SimTime) -> Option<Crossing> {
    // V16: nobody looks at the age.
    let age = if mutant!(V16) { Micros::ZERO } else { age };
    let dialog = Dialog { call, peer, outgoing: false, video: false, peer_video: video, takes_over: false };
    (age <= RING_LIMIT).then(|| Crossing { dialog, deadline: ring_deadline(now + Micros(RING_LIMIT.0 - age.0)) })
}

fn ring_deadline(at: SimTime) -> Option<SimTime> {
    if mutant!(V125) { None } else { Some(at) }
}

fn end_reason(reason: CallEnd) -> EndReason {
    match reason {
        CallEnd::Declined => EndReason::Declined,
        CallEnd::Cancelled => EndReason::Cancelled,
        CallEnd::Unanswered => EndReason::Unanswered,
        CallEnd::Busy => EndReason::Busy,
        CallEnd::HungUp => EndReason::PeerHungUp,
        CallEnd::Unfriended => EndReason::Unfriended,
        CallEnd::Unknown => EndReason::Failed,
    }
}

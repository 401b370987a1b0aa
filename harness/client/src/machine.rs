//! The call machine of a device: the table of `call-machine.md`, rows of a call between two. Pure: events in, a
//! transition with its effects out. Whatever the table does not list is ignored and counted, never a transition.
//!
//! Origins are distinct types. What a peer says ([`PeerEvent`]) is an input of no row at all, so that it can never change
//! consent.

use kernel::{
    CallId, Micros, SimTime, Track, UserName,
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

/// What the user of this device does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserEvent {
    /// Calls somebody.
    Call {
        /// A fresh call.
        call: CallId,
        /// Who is called.
        peer: UserName,
        /// Whether the camera is to be on.
        video: bool,
    },
    /// Accepts the ringing call.
    Accept {
        /// Whether the camera is to be on.
        video: bool,
    },
    /// Declines the ringing call.
    Decline,
    /// Cancels the own call.
    Cancel,
    /// Hangs up.
    HangUp,
    /// Switches the own camera or microphone off.
    SwitchOff(Track),
    /// Switches it on again.
    SwitchOn(Track),
}

/// What the server says. Only it decides whether a call exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// A friend calls; the outer fields were checked.
    Ring {
        /// The call.
        call: CallId,
        /// Who calls.
        peer: UserName,
        /// Whether video is offered.
        video: bool,
        /// How old the invite is by the server's clock.
        age: Micros,
    },
    /// The call was accepted.
    Accepted {
        /// The call.
        call: CallId,
        /// To a caller: whether the answer is signed by a device of the callee and fits the offer. To a callee: true.
        verified: bool,
    },
    /// Another device of this user answered.
    Elsewhere {
        /// The call.
        call: CallId,
    },
    /// The call cannot be.
    Rejected {
        /// The call.
        call: CallId,
    },
    /// The call is over.
    Ended {
        /// The call.
        call: CallId,
        /// Why.
        reason: CallEnd,
    },
}

/// What the peer's device says, sealed end to end. No row of the table has it as an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerEvent {
    /// Claims that the call was accepted.
    ClaimAccepted,
    /// Asks to start sending.
    Update,
}

/// What this device's own transport and keys say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathEvent {
    /// A pair is valid, DTLS is up with the right fingerprint, the frame keys are agreed. While reconnecting: and the
    /// peer's media flows.
    Connected,
    /// The peer's media stopped, consent is lost, or the peer restarts ICE.
    Broken,
    /// A signature, fingerprint or key does not fit.
    Mismatch,
    /// DTLS is closed: no path can bring it back.
    Lost,
}

/// An event with its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The user of this device.
    User(UserEvent),
    /// The server.
    Server(ServerEvent),
    /// The peer's device.
    Peer(PeerEvent),
    /// This device's transport.
    Path(PathEvent),
    /// The time of [`Machine::next_wake`] has come.
    Timer,
}

/// What a transition makes the device do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make an offer and invite.
    Invite,
    /// Show the ring and tell the server `ringing`; nothing else.
    Ring,
    /// Open the offer, make the signed answer, send it. No capture yet.
    Answer,
    /// Switch capture on for the consented tracks, gather, connect.
    Connect,
    /// Show the live call with its safety number.
    GoLive,
    /// Show that the path is gone, and restart ICE. Capture, keys and counters go on.
    Reconnect,
    /// Switch an own track off: the device is closed, and the peer learns it.
    SwitchOff(Track),
    /// Switch an own track on that was switched off.
    SwitchOn(Track),
    /// Tell the server that this device is in another call.
    SendBusy(CallId),
    /// Tell the server that the user declines.
    SendDecline,
    /// Tell the server that the caller gives up.
    SendCancel,
    /// Tell the server that the call is over.
    SendHangUp,
    /// Stop capture, drop the transport, erase the keys, show why.
    End(EndReason),
}

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
}

/// The call machine of one device.
#[derive(Clone, Debug)]
pub struct Machine {
    state: CallStateName,
    dialog: Option<Dialog>,
    deadline: Option<SimTime>,
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
        Machine { state: CallStateName::Idle, dialog: None, deadline: None, ignored: 0 }
    }

    /// The state.
    pub fn state(&self) -> CallStateName {
        self.state
    }

    /// The call that it is in; none in `Idle` and `Ended`.
    pub fn dialog(&self) -> Option<&Dialog> {
        self.dialog.as_ref()
    }

    /// How many events the table did not list.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// When the machine wants [`Event::Timer`].
    pub fn next_wake(&self) -> Option<SimTime> {
        self.deadline
    }

    /// Takes an event. `None` when the table has no row for it in this state: it is ignored and counted.
    pub fn handle(&mut self, event: Event, now: SimTime) -> Option<Transition> {
        let transition = match event {
            Event::User(event) => self.user(event, now),
            Event::Server(event) => self.server(event, now),
            // No row: the peer is not asked about consent.
            Event::Peer(_) if !mutant!(V02) => None,
            Event::Peer(event) => self.claimed(event, now),
            Event::Path(event) => self.path(event, now),
            Event::Timer => self.timer(now),
        };
        if transition.is_none() {
            self.ignored += 1;
        }
        transition
    }

    fn user(&mut self, event: UserEvent, now: SimTime) -> Option<Transition> {
        use CallStateName::{Accepting, Connecting, Idle, Incoming, Live, Outgoing, Reconnecting};
        match (self.state, event) {
            (CallStateName::Idle | CallStateName::Ended, UserEvent::Call { call, peer, video }) => {
                let dialog = Dialog { call, peer, outgoing: true, video, peer_video: video };
                Some(self.begin(dialog, Outgoing, "user.call", ring_deadline(now + ANSWER_LIMIT), Effect::Invite))
            }
            (Incoming, UserEvent::Accept { video }) => {
                if let Some(dialog) = &mut self.dialog {
                    dialog.video = video;
                }
                self.deadline = Some(now + CONNECTING_LIMIT);
                self.go(Accepting, "user.accept", vec![Effect::Answer])
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
            (Accepting | Connecting | Live | Reconnecting, UserEvent::HangUp) => {
                self.end(Idle, "user.hangup", EndReason::HungUp, Some(Effect::SendHangUp))
            }
            (state @ (Connecting | Live | Reconnecting), UserEvent::SwitchOff(track)) => {
                self.go(state, "user.switch-off", vec![Effect::SwitchOff(track)])
            }
            (state @ (Connecting | Live | Reconnecting), UserEvent::SwitchOn(track)) => {
                self.go(state, "user.switch-on", vec![Effect::SwitchOn(track)])
            }
            _ => None,
        }
    }

    fn server(&mut self, event: ServerEvent, now: SimTime) -> Option<Transition> {
        use CallStateName::{Accepting, Connecting, Ended, Idle, Incoming, Outgoing};
        match (self.state, event) {
            (Idle | Ended, ServerEvent::Ring { call, peer, video, age }) if age <= RING_LIMIT => {
                let dialog = Dialog { call, peer, outgoing: false, video: false, peer_video: video };
                let deadline = ring_deadline(now + Micros(RING_LIMIT.0 - age.0));
                Some(self.begin(dialog, Incoming, "srv.ring", deadline, Effect::Ring))
            }
            (Idle | Ended, _) => None,
            (state, ServerEvent::Ring { call, .. }) if !self.is(call) => Some(Transition {
                call,
                from: state,
                to: state,
                because: "srv.ring",
                effects: vec![Effect::SendBusy(call)],
            }),
            (Outgoing, ServerEvent::Rejected { call }) if self.is(call) => {
                self.end(Idle, "srv.rejected", EndReason::Unavailable, None)
            }
            (Outgoing | Accepting, ServerEvent::Accepted { call, verified: true }) if self.is(call) => {
                self.deadline = Some(now + CONNECTING_LIMIT);
                self.go(Connecting, "srv.accepted", vec![Effect::Connect])
            }
            (Outgoing, ServerEvent::Accepted { call, verified: false }) if self.is(call) => {
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
        use CallStateName::{Accepting, Connecting, Ended, Incoming, Live, Outgoing, Reconnecting};
        match (self.state, event) {
            (Connecting | Reconnecting, PathEvent::Connected) => {
                self.deadline = None;
                self.go(Live, "path.connected", vec![Effect::GoLive])
            }
            (Live, PathEvent::Broken) => {
                self.deadline = Some(now + RECONNECTING_LIMIT);
                self.go(Reconnecting, "path.broken", vec![Effect::Reconnect])
            }
            (Outgoing, PathEvent::Mismatch) => {
                self.end(Ended, "path.mismatch", EndReason::Security, Some(Effect::SendCancel))
            }
            (Incoming | Accepting, PathEvent::Mismatch) => {
                self.end(Ended, "path.mismatch", EndReason::Security, Some(Effect::SendDecline))
            }
            (Connecting | Live | Reconnecting, PathEvent::Mismatch) => {
                self.end(Ended, "path.mismatch", EndReason::Security, Some(Effect::SendHangUp))
            }
            (Connecting | Live | Reconnecting, PathEvent::Lost) => {
                self.end(Ended, "path.lost", EndReason::Failed, Some(Effect::SendHangUp))
            }
            _ => None,
        }
    }

    fn timer(&mut self, now: SimTime) -> Option<Transition> {
        use CallStateName::{Accepting, Connecting, Ended, Idle, Incoming, Outgoing, Reconnecting};
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return None;
        }
        self.deadline = None;
        match self.state {
            Outgoing => self.end(Idle, "timer.ring", EndReason::Unanswered, Some(Effect::SendCancel)),
            Incoming => self.end(Idle, "timer.ring", EndReason::Unanswered, None),
            Accepting | Connecting => self.end(Ended, "timer.connecting", EndReason::Failed, Some(Effect::SendHangUp)),
            Reconnecting => self.end(Ended, "timer.reconnecting", EndReason::Failed, Some(Effect::SendHangUp)),
            _ => None,
        }
    }

    /// The planted bug V02: a peer's claim is taken for the own user's accept.
    fn claimed(&mut self, event: PeerEvent, now: SimTime) -> Option<Transition> {
        let video = self.dialog.as_ref()?.peer_video;
        let accepted = event == PeerEvent::ClaimAccepted;
        accepted.then(|| self.user(UserEvent::Accept { video }, now)).flatten()
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
        let from = std::mem::replace(&mut self.state, to);
        Transition { call, from, to, because, effects: vec![effect] }
    }

    fn go(&mut self, to: CallStateName, because: &'static str, effects: Vec<Effect>) -> Option<Transition> {
        let call = self.dialog.as_ref()?.call;
        let from = std::mem::replace(&mut self.state, to);
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
        self.dialog = None;
        self.deadline = None;
        transition
    }
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

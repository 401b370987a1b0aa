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
    /// Puts the call on hold.
    Hold,
    /// Takes the call up again.
    Resume,
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
    /// Both called at once; the other side's call rings instead.
    Glare {
        /// The own call.
        call: CallId,
        /// The other side's.
        other: CallId,
    },
    /// The call is over.
    Ended {
        /// The call.
        call: CallId,
        /// Why.
        reason: CallEnd,
    },
}

/// What the peer's device says, sealed end to end. It may stop what this device sends, and never starts anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerEvent {
    /// Claims that the call was accepted. No row of the table has it.
    ClaimAccepted,
    /// Asks for the camera.
    Update,
    /// Holds the call.
    Hold,
    /// Holds it no longer.
    Resume,
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
    /// Keep what a ring came with, without a word: it may ring when the server decides so.
    KeepRing,
    /// Drop the own call, which the server does not have.
    GiveUp(CallId),
    /// Close camera and microphone and show the hold.
    Hold,
    /// Show who holds the call now.
    ShowHold,
    /// Open again what the hold closed, and show the live call.
    Resume,
    /// Tell the peer that the user holds the call.
    TellHold,
    /// Tell the peer that the user holds it no longer.
    TellResume,
    /// Show that the peer asks for the camera.
    ShowRequest,
    /// Only planted bugs ask for it: open tracks that the user did not consent to.
    CaptureUnasked,
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
            ignored: 0,
        }
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
            _ => None,
        }
    }

    fn server(&mut self, event: ServerEvent, now: SimTime) -> Option<Transition> {
        use CallStateName::{Accepting, Connecting, Ended, Idle, Incoming, Outgoing};
        match (self.state, event) {
            (Idle | Ended, ServerEvent::Ring { call, peer, video, age }) => {
                let Crossing { dialog, deadline } = rung(call, peer, video, age, now)?;
                let mut transition = self.begin(dialog, Incoming, "srv.ring", deadline, Effect::Ring);
                // V11: the callee's device answers by itself, because the caller's says so.
                transition.effects.extend(mutant!(V11).then_some(Effect::CaptureUnasked));
                Some(transition)
            }
            (Idle | Ended, _) => None,
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
        (self.is_held, self.is_held_by_peer, self.crossing) = (false, false, None);
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
    let dialog = Dialog { call, peer, outgoing: false, video: false, peer_video: video };
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

//! What is on the way between a device and the server, as far as a call machine or the call table hears of it.

use crate::cast::{self, ALICE, call_name};
use client::machine::{Event, PeerEvent, ServerEvent};
use kernel::{CallId, Micros};
use protocol::{CallEnd, ClientMessage, EnvelopeKind, ServerMessage};

/// What a device says to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    Invite(CallId),
    Accept(CallId),
    Decline(CallId),
    Cancel(CallId),
    HangUp(CallId),
    Busy(CallId),
    HandOver(CallId, usize),
    TakeOver(CallId),
    Yield(CallId),
    Rejoin(CallId, usize),
}

impl Said {
    fn call(self) -> CallId {
        let (Said::Invite(call)
        | Said::Accept(call)
        | Said::Decline(call)
        | Said::Cancel(call)
        | Said::HangUp(call)
        | Said::Busy(call)
        | Said::HandOver(call, _)
        | Said::TakeOver(call)
        | Said::Yield(call)
        | Said::Rejoin(call, _)) = self;
        call
    }

    /// The message of the protocol. An answer is sealed to the device that calls.
    pub(crate) fn message(self, from: usize) -> ClientMessage {
        let call = self.call();
        let caller = cast::name(usize::from(call.0[0] / 16));
        match self {
            Said::Invite(_) => {
                let offers =
                    cast::peers(from).map(|to| cast::envelope(EnvelopeKind::Offer, call, from, &cast::name(to)));
                ClientMessage::Invite { call, to: cast::peer(from), video: true, offers: offers.collect() }
            }
            Said::Accept(_) => {
                ClientMessage::Accept { call, answer: cast::envelope(EnvelopeKind::Answer, call, from, &caller) }
            }
            Said::Decline(_) => ClientMessage::Decline { call },
            Said::Cancel(_) => ClientMessage::Cancel { call },
            Said::HangUp(_) => ClientMessage::HangUp { call },
            Said::Busy(_) => ClientMessage::Busy { call },
            Said::HandOver(_, to) => ClientMessage::HandOver { call, to: cast::name(to) },
            // Only bob has two devices.
            Said::TakeOver(_) => ClientMessage::TakeOver {
                call,
                offer: cast::envelope(EnvelopeKind::Offer, call, from, &cast::name(ALICE)),
            },
            Said::Yield(_) => {
                ClientMessage::Yield { call, word: cast::envelope(EnvelopeKind::Peer, call, from, &cast::name(ALICE)) }
            }
            Said::Rejoin(_, with) => ClientMessage::Rejoin {
                call,
                answer: cast::envelope(EnvelopeKind::Answer, call, from, &cast::name(with)),
            },
        }
    }

    /// For people.
    pub(crate) fn words(self) -> String {
        let what = match self {
            Said::Invite(_) => "invite",
            Said::Accept(_) => "accept",
            Said::Decline(_) => "decline",
            Said::Cancel(_) => "cancel",
            Said::HangUp(_) => "hang-up",
            Said::Busy(_) => "busy",
            Said::HandOver(..) => "hand over",
            Said::TakeOver(_) => "take over",
            Said::Yield(_) => "yield",
            Said::Rejoin(..) => "rejoin",
        };
        format!("{what} ({})", call_name(self.call()))
    }

    /// For the digest.
    pub(crate) fn code(self) -> [u8; 2] {
        let kind = match self {
            Said::Invite(_) => 0,
            Said::Accept(_) => 1,
            Said::Decline(_) => 2,
            Said::Cancel(_) => 3,
            Said::HangUp(_) => 4,
            Said::Busy(_) => 5,
            Said::HandOver(_, to) => 6 + to as u8,
            Said::TakeOver(_) => 10,
            Said::Yield(_) => 11,
            Said::Rejoin(_, with) => 12 + with as u8,
        };
        [kind, self.call().0[0]]
    }
}

/// What a device is told: by the server, or by its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Ring(CallId),
    Accepted { call: CallId, verified: bool },
    Elsewhere(CallId),
    Rejected(CallId),
    Glare { call: CallId, other: CallId },
    Ended(CallId, CallEnd),
    HandOver { call: CallId, outgoing: bool },
    Taken { call: CallId, by: usize },
    Moved { call: CallId, to: usize },
    Peer(PeerEvent),
}

impl Told {
    /// What of a message a call machine hears; none for the others.
    pub(crate) fn of(message: &ServerMessage, to: usize) -> Option<Told> {
        Some(match message {
            ServerMessage::Ring { call, .. } => Told::Ring(*call),
            ServerMessage::Accepted { call, answer, .. } => {
                // The caller's device checks that the answer is signed by a device of the callee.
                let by_callee = |from| cast::number(from).is_some_and(|from| cast::user(from) == cast::peer(to));
                let verified = answer.as_ref().is_none_or(|answer| by_callee(&answer.header.from));
                Told::Accepted { call: *call, verified }
            }
            ServerMessage::Elsewhere { call } => Told::Elsewhere(*call),
            ServerMessage::Rejected { call } => Told::Rejected(*call),
            ServerMessage::Glare { call, other } => Told::Glare { call: *call, other: *other },
            ServerMessage::Ended { call, reason } => Told::Ended(*call, *reason),
            ServerMessage::HandOver { call, outgoing, .. } => Told::HandOver { call: *call, outgoing: *outgoing },
            ServerMessage::Taken { call, by } => Told::Taken { call: *call, by: cast::number(by)? },
            ServerMessage::Moved { call, device, .. } => Told::Moved { call: *call, to: cast::number(device)? },
            _ => return None,
        })
    }

    /// The machine's event.
    pub(crate) fn event(self, to: usize) -> Event {
        Event::Server(match self {
            Told::Ring(call) => ServerEvent::Ring { call, peer: cast::peer(to), video: true, age: Micros::ZERO },
            Told::Accepted { call, verified } => ServerEvent::Accepted { call, verified },
            Told::Elsewhere(call) => ServerEvent::Elsewhere { call },
            Told::Rejected(call) => ServerEvent::Rejected { call },
            Told::Glare { call, other } => ServerEvent::Glare { call, other },
            Told::Ended(call, reason) => ServerEvent::Ended { call, reason },
            Told::HandOver { call, outgoing } => {
                ServerEvent::HandOver { call, peer: cast::peer(to), outgoing, video: true }
            }
            Told::Taken { call, by } => ServerEvent::Taken { call, by: cast::name(by) },
            Told::Moved { call, .. } => ServerEvent::Moved { call },
            Told::Peer(event) => return Event::Peer(event),
        })
    }

    /// For people.
    pub(crate) fn words(self) -> String {
        match self {
            Told::Ring(call) => format!("ring ({})", call_name(call)),
            Told::Accepted { call, .. } => format!("accepted ({})", call_name(call)),
            Told::Elsewhere(call) => format!("elsewhere ({})", call_name(call)),
            Told::Rejected(call) => format!("rejected ({})", call_name(call)),
            Told::Glare { call, other } => format!("glare ({} gives way to {})", call_name(call), call_name(other)),
            Told::Ended(call, reason) => format!("ended, {reason:?} ({})", call_name(call)).to_lowercase(),
            Told::HandOver { call, .. } => format!("hand over ({})", call_name(call)),
            Told::Taken { call, by } => format!("taken by {} ({})", cast::name(by), call_name(call)),
            Told::Moved { call, to } => format!("moved to {} ({})", cast::name(to), call_name(call)),
            Told::Peer(event) => format!("{event:?} of its peer"),
        }
    }

    /// For the digest. Why a call ended moves no machine.
    pub(crate) fn code(self) -> [u8; 3] {
        match self {
            Told::Ring(call) => [0, call.0[0], 0],
            Told::Accepted { call, verified } => [1, call.0[0], u8::from(verified)],
            Told::Elsewhere(call) => [2, call.0[0], 0],
            Told::Rejected(call) => [3, call.0[0], 0],
            Told::Glare { call, other } => [4, call.0[0], other.0[0]],
            Told::Ended(call, _) => [5, call.0[0], 0],
            Told::Peer(event) => [6, event as u8, 0],
            Told::HandOver { call, outgoing } => [7, call.0[0], u8::from(outgoing)],
            Told::Taken { call, by } => [8, call.0[0], by as u8],
            Told::Moved { call, to } => [9, call.0[0], to as u8],
        }
    }
}

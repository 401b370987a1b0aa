//! What a call machine hears, and what it asks for. Origins are distinct types.

use kernel::{ActorName, CallId, Micros, Track, UserName, event::EndReason};
use protocol::CallEnd;

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
    /// Asks another device of the own user to take the call over.
    HandOver {
        /// The device.
        to: ActorName,
    },
    /// Ends the call for the one that waits, which rings then.
    AcceptWaiting,
    /// Declines the call that waits.
    DeclineWaiting,
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
        /// To whom offered: whether the answer is signed by a device of the other side and fits the offer. To whom answered:
        /// true.
        verified: bool,
    },
    /// Another device of the own user asks this one to take its call over.
    HandOver {
        /// The call.
        call: CallId,
        /// The other side.
        peer: UserName,
        /// Whether the own user called.
        outgoing: bool,
        /// Whether video is offered.
        video: bool,
    },
    /// The device that this user asked to take the call over was accepted there.
    Taken {
        /// The call.
        call: CallId,
        /// The device.
        by: ActorName,
    },
    /// The peer goes on with another of its devices: both it and the one before said so.
    Moved {
        /// The call.
        call: CallId,
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
    /// Show the ring of a call that waited.
    ShowRing,
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
    /// Ask another device of the own user to take the call over.
    AskHandOver(ActorName),
    /// Show that another device of the own user asks; nothing else.
    ShowHandOver,
    /// Make an offer to the peer's device and say that this one takes the call over. No capture yet.
    TakeOver,
    /// Close camera and microphone, then say who goes on.
    Yield(ActorName),
    /// Answer the peer's other device: another path and other keys. Capture goes on.
    Rejoin,
    /// Show a ring beside the call and tell the server `ringing`; nothing else.
    RingBeside,
    /// The call that waited is over.
    EndWaiting(EndReason),
    /// Tell the server that the user declines the call that waits.
    DeclineWaiting,
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

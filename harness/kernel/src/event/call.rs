//! Events of users, screens and call machines.

use crate::{
    names::{ActorName, CallId, ThreadId, Track, UserName},
    time::Micros,
};
use serde::{Deserialize, Serialize};

use super::{
    device::Verification,
    people::{CallOutcome, Setting},
    thread::Attached,
};

/// What a user does with the device in hand. Also what a scenario's timeline holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// Asks somebody to be friends.
    RequestFriend {
        /// The other user.
        user: UserName,
    },
    /// Accepts a friend request.
    AcceptFriend {
        /// Who asked.
        user: UserName,
    },
    /// Declines a friend request.
    DeclineFriend {
        /// Who asked.
        user: UserName,
    },
    /// Ends a friendship.
    Unfriend {
        /// The other user.
        user: UserName,
    },
    /// Blocks a user.
    Block {
        /// The other user.
        user: UserName,
    },
    /// Takes the own friend request back.
    CancelRequest {
        /// Who was asked.
        user: UserName,
    },
    /// Lifts a block.
    Unblock {
        /// The other user.
        user: UserName,
    },
    /// Follows a user.
    Follow {
        /// The other user.
        user: UserName,
    },
    /// Follows a user no longer.
    Unfollow {
        /// The other user.
        user: UserName,
    },
    /// Looks a handle up.
    LookUp {
        /// The handle.
        user: UserName,
    },
    /// Asks when a user was last there.
    AskLastSeen {
        /// The other user.
        user: UserName,
    },
    /// Changes a privacy setting.
    Set {
        /// To what.
        setting: Setting,
    },
    /// Starts a call from the thread with a user.
    Call {
        /// The other user.
        user: UserName,
        /// With the camera, or by voice only.
        video: bool,
    },
    /// Accepts the ringing call.
    Accept {
        /// With the camera, or by voice only.
        video: bool,
    },
    /// Declines the ringing call.
    Decline,
    /// Cancels the own call before it was answered.
    Cancel,
    /// Ends the live call.
    HangUp,
    /// Switches the own camera off during a call.
    CameraOff,
    /// Switches it on again.
    CameraOn,
    /// Switches the own microphone off during a call.
    Mute,
    /// Switches it on again.
    Unmute,
    /// Puts the call on hold: camera and microphone close.
    Hold,
    /// Takes the call up again.
    Resume,
    /// Asks another device of the own user to take the live call over. It does once it is accepted there.
    HandOver {
        /// The device.
        device: ActorName,
    },
    /// Ends the call and accepts the one that waits.
    AcceptWaiting {
        /// With the camera, or by voice only.
        video: bool,
    },
    /// Declines the call that waits.
    DeclineWaiting,
    /// Confirms that a device that signed in to the own account is one's own.
    ConfirmDevice {
        /// The new device.
        device: ActorName,
    },
    /// Logs another device of the own account out.
    RemoveDevice {
        /// The device.
        device: ActorName,
    },
    /// Writes to somebody. To a stranger it goes once they agree to read it.
    Write {
        /// The other user.
        user: UserName,
        /// What.
        text: String,
        /// What goes with it.
        #[serde(default)]
        attached: Option<Attached>,
    },
    /// Sends what was held back with a warning.
    SendAnyway {
        /// To whom.
        user: UserName,
    },
    /// Looks at the thread with somebody: what came is read.
    Read {
        /// The other user.
        user: UserName,
    },
    /// Agrees to read what a stranger writes, and to be written to.
    AcceptMessages {
        /// Who asked.
        user: UserName,
    },
    /// Does not agree. Who asked is not told.
    DeclineMessages {
        /// Who asked.
        user: UserName,
    },
    /// Shows a photograph as the own avatar.
    SetAvatar,
    /// Changes the password of the own account, with the old one.
    ChangePassword {
        /// The new one.
        password: String,
    },
    /// Asks for a one-time code and, when it has come by mail, sets a password with it.
    ResetPassword {
        /// The new one.
        password: String,
    },
    /// Signs in again on a device that was logged out.
    SignIn {
        /// The password.
        password: String,
    },
    /// Logs every other device of the own account out.
    EndOtherSessions,
    /// Puts the app away: the operating system lets it sleep, without a connection, until a push or its user wakes it.
    Sleep,
    /// Locks the device.
    Lock,
    /// Unlocks it.
    Unlock,
    /// Opens a link to a call, from wherever it came.
    OpenLink {
        /// The link as it was given.
        link: String,
    },
    /// Takes the permission for camera or microphone from the app, in the settings of the operating system.
    DenyAccess {
        /// The track of the device.
        track: Track,
    },
    /// Gives it the permission back.
    AllowAccess {
        /// The track of the device.
        track: Track,
    },
    /// Marks somebody as verified: the two compared their safety number.
    Verify {
        /// The other user.
        user: UserName,
    },
}

/// A user did something.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UserAct {
    /// The user.
    pub user: UserName,
    /// The device in hand.
    pub device: ActorName,
    /// What was done.
    pub what: Act,
}

/// What a device shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "screen", rename_all = "snake_case")]
pub enum Screen {
    /// No call.
    Idle,
    /// A link asks for a call: nothing comes of it unless the user calls.
    Compose {
        /// Who would be called.
        peer: UserName,
        /// Whether the link asks for the camera.
        video: bool,
    },
    /// Calling somebody.
    Outgoing {
        /// The call.
        call: CallId,
        /// Who is called.
        peer: UserName,
    },
    /// Somebody calls.
    Incoming {
        /// The call.
        call: CallId,
        /// Who calls, from the verified roster.
        peer: UserName,
        /// The device that calls, from the verified list of the caller's.
        calling_device: ActorName,
        /// Whether the caller offers video.
        video: bool,
        /// Whether the caller's devices are those that the user verified.
        verification: Verification,
        /// A warning: for whom the caller's name can be taken, a friend or the service itself.
        #[serde(default)]
        looks_like: Option<UserName>,
        /// Whether it is shown beside another call, which goes on.
        #[serde(default)]
        waits: bool,
    },
    /// Another device of the own user asks this one to take its call over.
    HandedOver {
        /// The call.
        call: CallId,
        /// The other side.
        peer: UserName,
        /// The device that has the call.
        from: ActorName,
    },
    /// Accepted; media is being set up.
    Connecting {
        /// The call.
        call: CallId,
        /// The other side.
        peer: UserName,
    },
    /// In the call.
    Live {
        /// The call.
        call: CallId,
        /// The other side.
        peer: UserName,
        /// The code that both sides compare: 30 digits.
        safety_number: String,
    },
    /// The path broke; another one is sought.
    Reconnecting {
        /// The call.
        call: CallId,
        /// The other side.
        peer: UserName,
    },
    /// The call is on hold: camera and microphone are closed.
    Held {
        /// The call.
        call: CallId,
        /// The other side.
        peer: UserName,
        /// Whether the other side holds it. When nobody does, it waits for this user to take it up again.
        by_peer: bool,
    },
    /// The other side asks for the camera. It stays as it is.
    CameraAsked {
        /// The call.
        call: CallId,
        /// The other side.
        peer: UserName,
    },
    /// The call ended with a message.
    Over {
        /// The call.
        call: CallId,
        /// Why.
        reason: EndReason,
    },
}

/// A device shows another screen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ui {
    /// The user.
    pub user: UserName,
    /// The device.
    pub device: ActorName,
    /// What it shows now.
    #[serde(flatten)]
    pub screen: Screen,
}

/// A ring was delivered to a device and is shown: what the friend gate must have allowed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ring {
    /// The device that rings.
    pub device: ActorName,
    /// Its user.
    pub user: UserName,
    /// Who calls.
    pub caller: UserName,
    /// The call.
    pub call: CallId,
}

/// The states of a device's call machine (call-machine table).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStateName {
    /// No call.
    Idle,
    /// Ringing at the other side.
    Outgoing,
    /// Ringing here.
    Incoming,
    /// Accepted here, not yet by the server.
    Accepting,
    /// ICE, DTLS and keys are being agreed.
    Connecting,
    /// Media flows.
    Live,
    /// The path broke; ICE restarts.
    Reconnecting,
    /// On hold: camera and microphone are closed.
    Held,
    /// Over; keys are erased.
    Ended,
}

/// A device's call machine moved.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallState {
    /// The device.
    pub device: ActorName,
    /// The call; none only for a machine that never had one.
    pub call: Option<CallId>,
    /// Before.
    pub from: CallStateName,
    /// After.
    pub to: CallStateName,
    /// The event that moved it, as in the table: `user.accept`, `srv.accepted`, `timer.ring`.
    pub because: String,
}

/// Why a call ended at a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// This user hung up.
    HungUp,
    /// The other user hung up.
    PeerHungUp,
    /// The callee declined.
    Declined,
    /// The caller cancelled.
    Cancelled,
    /// Nobody answered for 60 s.
    Unanswered,
    /// Refused without a reason: not a friend, blocked, unknown. All alike.
    Unavailable,
    /// The callee is in another call.
    Busy,
    /// Another device of the user answered.
    Elsewhere,
    /// The friendship ended, or one side blocked the other.
    Unfriended,
    /// A signature, fingerprint or key did not fit: somebody is in the middle.
    Security,
    /// No media path could be set up, or it broke for good.
    Failed,
    /// Both called at once, and the other side's call rings instead.
    Crossed,
    /// Another device of the user took the call over.
    HandedOver,
}

/// A device's call ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ended {
    /// The device.
    pub device: ActorName,
    /// The call.
    pub call: CallId,
    /// Why.
    pub reason: EndReason,
}

/// What a call that is neither live nor idle waits for. Emitted when the wait begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pending {
    /// The device.
    pub device: ActorName,
    /// The call.
    pub call: CallId,
    /// What is awaited: `answer`, `user`, `server-accept`, `ice`, `dtls`.
    pub awaits: String,
    /// The longest that this may take before the machine gives up.
    pub limit: Micros,
}

/// A device knows a call row of a thread.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallRow {
    /// The device that shows the row.
    pub device: ActorName,
    /// The thread.
    pub thread: ThreadId,
    /// The call.
    pub call: CallId,
    /// Who called.
    pub caller: UserName,
    /// How it ended.
    pub outcome: CallOutcome,
    /// How long it was live; zero when it was never answered.
    pub duration: Micros,
}

/// A device described its side of a call, for the sealed offer or answer: what the peer's application reads, and what RTCP
/// repeats in part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Described {
    /// The device.
    pub device: ActorName,
    /// The call.
    pub call: CallId,
    /// The SDP (RFC 8866).
    pub sdp: String,
}

/// A parser of untrusted call content was entered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ParserEntered {
    /// The device.
    pub device: ActorName,
    /// The call.
    pub call: CallId,
    /// Which parser: `sdp`, `ice`, `dtls`, `srtp`.
    pub parser: String,
}

impl Act {
    /// The tracks that an act switches on by consent.
    pub fn consents_to(&self) -> &'static [Track] {
        match self {
            Act::Call { video: true, .. } | Act::Accept { video: true } | Act::AcceptWaiting { video: true } => {
                &[Track::Audio, Track::Video]
            }
            Act::Call { video: false, .. } | Act::Accept { video: false } | Act::AcceptWaiting { video: false } => {
                &[Track::Audio]
            }
            _ => &[],
        }
    }

    /// The tracks that an act switches during a call, and whether they are on from then. A permission that is given back
    /// switches nothing on.
    pub fn switches(&self) -> &'static [(Track, bool)] {
        match self {
            Act::CameraOff => &[(Track::Video, false)],
            Act::CameraOn => &[(Track::Video, true)],
            Act::Mute => &[(Track::Audio, false)],
            Act::Unmute => &[(Track::Audio, true)],
            Act::Hold => &[(Track::Audio, false), (Track::Video, false)],
            Act::Resume => &[(Track::Audio, true), (Track::Video, true)],
            Act::DenyAccess { track: Track::Audio } => &[(Track::Audio, false)],
            Act::DenyAccess { track: Track::Video } => &[(Track::Video, false)],
            _ => &[],
        }
    }
}

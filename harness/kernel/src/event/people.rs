//! Events of the signaling server and its store.

use crate::{
    log::BlobRef,
    names::{ActorName, CallId, MessageId, ThreadId, UserName},
    time::{Micros, SimTime},
};
use serde::{Deserialize, Serialize};

/// A signaling message as the server sees it (view `server`): outer fields in clear, sealed bodies as ciphertext.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Signal {
    /// Sender: a device, or `signaling`.
    pub from: ActorName,
    /// Receiver: `signaling`, or a device.
    pub to: ActorName,
    /// The kind of message: `invite`, `ring`, `accept`, …
    pub message: String,
    /// The call that it is about.
    pub call: Option<CallId>,
    /// The canonical bytes, as carried inside TLS.
    pub body: BlobRef,
}

/// How a call ended, as its row in the thread says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// It was live.
    Answered,
    /// Nobody answered.
    Missed,
    /// The callee declined.
    Declined,
    /// The caller cancelled.
    Cancelled,
}

/// Whom a privacy setting lets. Who is no friend is never let.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Every friend.
    #[default]
    Friends,
    /// Friends on the user's own list of close ones.
    CloseFriends,
    /// Nobody.
    Nobody,
}

impl Audience {
    /// Whether a friend is let, who is or is not on the list of close friends.
    pub fn lets(self, is_close: bool) -> bool {
        match self {
            Audience::Friends => true,
            Audience::CloseFriends => is_close,
            Audience::Nobody => false,
        }
    }
}

/// A privacy setting, as its user chose it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// Who may call: friends until something else is chosen.
    Callers(Audience),
    /// Who may know when the user was last there: friends until something else is chosen.
    LastSeen(Audience),
    /// Whether somebody is on the list of close friends.
    CloseFriend {
        /// Who.
        user: UserName,
        /// On it, or off.
        listed: bool,
    },
}

/// A fact of the store, in the order in which facts became durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// An account exists.
    AccountCreated {
        /// Whose.
        user: UserName,
    },
    /// A device is signed in.
    SessionCreated {
        /// Whose.
        user: UserName,
        /// Which device.
        device: ActorName,
    },
    /// A further device signed in to an account. Until another one confirms it nothing that it says counts.
    DeviceAdded {
        /// Whose.
        user: UserName,
        /// Which device.
        device: ActorName,
    },
    /// A device is in its user's list from now on.
    DeviceConfirmed {
        /// Whose.
        user: UserName,
        /// Which device.
        device: ActorName,
        /// The device that signed for it.
        by: ActorName,
    },
    /// A device is out of its user's list, and logged out.
    DeviceRemoved {
        /// Whose.
        user: UserName,
        /// Which device.
        device: ActorName,
        /// The device that signed for it.
        by: ActorName,
    },
    /// A user has a password from now on.
    PasswordSet {
        /// Whose.
        user: UserName,
        /// On which path.
        how: PasswordPath,
        /// The device that chose it.
        by: ActorName,
    },
    /// The session of a device is over, other than by its removal.
    SessionRevoked {
        /// Whose.
        user: UserName,
        /// Which device's.
        device: ActorName,
        /// The device that asked for it.
        by: ActorName,
    },
    /// Somebody asked for a one-time code.
    CodeRequested {
        /// For which account, which there may not be.
        user: UserName,
        /// Whether there is one from now on.
        issued: bool,
    },
    /// Somebody presented a one-time code.
    CodeTried {
        /// Whose it was said to be.
        user: UserName,
        /// Whether it was compared with one that was good.
        looked_at: bool,
        /// Whether it was that one. It is not good any more.
        fits: bool,
    },
    /// A password was tried, other than to make the account.
    PasswordTried {
        /// Whose account it was.
        user: UserName,
        /// Whether it was the right one.
        fits: bool,
    },
    /// A friend request waits.
    FriendRequested {
        /// Who asks.
        from: UserName,
        /// Who is asked.
        to: UserName,
    },
    /// Both edges are accepted from now on.
    Befriended {
        /// Who accepted.
        by: UserName,
        /// Who had asked.
        other: UserName,
    },
    /// A request was declined.
    FriendDeclined {
        /// Who declined.
        by: UserName,
        /// Who had asked.
        other: UserName,
    },
    /// Both edges are gone.
    Unfriended {
        /// Who ended it.
        by: UserName,
        /// The other side.
        other: UserName,
    },
    /// One user blocks another; the friendship is gone too.
    Blocked {
        /// Who blocks.
        by: UserName,
        /// Who is blocked.
        other: UserName,
    },
    /// Who asked takes a request back.
    RequestCancelled {
        /// Who had asked.
        by: UserName,
        /// Who was asked.
        other: UserName,
    },
    /// A block is lifted. What there was before it does not come back.
    Unblocked {
        /// Who blocked.
        by: UserName,
        /// Who was blocked.
        other: UserName,
    },
    /// One user follows another: no friendship, and no right to anything of one.
    Followed {
        /// Who follows.
        by: UserName,
        /// Whom.
        other: UserName,
    },
    /// One user follows another no longer.
    Unfollowed {
        /// Who followed.
        by: UserName,
        /// Whom.
        other: UserName,
    },
    /// A handle was looked up, in whatever way: who asks learns whether it exists.
    LookedUp {
        /// Who asks.
        by: UserName,
        /// Which handle.
        handle: UserName,
    },
    /// A user's privacy setting is another from now on.
    SettingChanged {
        /// Whose.
        by: UserName,
        /// What it is.
        setting: Setting,
    },
    /// A call rings.
    CallRinging {
        /// The call.
        call: CallId,
        /// Who calls.
        caller: UserName,
        /// Who is called.
        callee: UserName,
    },
    /// A call was accepted.
    CallLive {
        /// The call.
        call: CallId,
        /// The caller's device.
        caller_device: ActorName,
        /// The callee's device.
        callee_device: ActorName,
    },
    /// A live call went from one device of a user to another.
    CallMoved {
        /// The call.
        call: CallId,
        /// The device that had it.
        from: ActorName,
        /// The device that has it now.
        to: ActorName,
    },
    /// A call is over; its row is in the thread.
    CallOver {
        /// The call.
        call: CallId,
        /// Its thread.
        thread: ThreadId,
        /// How it ended.
        outcome: CallOutcome,
        /// How long it was live.
        duration: Micros,
    },
    /// A relay credential was issued.
    RelayCredentialIssued {
        /// For the call.
        call: CallId,
        /// To the device.
        device: ActorName,
    },
    /// A stranger asks to write; that one may be written to by the other from now on.
    ThreadRequested {
        /// Who asks.
        from: UserName,
        /// Who is asked.
        to: UserName,
    },
    /// Two who are no friends may write to each other.
    ThreadOpened {
        /// Who agreed.
        by: UserName,
        /// Who had asked.
        other: UserName,
    },
    /// Who was asked does not agree.
    ThreadDeclined {
        /// Who does not agree.
        by: UserName,
        /// Who had asked.
        other: UserName,
    },
    /// A message is in its thread.
    MessageStored {
        /// The message.
        message: MessageId,
        /// Its thread.
        thread: ThreadId,
        /// Who wrote it.
        sender: UserName,
        /// Its number among the rows of the sender, and among those of the other.
        numbers: [u32; 2],
    },
    /// A message, and all before it, came to a device of a user, or was read there.
    MessageReceipt {
        /// The message.
        message: MessageId,
        /// Whose device.
        by: UserName,
        /// Whether it was read.
        read: bool,
        /// Whether the writer is told.
        told: bool,
    },
    /// A user shows another avatar.
    AvatarSet {
        /// Whose.
        user: UserName,
    },
    /// All parts of a picture are there, sealed. It belongs to no message yet.
    PictureUploaded {
        /// By whom.
        by: UserName,
        /// How many bytes it has: those of its seal and padding too.
        bytes: u32,
    },
}

/// The kinds of facts, as saved logs name them.
pub const FACT_KINDS: [&str; 33] = [
    "account_created",
    "session_created",
    "device_added",
    "device_confirmed",
    "device_removed",
    "password_set",
    "session_revoked",
    "code_requested",
    "code_tried",
    "password_tried",
    "friend_requested",
    "befriended",
    "friend_declined",
    "unfriended",
    "blocked",
    "request_cancelled",
    "unblocked",
    "followed",
    "unfollowed",
    "looked_up",
    "setting_changed",
    "call_ringing",
    "call_live",
    "call_moved",
    "call_over",
    "relay_credential_issued",
    "thread_requested",
    "thread_opened",
    "thread_declined",
    "message_stored",
    "message_receipt",
    "avatar_set",
    "picture_uploaded",
];

impl Fact {
    /// The name of the kind, one of [`FACT_KINDS`].
    pub fn kind(&self) -> &'static str {
        match self {
            Fact::AccountCreated { .. } => "account_created",
            Fact::SessionCreated { .. } => "session_created",
            Fact::DeviceAdded { .. } => "device_added",
            Fact::DeviceConfirmed { .. } => "device_confirmed",
            Fact::DeviceRemoved { .. } => "device_removed",
            Fact::PasswordSet { .. } => "password_set",
            Fact::SessionRevoked { .. } => "session_revoked",
            Fact::CodeRequested { .. } => "code_requested",
            Fact::CodeTried { .. } => "code_tried",
            Fact::PasswordTried { .. } => "password_tried",
            Fact::FriendRequested { .. } => "friend_requested",
            Fact::Befriended { .. } => "befriended",
            Fact::FriendDeclined { .. } => "friend_declined",
            Fact::Unfriended { .. } => "unfriended",
            Fact::Blocked { .. } => "blocked",
            Fact::RequestCancelled { .. } => "request_cancelled",
            Fact::Unblocked { .. } => "unblocked",
            Fact::Followed { .. } => "followed",
            Fact::Unfollowed { .. } => "unfollowed",
            Fact::LookedUp { .. } => "looked_up",
            Fact::SettingChanged { .. } => "setting_changed",
            Fact::CallRinging { .. } => "call_ringing",
            Fact::CallLive { .. } => "call_live",
            Fact::CallMoved { .. } => "call_moved",
            Fact::CallOver { .. } => "call_over",
            Fact::RelayCredentialIssued { .. } => "relay_credential_issued",
            Fact::ThreadRequested { .. } => "thread_requested",
            Fact::ThreadOpened { .. } => "thread_opened",
            Fact::ThreadDeclined { .. } => "thread_declined",
            Fact::MessageStored { .. } => "message_stored",
            Fact::MessageReceipt { .. } => "message_receipt",
            Fact::AvatarSet { .. } => "avatar_set",
            Fact::PictureUploaded { .. } => "picture_uploaded",
        }
    }
}

/// On which path a password came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PasswordPath {
    /// With the account.
    SignUp,
    /// In the place of the old one, which was presented.
    Change,
    /// In the place of one that was forgotten, with a one-time code.
    Reset,
}

/// A user chose a password on a device, which asks the server for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PasswordChosen {
    /// The user.
    pub user: UserName,
    /// The device.
    pub device: ActorName,
    /// On which path.
    pub how: PasswordPath,
    /// The password. The log is the oracle's: nobody in the simulation reads it.
    pub password: String,
}

/// A server showed a device an older state than one that it had shown before. The device does not sign in there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RollbackSeen {
    /// The device.
    pub device: ActorName,
    /// How many transactions the device knows that there were.
    pub known: u64,
    /// From how many on the server's own history goes another way.
    pub back_to: u64,
}

/// Somebody put an old copy of a server's store in the place of the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoreRestored {
    /// Whose store.
    pub node: ActorName,
    /// When the copy was made.
    pub copied: SimTime,
}

/// A fact became durable in the server's store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Store {
    /// Whose store.
    pub node: ActorName,
    /// The fact.
    #[serde(flatten)]
    pub fact: Fact,
}

/// A device shows that somebody signed in to its account with a new device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeviceAnnounced {
    /// The device that shows it.
    pub device: ActorName,
    /// The new device.
    pub announced: ActorName,
}

/// A device was shown a list of a user's devices.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeviceListSeen {
    /// The device.
    pub device: ActorName,
    /// Whose devices they are.
    pub user: UserName,
    /// The hash of each link, in hexadecimal.
    pub links: Vec<String>,
    /// Whether the device takes it for true.
    pub taken: bool,
}

/// A device was logged out, and knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoggedOut {
    /// The device.
    pub device: ActorName,
}

/// A message that ends or forbids a call reached a device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// The device.
    pub device: ActorName,
    /// The call.
    pub call: CallId,
    /// The kind of message: `ended`, `elsewhere`, `rejected`.
    pub message: String,
}

/// What one user wants of another, as a store holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HeldEdge {
    /// Who.
    pub from: UserName,
    /// Of whom.
    pub to: UserName,
    /// To be friends: a request, or one side of a friendship.
    pub wants: bool,
    /// To be left alone.
    pub blocks: bool,
    /// To see what they publish.
    #[serde(default)]
    pub follows: bool,
}

/// A session that is good, as a store holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HeldSession {
    /// Whose.
    pub user: UserName,
    /// Which device's.
    pub device: ActorName,
}

/// What a server that starts again found in its store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovered {
    /// Whose store.
    pub node: ActorName,
    /// Edges that say something, by (from, to).
    pub edges: Vec<HeldEdge>,
    /// Sessions, by user and device.
    pub sessions: Vec<HeldSession>,
}

/// A server crashed while its store was writing: each of these transactions may be there afterwards, if all before it are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoreInterrupted {
    /// Whose store.
    pub node: ActorName,
    /// The facts of each transaction that was under way, in order.
    pub transactions: Vec<Vec<Fact>>,
}

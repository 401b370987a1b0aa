//! What happens: the steps of people, and what an adversary does.

use crate::{located::Located, scalar::Duration};
use schemars::JsonSchema;
use serde::Deserialize;

/// A step of the story: exactly one of `at`, `after_ring`, `after_live` and `after_asked` says when.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// At this time of the timeline.
    pub(crate) at: Option<Located<Duration>>,
    /// This long after the user's device shows the incoming call.
    pub(crate) after_ring: Option<Located<Duration>>,
    /// This long after the user's device shows the live call.
    pub(crate) after_live: Option<Located<Duration>>,
    /// This long after the user's device shows that another one of the same user asks it to take the call over.
    pub(crate) after_asked: Option<Located<Duration>>,
    /// Who.
    #[schemars(required)]
    pub(crate) user: Option<Located<String>>,
    /// With which device in hand, where the user has several.
    pub(crate) device: Option<Located<String>>,
    /// Does what.
    #[schemars(required)]
    pub(crate) does: Option<Located<Does>>,
    /// The other user, where the act has one.
    pub(crate) with: Option<Located<String>>,
    /// The other device of the same user, where the act has one: `laptop`.
    pub(crate) target: Option<Located<String>>,
    /// The password, where the act has one.
    pub(crate) password: Option<Located<String>>,
    /// Whom a privacy setting lets, where the act chooses one.
    pub(crate) whom: Option<Located<Whom>>,
    /// With the camera, or by voice only: with it unless given.
    pub(crate) video: Option<Located<bool>>,
    /// What is written: up to 1,024 bytes.
    pub(crate) text: Option<Located<String>>,
    /// What goes with it.
    pub(crate) attached: Option<Located<Attached>>,
    /// The link that is opened: `callproof://call/bob?video=1`.
    pub(crate) link: Option<Located<String>>,
}

/// What goes with a message.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Attached {
    /// A photograph as the camera took it.
    Picture,
    /// Where the device is.
    Location,
}

/// Whom a privacy setting lets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Whom {
    /// Every friend.
    Friends,
    /// Friends on the list of close friends.
    CloseFriends,
    /// Nobody.
    Nobody,
}

/// What a user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Does {
    /// Asks somebody to be friends.
    RequestFriend,
    /// Accepts a friend request.
    AcceptFriend,
    /// Declines a friend request.
    DeclineFriend,
    /// Ends a friendship.
    Unfriend,
    /// Blocks somebody.
    Block,
    /// Takes the own friend request back.
    CancelRequest,
    /// Lifts a block.
    Unblock,
    /// Follows somebody, which is no friendship.
    Follow,
    /// Follows somebody no longer.
    Unfollow,
    /// Looks a handle up.
    LookUp,
    /// Asks when somebody was last there.
    AskLastSeen,
    /// Chooses who may call: `whom`.
    LetCall,
    /// Chooses who may know when the user was last there: `whom`.
    LetSee,
    /// Puts a friend on the list of close friends.
    AddCloseFriend,
    /// Takes one off it.
    RemoveCloseFriend,
    /// Calls somebody.
    Call,
    /// Accepts the ringing call.
    Accept,
    /// Declines the ringing call.
    Decline,
    /// Cancels the own call before it is answered.
    Cancel,
    /// Ends the live call.
    HangUp,
    /// Switches the own camera off during a call that began with it.
    CameraOff,
    /// Switches it on again.
    CameraOn,
    /// Switches the own microphone off during a call.
    Mute,
    /// Switches it on again.
    Unmute,
    /// Puts the call on hold.
    Hold,
    /// Takes it up again.
    Resume,
    /// Asks the user's `target` to take the live call over, which it does once the user accepts there.
    HandOver,
    /// Ends the call and accepts the one that waits.
    AcceptWaiting,
    /// Declines the call that waits.
    DeclineWaiting,
    /// Confirms a new device of the own account.
    ConfirmDevice,
    /// Logs another device of the own account out.
    RemoveDevice,
    /// Writes `text` to somebody, with what is `attached`. To a stranger it goes once they agree to read it.
    Write,
    /// Sends what was held back with a warning.
    SendAnyway,
    /// Looks at the thread with somebody: what came is read.
    Read,
    /// Agrees to read what a stranger writes.
    AcceptMessages,
    /// Does not agree.
    DeclineMessages,
    /// Shows a photograph as the own avatar.
    SetAvatar,
    /// Changes the own password, with the old one.
    ChangePassword,
    /// Sets a password in the place of one that was forgotten: asks for a one-time code, reads it in the mailbox and types it.
    ResetPassword,
    /// Signs in again on a device that was logged out.
    SignIn,
    /// Logs all other devices of the own account out.
    EndOtherSessions,
    /// Puts the app away: it sleeps, without a connection, until a push or an act of its user wakes it.
    Sleep,
    /// Locks the device.
    Lock,
    /// Unlocks it.
    Unlock,
    /// Opens a `link`.
    OpenLink,
    /// Takes the permission for the camera from the app.
    DenyCamera,
    /// Gives it back.
    AllowCamera,
    /// Takes the permission for the microphone from the app.
    DenyMicrophone,
    /// Gives it back.
    AllowMicrophone,
    /// Marks somebody as verified, whose safety number was compared.
    Verify,
}

/// Something that the adversary does.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Adversary {
    /// What.
    #[schemars(required)]
    pub(crate) attack: Option<Located<Attack>>,
    /// To each n-th frame; 10 unless given. For attacks on frames.
    #[schemars(range(min = 1, max = 100_000))]
    pub(crate) every: Option<Located<u32>>,
    /// How much later; 500 ms unless given. For replays.
    pub(crate) after: Option<Located<Duration>>,
}

/// What an adversary can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Attack {
    /// Signaling replaces offers by its own, so that it could sit in the middle.
    SwapFingerprint,
    /// The caller sends messages that claim the callee's consent while it rings.
    ForgeConsent,
    /// The caller puts its candidates into the offer, against the protocol.
    CandidatesInOffer,
    /// The caller asks for the callee's camera as soon as the call is live.
    AskForCamera,
    /// The caller accepts the call for the callee while it rings.
    AcceptOwnCall,
    /// Who holds the hop flips a bit in frames, between SRTP and SFrame.
    TamperAtHop,
    /// Who holds the hop sends frames again, between SRTP and SFrame.
    ReplayAtHop,
    /// Control: neither SFrame nor SRTP encrypts.
    NullAllEncryption,
    /// The caller asks its relay for special-use addresses, a service inside the relay's network among them.
    ProbeInternal,
    /// The caller allocates at the relay as often as it can.
    HoardAllocations,
    /// The caller asks for a key frame with every frame that it gets.
    FloodKeyFrames,
    /// The caller names a thousand addresses of third parties as its candidates.
    ListThirdParties,
    /// A host off the path opens DTLS with the devices from its own address. It reaches devices without NAT.
    HelloFromElsewhere,
    /// A host off the path opens DTLS with the devices in their peer's name. It reaches devices without NAT.
    HelloInThePeersName,
    /// A host off the path sends binding requests that ask to be used, without a valid signature.
    ForgedBindings,
    /// A host off the path sends what is no valid SRTP or SRTCP, in the peer's name too.
    GarbageMedia,
    /// A host guesses the password of the first participant over forty connections at one instant.
    GuessPassword,
    /// Who writes to a stranger does so without being allowed to.
    WriteUnasked,
    /// A host asks for one-time codes for the first participant and guesses them, over forty connections at one instant.
    GuessCode,
    /// While it rings, the caller asks the server to log the callee out and to change the callee's password.
    ActForAnother,
    /// A caller to whom the server gives no keys sends the invite all the same.
    AskAnyway,
    /// Who calls and looks a handle up looks forty more up at the same instant.
    EnumerateHandles,
    /// A host off the path speaks to the relays as if it were a client of theirs, once a second.
    SpeakToRelays,
    /// The caller writes a display name into the offer that is not its own, against the protocol.
    NameInOffer,
    /// The caller writes a candidate with a host name into the offer, against the protocol.
    HostNameInOffer,
    /// Signaling moves the live call to another device of a user, in the name of the one that has it: a thief has that device.
    StealCall,
    /// Signaling flips a bit in each part of the pictures that it hands out.
    AlterPictures,
}

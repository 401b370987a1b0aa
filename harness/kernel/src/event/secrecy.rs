//! Events of keys, secrets, logs and attacks.

use crate::{
    log::BlobRef,
    names::{ActorName, CallId},
};
use serde::{Deserialize, Serialize};

/// An end-to-end key sealed or opened a frame.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyUsed {
    /// The device.
    pub device: ActorName,
    /// Fingerprint of the key: 16 hexadecimal digits of a hash.
    pub key: String,
    /// SFrame key id.
    pub kid: u64,
    /// The counter from which the nonce is made: equal key and counter is an equal nonce.
    pub counter: u64,
    /// True for sealing, false for opening.
    pub seals: bool,
}

/// Keys were erased.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyErased {
    /// The device.
    pub device: ActorName,
    /// Their fingerprints.
    pub keys: Vec<String>,
}

/// What a secret is for, and so who may hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    /// A frame key: the two devices of the call.
    FrameKey,
    /// A device's long-term or ephemeral private key: that device.
    PrivateKey,
    /// A password: its owner, and in the message that presents it the server.
    Password,
    /// A one-time code: the mailbox that it was sent to, the device that it is typed into, and the server that issued it.
    OneTimeCode,
    /// A session token: its device and the server that issued it.
    SessionToken,
    /// A relay password: its device, signaling that issued it, the relay that checks it.
    RelayPassword,
    /// The text of a direct message: the devices of its two users.
    MessageText,
    /// What opens the picture of a message: likewise.
    PictureKey,
}

/// A secret came into being. The log is the oracle's: nobody in the simulation reads it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Secret {
    /// Who may hold it: the device first.
    pub holders: Vec<ActorName>,
    /// What it is.
    pub kind: SecretKind,
    /// For a frame key the SFrame key id.
    pub kid: Option<u64>,
    /// The secret: hexadecimal for keys, text as presented for passwords and tokens.
    pub value: String,
}

/// What a server or relay holds at an instant (view `server`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// Who.
    pub node: ActorName,
    /// What: `store`, `relay`.
    pub what: String,
    /// Everything it holds, serialized.
    pub bytes: BlobRef,
}

/// A line of somebody's log (view `logs`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogLine {
    /// Whose log.
    pub actor: ActorName,
    /// `error`, `warn`, `info`, `debug`, `trace`.
    pub level: String,
    /// The line.
    pub line: String,
}

/// What the adversary did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttackKind {
    /// Signaling replaced an offer or answer, or its fingerprint.
    SwapFingerprint,
    /// A peer sent a message that claims consent.
    ForgeConsent,
    /// A peer asked for the other side's camera.
    AskForCamera,
    /// A caller accepted for the callee.
    AcceptOwnCall,
    /// A frame was changed between SRTP and SFrame.
    Tamper,
    /// A frame was sent again between SRTP and SFrame.
    Replay,
    /// Frame encryption was switched off to control the oracle.
    NullFrameEncryption,
    /// A secret was handed to a server to control the oracle.
    Escrow,
    /// A peer asked a relay for special-use addresses.
    ProbeInternal,
    /// A peer took more allocations than it needs.
    HoardAllocations,
    /// A peer asked for key frames all the time.
    FloodKeyFrames,
    /// A peer named addresses of third parties as its candidates.
    ListThirdParties,
    /// A host off the path sent forged packets.
    OffPath,
    /// A host guessed a password.
    GuessPassword,
    /// Somebody wrote to a stranger who did not agree to read it.
    WriteUnasked,
    /// A host guessed a one-time code.
    GuessCode,
    /// A device asked for something in the name of another user.
    ActForAnother,
    /// A stranger asked the server without what it takes to ask.
    AskAnyway,
    /// A user looked many handles up.
    EnumerateHandles,
    /// A caller wrote into its offer what does not belong there: a name, a host name.
    DressUpOffer,
    /// Signaling moved a call to another device in the name of the one that has it.
    StealCall,
    /// Signaling changed what it was given to keep for somebody.
    AlterPicture,
    /// Any other fault that a canary plants.
    Canary,
}

/// The adversary acted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attack {
    /// What was done.
    pub kind: AttackKind,
    /// To whom.
    pub target: ActorName,
    /// In which call.
    pub call: Option<CallId>,
    /// Details for a person: field, bit, counter.
    pub detail: String,
}

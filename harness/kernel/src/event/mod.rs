//! Typed events: the one truth from which oracle, reports and digest read.
//!
//! A foreign stack can be observed only through `Wire*`, `Signal`, `Ui` and `Rendered`; the reference stack emits all.

mod call;
mod call_table;
mod device;
mod media;
mod network;
mod people;
mod secrecy;
mod thread;
mod traffic;

pub use call::{
    Act, CallRow, CallState, CallStateName, Described, EndReason, Ended, ParserEntered, Pending, Ring, Screen, Ui,
    UserAct,
};
pub use call_table::{is_listed, listed_event};
pub use device::{AppSlept, Dns, PushAsked, ThreadShown, Verification};
pub use media::{
    AudioPlayed, CaptureSwitched, Captured, Decoded, Encoded, EncoderTarget, FrameDropped, KeyFrameRequested, Mark,
    OpenVerdict, Opened, PeerSwitched, PictureQuality, Reassembled, Rendered, RtpSent, Sealed,
};
pub use network::{
    BitrateEstimate, CandidateGathered, CandidateKind, Damage, DropReason, DtlsConnected, IceState, InterfaceChanged,
    LinkChanged, LinkSampled, NatChanged, PacketArrived, PacketAtCore, PacketDamaged, PacketDropped, PacketSent,
    PairSelected, UncheckedDropped, UncheckedReason, WireProtocol,
};
pub use people::{
    Audience, CallOutcome, DeviceAnnounced, DeviceListSeen, FACT_KINDS, Fact, HeldEdge, HeldSession, LoggedOut, Notice,
    PasswordChosen, PasswordPath, Recovered, RollbackSeen, Setting, Signal, Store, StoreInterrupted, StoreRestored,
};
pub use secrecy::{Attack, AttackKind, KeyErased, KeyUsed, LogLine, Secret, SecretKind, Snapshot};
pub use thread::{
    Attached, Fetched, LinkShown, MessageHeld, MessageRow, PictureSent, PictureShown, ReceiptShown, ThreadAsked,
};
pub use traffic::{TrafficMeasured, TrafficTransferred};

use crate::{log::BlobRef, plan, time::SimTime};
use serde::{Deserialize, Serialize};

/// Boxed: it is far larger than any other event, and there is one a run.
type Plan = Box<plan::Plan>;

/// One event with its place in the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Simulated time.
    pub at: SimTime,
    /// Position in the log, from 0.
    pub index: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

macro_rules! events {
    ($($(#[$doc:meta])* $kind:ident $(($($blob:ident),*))?),* $(,)?) => {
        /// Everything that can happen in a run.
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(tag = "event", rename_all = "snake_case")]
        pub enum Event {
            $($(#[$doc])* $kind($kind)),*
        }

        impl Event {
            /// The bytes that the event refers to.
            pub fn blobs(&self) -> Vec<BlobRef> {
                match self {
                    $(Event::$kind(_event) => vec![$($(_event.$blob),*)?]),*
                }
            }

            /// The name of the kind of event, as in the saved log.
            pub fn kind(&self) -> &'static str {
                match self { $(Event::$kind(_) => stringify!($kind)),* }
            }
        }
    };
}

events! {
    /// The resolved plan: always the first record.
    Plan,
    /// A user did something.
    UserAct,
    /// A device shows another screen.
    Ui,
    /// A ring was delivered to a device.
    Ring,
    /// A device's call machine moved.
    CallState,
    /// A device's call ended.
    Ended,
    /// What a call that is neither live nor idle waits for.
    Pending,
    /// A device knows a call row of a thread.
    CallRow,
    /// A device has a message of a thread.
    MessageRow,
    /// A device shows that a stranger asks to write.
    ThreadAsked,
    /// A device shows how far a message came.
    ReceiptShown,
    /// A device holds a message back until its user says once more that it should go.
    MessageHeld,
    /// A device shows a link in a message.
    LinkShown,
    /// A device asked a host of the internet for something that is not the service's.
    Fetched,
    /// A picture leaves a device.
    PictureSent(bytes),
    /// A device shows a picture, or that it cannot be opened.
    PictureShown,
    /// A device shows that somebody signed in to its account with a new device.
    DeviceAnnounced,
    /// A device was shown a list of a user's devices.
    DeviceListSeen,
    /// A device was logged out.
    LoggedOut,
    /// A user chose a password on a device.
    PasswordChosen,
    /// A device was shown an older state of the server than it knew.
    RollbackSeen,
    /// An old copy of a server's store took its place.
    StoreRestored,
    /// A device described its side of a call.
    Described,
    /// A parser of untrusted call content was entered.
    ParserEntered,
    /// A device's app was put to sleep, or woken.
    AppSlept,
    /// A push service was asked to wake a device.
    PushAsked(token, payload),
    /// A device asked its resolver for a name.
    Dns,
    /// A device shows a thread beside its call.
    ThreadShown,
    /// A signaling message as the server sees it.
    Signal(body),
    /// A fact became durable in the server's store.
    Store,
    /// A server crashed while its store was writing.
    StoreInterrupted,
    /// What a server that starts again found in its store.
    Recovered,
    /// The server told a device something that ends or forbids a call.
    Notice,
    /// A track was switched on or off.
    CaptureSwitched,
    /// A device learnt that its peer switched a track off, or on again.
    PeerSwitched,
    /// A frame was captured.
    Captured,
    /// A frame was encoded.
    Encoded(bytes),
    /// A frame was dropped before it was sent.
    FrameDropped,
    /// A frame was encrypted end to end.
    Sealed(bytes),
    /// An RTP packet left a device.
    RtpSent,
    /// All packets of a frame are there.
    Reassembled(bytes),
    /// A frame was opened, or refused.
    Opened,
    /// A frame was decoded.
    Decoded,
    /// A picture reached the screen.
    Rendered,
    /// A block of sound reached the speaker.
    AudioPlayed,
    /// A rendered picture was compared with the captured one.
    PictureQuality,
    /// The encoder was given another bit rate.
    EncoderTarget,
    /// A receiver asked for a key frame.
    KeyFrameRequested,
    /// The sender's estimate of the path's rate changed.
    BitrateEstimate,
    /// A packet was handed to the network.
    PacketSent(bytes),
    /// A packet passed the core, after its sender's NAT.
    PacketAtCore,
    /// A packet reached a socket.
    PacketArrived,
    /// A packet was lost.
    PacketDropped,
    /// A link damaged a packet that it delivers all the same.
    PacketDamaged(bytes),
    /// What a core link did in the last 200 ms.
    LinkSampled,
    /// A link's parameters changed.
    LinkChanged,
    /// Something happened to a NAT.
    NatChanged,
    /// An interface of a device came up or went down.
    InterfaceChanged,
    /// A device learnt a candidate of its own.
    CandidateGathered,
    /// ICE moved.
    IceState,
    /// ICE uses another pair.
    PairSelected,
    /// A device dropped a packet from an address that no check of ICE vouches for.
    UncheckedDropped,
    /// DTLS finished and the fingerprint was right.
    DtlsConnected,
    /// An end-to-end key sealed or opened a frame.
    KeyUsed,
    /// Keys were erased.
    KeyErased,
    /// A secret came into being: what the oracle searches for in foreign views.
    Secret,
    /// What a server or relay holds at an instant.
    Snapshot(bytes),
    /// A line of somebody's log.
    LogLine,
    /// The adversary acted.
    Attack,
    /// What an end of cross traffic sent or got.
    TrafficMeasured,
    /// A transfer of cross traffic is complete.
    TrafficTransferred,
}

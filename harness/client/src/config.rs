//! What a client is made from, what goes in and what comes out.

use kernel::{
    ActorName, Datagram, SimTime, Track, UserName,
    event::{Act, Screen},
    packet::Interface,
    plan::{DeviceClass, MediaPlan},
    random::SeedTree,
};
use protocol::{PushToken, STREAM_PORTS, ServerIdentityPublic};
use std::net::SocketAddr;

/// UDP port of a device for ICE, DTLS and SRTP.
pub const MEDIA_PORT: u16 = 5000;
/// UDP ports from which a client allocates that hoards allocations.
pub(crate) const HOARD_PORTS: std::ops::Range<u16> = 6_000..6_020;
/// UDP port of a device for signaling.
pub const SIGNALING_PORT: u16 = 5443;
/// That port, and those behind it from which TCP connects where no UDP passes.
pub(crate) const SIGNALING_PORTS: std::ops::RangeInclusive<u16> = SIGNALING_PORT..=SIGNALING_PORT + STREAM_PORTS;

/// What a client is made from.
pub struct ClientConfig {
    /// The user.
    pub user: UserName,
    /// The device in the user's hand.
    pub device: ActorName,
    /// Number in the mark that the camera writes into each picture, as in the plan's list of participants.
    pub index: u8,
    /// Other users with their devices and numbers. Only the probe that compares pictures reads it.
    pub peers: Vec<(UserName, ActorName, u8)>,
    /// The interfaces that are up, the preferred first, with the device's own addresses before any NAT.
    pub interfaces: Vec<Interface>,
    /// Modelled speed of the device.
    pub device_class: DeviceClass,
    /// Hide the own addresses from peers: only relayed candidates are gathered, offered and used.
    pub relay_only: bool,
    /// Whether whoever writes to the user is told what was read.
    pub read_receipts: bool,
    /// Whether a call may ring beside another one.
    pub call_waiting: bool,
    /// What the camera of the device gives when a photograph is taken: a JPEG file with all that cameras write into it.
    pub photograph: Vec<u8>,
    /// Where the device is, in ten-thousandths of a degree north and east.
    pub place: [i32; 2],
    /// The password for the account.
    pub password: String,
    /// Whether the device makes the account; otherwise it signs in to one that is there, or soon will be.
    pub makes_account: bool,
    /// Addresses of signaling, at most one of each version of IP: for QUIC, and for TLS over TCP where no UDP passes.
    pub signaling: Vec<SocketAddr>,
    /// The key that signaling must prove to have.
    pub signaling_key: ServerIdentityPublic,
    /// A STUN server for server-reflexive candidates; without one only host and relayed candidates are gathered.
    pub stun: Option<SocketAddr>,
    /// What is sent.
    pub media: MediaPlan,
    /// Everything random of this client is drawn below this node.
    pub seeds: SeedTree,
    /// How often the app was started on this device before. The operating system counts that, outside of what the app keeps: an
    /// older copy of what it kept must not bring back what was drawn since.
    pub boots: u32,
    /// What this client does against the protocol.
    pub misbehaviour: Vec<Misbehaviour>,
    /// Control of the oracle: SRTP with the null cipher. Both ends must have it.
    pub null_srtp: bool,
    /// What sits between SRTP and SFrame on the receiving side.
    pub hop: Option<Box<dyn Hop>>,
    /// What the push service knows the device by; none without such a service.
    pub push_token: Option<PushToken>,
}

/// What a hostile client does against the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// As a caller it sends peer messages that claim the callee's consent while the callee's device rings.
    ForgeConsent,
    /// As a caller it writes its candidates into the offer.
    CandidatesInOffer,
    /// As a caller it asks for the callee's camera as soon as the call is live.
    AskForCamera,
    /// As a caller it accepts the call for the callee while it rings.
    AcceptOwnCall,
    /// It asks its relay for peers with special-use addresses.
    ProbeInternal,
    /// It allocates at its relay from twenty ports.
    HoardAllocations,
    /// It asks for a key frame with every frame that it gets.
    FloodKeyFrames,
    /// It names a thousand addresses of third parties as its candidates.
    ListThirdParties,
    /// While its call rings it asks the server for things in the name of whom it calls.
    ActForAnother,
    /// It invites a callee whose keys the server does not give it.
    AskAnyway,
    /// It looks forty handles up where it is to look up one.
    EnumerateHandles,
    /// It asks for an ICE restart with the fingerprint of another certificate.
    ChangeFingerprint,
    /// It writes to strangers who did not agree to read it.
    WriteUnasked,
    /// As a caller it writes a display name into the offer that is not its own.
    NameInOffer,
    /// As a caller it writes a candidate with a host name into the offer.
    HostNameInOffer,
}

/// Who holds the hop between SRTP and SFrame on the receiving side: a relay that terminates SRTP would.
pub trait Hop {
    /// A frame came out of SRTP. Whatever is returned goes on to SFrame, in order; the real frame is always among it.
    fn incoming(&mut self, track: Track, frame: Vec<u8>, now: SimTime) -> Vec<Vec<u8>>;

    /// A frame that it puts in of itself; call until none.
    fn poll(&mut self, now: SimTime) -> Option<(Track, Vec<u8>)>;

    /// When it wants to be polled.
    fn next_wake(&self) -> Option<SimTime>;
}

/// What happens to a client.
#[derive(Clone, Debug)]
pub enum Input {
    /// A datagram reached one of its sockets.
    Datagram(Datagram),
    /// The time that it asked for has come.
    Timeout,
    /// The user did something.
    Act(Act),
    /// The operating system says which interfaces are up from now on, the preferred first.
    Interfaces(Vec<Interface>),
    /// The turn of work has come that it queued.
    Work(Work),
    /// The user reads a one-time code in the mailbox, with this device in hand.
    Mail(String),
    /// The operating system wakes the app: a push came. It says nothing more.
    Push,
}

/// Work that waits in the queues of the operating system instead of being done at once. In which order queues run is not the
/// client's choice, and so the reference client leaves nothing to them: only the planted bug V05 does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Keep the camera off that the user did not accept with.
    KeepCameraOff,
    /// Open the tracks of the description.
    OpenTracks,
}

/// What a client wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send this.
    Transmit(Datagram),
    /// The user sees another screen.
    Ui(Screen),
    /// The user sees a friend request.
    FriendRequest(UserName),
    /// The user sees that a friendship began.
    FriendAdded(UserName),
    /// The user sees that a new device signed in to the account.
    NewDevice(ActorName),
    /// The device is signed in; again after each reconnection.
    SignedIn,
    /// Give this back when its turn comes.
    Queue(Work),
}

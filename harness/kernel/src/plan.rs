//! The resolved plan of a run: every decision explicit. The log's first record, so that a saved log can be judged
//! without the scenario file.

use crate::{
    event::Act,
    mutant::Mutant,
    names::{ActorName, LinkName, UserName},
    time::{BitRate, Micros, SimTime},
};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The resolved plan of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// File stem of the scenario.
    pub scenario: String,
    /// One sentence.
    pub title: String,
    /// The seed.
    pub seed: u64,
    /// How long the world runs.
    pub duration: Micros,
    /// The people and their devices, in the order of the file. The index is the number in the camera's mark.
    pub participants: Vec<Participant>,
    /// The signaling server's access link.
    pub signaling: ServerPlan,
    /// The TURN relays.
    pub relays: Vec<ServerPlan>,
    /// Pairs who are friends before the timeline begins: made by request and accept through signaling.
    pub friends: Vec<(UserName, UserName)>,
    /// What happens when.
    pub timeline: Vec<Step>,
    /// Link changes at exact times.
    pub link_schedule: Vec<LinkStep>,
    /// What the adversary does.
    pub adversary: Vec<AdversaryPlan>,
    /// What is sent.
    pub media: MediaPlan,
    /// Bounds on metrics.
    pub thresholds: Vec<Threshold>,
    /// Invariants that must make at least one check.
    pub exercises: Vec<String>,
    /// What the run must come to.
    pub expect: Expectation,
    /// The planted bug.
    pub mutant: Option<Mutant>,
}

/// A person with one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Participant {
    /// The user.
    pub user: UserName,
    /// The device.
    pub device: ActorName,
    /// Speed of the device: `flagship`, `mid_range`, `low_end`, `laptop`.
    pub device_class: DeviceClass,
    /// The device's own address, before any NAT.
    pub address: IpAddr,
    /// How it reaches the core.
    pub access: AccessPlan,
    /// Hide the own addresses from peers: media goes through a relay only.
    pub relay_only: bool,
}

/// Modelled speed of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceClass {
    /// This year's best phone.
    Flagship,
    /// A phone of the middle.
    MidRange,
    /// A cheap phone.
    LowEnd,
    /// A laptop.
    Laptop,
}

/// How a node reaches the core.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessPlan {
    /// Name of the preset that it came from, or `custom`.
    pub preset: String,
    /// From the node to the core.
    pub up: LinkPlan,
    /// From the core to the node.
    pub down: LinkPlan,
    /// The NAT in between.
    pub nat: NatKind,
    /// The NAT's outer address, the node's own without NAT. Nodes with the same one share the NAT (one home).
    pub public_address: IpAddr,
}

/// A server: signaling, or a relay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerPlan {
    /// Its name.
    pub name: ActorName,
    /// Its address, public.
    pub address: IpAddr,
    /// From the server to the core.
    pub up: LinkPlan,
    /// From the core to the server.
    pub down: LinkPlan,
}

/// NAT behaviour (RFC 4787; the old names of RFC 3489 in the docs).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NatKind {
    /// No NAT: the address is public.
    None,
    /// Endpoint-independent mapping and filtering ("full cone").
    FullCone,
    /// Endpoint-independent mapping, address-and-port-dependent filtering ("port-restricted cone").
    PortRestricted,
    /// Address-and-port-dependent mapping and filtering ("symmetric").
    Symmetric,
}

/// One direction of a link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkPlan {
    /// Rate; none is unlimited.
    pub rate: Option<BitRate>,
    /// Queue in bytes, drop tail.
    pub queue_bytes: u64,
    /// Propagation, one way.
    pub propagation: Micros,
    /// Jitter added to propagation.
    pub jitter: Jitter,
    /// Loss.
    pub loss: Loss,
}

/// Jitter of a link.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Jitter {
    /// None.
    None,
    /// Uniform in `0..=max`.
    Uniform {
        /// The most.
        max: Micros,
        /// Whether a later packet may overtake an earlier one.
        reorders: bool,
    },
    /// Normal around zero with the standard deviation, cut at three of it, shifted to be positive.
    Normal {
        /// Standard deviation.
        deviation: Micros,
        /// Whether a later packet may overtake an earlier one.
        reorders: bool,
    },
}

/// Loss of a link, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Loss {
    /// None.
    None,
    /// Each packet independently.
    Bernoulli {
        /// Probability of loss.
        ppm: u32,
    },
    /// Gilbert-Elliott with four parameters, a step per packet.
    GilbertElliott {
        /// Good to bad.
        p_ppm: u32,
        /// Bad to good.
        r_ppm: u32,
        /// Loss in the good state.
        good_loss_ppm: u32,
        /// Loss in the bad state.
        bad_loss_ppm: u32,
    },
}

/// A step of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Who.
    pub user: UserName,
    /// When.
    pub when: When,
    /// What.
    pub act: Act,
}

/// When a step is taken.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "when", rename_all = "snake_case")]
pub enum When {
    /// At a time after the set-up (accounts, friendships): time zero of the timeline.
    At {
        /// The time.
        at: Micros,
    },
    /// A reaction time after the own device shows the incoming call.
    AfterRing {
        /// The reaction time.
        delay: Micros,
    },
    /// A time after the own device shows the live call.
    AfterLive {
        /// The time.
        delay: Micros,
    },
}

/// A link that changes at an exact time of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkStep {
    /// When, after the set-up.
    pub at: Micros,
    /// Which link: `alice-phone/up`.
    pub link: LinkName,
    /// Its new rate, when it changes.
    pub rate: Option<BitRate>,
    /// Its new propagation, when it changes.
    pub propagation: Option<Micros>,
    /// Its new loss, when it changes.
    pub loss: Option<Loss>,
}

/// What the adversary does in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "attack", rename_all = "snake_case")]
pub enum AdversaryPlan {
    /// Signaling replaces offers with its own, so that it could sit in the middle.
    SwapFingerprint,
    /// The caller's client sends peer messages that claim the callee's consent while it rings: `accepted`, `update`.
    ForgeConsent,
    /// The caller puts candidates into the offer, against the protocol.
    CandidatesInOffer,
    /// Who holds the hop flips one bit in each n-th frame, between SRTP and SFrame, on copies besides the real one.
    TamperAtHop {
        /// Every how many frames.
        every: u32,
    },
    /// Who holds the hop sends each n-th frame again later, between SRTP and SFrame.
    ReplayAtHop {
        /// Every how many frames.
        every: u32,
        /// How much later.
        after: Micros,
    },
    /// Control: neither SFrame nor SRTP encrypts; the view `wire` must show the media.
    NullAllEncryption,
    /// The caller, whose relay credential is valid, asks the relay for peers with special-use addresses; one of them is a
    /// service inside the relay's network.
    ProbeInternal,
    /// The caller allocates at the relay as often as it can.
    HoardAllocations,
    /// The caller asks for a key frame with every frame that it gets.
    FloodKeyFrames,
    /// The caller names a thousand addresses of third parties as its candidates.
    ListThirdParties,
    /// A host off the path opens DTLS with both devices, from its own address.
    HelloFromElsewhere,
    /// A host off the path sends both devices STUN binding requests that ask to be used, without a valid signature.
    ForgedBindings,
    /// A host off the path sends both devices and the relays what is no valid SRTP or SRTCP, in the peer's name too.
    GarbageMedia,
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MediaPlan {
    /// Picture width in pixels.
    pub width: u32,
    /// Picture height in pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
    /// Video codec.
    pub video_codec: VideoCodec,
    /// The most that the encoder may be given.
    pub video_max: BitRate,
    /// The least.
    pub video_min: BitRate,
    /// What it starts with.
    pub video_start: BitRate,
    /// Opus bit rate.
    pub audio_rate: BitRate,
    /// Measure PSNR and SSIM of every n-th rendered picture; 0 never.
    pub quality_every: u32,
}

/// Video codecs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VideoCodec {
    /// VP8 (RFC 6386).
    Vp8,
}

/// A bound on a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// Name of the metric, with its statistic where it has one: `glass_to_glass_us_p95`.
    pub metric: String,
    /// At most this.
    pub at_most: Option<i64>,
    /// At least this.
    pub at_least: Option<i64>,
}

/// What a run must come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "expect", rename_all = "snake_case")]
pub enum Expectation {
    /// Every invariant and threshold holds.
    Holds,
    /// Exactly this invariant fails.
    Fails {
        /// Its name.
        invariant: String,
    },
}

impl Plan {
    /// The participant who uses a device.
    pub fn participant(&self, device: &str) -> Option<&Participant> {
        self.participants.iter().find(|participant| participant.device == *device)
    }

    /// The device of a user.
    pub fn device_of(&self, user: &str) -> Option<&ActorName> {
        self.participants.iter().find(|participant| participant.user == *user).map(|participant| &participant.device)
    }

    /// Time zero of the timeline: when accounts and friendships exist. The set-up before it is real signaling.
    pub const TIMELINE_START: SimTime = SimTime(10_000_000);
}

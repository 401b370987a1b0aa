//! The resolved plan of a run: every decision explicit. The log's first record, so that a saved log can be judged
//! without the scenario file.

mod link;
mod nat;
mod trace;

pub use link::{Aqm, CoreLink, Jitter, LinkChange, LinkPlan, LinkStep, Loss, Pace, Policer, Reordering};
pub use nat::{CarrierPlan, Dependence, Firewall, NatChange, NatPlan, PortAssignment, Refresh};
pub use trace::{MAX_TRACE_LINES, OPPORTUNITY_BYTES, RateTrace, TraceError, TraceShape};

use crate::{
    event::Act,
    mutant::Mutant,
    names::{ActorName, UserName},
    time::{BitRate, Micros, SimTime},
    trouble::Trouble,
};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

mod traffic;

pub use traffic::{CongestionKind, TRAFFIC_PORTS, TrafficEnd, TrafficKind, TrafficPlan, TrafficSide};

/// The resolved plan of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// File stem of the scenario.
    pub scenario: String,
    /// One sentence.
    pub title: String,
    /// The seed.
    pub seed: u64,
    /// How long the world runs, from the beginning of the timeline.
    pub duration: Micros,
    /// Time zero of the timeline: by then accounts and friendships exist. The set-up before it is real signaling; the
    /// world gives it more time where the network is too bad for [`Plan::TIMELINE_START`].
    #[serde(default = "Plan::earliest_start", skip_serializing_if = "Plan::is_earliest_start")]
    pub timeline_start: SimTime,
    /// The people and their devices, in the order of the file. The index is the number in the camera's mark.
    pub participants: Vec<Participant>,
    /// The signaling server's access link.
    pub signaling: ServerPlan,
    /// The cores of the signaling server. Left out where there is one.
    #[serde(default, skip_serializing_if = "Cores::is_one")]
    pub cores: Cores,
    /// The TURN relays.
    pub relays: Vec<ServerPlan>,
    /// Pairs who are friends before the timeline begins: made by request and accept through signaling.
    pub friends: Vec<(UserName, UserName)>,
    /// What happens when.
    pub timeline: Vec<Step>,
    /// Links between points of the core, which several may share.
    pub core_links: Vec<CoreLink>,
    /// The traces that rates follow.
    pub traces: Vec<RateTrace>,
    /// Link changes at exact times.
    pub link_schedule: Vec<LinkStep>,
    /// What happens to NATs at exact times.
    pub nat_schedule: Vec<NatStep>,
    /// What fails besides links.
    #[serde(default)]
    pub trouble: Trouble,
    /// Flows that share links with the calls.
    pub traffic: Vec<TrafficPlan>,
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
    /// What the plan is run a second time with, to be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paired_with: Option<Pairing>,
    /// In which order things happen that are due at one instant; none is the order in which they were queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<SchedulePlan>,
}

/// One order out of many, by probabilistic concurrency testing (Burckhardt et al., ASPLOS 2010): whoever can act has a random
/// priority, and at `depth - 1` random steps the one whose turn it is falls behind all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchedulePlan {
    /// How many events have to come in a certain order for the bug that is sought: 1 to 16.
    pub depth: u32,
    /// Which order: another number, another order.
    pub number: u64,
    /// Steps with a choice among which the changes of priority are drawn: as many as the run has.
    pub steps: u64,
}

/// Cores that share one store. Each has a replica of it; connections go to them in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cores {
    /// How many, 1 to 8.
    pub count: u8,
    /// How long what one core made durable takes to the replicas of the others.
    pub replica_delay: Micros,
}

impl Cores {
    fn is_one(&self) -> bool {
        *self == Cores::default()
    }
}

impl Default for Cores {
    /// One.
    fn default() -> Self {
        Cores { count: 1, replica_delay: Micros::ZERO }
    }
}

/// What is different in the second run of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pairing {
    /// All media goes over the relay.
    Relay,
    /// Core links have no limit towards the participants behind them: the feedback of what those send waits nowhere
    /// (RFC 8867 section 5.3).
    CleanFeedback,
}

/// A device with the person whose it is. Somebody with several devices has one entry for each; the first one makes the
/// account, the others sign in to it.
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
    /// Its further access networks, the preferred first; all come behind the one above. Left out where there is none, so
    /// that the plans of devices with one network keep their hashes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<InterfacePlan>,
    /// Hide the own addresses from peers: media goes through a relay only.
    pub relay_only: bool,
    /// Whoever writes to the user is told what was read. Left out where it is so.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub read_receipts: bool,
    /// Whether a call may ring beside another one; else who calls hears that the user is busy. Left
    /// out where it is so.
    #[serde(default, skip_serializing_if = "is_no")]
    pub call_waiting: bool,
    /// For whom the user's name is meant to be taken, somebody else or the service. Left out where for nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imitates: Option<UserName>,
    /// When it signs in to the account that another device of the user made, in the time of the timeline. Left out for a
    /// device that has an account, and is confirmed, before the timeline begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signs_in: Option<Micros>,
    /// How much of a link that flows share its media ought to have, against one of priority 1 (RFC 8867 section 6.1).
    /// Left out where it is 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub priority: u32,
    /// How many bytes a photograph of the device's camera has. Left out where it is the fixture as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photograph_bytes: Option<u32>,
}

fn yes() -> bool {
    true
}

fn is_yes(setting: &bool) -> bool {
    *setting
}

fn is_no(setting: &bool) -> bool {
    !*setting
}

fn one() -> u32 {
    1
}

fn is_one(priority: &u32) -> bool {
    *priority == 1
}

/// A further access network of a device: a phone's mobile data beside the Wi-Fi at home.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterfacePlan {
    /// Its name, with the device's in front: `alice-phone.lte`. Its links are `alice-phone.lte/up` and `/down`.
    pub name: ActorName,
    /// The device's own address there, before any NAT.
    pub address: IpAddr,
    /// How it reaches the core.
    pub access: AccessPlan,
    /// Whether it is down until a fault brings it up.
    pub starts_down: bool,
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
    /// The NAT in between; none means that the address is public.
    pub nat: Option<NatPlan>,
    /// The outermost NAT's outer address, the node's own without NAT. Without a carrier's NAT, nodes with the same one
    /// share the home's.
    pub public_address: IpAddr,
    /// The carrier's NAT behind the home's. Nodes with the same inner address share the home's NAT, those with the same
    /// public address the carrier's.
    pub carrier: Option<CarrierPlan>,
    /// What the network lets pass.
    pub firewall: Firewall,
    /// The core links that its traffic goes over after its NAT, nearest first. Nodes of one home have the same.
    pub via: Vec<String>,
    /// Version 6 beside version 4, over the same links and past the NAT. Left out where there is none, so that the plans
    /// with one version keep their hashes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Ipv6Plan>,
}

/// Version 6 of the internet beside version 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipv6Plan {
    /// The node's own address, public.
    pub address: IpAddr,
    /// Whether the network forwards it: where it does not the node has the address all the same, and packets vanish.
    pub works: bool,
}

/// A server: signaling, or a relay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerPlan {
    /// Its name.
    pub name: ActorName,
    /// Its address, public.
    pub address: IpAddr,
    /// Its address of version 6, where it has both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_v6: Option<IpAddr>,
    /// From the server to the core.
    pub up: LinkPlan,
    /// From the core to the server.
    pub down: LinkPlan,
}

/// A step of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Who.
    pub user: UserName,
    /// With which device in hand. Left out where the user has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<ActorName>,
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
    /// This long after the device shows that another one of its user asks it to take the call over.
    AfterAsked {
        /// The delay.
        delay: Micros,
    },
}

/// Something that happens to a NAT at an exact time of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NatStep {
    /// When, after the set-up.
    pub at: Micros,
    /// A device behind it.
    pub device: ActorName,
    /// Whether the carrier's NAT is meant and not the home's.
    pub carrier: bool,
    /// What.
    pub change: NatChange,
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
    /// The caller asks for the callee's camera as soon as the call is live.
    AskForCamera,
    /// The caller accepts the call for the callee while it rings.
    AcceptOwnCall,
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
    /// A host off the path opens DTLS with both devices, from the address of their peer.
    HelloInThePeersName,
    /// A host off the path sends both devices STUN binding requests that ask to be used, without a valid signature.
    ForgedBindings,
    /// A host off the path sends both devices and the relays what is no valid SRTP or SRTCP, in the peer's name too.
    GarbageMedia,
    /// Who writes to a stranger does so without being allowed to.
    WriteUnasked,
    /// A host guesses the password of the first participant's account over forty connections at one instant.
    GuessPassword,
    /// The same host asks for one-time codes for that account and guesses them, over forty connections at one instant.
    GuessCode,
    /// While it rings, the caller asks the server for things in the name of the callee.
    ActForAnother,
    /// A caller to whom the server gives no keys sends the invite all the same.
    AskAnyway,
    /// A caller looks forty handles up at one instant.
    EnumerateHandles,
    /// A host off the path sends the relays data as if it were one of their clients, once a second.
    SpeakToRelays,
    /// The caller writes a display name into the offer that is not its own, against the protocol.
    NameInOffer,
    /// The caller writes a candidate with a host name into the offer, against the protocol.
    HostNameInOffer,
    /// Signaling moves a live call to another device of its user, in the name of the one that has it.
    StealCall,
    /// Signaling flips a bit in each part of the pictures that it hands out.
    AlterPictures,
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
    /// Measure PSNR and SSIM of every n-th rendered picture; 0 never. The modelled codec has no pictures to measure.
    pub quality_every: u32,
}

/// Video codecs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VideoCodec {
    /// VP8 (RFC 6386).
    Vp8,
    /// The statistical traffic model of RFC 8593 in VP8's frame and payload format; sound is modelled then too.
    Modelled,
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
    /// What the stack that is judged falls short by, when that is known. Left out where there is none, so that the plans
    /// without gaps keep their hashes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
}

/// A known gap: how far a metric may miss its threshold, which stays what is required.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// At most this in place of the threshold's upper bound.
    pub at_most: Option<i64>,
    /// At least this in place of the threshold's lower bound.
    pub at_least: Option<i64>,
    /// Why it is missed, in a sentence or a part of one.
    pub reason: String,
    /// Whether some seeds meet the threshold: a run that does is then no sign that the gap has closed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub varies: bool,
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

impl SchedulePlan {
    /// The depth when nothing else is asked for: most known races need the order of two events, some that of three.
    pub const DEPTH: u32 = 3;
    /// How many steps with a choice a short call has, for want of a count.
    pub const STEPS: u64 = 1_000;
}

impl ServerPlan {
    /// Its addresses.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        std::iter::once(self.address).chain(self.address_v6)
    }
}

impl Participant {
    /// Every address that tells where the participant is: the own, those of the NATs in front, on each interface.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let of = |(_, address, access): (_, IpAddr, &AccessPlan)| {
            let carrier = access.carrier.as_ref().map(|carrier| carrier.inner_address);
            let ipv6 = access.ipv6.map(|ipv6| ipv6.address);
            [address, access.public_address].into_iter().chain(carrier).chain(ipv6).collect::<Vec<_>>()
        };
        let mut addresses: Vec<IpAddr> = self.interfaces().flat_map(of).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// Every interface with its name, address and access, the preferred first. The first one has the device's name.
    pub fn interfaces(&self) -> impl Iterator<Item = (&ActorName, IpAddr, &AccessPlan)> {
        let further = self.interfaces.iter().map(|further| (&further.name, further.address, &further.access));
        std::iter::once((&self.device, self.address, &self.access)).chain(further)
    }
}

impl Plan {
    /// The plan of the second run.
    pub fn paired(&self, with: Pairing) -> Plan {
        let mut plan = Plan { paired_with: None, ..self.clone() };
        match with {
            Pairing::Relay => plan.participants.iter_mut().for_each(|participant| participant.relay_only = true),
            Pairing::CleanFeedback => {
                plan.core_links.iter_mut().for_each(|link| link.down.rate = None);
                let is_down = |step: &LinkStep| {
                    self.core_links.iter().any(|link| *step.link.as_str() == format!("{}/down", link.name))
                };
                plan.link_schedule.iter_mut().filter(|step| is_down(step)).for_each(|step| step.change.rate = None);
            }
        }
        plan
    }

    /// The participant who uses a device.
    pub fn participant(&self, device: &str) -> Option<&Participant> {
        self.participants.iter().find(|participant| participant.device == *device)
    }

    /// The devices of a user, the first one first: it makes the account.
    pub fn devices_of(&self, user: &str) -> impl Iterator<Item = &ActorName> {
        self.participants.iter().filter(move |participant| participant.user == *user).map(|found| &found.device)
    }

    /// Whether there is a push service: where somebody puts an app away.
    pub fn has_push_service(&self) -> bool {
        self.timeline.iter().any(|step| step.act == Act::Sleep)
    }

    /// Whether a device takes a step.
    pub fn takes(&self, device: &ActorName, step: &Step) -> bool {
        match &step.device {
            Some(named) => named == device,
            None => self.devices_of(step.user.as_str()).next() == Some(device),
        }
    }

    /// Whether an address belongs to cross traffic.
    pub fn is_traffic(&self, address: std::net::SocketAddr) -> bool {
        self.traffic.iter().any(|flow| flow.source.owns(address) || flow.sink.owns(address))
    }

    /// When the timeline begins, unless the set-up needs longer.
    pub const TIMELINE_START: SimTime = SimTime(10_000_000);

    fn earliest_start() -> SimTime {
        Plan::TIMELINE_START
    }

    fn is_earliest_start(start: &SimTime) -> bool {
        *start == Plan::TIMELINE_START
    }
}

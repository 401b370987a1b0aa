//! What a scenario file holds. The doc comments become the descriptions that editors show.
//!
//! Fields that a file must have are `Option`s marked as required: [`crate::structure`] reports a missing one at its
//! place, and reading goes on without it.

mod interface;
mod link;
mod nat;
mod step;
mod traffic;
mod trouble;

pub(crate) use interface::Interface;
pub(crate) use link::{Aqm, AqmKind, CoreLink, GilbertElliott, Jitter, Link, LinkChange, Nothing, Policer, Reordering};
pub(crate) use nat::{Carrier, Dependence, Firewall, Nat, NatChange, NatChangeKind, NatTable, Ports, Refresh};
pub(crate) use step::{Adversary, Attached, Attack, Does, Step, Whom};
pub(crate) use traffic::{CongestionWord, Traffic, TrafficWord};
pub(crate) use trouble::{Failure, Fault, MessageFault, SignalingFault};

use crate::{
    either::Either,
    located::Located,
    scalar::{Duration, Rate},
    seeds::Seeds,
    several::Several,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use std::{borrow::Cow, collections::BTreeMap, fmt};

/// A Callproof scenario: one story with everything that it needs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// The story in one sentence.
    #[schemars(required)]
    pub(crate) title: Option<Located<String>>,
    /// How long the timeline runs. Accounts and friendships are made before it begins.
    #[schemars(required)]
    pub(crate) duration: Option<Located<Duration>>,
    /// Invariants that must make at least one check in this story.
    #[schemars(required)]
    pub(crate) exercises: Option<Located<Vec<Located<String>>>>,
    /// What the run must come to: everything holds, or exactly one invariant fails.
    pub(crate) expect: Option<Located<Either<Holds, Fails>>>,
    /// The known bug that is planted.
    pub(crate) mutant: Option<Located<String>>,
    /// The suite that it belongs to: `pr` unless given. Scenarios of `nightly` run when they are named, and at night.
    pub(crate) suite: Option<Suite>,
    /// What the plan is run a second time with, to be compared with it.
    pub(crate) paired_with: Option<PairedWith>,
    /// In which order things happen that are due at one instant: in the order in which they were queued unless given.
    pub(crate) schedule: Option<Schedule>,
    /// The version of IP that everybody speaks: 4 unless given. With 6 every address is public and no NAT is on the way; with
    /// `dual-stack` everybody has both.
    #[serde(default)]
    pub(crate) internet: Internet,
    /// The seeds that run when none are asked for: one, a range or a list. Seed 1 unless given.
    pub(crate) seeds: Option<Seeds>,
    /// The people with their devices. A user with several devices has an entry for each, the first one's first.
    #[schemars(required)]
    pub(crate) participant: Option<Located<Vec<Located<Participant>>>>,
    /// Pairs who are friends before the timeline begins.
    #[serde(default)]
    pub(crate) friends: Vec<Located<[Located<String>; 2]>>,
    /// What the people do, and when.
    #[serde(default)]
    pub(crate) timeline: Vec<Located<Step>>,
    /// Links between points of the core, by name: a home's router, a bottleneck. Participants say `via` which they go over.
    #[serde(default)]
    pub(crate) link: BTreeMap<Located<String>, CoreLink>,
    /// Links that change while the story runs.
    #[serde(default)]
    pub(crate) link_change: Vec<Located<LinkChange>>,
    /// Carriers whose NAT several homes share.
    #[serde(default)]
    pub(crate) carrier: Vec<Located<Carrier>>,
    /// What happens to NATs while the story runs.
    #[serde(default)]
    pub(crate) nat_change: Vec<Located<NatChange>>,
    /// Servers that stop and start, paths that are cut.
    #[serde(default)]
    pub(crate) fault: Vec<Located<Fault>>,
    /// Flows that share links with the calls.
    #[serde(default)]
    pub(crate) traffic: Vec<Located<Traffic>>,
    /// Messages of signaling that are lost, said twice, late or out of order.
    #[serde(default)]
    pub(crate) signaling_fault: Vec<Located<SignalingFault>>,
    /// What the adversary does.
    #[serde(default)]
    pub(crate) adversary: Vec<Located<Adversary>>,
    /// The signaling server's access link: 1 Gbit/s, 5 ms one way, unless given.
    #[serde(default)]
    pub(crate) signaling: Server,
    /// Cores of the signaling server that share its store, each with a replica of it: one unless given.
    #[serde(default)]
    pub(crate) cores: Cores,
    /// The access links of the TURN relays, one table or a list: 1 Gbit/s, 5 ms one way, unless given. They are called
    /// `relay`, `relay-2`, and so on.
    #[serde(default)]
    pub(crate) relay: Several<Server>,
    /// What camera, microphone and codecs are set to.
    #[serde(default)]
    pub(crate) media: Media,
    /// Bounds on metrics, by name.
    #[serde(default)]
    pub(crate) thresholds: BTreeMap<Located<String>, Located<Threshold>>,
}

/// One order out of many, by probabilistic concurrency testing. `cargo xtask explore` tries a thousand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Schedule {
    /// How many events have to come in a certain order for the bug that is sought; 3 unless given.
    #[schemars(range(min = 1, max = 16))]
    pub(crate) depth: Option<Located<u32>>,
    /// Which order.
    #[schemars(required, range(min = 0, max = 1_000_000))]
    pub(crate) number: Option<Located<u32>>,
}

/// Cores that share one store.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cores {
    /// How many. Connections go to them in turn.
    #[schemars(range(min = 1, max = 8))]
    pub(crate) count: Option<Located<u8>>,
    /// How long what one core made durable takes to the replicas of the others; no time unless given.
    pub(crate) replica_delay: Option<Located<Duration>>,
}

/// When a scenario runs unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Suite {
    /// With every change.
    Pr,
    /// Once a night: it costs too much for every change.
    Nightly,
}

/// What is different in the second run of a scenario.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PairedWith {
    /// All media goes over the relay.
    Relay,
    /// Core links have no limit in the direction `down`: feedback to those behind them waits nowhere.
    CleanFeedback,
}

/// A version of the internet protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Internet {
    /// Version 4.
    #[default]
    Ipv4,
    /// Version 6.
    Ipv6,
    /// Both.
    DualStack,
}

/// What a network does with version 6 where the internet has both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ipv6 {
    /// It forwards it.
    Works,
    /// The device has an address, and every packet from or to it vanishes.
    Broken,
    /// The device has no address.
    None,
}

/// Somebody's device.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Participant {
    /// The name, as a handle: lower-case letters, digits and `-`.
    #[schemars(required)]
    pub(crate) user: Option<Located<String>>,
    /// Which of the user's devices: `phone` unless given. The first one of a user makes the account, further ones sign in
    /// to it.
    pub(crate) device: Option<Located<String>>,
    /// When the device signs in to the account that an earlier entry of its user has, during the timeline. Without it the
    /// device is there, and confirmed, from the beginning.
    pub(crate) signs_in: Option<Located<Duration>>,
    /// How fast the device is: mid-range unless given, a `laptop` if it is called so.
    pub(crate) speed: Option<DeviceClass>,
    /// How the device reaches the internet: a preset's name, or a table.
    #[schemars(required)]
    pub(crate) network: Option<Located<Either<String, Network>>>,
    /// The NAT in front of the device: the preset's unless given. A word, or a table for each of its behaviours.
    pub(crate) nat: Option<Located<Either<Nat, NatTable>>>,
    /// Participants who name the same home share its NAT and public address.
    pub(crate) home: Option<Located<String>>,
    /// The carrier whose NAT is behind the home's own.
    pub(crate) carrier: Option<Located<String>>,
    /// What the network lets pass: everything unless given.
    pub(crate) firewall: Option<Firewall>,
    /// What it does with version 6 where the internet is `dual-stack`: it works unless given.
    pub(crate) ipv6: Option<Located<Ipv6>>,
    /// The core links that the traffic goes over after its NAT, nearest first. All of a home name the same.
    #[serde(default)]
    pub(crate) via: Vec<Located<String>>,
    /// Further access networks of the device, the preferred first; all come behind `network`.
    #[serde(default)]
    pub(crate) interface: Vec<Located<Interface>>,
    /// For whom the user's name is meant to be taken: another participant, or a word that only the service may go by. Who
    /// is called must be warned.
    pub(crate) imitates: Option<Located<String>>,
    /// The user hides the own addresses: media goes through a relay only.
    #[serde(default)]
    pub(crate) relay_only: bool,
    /// Whoever writes to the user is told what was read: yes unless given.
    pub(crate) read_receipts: Option<bool>,
    /// Whether a call may ring beside another one: not unless given; then who calls hears that the user is busy.
    pub(crate) call_waiting: Option<bool>,
    /// How many times as much of a shared core link the media ought to have as that of somebody without a priority:
    /// `priority_share_ppm` measures it.
    #[schemars(range(min = 1, max = 100))]
    pub(crate) priority: Option<Located<u32>>,
    /// How many bytes a photograph of the device's camera has; a small one of 2,742 unless given. Of a message's picture up to
    /// 262,128 leave the device, without what the camera wrote into them; of an avatar's up to 16,384.
    #[schemars(range(min = 4_096, max = 1_000_000))]
    pub(crate) photograph_bytes: Option<Located<u32>>,
}

/// Speed of a device.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DeviceClass {
    /// This year's best phone.
    Flagship,
    /// A phone of the middle.
    MidRange,
    /// A cheap phone.
    LowEnd,
    /// A laptop.
    Laptop,
}

/// An access network: a preset with changes, or links of its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Network {
    /// What the links are unless changed. Without a preset they are ideal.
    pub(crate) preset: Option<Located<String>>,
    /// From the device to the internet.
    #[serde(default)]
    pub(crate) up: Link,
    /// From the internet to the device.
    #[serde(default)]
    pub(crate) down: Link,
}

/// A server's access link.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    /// From the server to the internet.
    #[serde(default)]
    pub(crate) up: Link,
    /// From the internet to the server.
    #[serde(default)]
    pub(crate) down: Link,
}

/// What is sent.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Media {
    /// Picture width in pixels, a multiple of 8 so that the frame's mark fits; 640 unless given.
    #[schemars(range(min = 192, max = 3840), extend("multipleOf" = 8))]
    pub(crate) width: Option<u32>,
    /// Picture height in pixels, even; 360 unless given.
    #[schemars(range(min = 96, max = 2160), extend("multipleOf" = 2))]
    pub(crate) height: Option<u32>,
    /// Frames per second; 30 unless given.
    #[schemars(range(min = 1, max = 60))]
    pub(crate) fps: Option<u32>,
    /// Video codec; vp8 unless given.
    pub(crate) video_codec: Option<VideoCodec>,
    /// The most that the video encoder may be given; 1500 kbit/s unless given.
    pub(crate) video_max: Option<Located<Rate>>,
    /// The least; 100 kbit/s unless given.
    pub(crate) video_min: Option<Located<Rate>>,
    /// What it starts with; 500 kbit/s unless given.
    pub(crate) video_start: Option<Located<Rate>>,
    /// Rate of the audio encoder, 6 to 510 kbit/s; 32 kbit/s unless given.
    pub(crate) audio_rate: Option<Located<Rate>>,
    /// Measures PSNR and SSIM of each n-th rendered picture, 0 of none; 10 unless given, none with the modelled codec.
    #[schemars(range(min = 0, max = 100_000))]
    pub(crate) quality_every: Option<u32>,
}

/// A video codec.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum VideoCodec {
    /// VP8 (RFC 6386).
    Vp8,
    /// No codec but its traffic (RFC 8593's statistical model), sound included: no picture, hundreds of times faster.
    Modelled,
}

/// Bounds on a metric, in the unit of its name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Threshold {
    /// Not more than this.
    pub(crate) at_most: Option<Located<Bound>>,
    /// Not less than this.
    pub(crate) at_least: Option<Located<Bound>>,
    /// What is known to miss it. A run within the gap passes, but the threshold is not held.
    pub(crate) gap: Option<Located<Gap>>,
}

/// How far a threshold is known to be missed. One that is met in spite of its gap fails, so that gaps are removed when
/// they close.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gap {
    /// Not more than this, in place of the threshold's `at_most`.
    pub(crate) at_most: Option<Located<Bound>>,
    /// Not less than this, in place of the threshold's `at_least`.
    pub(crate) at_least: Option<Located<Bound>>,
    /// Why it is missed.
    #[schemars(required)]
    pub(crate) reason: Option<Located<String>>,
    /// Some seeds meet the threshold: then meeting it does not fail. No unless given.
    #[serde(default)]
    pub(crate) varies: bool,
}

/// A bound: a number, or for metrics in `_us`, `_bps` and `_ppm` a quantity such as `250ms`.
#[derive(Clone, Debug)]
pub(crate) enum Bound {
    /// In the unit of the metric's name.
    Number(i64),
    /// With its own unit.
    Text(String),
}

/// Everything holds.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Holds {
    /// Every invariant and threshold holds.
    Holds,
}

/// Exactly this invariant fails.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fails {
    /// Name of the invariant.
    #[schemars(required)]
    pub(crate) fails: Option<Located<String>>,
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrText;
        impl Visitor<'_> for NumberOrText {
            type Value = Bound;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number or a quantity with its unit")
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Bound, E> {
                Ok(Bound::Number(number))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Bound, E> {
                Ok(Bound::Text(text.into()))
            }
        }
        deserializer.deserialize_any(NumberOrText)
    }
}

impl JsonSchema for Bound {
    fn schema_name() -> Cow<'static, str> {
        "Bound".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "integer" }, { "type": "string" }] })
    }
}

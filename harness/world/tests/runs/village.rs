//! The plan of a small world: Alice and Bob on links that add nothing to the time of a packet, and signaling.

use kernel::{
    Micros, Plan, UserName,
    event::Act,
    plan::{
        AccessPlan, DeviceClass, Expectation, Firewall, LinkPlan, MediaPlan, Participant, ServerPlan, Step, VideoCodec,
        When,
    },
    time::BitRate,
};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Adds nothing to the time of a packet.
pub(crate) const PERFECT: LinkPlan = LinkPlan::IDEAL;

pub(crate) const ALICE: SocketAddr = at(10);
pub(crate) const BOB: SocketAddr = at(11);

/// A perfect link but for its length.
pub(crate) fn link_of(propagation: u64) -> LinkPlan {
    LinkPlan { propagation: Micros(propagation), ..PERFECT }
}

/// Alice and Bob, who are no friends, with nothing to do for a time.
pub(crate) fn village(duration: Micros) -> Plan {
    Plan {
        scenario: "village".into(),
        title: "Alice and Bob".into(),
        seed: 1,
        duration,
        timeline_start: Plan::TIMELINE_START,
        participants: vec![participant("alice", ALICE.ip()), participant("bob", BOB.ip())],
        signaling: server("signaling", 1),
        cores: kernel::plan::Cores::default(),
        relays: Vec::new(),
        friends: Vec::new(),
        timeline: Vec::new(),
        core_links: Vec::new(),
        traces: Vec::new(),
        link_schedule: Vec::new(),
        nat_schedule: Vec::new(),
        trouble: kernel::trouble::Trouble::default(),
        traffic: Vec::new(),
        adversary: Vec::new(),
        media: MediaPlan {
            width: 192,
            height: 112,
            fps: 15,
            video_codec: VideoCodec::Vp8,
            video_max: BitRate::from_kbps(200),
            video_min: BitRate::from_kbps(50),
            video_start: BitRate::from_kbps(100),
            audio_rate: BitRate::from_kbps(24),
            quality_every: 1,
        },
        thresholds: Vec::new(),
        exercises: Vec::new(),
        expect: Expectation::Holds,
        mutant: None,
        paired_with: None,
        schedule: None,
    }
}

/// The two are friends from before the timeline.
pub(crate) fn friends() -> Vec<(UserName, UserName)> {
    vec![("alice".into(), "bob".into())]
}

pub(crate) fn server(name: &str, number: u8) -> ServerPlan {
    ServerPlan { name: name.into(), address: at(number).ip(), address_v6: None, up: PERFECT, down: PERFECT }
}

pub(crate) fn step(user: &str, when: When, act: Act) -> Step {
    Step { device: None, user: user.into(), when, act }
}

fn participant(user: &str, address: IpAddr) -> Participant {
    Participant {
        user: user.into(),
        device: format!("{user}-phone").into(),
        device_class: DeviceClass::Laptop,
        address,
        access: AccessPlan {
            preset: "custom".into(),
            up: PERFECT,
            down: PERFECT,
            nat: None,
            public_address: address,
            carrier: None,
            firewall: Firewall::Open,
            via: Vec::new(),
            ipv6: None,
        },
        interfaces: Vec::new(),
        relay_only: false,
        read_receipts: true,
        call_waiting: false,
        imitates: None,
        signs_in: None,
        priority: 1,
        photograph_bytes: None,
    }
}

const fn at(number: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, number)), 5_000)
}

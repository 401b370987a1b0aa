//! Hand-made logs for tests: a call of alice and bob that holds every invariant, told step by step, so that a test can
//! change the one thing that must make one invariant fail.

use crate::{
    judge,
    judgement::{InvariantReport, InvariantVerdict, Judgement},
    sframe::tests::seal,
};
use kernel::{
    ActorName, BitRate, BlobRef, CallId, Log, Micros, PacketId, Plan, SimTime, Track, UserName,
    event::{self, Act, CallOutcome, CallStateName, EndReason, Event, Fact, Record, SecretKind},
    names::{ThreadId, to_hex},
    packet::{Ecn, Transport},
    plan::{
        AccessPlan, DeviceClass, Expectation, Firewall, LinkPlan, MediaPlan, NatPlan, Participant, ServerPlan,
        VideoCodec,
    },
    random::SeedTree,
};
use std::net::{IpAddr, SocketAddr};

pub(crate) const CALL: CallId = CallId([7; 16]);
const KEYS: [[u8; 16]; 2] = [
    *b"\x8c\x11\xa2\x53\xd4\x65\xe6\x07\x18\x99\xaa\xcb\x3c\xed\x4e\xff",
    *b"\x70\xe1\x62\xd3\x54\xc5\x46\xb7\x38\xa9\x2a\x9b\x0c\x8d\x1e\x6f",
];
const SIGNALING: &str = "signaling";

/// A log in the making.
pub(crate) struct Story {
    pub(crate) plan: Plan,
    log: Log,
    now: SimTime,
    packets: u64,
}

/// The records of one video frame's way, before they are told: times and events, in order.
pub(crate) type Way = Vec<(SimTime, Event)>;

impl Story {
    /// Nothing has happened yet; alice and bob are at home behind port-restricted NATs.
    pub(crate) fn new() -> Story {
        Story { plan: plan(), log: Log::default(), now: SimTime::ZERO, packets: 0 }
    }

    /// Moves on in time, in milliseconds since the beginning.
    pub(crate) fn at(&mut self, ms: u64) -> &mut Story {
        self.now = SimTime(ms * 1_000);
        self
    }

    pub(crate) fn now(&self) -> SimTime {
        self.now
    }

    /// Tells an event now.
    pub(crate) fn tell(&mut self, event: Event) -> &mut Story {
        let index = self.log.records.len() as u64 + 1;
        self.log.records.push(Record { at: self.now, index, event });
        self
    }

    pub(crate) fn store(&mut self, bytes: &[u8]) -> BlobRef {
        let at = self.log.blobs.len() as u64;
        self.log.blobs.extend_from_slice(bytes);
        BlobRef { at, len: bytes.len() as u32 }
    }

    pub(crate) fn log(mut self) -> Log {
        let plan = Record { at: SimTime::ZERO, index: 0, event: Event::Plan(Box::new(self.plan)) };
        self.log.records.insert(0, plan);
        self.log
    }

    pub(crate) fn judge(self) -> Judgement {
        judge(&self.log())
    }

    /// The report on one invariant.
    pub(crate) fn report(self, name: &str) -> InvariantReport {
        let judgement = self.judge();
        judgement.invariants.into_iter().find(|report| report.name == name).expect("the invariant is in the catalogue")
    }

    /// Asserts that exactly this invariant fails, and gives the sentence.
    pub(crate) fn fails_only(self, name: &str) -> String {
        let judgement = self.judge();
        let failed: Vec<&str> = failed(&judgement);
        assert_eq!(failed, [name], "{:?}", judgement.reasons);
        let report = judgement.invariants.iter().find(|report| report.name == name).unwrap();
        report.first_violation.clone().unwrap().message
    }

    /// Asserts that nothing fails, and gives how many checks the invariant made.
    pub(crate) fn holds(self, name: &str) -> u64 {
        let judgement = self.judge();
        assert_eq!(failed(&judgement), [""; 0], "{:?}", judgement.reasons);
        judgement.invariants.iter().find(|report| report.name == name).unwrap().checks
    }

    /// Tells a fact and, before it, what a device of the user asked for in whose name it is.
    pub(crate) fn fact(&mut self, fact: Fact) -> &mut Story {
        let phone = |user: &UserName| ActorName::from(format!("{user}-phone"));
        let asked = match &fact {
            Fact::FriendRequested { from, .. } => Some((phone(from), "request_friend")),
            Fact::Befriended { by, .. } => Some((phone(by), "answer_friend")),
            Fact::Unfriended { by, .. } => Some((phone(by), "unfriend")),
            Fact::ThreadRequested { from, .. } => Some((phone(from), "request_thread")),
            Fact::ThreadOpened { by, .. } => Some((phone(by), "answer_thread")),
            Fact::ThreadDeclined { by, .. } => Some((phone(by), "answer_thread")),
            Fact::MessageStored { sender, .. } => Some((phone(sender), "send_message")),
            Fact::MessageReceipt { by, .. } => Some((phone(by), "receipt")),
            Fact::Blocked { by, .. } => Some((phone(by), "block")),
            Fact::Unblocked { by, .. } => Some((phone(by), "unblock")),
            Fact::RequestCancelled { by, .. } => Some((phone(by), "cancel_request")),
            Fact::Followed { by, .. } | Fact::Unfollowed { by, .. } => Some((phone(by), "follow")),
            Fact::SettingChanged { by, .. } => Some((phone(by), "set")),
            Fact::AvatarSet { user } => Some((phone(user), "set_avatar")),
            Fact::CallRinging { caller, .. } => Some((phone(caller), "invite")),
            Fact::CallLive { callee_device, .. } => Some((callee_device.clone(), "accept")),
            Fact::CallMoved { to, .. } => Some((to.clone(), "take_over")),
            Fact::DeviceConfirmed { by, .. } | Fact::DeviceRemoved { by, .. } => Some((by.clone(), "extend_devices")),
            _ => None,
        };
        let is_told = |message: &str| {
            let last = self.log.records.last().map(|record| &record.event);
            matches!(last, Some(Event::Signal(signal)) if signal.message == *message)
        };
        if let Some((device, message)) = asked.filter(|(_, message)| !is_told(message)) {
            self.signal(device.as_str(), SIGNALING, message, b"");
        }
        self.stored(fact)
    }

    /// Tells a fact that nobody asked for.
    pub(crate) fn stored(&mut self, fact: Fact) -> &mut Story {
        self.tell(Event::Store(event::Store { node: SIGNALING.into(), fact }))
    }

    pub(crate) fn act(&mut self, device: &str, what: Act) -> &mut Story {
        let user = user_of(device);
        self.tell(Event::UserAct(event::UserAct { user, device: device.into(), what }))
    }

    pub(crate) fn signal(&mut self, from: &str, to: &str, message: &str, body: &[u8]) -> &mut Story {
        let body = self.store(body);
        let (from, to, message) = (from.into(), to.into(), message.into());
        self.tell(Event::Signal(event::Signal { from, to, message, call: Some(CALL), body }))
    }

    pub(crate) fn state(&mut self, device: &str, from: CallStateName, to: CallStateName) -> &mut Story {
        let device: ActorName = device.into();
        let because = event::listed_event(from, to).unwrap_or("test").into();
        self.tell(Event::CallState(event::CallState { device: device.clone(), call: Some(CALL), from, to, because }));
        let awaits = match to {
            CallStateName::Outgoing => "answer",
            CallStateName::Incoming => "user",
            CallStateName::Accepting => "server-accept",
            CallStateName::Connecting => "ice",
            _ => return self,
        };
        let limit = Micros::from_secs(if matches!(awaits, "answer" | "user") { 60 } else { 20 });
        self.tell(Event::Pending(event::Pending { device, call: CALL, awaits: awaits.into(), limit }))
    }

    pub(crate) fn ring(&mut self, device: &str, caller: &str) -> &mut Story {
        let (user, caller) = (user_of(device), caller.into());
        self.tell(Event::Ring(event::Ring { device: device.into(), user, caller, call: CALL }))
    }

    pub(crate) fn capture(&mut self, device: &str, track: Track, on: bool) -> &mut Story {
        self.tell(Event::CaptureSwitched(event::CaptureSwitched { device: device.into(), call: CALL, track, on }))
    }

    /// Befriends alice and bob, as before each timeline.
    pub(crate) fn befriend(&mut self) -> &mut Story {
        self.at(1_000).fact(Fact::Befriended { by: "bob".into(), other: "alice".into() })
    }

    /// Alice calls at 6 s and bob's device rings.
    pub(crate) fn ringing(&mut self) -> &mut Story {
        self.at(6_000).act("alice-phone", Act::Call { user: "bob".into(), video: true });
        self.state("alice-phone", CallStateName::Idle, CallStateName::Outgoing);
        self.at(6_020).signal("alice-phone", SIGNALING, "invite", b"an invite");
        self.fact(Fact::CallRinging { call: CALL, caller: "alice".into(), callee: "bob".into() });
        self.signal(SIGNALING, "bob-phone", "ring", b"a ring");
        self.at(6_040).state("bob-phone", CallStateName::Idle, CallStateName::Incoming).ring("bob-phone", "alice")
    }

    /// Bob accepts with video at 7 s; both are live 300 ms later.
    pub(crate) fn live(&mut self) -> &mut Story {
        self.befriend().ringing();
        self.at(7_000).act("bob-phone", Act::Accept { video: true });
        self.state("bob-phone", CallStateName::Incoming, CallStateName::Accepting);
        self.at(7_020).signal("bob-phone", SIGNALING, "accept", b"an answer");
        let (caller_device, callee_device) = ("alice-phone".into(), "bob-phone".into());
        self.fact(Fact::CallLive { call: CALL, caller_device, callee_device });
        for (device, from) in [("alice-phone", CallStateName::Outgoing), ("bob-phone", CallStateName::Accepting)] {
            self.signal(SIGNALING, device, "accepted", b"accepted").at(7_040);
            self.state(device, from, CallStateName::Connecting);
            self.capture(device, Track::Audio, true).capture(device, Track::Video, true);
        }
        self.at(7_200);
        for (device, peer) in [("alice-phone", "bob-phone"), ("bob-phone", "alice-phone")] {
            self.ice(device, "connected").pair(device, address_of(device), address_of(peer), false);
            self.tell(Event::DtlsConnected(event::DtlsConnected { device: device.into() }));
        }
        self.at(7_300).state("alice-phone", CallStateName::Connecting, CallStateName::Live);
        self.state("bob-phone", CallStateName::Connecting, CallStateName::Live)
    }

    pub(crate) fn ice(&mut self, device: &str, state: &str) -> &mut Story {
        self.tell(Event::IceState(event::IceState { device: device.into(), state: state.into() }))
    }

    pub(crate) fn pair(&mut self, device: &str, local: SocketAddr, remote: SocketAddr, relayed: bool) -> &mut Story {
        let local_kind = if relayed { event::CandidateKind::Relayed } else { event::CandidateKind::Host };
        self.tell(Event::PairSelected(event::PairSelected {
            device: device.into(),
            local,
            remote,
            local_kind,
            relayed,
        }))
    }

    /// Both take the call as over.
    pub(crate) fn over(&mut self, ms: u64) -> &mut Story {
        self.at(ms).act("alice-phone", Act::HangUp);
        self.ended("alice-phone", EndReason::HungUp).at(ms + 20);
        self.call_over(CallOutcome::Answered).at(ms + 40);
        self.ended("bob-phone", EndReason::PeerHungUp).at(ms + 2_000);
        self.signal(SIGNALING, "bob-phone", "call_row", b"a row")
    }

    /// The server takes the call as over.
    pub(crate) fn call_over(&mut self, outcome: CallOutcome) -> &mut Story {
        let thread = ThreadId::between(&"alice".into(), &"bob".into());
        self.fact(Fact::CallOver { call: CALL, thread, outcome, duration: Micros::ZERO })
    }

    pub(crate) fn ended(&mut self, device: &str, reason: EndReason) -> &mut Story {
        self.state(device, CallStateName::Live, CallStateName::Idle);
        self.tell(Event::Ended(event::Ended { device: device.into(), call: CALL, reason }))
    }

    pub(crate) fn secret(&mut self, kind: SecretKind, holders: &[&str], value: &str) -> &mut Story {
        let holders = holders.iter().map(|name| ActorName::from(*name)).collect();
        self.tell(Event::Secret(event::Secret { holders, kind, kid: None, value: value.into() }))
    }

    /// The base key of alice's video, as the log has it.
    pub(crate) fn frame_key() -> String {
        to_hex(&KEYS[0])
    }

    /// A packet of `protocol` that reaches its destination 5 ms later, when `arrives`.
    pub(crate) fn packet(
        &mut self,
        (from, to): (&str, &str),
        (source, destination): (SocketAddr, SocketAddr),
        protocol: event::WireProtocol,
        bytes: &[u8],
    ) -> PacketId {
        self.packets += 1;
        let (packet, bytes) = (PacketId(self.packets), self.store(bytes));
        let (cause, relay) = (None, Micros::ZERO);
        let from = from.into();
        self.tell(Event::PacketSent(event::PacketSent {
            packet,
            cause,
            relay,
            from,
            source,
            destination,
            transport: Transport::Udp,
            ecn: Ecn::NotEct,
            protocol,
            bytes,
        }));
        self.tell(Event::PacketArrived(arrival(packet, to, source, destination)));
        packet
    }

    /// Changes how a packet was sent.
    pub(crate) fn change(&mut self, packet: PacketId, change: impl FnOnce(&mut event::PacketSent)) {
        let sent = self.log.records.iter_mut().find_map(|record| match &mut record.event {
            Event::PacketSent(sent) if sent.packet == packet => Some(sent),
            _ => None,
        });
        change(sent.expect("the packet was sent"));
    }

    /// A media packet of a device right now.
    pub(crate) fn media_packet(&mut self, device: &str, peer: &str) -> PacketId {
        let path = (address_of(device), address_of(peer));
        let noise = noise(&format!("packet {}", self.packets), 100);
        let packet = self.packet((device, peer), path, event::WireProtocol::Rtp, &noise);
        let (track, frame, sequence) = (Track::Video, 0, 0);
        let (pacer, repair, repair_wait) = (Micros::ZERO, false, Micros::ZERO);
        let device = device.into();
        self.tell(Event::RtpSent(event::RtpSent {
            device,
            packet,
            track,
            frame,
            sequence,
            pacer,
            repair,
            repair_wait,
        }));
        packet
    }

    /// A video frame from one device to the other, sensed now; 33 ms later the next may follow.
    pub(crate) fn frame(&mut self, sender: &str, number: u32) -> &mut Story {
        self.changed_frame(sender, number, |_| {})
    }

    /// The same, with a change to the records before they are told.
    pub(crate) fn changed_frame(&mut self, sender: &str, number: u32, change: impl FnOnce(&mut Way)) -> &mut Story {
        let mut way = self.way(sender, number);
        change(&mut way);
        let before = self.now;
        for (at, event) in way {
            self.now = at;
            self.tell(event);
        }
        self.now = before + Micros::from_millis(33);
        self
    }

    /// The records of a frame's way, whose legs add up to 17,920 us.
    pub(crate) fn way(&mut self, sender: &str, number: u32) -> Way {
        let receiver = peer_of(sender);
        let index = usize::from(sender == "bob-phone");
        let sensed_at = self.now;
        let at = |offset: u64| sensed_at + Micros(offset);
        let plain = noise(&format!("{sender} {number}"), 120);
        let clear = if number == 0 { 10 } else { 1 };
        let sealed = seal(&KEYS[index], 1, number as u8, clear, &plain);
        let hash = to_hex(&blake3::hash(&plain).as_bytes()[..8]);
        let counter = u64::from(number);
        let (device, peer, track) = (ActorName::from(sender), ActorName::from(receiver), Track::Video);
        self.packets += 1;
        let packet = PacketId(self.packets);
        let (source, destination) = (address_of(sender), address_of(receiver));
        let (plain, sealed_bytes) = (self.store(&plain), self.store(&sealed));
        let wire = self.store(&noise(&format!("srtp {sender} {number}"), 170));
        let arrived = self.store(&sealed);
        let key = format!("key of {sender}");
        vec![
            (at(1_000), Event::Captured(event::Captured { device: device.clone(), track, frame: number, sensed_at })),
            (
                at(3_000),
                Event::Encoded(event::Encoded {
                    device: device.clone(),
                    track,
                    frame: number,
                    key: number == 0,
                    bytes: plain,
                    capture: Micros(1_000),
                    encode: Micros(2_000),
                }),
            ),
            (at(3_010), Event::KeyUsed(event::KeyUsed { device: device.clone(), key, kid: 1, counter, seals: true })),
            (
                at(3_010),
                Event::Sealed(event::Sealed {
                    device: device.clone(),
                    track,
                    frame: number,
                    counter,
                    clear_bytes: clear as u32,
                    bytes: sealed_bytes,
                    encrypt: Micros(10),
                }),
            ),
            (
                at(3_510),
                Event::PacketSent(event::PacketSent {
                    packet,
                    cause: None,
                    relay: Micros::ZERO,
                    from: device.clone(),
                    source,
                    destination,
                    transport: Transport::Udp,
                    ecn: Ecn::NotEct,
                    protocol: event::WireProtocol::Rtp,
                    bytes: wire,
                }),
            ),
            (
                at(3_510),
                Event::RtpSent(event::RtpSent {
                    device: device.clone(),
                    packet,
                    track,
                    frame: number,
                    sequence: number as u16,
                    pacer: Micros(500),
                    repair: false,
                    repair_wait: Micros::ZERO,
                }),
            ),
            (at(9_410), Event::PacketArrived(arrival(packet, receiver, source, destination))),
            (
                at(9_410),
                Event::Reassembled(event::Reassembled {
                    device: peer.clone(),
                    sender: device.clone(),
                    track,
                    rtp_timestamp: 3_000 * counter,
                    completed_by: Some(packet),
                    bytes: arrived,
                    reassembly: Micros::ZERO,
                }),
            ),
            (
                at(9_420),
                Event::Opened(event::Opened {
                    device: peer.clone(),
                    sender: device.clone(),
                    track,
                    counter: Some(counter),
                    verdict: event::OpenVerdict::Accepted,
                    hash: hash.clone(),
                    decrypt: Micros(10),
                }),
            ),
            (
                at(13_920),
                Event::Decoded(event::Decoded {
                    device: peer.clone(),
                    sender: device.clone(),
                    track,
                    counter,
                    hash,
                    output: true,
                    buffer: Micros(3_000),
                    decode: Micros(1_500),
                }),
            ),
            (
                at(17_920),
                Event::Rendered(event::Rendered {
                    device: peer,
                    tile: user_of(sender),
                    sender: device,
                    track,
                    counter,
                    mark: Some(event::Mark { sender: index as u8, frame: number }),
                    render_wait: Micros(4_000),
                }),
            ),
        ]
    }
}

/// Names of the invariants that failed.
pub(crate) fn failed(judgement: &Judgement) -> Vec<&str> {
    let failed = judgement.invariants.iter().filter(|report| report.verdict == InvariantVerdict::Failed);
    failed.map(|report| report.name.as_str()).collect()
}

/// The device's address as its peer sees it.
pub(crate) fn address_of(device: &str) -> SocketAddr {
    let outer = if device == "alice-phone" { "203.0.113.11" } else { "198.51.100.22" };
    SocketAddr::new(outer.parse().unwrap(), 5_000)
}

pub(crate) fn relay_address() -> SocketAddr {
    "192.0.2.33:3478".parse().unwrap()
}

/// Bytes that look like ciphertext.
pub(crate) fn noise(label: &str, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    SeedTree::root(1).stream(label).fill(&mut bytes);
    bytes
}

fn peer_of(device: &str) -> &'static str {
    if device == "alice-phone" { "bob-phone" } else { "alice-phone" }
}

fn user_of(device: &str) -> UserName {
    device.split('-').next().unwrap().into()
}

fn arrival(packet: PacketId, to: &str, source: SocketAddr, destination: SocketAddr) -> event::PacketArrived {
    event::PacketArrived {
        packet,
        to: to.into(),
        source,
        destination,
        uplink_queue: Micros::ZERO,
        serialization: Micros(800),
        propagation: Micros(5_000),
        downlink_queue: Micros(100),
        ecn: Ecn::NotEct,
        duplicate: false,
    }
}

fn plan() -> Plan {
    let link = LinkPlan {
        rate: Some(BitRate::from_mbps(20)),
        queue_bytes: 100_000,
        propagation: Micros::from_millis(5),
        ..LinkPlan::IDEAL
    };
    let participant = |user: &str, own: &str| Participant {
        user: user.into(),
        device: format!("{user}-phone").into(),
        device_class: DeviceClass::MidRange,
        address: own.parse().unwrap(),
        access: AccessPlan {
            preset: "custom".into(),
            up: link.clone(),
            down: link.clone(),
            nat: Some(NatPlan::PORT_RESTRICTED),
            public_address: address_of(&format!("{user}-phone")).ip(),
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
    };
    let server = |name: &str, address: IpAddr| ServerPlan {
        name: name.into(),
        address,
        address_v6: None,
        up: link.clone(),
        down: link.clone(),
    };
    Plan {
        scenario: "hand-made".into(),
        title: "Alice and Bob in a test".into(),
        seed: 1,
        duration: Micros::ZERO,
        timeline_start: Plan::TIMELINE_START,
        participants: vec![participant("alice", "192.168.71.5"), participant("bob", "192.168.84.6")],
        signaling: server(SIGNALING, "192.0.2.44".parse().unwrap()),
        cores: kernel::plan::Cores::default(),
        relays: vec![server("relay", relay_address().ip())],
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
            width: 320,
            height: 180,
            fps: 30,
            video_codec: VideoCodec::Vp8,
            video_max: BitRate::from_kbps(500),
            video_min: BitRate::from_kbps(100),
            video_start: BitRate::from_kbps(300),
            audio_rate: BitRate::from_kbps(32),
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

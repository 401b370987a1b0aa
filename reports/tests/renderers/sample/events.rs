//! The events of the made-up call.

use kernel::{
    ActorName, BitRate, BlobRef, CallId, Log, Micros, PacketId, Record, SimTime, Track, UserName,
    event::{self, Act, CallStateName, CandidateKind, DropReason, EndReason, Event, OpenVerdict, Screen, WireProtocol},
    packet::{Ecn, Transport},
    plan::{LinkPlan, Plan},
};
use oracle::Histogram;
use std::net::SocketAddr;

const CALL: CallId = CallId([0xC0; 16]);
pub(super) const ALICE: &str = "alice-phone";
pub(super) const BOB: &str = "bob-laptop";

/// The log of the call, and the latencies in it.
pub(super) fn happen(plan: &Plan) -> (Log, Vec<Histogram>) {
    let mut scribe = Scribe::default();
    people(&mut scribe);
    transport(&mut scribe);
    let mut histograms = Vec::new();
    for (from, to, seed) in [(ALICE, BOB, 1), (BOB, ALICE, 2)] {
        histograms.extend(media(&mut scribe, from, to, seed));
    }
    (scribe.finish(plan), histograms)
}

/// Events with their bytes, in any order.
#[derive(Default)]
struct Scribe {
    events: Vec<(u64, Event, Vec<u8>)>,
    packets: u64,
}

impl Scribe {
    fn note(&mut self, at: u64, event: Event) {
        self.events.push((at, event, Vec::new()));
    }

    fn signal(&mut self, at: u64, from: &str, to: &str, message: &str, call: Option<CallId>) {
        let signal =
            event::Signal { from: from.into(), to: to.into(), message: message.into(), call, body: BlobRef::default() };
        self.events.push((at, Event::Signal(signal), message.as_bytes().to_vec()));
    }

    /// A packet with a fate: an arrival after the flight time, or a loss.
    fn packet(
        &mut self,
        at: u64,
        from: &str,
        to: &str,
        protocol: WireProtocol,
        bytes: Vec<u8>,
        fate: Result<u64, (&str, DropReason)>,
    ) -> PacketId {
        self.packets += 1;
        let packet = PacketId(self.packets);
        let port = |protocol| match protocol {
            WireProtocol::Quic => 5443,
            _ => 5000,
        };
        let inner = |actor: &str| {
            SocketAddr::new(address(actor, false), if actor == "signaling" { 443 } else { port(protocol) })
        };
        let outer = |actor: &str| {
            SocketAddr::new(address(actor, true), if actor == "signaling" { 443 } else { 40_000 + port(protocol) })
        };
        let (source, destination) = (inner(from), outer(to));
        let sent = event::PacketSent {
            packet,
            cause: None,
            relay: Micros::ZERO,
            from: from.into(),
            source,
            destination,
            transport: Transport::Udp,
            ecn: Ecn::NotEct,
            protocol,
            bytes: BlobRef::default(),
        };
        self.events.push((at, Event::PacketSent(sent), bytes));
        match fate {
            Ok(flight) => {
                self.note(
                    at + flight / 2,
                    Event::PacketAtCore(event::PacketAtCore { packet, source: outer(from), destination }),
                );
                self.note(
                    at + flight,
                    Event::PacketArrived(event::PacketArrived {
                        packet,
                        to: to.into(),
                        source: outer(from),
                        destination: inner(to),
                        uplink_queue: Micros(flight / 4),
                        serialization: Micros(flight / 4),
                        propagation: Micros(flight - 2 * (flight / 4)),
                        downlink_queue: Micros::ZERO,
                        ecn: Ecn::NotEct,
                        duplicate: false,
                    }),
                );
            }
            Err((place, reason)) => {
                if place.ends_with("/down") {
                    self.note(
                        at + 9_000,
                        Event::PacketAtCore(event::PacketAtCore { packet, source: outer(from), destination }),
                    );
                }
                self.note(
                    at + 12_000,
                    Event::PacketDropped(event::PacketDropped {
                        packet,
                        place: place.into(),
                        reason,
                        duplicate: false,
                    }),
                );
            }
        }
        packet
    }

    fn finish(mut self, plan: &Plan) -> Log {
        self.events.sort_by_key(|(at, ..)| *at);
        self.events.insert(0, (0, Event::Plan(Box::new(plan.clone())), Vec::new()));
        let mut blobs = Vec::new();
        let mut records = Vec::new();
        for (index, (at, mut event, bytes)) in (0..).zip(self.events) {
            let blob = BlobRef { at: blobs.len() as u64, len: bytes.len() as u32 };
            blobs.extend(bytes);
            match &mut event {
                Event::Signal(signal) => signal.body = blob,
                Event::PacketSent(sent) => sent.bytes = blob,
                Event::Encoded(encoded) => encoded.bytes = blob,
                _ => {}
            }
            records.push(Record { at: SimTime(at), index, event });
        }
        Log::restore(records, blobs).expect("the sample refers to its own bytes")
    }
}

pub(super) fn address(actor: &str, outer: bool) -> std::net::IpAddr {
    match (actor, outer) {
        (ALICE, false) => [192, 168, 1, 10],
        (ALICE, true) => [198, 51, 100, 7],
        (BOB, false) => [192, 168, 2, 20],
        (BOB, true) => [203, 0, 113, 9],
        ("signaling", _) => [192, 0, 2, 1],
        _ => [192, 0, 2, 2],
    }
    .into()
}

fn people(scribe: &mut Scribe) {
    let user = |device: &str| UserName::from(if device == ALICE { "alice" } else { "bob" });
    let act = |device: &str, what| Event::UserAct(event::UserAct { user: user(device), device: device.into(), what });
    let state = |device: &str, from, to, because: &str| {
        Event::CallState(event::CallState {
            device: device.into(),
            call: Some(CALL),
            from,
            to,
            because: because.into(),
        })
    };
    for device in [ALICE, BOB] {
        scribe.signal(200_000, device, "signaling", "sign_up", None);
        scribe.signal(260_000, "signaling", device, "signed_in", None);
        for i in 0..6 {
            scribe.packet(100_000 + i * 20_000, device, "signaling", WireProtocol::Quic, quic(i as u8), Ok(18_000));
            scribe.packet(
                110_000 + i * 20_000,
                "signaling",
                device,
                WireProtocol::Quic,
                quic(i as u8 + 64),
                Ok(18_000),
            );
        }
    }
    scribe.note(1_000_000, act(ALICE, Act::RequestFriend { user: "bob".into() }));
    scribe.signal(1_020_000, ALICE, "signaling", "request_friend", None);
    scribe.signal(1_021_000, "signaling", BOB, "friend_request", None);
    scribe.note(1_300_000, act(BOB, Act::AcceptFriend { user: "alice".into() }));
    scribe.signal(1_320_000, BOB, "signaling", "answer_friend", None);
    scribe.signal(1_321_000, "signaling", ALICE, "friend_added", None);
    scribe.signal(1_321_000, "signaling", BOB, "friend_added", None);
    use CallStateName::{Accepting, Connecting, Ended, Idle, Incoming, Live, Outgoing};
    scribe.note(6_000_000, act(ALICE, Act::Call { user: "bob".into(), video: true }));
    scribe.note(6_000_000, state(ALICE, Idle, Outgoing, "user.call"));
    scribe.signal(6_021_000, ALICE, "signaling", "invite", Some(CALL));
    scribe.signal(6_022_000, "signaling", BOB, "ring", Some(CALL));
    scribe.note(
        6_041_000,
        Event::Ring(event::Ring { device: BOB.into(), user: "bob".into(), caller: "alice".into(), call: CALL }),
    );
    scribe.note(6_041_000, state(BOB, Idle, Incoming, "srv.ring"));
    scribe.signal(6_061_000, BOB, "signaling", "ringing", Some(CALL));
    scribe.signal(6_062_000, "signaling", ALICE, "ringing", Some(CALL));
    scribe.note(7_500_000, act(BOB, Act::Accept { video: true }));
    scribe.note(7_500_000, state(BOB, Incoming, Accepting, "user.accept"));
    scribe.signal(7_521_000, BOB, "signaling", "accept", Some(CALL));
    scribe.signal(7_522_000, "signaling", ALICE, "accepted", Some(CALL));
    scribe.signal(7_522_000, "signaling", BOB, "accepted", Some(CALL));
    scribe.note(7_541_000, state(ALICE, Outgoing, Connecting, "srv.accepted"));
    scribe.note(7_541_000, state(BOB, Accepting, Connecting, "srv.accepted"));
    for i in 0..3 {
        scribe.signal(7_560_000 + i * 1_000, ALICE, "signaling", "to_peer", Some(CALL));
    }
    scribe.signal(7_564_000, "signaling", BOB, "from_peer", Some(CALL));
    for device in [ALICE, BOB] {
        scribe.note(7_990_000, state(device, Connecting, Live, "dtls.connected"));
        let screen = Screen::Live {
            call: CALL,
            peer: "bob".into(),
            safety_number: "12345 67890 12345 67890 12345 67890".into(),
        };
        scribe.note(7_990_000, Event::Ui(event::Ui { user: user(device), device: device.into(), screen }));
    }
    scribe.note(18_000_000, act(ALICE, Act::HangUp));
    scribe.signal(18_020_000, ALICE, "signaling", "hang_up", Some(CALL));
    scribe.signal(18_021_000, "signaling", BOB, "ended", Some(CALL));
    for (at, device, reason) in [(18_000_000, ALICE, EndReason::HungUp), (18_040_000, BOB, EndReason::PeerHungUp)] {
        scribe.note(at, state(device, Live, Ended, "user.hang_up"));
        scribe.note(at, Event::Ended(event::Ended { device: device.into(), call: CALL, reason }));
        let keys = vec![format!("{:016x}", 0xA11CE), format!("{:016x}", 0xB0B)];
        scribe.note(at, Event::KeyErased(event::KeyErased { device: device.into(), keys }));
    }
}

fn transport(scribe: &mut Scribe) {
    let socket = |actor: &str, outer: bool| SocketAddr::new(address(actor, outer), if outer { 45_000 } else { 5_000 });
    for (device, peer) in [(ALICE, BOB), (BOB, ALICE)] {
        for (i, kind) in (0..).zip([CandidateKind::Host, CandidateKind::ServerReflexive, CandidateKind::Relayed]) {
            let address = match kind {
                CandidateKind::Host => socket(device, false),
                CandidateKind::Relayed => SocketAddr::new(address("relay", true), 50_000 + i as u16),
                _ => socket(device, true),
            };
            let gathered = event::CandidateGathered { device: device.into(), kind, address, offered: true };
            scribe.note(7_545_000 + i * 11_000, Event::CandidateGathered(gathered));
        }
        for (at, state) in [(7_570_000, "checking"), (7_720_000, "connected"), (8_400_000, "completed")] {
            scribe.note(at, Event::IceState(event::IceState { device: device.into(), state: state.into() }));
        }
        for i in 0..8 {
            let fate = if i < 2 { Err((peer, DropReason::NatFiltered)) } else { Ok(42_000) };
            scribe.packet(7_580_000 + i * 50_000, device, peer, WireProtocol::Stun, stun(i as u8), fate);
        }
        let pair = event::PairSelected {
            device: device.into(),
            local: socket(device, false),
            remote: socket(peer, true),
            local_kind: CandidateKind::Host,
            relayed: false,
        };
        scribe.note(7_720_000, Event::PairSelected(pair));
        for i in 0..3 {
            scribe.packet(7_730_000 + i * 60_000, device, peer, WireProtocol::Dtls, client_hello(i as u8), Ok(42_000));
        }
        scribe.note(7_950_000, Event::DtlsConnected(event::DtlsConnected { device: device.into() }));
        for direction in ["up", "down"] {
            let link = format!("{device}/{direction}").into();
            scribe.note(0, Event::LinkChanged(event::LinkChanged { link, to: Box::new(link_plan(4_000)) }));
        }
    }
    for (at, kbps) in [(12_000_000, 900), (15_000_000, 4_000)] {
        let link = format!("{ALICE}/up").into();
        scribe.note(at, Event::LinkChanged(event::LinkChanged { link, to: Box::new(link_plan(kbps)) }));
    }
}

/// Frames of one direction; returns its latencies.
fn media(scribe: &mut Scribe, from: &str, to: &str, seed: u64) -> Vec<Histogram> {
    let mut random = Lcg(seed);
    let (mut pictures, mut sound) = (Vec::new(), Vec::new());
    let (device, receiver): (ActorName, ActorName) = (from.into(), to.into());
    let narrow = |at: u64| from == ALICE && (12_000_000..15_000_000).contains(&at);
    let key = format!("{:016x}", if from == ALICE { 0xA11CE } else { 0xB0B });
    for second in 8..18 {
        let at = second * 1_000_000;
        let kbps = if narrow(at) { 780 } else { (600 + 250 * (second - 8)).min(2_400) };
        scribe.note(
            at,
            Event::BitrateEstimate(event::BitrateEstimate { device: device.clone(), rate: BitRate::from_kbps(kbps) }),
        );
        let rate = BitRate::from_kbps(kbps * 85 / 100);
        scribe.note(
            at + 1,
            Event::EncoderTarget(event::EncoderTarget { device: device.clone(), track: Track::Video, rate }),
        );
    }
    for frame in 0..300u32 {
        let at = 8_000_000 + u64::from(frame) * 33_333;
        scribe.note(
            at,
            Event::Captured(event::Captured {
                device: device.clone(),
                track: Track::Video,
                frame,
                sensed_at: SimTime(at),
            }),
        );
        let used =
            event::KeyUsed { device: device.clone(), key: key.clone(), kid: 1, counter: u64::from(frame), seals: true };
        scribe.note(at + 8_000, Event::KeyUsed(used));
        let flight = if narrow(at) { 68_000 + random.below(30_000) } else { 34_000 + random.below(9_000) };
        for part in 0..if narrow(at) { 2 } else { 4 } {
            let fate = match random.below(100) {
                0 => Err((if part % 2 == 0 { "alice-phone/up" } else { "bob-laptop/down" }, DropReason::Loss)),
                1 if narrow(at) => Err(("alice-phone/up", DropReason::QueueFull)),
                _ => Ok(flight),
            };
            scribe.packet(
                at + 9_000 + part * 1_500,
                from,
                to,
                WireProtocol::Rtp,
                rtp(96, frame as u16 * 4 + part as u16, 1_100, &mut random),
                fate,
            );
        }
        // A reference was lost: nothing new is shown until the key frame.
        if from == ALICE && (132..157).contains(&frame) {
            continue;
        }
        let latency = flight + 52_000 + random.below(12_000);
        let shown = at + latency;
        let opened = event::Opened {
            device: receiver.clone(),
            sender: device.clone(),
            track: Track::Video,
            counter: Some(u64::from(frame)),
            verdict: OpenVerdict::Accepted,
            hash: "00".into(),
            decrypt: Micros(300),
        };
        scribe.note(shown - 12_000, Event::Opened(opened));
        let rendered = event::Rendered {
            device: receiver.clone(),
            tile: if from == ALICE { "alice" } else { "bob" }.into(),
            sender: device.clone(),
            track: Track::Video,
            counter: u64::from(frame),
            mark: None,
            render_wait: Micros(4_000),
        };
        scribe.note(shown, Event::Rendered(rendered));
        pictures.push((SimTime(shown), latency));
        if frame % 30 == 0 {
            let quality = event::PictureQuality {
                device: receiver.clone(),
                sender: device.clone(),
                frame,
                psnr_y_mdb: 36_400 + random.below(3_000) as u32,
                ssim_y_ppm: 962_000 + random.below(20_000) as u32,
            };
            scribe.note(shown + 1, Event::PictureQuality(quality));
        }
    }
    for block in 0..500u64 {
        let at = 8_000_000 + block * 20_000;
        let flight = if narrow(at) { 66_000 } else { 33_000 + random.below(6_000) };
        scribe.packet(at + 4_000, from, to, WireProtocol::Rtp, rtp(111, block as u16, 120, &mut random), Ok(flight));
        let latency = flight + 61_000 + random.below(9_000);
        let played = event::AudioPlayed {
            device: receiver.clone(),
            sender: device.clone(),
            counter: Some(block),
            samples: 960,
            stretched: 0,
            buffered: Micros(40_000),
        };
        scribe.note(at + latency, Event::AudioPlayed(played));
        sound.push((SimTime(at + latency), latency));
    }
    let legs = [
        ("capture", 11_000),
        ("encode", 6_200),
        ("encrypt", 300),
        ("pacer", 4_100),
        ("uplink_queue", 3_400),
        ("serialization", 2_600),
        ("propagation", 24_000),
        ("downlink_queue", 900),
        ("jitter_buffer", 21_000),
        ("decrypt", 300),
        ("decode", 3_900),
        ("render_wait", 8_300),
    ];
    let scope = format!("{from}>{to}");
    let mut histograms = vec![
        Histogram { name: format!("{scope}/glass_to_glass_us"), values: pictures },
        Histogram { name: format!("{scope}/mouth_to_ear_us"), values: sound },
    ];
    histograms.extend(
        legs.map(|(leg, us)| Histogram {
            name: format!("{scope}/leg_{leg}_us"),
            values: vec![(SimTime(8_000_000), us)],
        }),
    );
    histograms
}

pub(super) fn link_plan(kbps: u64) -> LinkPlan {
    LinkPlan {
        rate: Some(BitRate::from_kbps(kbps)),
        queue_bytes: 64_000,
        propagation: Micros::from_millis(10),
        ..LinkPlan::IDEAL
    }
}

fn stun(id: u8) -> Vec<u8> {
    let mut bytes = vec![0, 1, 0, 12, 0x21, 0x12, 0xA4, 0x42];
    bytes.extend([id; 12]);
    bytes.extend([0, 6, 0, 8]);
    bytes.extend(b"abcd:efg");
    bytes
}

fn client_hello(sequence: u8) -> Vec<u8> {
    let mut body = vec![0xFE, 0xFD];
    body.extend([sequence; 32]);
    body.extend([0, 0, 0, 2, 0xC0, 0x2B, 1, 0]);
    let length = body.len() as u8;
    let mut handshake = vec![1, 0, 0, length, 0, 0, 0, 0, 0, 0, 0, length];
    handshake.extend(body);
    let mut record = vec![22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, sequence, 0, handshake.len() as u8];
    record.extend(handshake);
    record
}

fn quic(id: u8) -> Vec<u8> {
    let mut bytes = vec![0xC3, 0, 0, 0, 1, 8];
    bytes.extend([id; 8]);
    bytes.extend([0, 0, 0x44, 0xB0]);
    bytes.resize(1_200, id);
    bytes
}

fn rtp(payload_type: u8, sequence: u16, length: usize, random: &mut Lcg) -> Vec<u8> {
    let mut bytes = vec![0x80, payload_type];
    bytes.extend(sequence.to_be_bytes());
    bytes.extend((u32::from(sequence) * 3_000).to_be_bytes());
    bytes.extend(u32::from(payload_type).to_be_bytes());
    bytes.extend((0..length).map(|_| random.below(256) as u8));
    bytes
}

/// Enough for a sample: the same on every machine.
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

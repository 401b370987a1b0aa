//! The media transport of one call: ICE, DTLS, SRTP and RTP by one `Rtc` of str0m, candidates by STUN and TURN.
//!
//! Nothing is gathered, sent or answered before [`Transport::gather`]: the machine calls it only after the server's
//! `Accepted`. With `relay_only` no own address is put into anything that a peer sees.

mod bandwidth;
mod early;
mod events;
mod gather;
mod handover;
mod health;
mod limits;
mod relays;
mod reserve;
mod restart;
mod rtp;
mod stun;
mod turn;
mod turn_stream;
mod unchecked;

pub use restart::RestartError;

use crate::{config::Misbehaviour, crypto, engine::PathState};
use bandwidth::Bandwidth;
use early::Early;
use health::PathHealth;
use kernel::{
    ActorName, CallId, Datagram, Micros, SimTime, Track, event,
    event::CandidateKind,
    mutant,
    plan::MediaPlan,
    random::{self, SeedTree},
};
use limits::{Limits, MAX_REMOTE_CANDIDATES, MAX_SDP_BYTES};
use reserve::Reserve;
use restart::Restarts;
use rtp::{PayloadTypes, ReceiveLedger, SendLedger};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
};
use str0m::{
    Candidate, Input, Output, Rtc, RtcConfig, RtcError,
    change::{SdpAnswer, SdpOffer, SdpPendingOffer},
    format::Codec,
    media::{Direction, Frequency, KeyframeRequestKind, MediaKind, MediaTime, Mid, Pt},
    net::{Protocol, Receive},
};
use unchecked::Unchecked;

/// Steps of str0m within one instant before the rest waits for the next microsecond.
const MAX_STEPS: usize = 10_000;
/// Timeouts of str0m within one instant before the rest waits for the next microsecond.
const MAX_TIMEOUTS: usize = 64;

/// What a transport is made from.
#[derive(Clone)]
pub struct TransportConfig {
    /// This device.
    pub device: ActorName,
    /// The peer's device, as far as it is known.
    pub peer: ActorName,
    /// The call.
    pub call: CallId,
    /// The sockets for ICE, DTLS and SRTP, one for each address of the interfaces that are up, the preferred first.
    pub locals: Vec<SocketAddr>,
    /// Only relayed candidates.
    pub relay_only: bool,
    /// What this client does against the protocol.
    pub misbehaviour: Vec<Misbehaviour>,
    /// SRTP with the null cipher.
    pub null_srtp: bool,
    /// Whether the call has a video section.
    pub video: bool,
    /// Rates.
    pub media: MediaPlan,
    /// Randomness of the STUN query.
    pub seeds: SeedTree,
}

/// A frame came out of RTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaFrame {
    /// Camera or microphone.
    pub track: Track,
    /// RTP timestamp.
    pub rtp_timestamp: u64,
    /// What the sender handed over: a sealed frame.
    pub bytes: Vec<u8>,
    /// Whether nothing is missing since the frame before.
    pub contiguous: bool,
}

/// What a transport says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportOutput {
    /// Send this.
    Transmit(Datagram),
    /// A candidate for the peer (RFC 8839 `candidate:` line).
    Candidate(String),
    /// A pair is valid; DTLS comes next.
    IceConnected,
    /// ICE and DTLS are up and the fingerprint is right; after `Broken`: and the peer's media flows again.
    Connected,
    /// The fingerprint is not the one of the signed description.
    Mismatch,
    /// The path broke: the peer's media stopped, ICE has no pair any more, or the peer restarts.
    Broken,
    /// It is time to ask the peer for an ICE restart, or to ask again.
    AskRestart,
    /// DTLS is closed.
    Lost,
    /// The peer wants a key frame.
    KeyFrameRequested,
    /// What is known of the path.
    Path(PathState),
    /// A frame came out of RTP.
    Frame(MediaFrame),
}

/// A session description could not be made or taken.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    /// Longer than any honest one.
    #[error("the description is too long")]
    TooLong,
    /// str0m refuses it.
    #[error("the description is refused: {0}")]
    Refused(String),
}

/// The media transport of one call.
pub struct Transport {
    config: TransportConfig,
    rtc: Rtc,
    pending: Option<SdpPendingOffer>,
    audio: Option<Mid>,
    video: Option<Mid>,
    types: PayloadTypes,
    gathering: Option<gather::Gathering>,
    early_candidates: Vec<String>,
    /// The own candidates that were offered: a restart offers them again.
    own_candidates: Vec<Candidate>,
    remote_candidates: usize,
    /// Their lines: one that comes again, because it could have been lost, is not a further one.
    remote_lines: BTreeSet<String>,
    remote_kinds: BTreeMap<SocketAddr, CandidateKind>,
    selected: Option<(SocketAddr, SocketAddr)>,
    connected: bool,
    health: PathHealth,
    restarts: Restarts,
    over: bool,
    parsers: BTreeSet<&'static str>,
    bandwidth: Bandwidth,
    limits: Limits,
    reserve: Reserve,
    unchecked: Unchecked,
    early: Early,
    /// The planted bug V83: who asked last to be used.
    misled: Option<SocketAddr>,
    /// When the peer's last request for a key frame was taken.
    key_frame_taken: Option<SimTime>,
    sent: SendLedger,
    received: ReceiveLedger,
    rtc_wake: SimTime,
    outputs: VecDeque<TransportOutput>,
}

impl Transport {
    /// A caller's transport with its offer. `inline` puts the host candidate into the offer, against the protocol.
    ///
    /// # Errors
    /// When str0m makes no offer.
    pub fn offer(config: TransportConfig, inline: bool, now: SimTime) -> Result<(Transport, String), DescriptionError> {
        let mut transport = Transport::new(config, now);
        let _scope = random::scope("str0m");
        for local in transport.config.locals.iter().filter(|_| inline) {
            if let Ok(host) = Candidate::host(*local, "udp") {
                transport.rtc.add_local_candidate(host);
            }
        }
        let mut changes = transport.rtc.sdp_api();
        transport.audio = Some(changes.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None));
        if transport.config.video {
            transport.video = Some(changes.add_media(MediaKind::Video, Direction::SendRecv, None, None, None));
        }
        let (offer, pending) = changes.apply().ok_or_else(|| DescriptionError::Refused("nothing to offer".into()))?;
        transport.pending = Some(pending);
        Ok((transport, offer.to_sdp_string()))
    }

    /// A callee's transport for an offer, with its answer. Candidates inside the offer are ignored unless
    /// `inline_candidates`.
    ///
    /// # Errors
    /// When the offer is too long or does not parse.
    pub fn answer(
        config: TransportConfig,
        offer: &str,
        inline_candidates: bool,
        now: SimTime,
    ) -> Result<(Transport, String), DescriptionError> {
        let mut transport = Transport::new(config, now);
        transport.enter("sdp");
        transport.restarts.peer_sdp = without_candidates(checked(offer)?);
        let offer = if inline_candidates { offer.to_owned() } else { transport.restarts.peer_sdp.clone() };
        let _scope = random::scope("str0m");
        let offer = SdpOffer::from_sdp_string(&offer).map_err(|error| DescriptionError::Refused(error.to_string()))?;
        let answer = transport.rtc.sdp_api().accept_offer(offer).map_err(refused)?;
        transport.drive_rtc(now);
        Ok((transport, answer.to_sdp_string()))
    }

    /// Takes the callee's answer.
    ///
    /// # Errors
    /// When the answer is too long, does not parse or does not fit, or no offer waits for one.
    pub fn accept_answer(&mut self, answer: &str) -> Result<(), DescriptionError> {
        self.enter("sdp");
        let answer = without_candidates(checked(answer)?);
        self.restarts.peer_sdp.clone_from(&answer);
        let pending = self.pending.take().ok_or_else(|| DescriptionError::Refused("no offer waits".into()))?;
        let _scope = random::scope("str0m");
        let answer =
            SdpAnswer::from_sdp_string(&answer).map_err(|error| DescriptionError::Refused(error.to_string()))?;
        self.rtc.sdp_api().accept_answer(pending, answer).map_err(refused)
    }

    /// Names the device that is on the other side.
    pub fn set_peer(&mut self, peer: ActorName) {
        self.config.peer = peer;
    }

    /// Takes a candidate of the peer; before gathering it waits.
    pub fn add_remote_candidate(&mut self, line: &str, now: SimTime) {
        let is_new = line.len() <= MAX_SDP_BYTES && !self.remote_lines.contains(line);
        let is_full = self.remote_candidates >= MAX_REMOTE_CANDIDATES && !mutant!(V82);
        if !is_new || is_full {
            return;
        }
        self.remote_candidates += 1;
        if self.gathering.is_none() {
            self.early_candidates.push(line.to_owned());
            return;
        }
        self.remote_lines.insert(line.to_owned());
        self.enter("ice");
        let Ok(candidate) = Candidate::from_sdp_string(line) else { return };
        self.remote_kinds.insert(candidate.addr(), gather::kind_of(&candidate));
        if let Some(gathering) = &mut self.gathering {
            gathering.allow(candidate.addr());
        }
        if let Some(local) = self.config.locals.first().filter(|_| mutant!(V82)) {
            // No list of pairs and no pace: each candidate is checked as it comes.
            let local = *local;
            let check = self.hasty_check(&mut self.config.seeds.stream(line));
            let check = Datagram::new(local, candidate.addr(), check);
            self.outputs.push_back(TransportOutput::Transmit(check));
        }
        let _scope = random::scope("str0m");
        self.rtc.add_remote_candidate(candidate);
        self.drive(now);
    }

    /// Hands a sealed frame to RTP. False when there is no path for it yet.
    pub fn send_frame(&mut self, track: Track, frame: u32, rtp_timestamp: u64, bytes: Vec<u8>, now: SimTime) -> bool {
        let (mid, payload_type, clock) = match track {
            Track::Audio => (self.audio, self.types.audio, Frequency::FORTY_EIGHT_KHZ),
            Track::Video => (self.video, self.types.video, Frequency::NINETY_KHZ),
        };
        let (true, Some(mid), Some(payload_type)) = (self.connected && !self.over, mid, payload_type) else {
            return false;
        };
        let _scope = random::scope("str0m");
        let Some(writer) = self.rtc.writer(mid) else { return false };
        let time = MediaTime::new(rtp_timestamp, clock);
        let length = bytes.len();
        if writer.write(Pt::from(payload_type), now.to_instant(), time, bytes).is_err() {
            return false;
        }
        self.sent.hand_over(track, frame, rtp_timestamp, length, now);
        self.drive(now);
        true
    }

    /// Bytes of video that were handed to RTP and wait in its pacer.
    pub fn unsent_bytes(&self) -> u64 {
        self.sent.unsent_bytes()
    }

    /// Asks the peer for a key frame (PLI, RFC 4585).
    pub fn request_key_frame(&mut self, now: SimTime) {
        let _scope = random::scope("str0m");
        if let Some(writer) = self.video.filter(|_| self.connected).and_then(|mid| self.rtc.writer(mid)) {
            let mut writer = writer;
            // Refused only before the first packet of the peer: there is nothing to repair then.
            let _ = writer.request_keyframe(None, KeyframeRequestKind::Pli);
        }
        self.drive(now);
    }

    /// Takes a datagram that reached the media socket.
    pub fn receive(&mut self, datagram: Datagram, now: SimTime) {
        let Some(gathering) = &mut self.gathering else { return };
        let through_relay = match gathering.receive(&datagram, now) {
            gather::Arrival::Peers { relayed, packets } => Some((relayed, packets)),
            gather::Arrival::Direct => None,
            gather::Arrival::Consumed => {
                self.drive(now);
                return;
            }
        };
        let packet = datagram.packet;
        match through_relay {
            Some((relayed, packets)) => {
                for (from, bytes) in packets {
                    self.receive_from_peer(from, relayed, &bytes, packet, now);
                }
            }
            // With relay-only nothing that came past the relay is looked at.
            None if self.hides_addresses() => {}
            None => {
                self.receive_from_peer(datagram.source, datagram.destination, &datagram.bytes, packet, now);
            }
        }
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: SimTime) {
        if self.rtc_wake <= now && !self.over {
            let _scope = random::scope("str0m");
            let result = self.rtc.handle_input(Input::Timeout(now.to_instant()));
            self.judge(result);
        }
        self.drive(now);
        self.give_up_unchecked(now);
        self.take_in_early(now);
        self.look_after_path(now);
    }

    /// When [`Transport::handle_timeout`] is wanted.
    pub fn next_wake(&self) -> Option<SimTime> {
        let rtc = Some(self.rtc_wake).filter(|_| self.gathering.is_some() && !self.over);
        let health = self.health.next_wake().filter(|_| self.minds_path());
        let gathering = self.gathering.as_ref().and_then(gather::Gathering::next_wake);
        let unchecked = self.unchecked.next_wake().filter(|_| !self.over);
        let early = self.early.next_wake(self.connected).filter(|_| !self.over);
        [rtc, health, gathering, unchecked, early].into_iter().flatten().min()
    }

    /// The next output; call until none.
    pub fn poll(&mut self) -> Option<TransportOutput> {
        self.outputs.pop_front()
    }

    /// Gives the relay's allocation back; what is left to send comes out of [`Transport::poll`].
    pub fn release(&mut self, now: SimTime) {
        self.over = true;
        let mut sends = Vec::new();
        if let Some(gathering) = &mut self.gathering {
            gathering.release(now, &mut sends);
        }
        self.outputs = sends.into_iter().map(TransportOutput::Transmit).collect();
    }

    fn new(config: TransportConfig, now: SimTime) -> Transport {
        let _scope = random::scope("str0m");
        let rtc = RtcConfig::new()
            .set_crypto_provider(Arc::new(crypto::provider(config.null_srtp)))
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            // The engine's jitter buffer orders sound; holding it back here would cost 300 ms for each lost packet.
            .set_reordering_size_audio(0)
            .set_stats_interval(Some(bandwidth::SAMPLING.to_duration()))
            .enable_bwe(Some(bandwidth::start(&config.media)))
            .build(now.to_instant());
        let types = payload_types(&rtc);
        Transport {
            config,
            rtc,
            pending: None,
            audio: None,
            video: None,
            types,
            gathering: None,
            early_candidates: Vec::new(),
            own_candidates: Vec::new(),
            remote_candidates: 0,
            remote_lines: BTreeSet::new(),
            remote_kinds: BTreeMap::new(),
            selected: None,
            connected: false,
            health: PathHealth::default(),
            restarts: Restarts::default(),
            over: false,
            parsers: BTreeSet::new(),
            bandwidth: Bandwidth::default(),
            limits: Limits::default(),
            reserve: Reserve::default(),
            unchecked: Unchecked::default(),
            early: Early::default(),
            misled: None,
            key_frame_taken: None,
            sent: SendLedger::default(),
            received: ReceiveLedger::default(),
            rtc_wake: now,
            outputs: VecDeque::new(),
        }
    }

    fn receive_from_peer(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        bytes: &[u8],
        packet: kernel::PacketId,
        now: SimTime,
    ) {
        if self.over {
            return;
        }
        self.enter(match bytes.first() {
            Some(0..=3) => "ice",
            Some(20..=63) => "dtls",
            _ => "srtp",
        });
        if mutant!(V83) && stun::asks_to_be_used(bytes) {
            self.misled = Some(source);
            let answer = stun::answer(bytes, source).map(|answer| Datagram::new(destination, source, answer));
            self.outputs.extend(answer.map(TransportOutput::Transmit));
        }
        if !self.vouches(source, destination, bytes) {
            self.hold_unchecked(source, destination, bytes, packet, now);
            return;
        }
        self.received.packet_arrived(&self.types, bytes, packet, now);
        if !self.comes_early(source, destination, bytes, now) {
            self.take_in(source, destination, bytes, now, now);
        }
        self.take_in_vouched_for(now);
        self.take_in_early(now);
    }

    /// Hands a packet of the peer to str0m, with the time at which it came: str0m tells it to the sender, whose estimate
    /// would take a wait at this end for a queue on the way.
    fn take_in(&mut self, source: SocketAddr, destination: SocketAddr, bytes: &[u8], came: SimTime, now: SimTime) {
        let _scope = random::scope("str0m");
        let Ok(receive) = Receive::new(Protocol::Udp, source, destination, bytes) else { return };
        if self.limits.received((destination, source), bytes, now) {
            self.reserve.answered((destination, source), now);
        }
        let result = self.rtc.handle_input(Input::Receive(came.to_instant(), receive));
        self.judge(result);
        if mutant!(V88) && crypto::saw_forgery() {
            self.over = true;
            self.outputs.push_back(TransportOutput::Lost);
        }
        self.drive(now);
    }

    /// The planted bug V82: a check as ICE makes it, but of its own.
    fn hasty_check(&mut self, stream: &mut random::Stream) -> Vec<u8> {
        let of_peer = |name: &str| self.restarts.peer_sdp.lines().find_map(|line| line.strip_prefix(name));
        let fragment = of_peer("a=ice-ufrag:").unwrap_or_default().to_owned();
        let password = of_peer("a=ice-pwd:").unwrap_or_default().to_owned();
        let own = self.rtc.direct_api().local_ice_credentials().ufrag;
        stun::check(&format!("{fragment}:{own}"), password, stream)
    }

    /// Runs str0m and the gathering until neither has anything to do at this instant.
    fn drive(&mut self, now: SimTime) {
        self.drive_gathering(now);
        self.drive_rtc(now);
    }

    fn drive_rtc(&mut self, now: SimTime) {
        let mut timeouts = 0;
        for _ in 0..MAX_STEPS {
            if self.over {
                return;
            }
            let output = {
                let _scope = random::scope("str0m");
                self.rtc.poll_output()
            };
            match output {
                Ok(Output::Transmit(transmit)) => {
                    self.transmit(transmit.source, transmit.destination, &transmit.contents, now);
                }
                Ok(Output::Event(event)) => self.event(event, now),
                Ok(Output::Timeout(at)) => {
                    self.rtc_wake = SimTime::from_instant(at);
                    // Without a gathering there is nothing to drive: the clock of ICE begins with consent.
                    if self.rtc_wake > now || self.gathering.is_none() {
                        return;
                    }
                    timeouts += 1;
                    if timeouts > MAX_TIMEOUTS {
                        break;
                    }
                    let _scope = random::scope("str0m");
                    let result = self.rtc.handle_input(Input::Timeout(now.to_instant()));
                    self.judge(result);
                }
                Err(error) => self.judge(Err(error)),
            }
        }
        self.rtc_wake = now + Micros(1);
    }

    fn judge(&mut self, result: Result<(), RtcError>) {
        let Err(error) = result else { return };
        if self.over || self.rtc.is_alive() {
            // A hostile datagram: str0m dropped it and goes on.
            return;
        }
        self.over = true;
        self.outputs.push_back(match error {
            RtcError::RemoteSdp(_) => TransportOutput::Mismatch,
            _ => TransportOutput::Lost,
        });
    }

    /// Notes that a parser of what the peer sent is entered.
    fn enter(&mut self, parser: &'static str) {
        if self.parsers.insert(parser) {
            event!(ParserEntered {
                device: self.config.device.clone(),
                call: self.config.call,
                parser: parser.to_owned(),
            });
        }
    }
}

fn payload_types(rtc: &Rtc) -> PayloadTypes {
    let mut types = PayloadTypes::default();
    for params in rtc.codec_config().params() {
        match params.spec().codec {
            Codec::Opus => types.audio = Some(*params.pt()),
            Codec::Vp8 => {
                types.video = Some(*params.pt());
                types.video_repair = params.resend().map(|payload_type| *payload_type);
            }
            _ => {}
        }
    }
    types
}

fn checked(sdp: &str) -> Result<&str, DescriptionError> {
    if sdp.len() > MAX_SDP_BYTES { Err(DescriptionError::TooLong) } else { Ok(sdp) }
}

/// The description without its candidates: they come sealed and after `Accepted`, or not at all.
fn without_candidates(sdp: &str) -> String {
    let kept = |line: &&str| !line.starts_with("a=candidate:") && !line.starts_with("a=end-of-candidates");
    sdp.split_inclusive('\n').filter(kept).collect()
}

fn refused(error: RtcError) -> DescriptionError {
    DescriptionError::Refused(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_taken_out_of_a_description() {
        let sdp = "v=0\r\na=candidate:1 1 udp 1 192.0.2.1 5 typ host\r\na=mid:0\r\na=end-of-candidates\r\n";
        assert_eq!(without_candidates(sdp), "v=0\r\na=mid:0\r\n");
    }
}

//! One call of a device: its envelopes, keys, transport and engine. What may be done when is the machine's; this knows
//! how.

use crate::{
    engine::Engine,
    sequence::SequenceWindow,
    transport::{Transport, TransportConfig},
};
use e2ee::{
    CallShare, DeviceIdentity, EnvelopeHeader, EnvelopeKind, FrameKeys, Role, SealedEnvelope, Transcript, envelope,
    safety_number,
};
use kernel::{ActorName, CallId, SimTime, ThreadId, Track, UserName, event, event::SecretKind, mutant, random::Stream};
use protocol::{
    ClientMessage, DeviceKeys, PROTOCOL_VERSION, PeerMessage, SessionDescription,
    wire::{canonical_bytes, from_canonical_bytes},
};
use std::collections::{BTreeMap, VecDeque};

/// Sealed peer messages that wait, un-opened, for the server's `Accepted`; further ones are dropped.
const MAX_QUEUED: usize = 30;

/// Something in the call's set-up does not fit: a signature, a header, a description, a key. Somebody may be in the middle.
#[derive(Debug, thiserror::Error)]
#[error("the call's set-up does not fit: {0}")]
pub(crate) struct Mismatch(String);

impl Mismatch {
    pub(crate) fn of(error: impl ToString) -> Mismatch {
        Mismatch(error.to_string())
    }
}

/// Who is on this side.
#[derive(Clone, Copy)]
pub(crate) struct Own<'a> {
    pub(crate) device: &'a ActorName,
    pub(crate) identity: &'a DeviceIdentity,
}

/// How an offer is answered.
#[derive(Clone, Copy)]
pub(crate) struct OfferRules {
    /// Whether the own camera will be on.
    pub(crate) video: bool,
    /// Whether candidates inside the offer count; the reference never lets them.
    pub(crate) inline_candidates: bool,
}

/// What an offer is made for.
#[derive(Clone, Copy)]
pub(crate) struct Offered<'a> {
    /// The devices that it goes to.
    pub(crate) to: &'a [DeviceKeys],
    /// Whether the own camera will be on.
    pub(crate) camera: bool,
}

/// What a hostile caller writes into an offer that does not belong there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    /// Its candidates.
    pub(crate) candidates: bool,
    /// A candidate whose address is a name.
    pub(crate) host_name: Option<String>,
    /// What it wants to be taken for.
    pub(crate) name: Option<String>,
}

/// A call of this device.
pub(crate) struct Call {
    pub(crate) id: CallId,
    thread: ThreadId,
    incoming: bool,
    /// Who offered: of this side's keys.
    role: Role,
    /// The device of the own user that asks this one to take the call over.
    pub(crate) asked_by: Option<ActorName>,
    /// The peer's device; of a caller none before the answer.
    pub(crate) peer: Option<DeviceKeys>,
    /// The peer's camera will be on, by its signed description.
    pub(crate) peer_video: bool,
    share: Option<CallShare>,
    /// The invite, to be said again until something shows that it arrived.
    pub(crate) invite: Option<ClientMessage>,
    /// What was signed of the offer, for each device that it went to.
    offers: BTreeMap<ActorName, Vec<u8>>,
    sealed_offer: Option<SealedEnvelope>,
    answer: Option<SealedEnvelope>,
    keys: Option<FrameKeys>,
    pub(crate) safety_number: String,
    pub(crate) transport: Option<Transport>,
    pub(crate) engine: Option<Engine>,
    /// Under the planted bug V05: the camera was kept off before the tracks were opened.
    pub(crate) keeps_camera_off: bool,
    /// What a hold closed, and taking the call up opens again.
    pub(crate) held: Vec<Track>,
    /// When transport and engine want to wake, as they said after the last input.
    pub(crate) wakes: [Option<SimTime>; 2],
    /// RTP timestamps of the last frames that came, by track.
    pub(crate) last_timestamps: [u64; 2],
    queued: VecDeque<SealedEnvelope>,
    sequence: u32,
    peer_sequence: SequenceWindow,
}

impl Call {
    /// A call that this device makes.
    pub(crate) fn outgoing(id: CallId, user: &UserName, callee: &UserName) -> Call {
        Call::new(id, ThreadId::between(user, callee), Role::Caller)
    }

    /// A call of another device of the own user, which asks this one to take it over.
    pub(crate) fn asked(id: CallId, user: &UserName, peer: &UserName, by: ActorName) -> Call {
        Call { asked_by: Some(by), ..Call::new(id, ThreadId::between(user, peer), Role::Caller) }
    }

    /// A call that rings here. The offer stays sealed.
    pub(crate) fn incoming(id: CallId, user: &UserName, caller: DeviceKeys, offer: SealedEnvelope) -> Call {
        let mut call = Call::new(id, ThreadId::between(user, &caller.user), Role::Callee);
        call.incoming = true;
        call.peer = Some(caller);
        call.sealed_offer = Some(offer);
        call
    }

    /// Whether it was the other side who called.
    pub(crate) fn is_incoming(&self) -> bool {
        self.incoming
    }

    /// Whether the outer fields of an offer are those of this call: all that is looked at before the user accepts.
    pub(crate) fn offer_is_for(&self, own: &ActorName) -> bool {
        let (Some(offer), Some(caller)) = (&self.sealed_offer, &self.peer) else { return false };
        offer.header == self.header(EnvelopeKind::Offer, &caller.device, own, offer.header.sequence)
    }

    /// The offer, sealed to each device that it is for.
    pub(crate) fn make_offers(
        &mut self,
        own: Own<'_>,
        Offered { to, camera }: Offered<'_>,
        config: TransportConfig,
        extras: &Extras,
        stream: &mut Stream,
        now: SimTime,
    ) -> Result<Vec<SealedEnvelope>, Mismatch> {
        let (transport, mut sdp) = Transport::offer(config, extras.candidates, now).map_err(Mismatch::of)?;
        if let Some(name) = &extras.host_name {
            sdp.push_str(&format!("a=candidate:1 1 udp 2130706431 {name} 5000 typ host\r\n"));
        }
        self.transport = Some(transport);
        let sdp = self.described(own, sdp);
        let share = CallShare::generate(stream);
        let name = extras.name.clone();
        let offer = PeerMessage::Offer(SessionDescription { share: share.public(), sdp, video: camera, name });
        self.share = Some(share);
        let body = canonical_bytes(&offer);
        let mut offers = Vec::new();
        for device in to {
            let header = self.next_header(EnvelopeKind::Offer, own.device, &device.device);
            self.offers.insert(device.device.clone(), header.signed_bytes(&body));
            offers.push(envelope::seal(header, &body, own.identity, &device.sealing, stream).map_err(Mismatch::of)?);
        }
        Ok(offers)
    }

    /// The description as the peer gets it.
    fn described(&self, own: Own<'_>, sdp: String) -> String {
        // V68: the CNAME is user@host, as RFC 3550 has it, and not random for each call (RFC 7022).
        let sdp = if mutant!(V68) { name_source(&sdp, own.device) } else { sdp };
        event!(Described { device: own.device.clone(), call: self.id, sdp: sdp.clone() });
        sdp
    }

    /// Opens the offer before its time, and leaves it as it is: only planted bugs look.
    pub(crate) fn peek_offer(&self, own: Own<'_>) -> Option<SessionDescription> {
        let body = envelope::open(self.sealed_offer.as_ref()?, own.identity, &self.peer.as_ref()?.signing).ok()?;
        match from_canonical_bytes(&body) {
            Ok(PeerMessage::Offer(offer)) => Some(offer),
            _ => None,
        }
    }

    /// Opens the offer, agrees the keys and makes the answer. Done once; later calls give the same answer.
    pub(crate) fn make_answer(
        &mut self,
        own: Own<'_>,
        config: TransportConfig,
        offer_rules: OfferRules,
        stream: &mut Stream,
        now: SimTime,
    ) -> Result<SealedEnvelope, Mismatch> {
        if let Some(answer) = &self.answer {
            return Ok(answer.clone());
        }
        let sealed = self.sealed_offer.take().ok_or_else(|| Mismatch::of("no offer"))?;
        let caller = self.peer.clone().ok_or_else(|| Mismatch::of("no caller"))?;
        let body = envelope::open(&sealed, own.identity, &caller.signing).map_err(Mismatch::of)?;
        let Ok(PeerMessage::Offer(offer)) = from_canonical_bytes(&body) else {
            return Err(Mismatch::of("the body is no offer"));
        };
        self.peer_video = offer.video;
        self.peer_sequence.begin(sealed.header.sequence);
        let (transport, sdp) =
            Transport::answer(config, &offer.sdp, offer_rules.inline_candidates, now).map_err(Mismatch::of)?;
        self.transport = Some(transport);
        let sdp = self.described(own, sdp);
        let share = CallShare::generate(stream);
        let (share_sent, video) = (share.public(), offer_rules.video);
        let answer = PeerMessage::Answer(SessionDescription { share: share_sent, sdp, video, name: None });
        let answer = canonical_bytes(&answer);
        let header = self.next_header(EnvelopeKind::Answer, own.device, &caller.device);
        let transcript = Transcript::new(&sealed.header.signed_bytes(&body), &header.signed_bytes(&answer));
        self.agree(own, share, &offer.share, &transcript)?;
        let answer = envelope::seal(header, &answer, own.identity, &caller.sealing, stream).map_err(Mismatch::of)?;
        self.answer = Some(answer.clone());
        Ok(answer)
    }

    /// Opens the offer of another device of the peer and answers it, in the place of what was agreed with the one before, whose
    /// transport it gives back. When the offer does not fit everything stays as it was.
    pub(crate) fn rejoin(
        &mut self,
        own: Own<'_>,
        (device, offer): (DeviceKeys, SealedEnvelope),
        config: TransportConfig,
        offer_rules: OfferRules,
        stream: &mut Stream,
        now: SimTime,
    ) -> Result<Option<Transport>, Mismatch> {
        let before = (self.peer.replace(device), self.sealed_offer.replace(offer), self.answer.take(), self.role);
        let agreed = (self.transport.take(), self.peer_video, self.peer_sequence, self.safety_number.clone());
        self.role = Role::Callee;
        let answered = if self.offer_is_for(own.device) {
            self.make_answer(own, config, offer_rules, stream, now)
        } else {
            Err(Mismatch::of("the offer is not for this call"))
        };
        let Err(mismatch) = answered else { return Ok(agreed.0) };
        (self.peer, self.sealed_offer, self.answer, self.role) = before;
        (self.transport, self.peer_video, self.peer_sequence, self.safety_number) = agreed;
        self.keys = None;
        Err(mismatch)
    }

    /// Takes the answer of one of the callee's known devices and agrees the keys.
    pub(crate) fn take_answer(
        &mut self,
        own: Own<'_>,
        callee: &[DeviceKeys],
        device: &ActorName,
        sealed: &SealedEnvelope,
    ) -> Result<(), Mismatch> {
        let keys = callee.iter().find(|keys| keys.device == *device);
        let keys = keys.ok_or_else(|| Mismatch::of("the answer comes from no device of the callee"))?.clone();
        let expected = self.header(EnvelopeKind::Answer, device, own.device, sealed.header.sequence);
        sealed.header.check(&expected).map_err(Mismatch::of)?;
        let body = envelope::open(sealed, own.identity, &keys.signing).map_err(Mismatch::of)?;
        let Ok(PeerMessage::Answer(answer)) = from_canonical_bytes(&body) else {
            return Err(Mismatch::of("the body is no answer"));
        };
        let offer = self.offers.get(device).ok_or_else(|| Mismatch::of("no offer went to the device"))?;
        let transcript = Transcript::new(offer, &sealed.header.signed_bytes(&body));
        let share = self.share.take().ok_or_else(|| Mismatch::of("the share was used"))?;
        self.peer_video = answer.video;
        self.peer_sequence.begin(sealed.header.sequence);
        self.peer = Some(keys);
        self.agree(own, share, &answer.share, &transcript)?;
        let transport = self.transport.as_mut().ok_or_else(|| Mismatch::of("no offer was made"))?;
        transport.set_peer(device.clone());
        transport.accept_answer(&answer.sdp).map_err(Mismatch::of)
    }

    /// The answer, once it was made.
    pub(crate) fn answer(&self) -> Option<SealedEnvelope> {
        self.answer.clone()
    }

    /// The frame keys, once: they go to the engine.
    pub(crate) fn take_keys(&mut self) -> Option<FrameKeys> {
        self.keys.take()
    }

    /// Seals a message to the peer's device.
    pub(crate) fn seal_to(
        &mut self,
        own: Own<'_>,
        device: &DeviceKeys,
        message: &PeerMessage,
        stream: &mut Stream,
    ) -> Option<SealedEnvelope> {
        let header = self.next_header(EnvelopeKind::Peer, own.device, &device.device);
        envelope::seal(header, &canonical_bytes(message), own.identity, &device.sealing, stream).ok()
    }

    /// Seals an offer of nothing to the own keys, for a device whose keys are not known.
    pub(crate) fn seal_nothing(
        &mut self,
        own: Own<'_>,
        device: &ActorName,
        stream: &mut Stream,
    ) -> Option<SealedEnvelope> {
        let header = self.next_header(EnvelopeKind::Offer, own.device, device);
        envelope::seal(header, &[], own.identity, &own.identity.public().1, stream).ok()
    }

    /// Seals an answer to the own device: what a caller needs who accepts for the callee.
    pub(crate) fn seal_own_answer(&mut self, own: Own<'_>, stream: &mut Stream) -> Option<SealedEnvelope> {
        let header = self.next_header(EnvelopeKind::Answer, own.device, own.device);
        envelope::seal(header, &[], own.identity, &own.identity.public().1, stream).ok()
    }

    /// Keeps a sealed peer message until the call is accepted, un-opened.
    pub(crate) fn queue(&mut self, sealed: SealedEnvelope) {
        if self.queued.len() < MAX_QUEUED {
            self.queued.push_back(sealed);
        }
    }

    /// The peer messages that waited.
    pub(crate) fn take_queued(&mut self) -> VecDeque<SealedEnvelope> {
        std::mem::take(&mut self.queued)
    }

    /// Opens a peer message; `None` when it is not the peer's, is replayed or does not parse.
    pub(crate) fn open_from_peer(&mut self, own: Own<'_>, sealed: &SealedEnvelope) -> Option<PeerMessage> {
        let peer = self.peer.as_ref()?;
        let sequence = sealed.header.sequence;
        let expected = self.header(EnvelopeKind::Peer, &peer.device, own.device, sequence);
        sealed.header.check(&expected).ok()?;
        if !self.peer_sequence.is_new(sequence) {
            return None;
        }
        let body = envelope::open(sealed, own.identity, &peer.signing).ok()?;
        self.peer_sequence.note(sequence);
        from_canonical_bytes(&body).ok()
    }

    /// The frame keys as the log publishes them, before the engine has them.
    pub(crate) fn announce_secrets(&self, own: &ActorName) -> Option<String> {
        let (keys, peer) = (self.keys.as_ref()?, self.peer.as_ref()?);
        for secret in keys.secrets() {
            event!(Secret {
                holders: vec![own.clone(), peer.device.clone()],
                kind: SecretKind::FrameKey,
                kid: Some(secret.kid),
                value: secret.value,
            });
        }
        keys.secrets().into_iter().next().map(|secret| secret.value)
    }

    fn new(id: CallId, thread: ThreadId, role: Role) -> Call {
        Call {
            id,
            thread,
            incoming: false,
            role,
            asked_by: None,
            peer: None,
            peer_video: false,
            share: None,
            invite: None,
            offers: BTreeMap::new(),
            sealed_offer: None,
            answer: None,
            keys: None,
            safety_number: String::new(),
            transport: None,
            engine: None,
            keeps_camera_off: false,
            held: Vec::new(),
            wakes: [None; 2],
            last_timestamps: [0; 2],
            queued: VecDeque::new(),
            sequence: 0,
            peer_sequence: SequenceWindow::default(),
        }
    }

    fn agree(
        &mut self,
        own: Own<'_>,
        share: CallShare,
        peer_share: &[u8; 32],
        transcript: &Transcript,
    ) -> Result<(), Mismatch> {
        let peer = self.peer.as_ref().ok_or_else(|| Mismatch::of("no peer"))?;
        let secret = share.agree(peer_share, transcript).map_err(Mismatch::of)?;
        self.safety_number = safety_number(&secret, &own.identity.public().0, &peer.signing);
        self.keys = Some(FrameKeys::derive(&secret, self.role));
        Ok(())
    }

    fn header(&self, kind: EnvelopeKind, from: &ActorName, to: &ActorName, sequence: u32) -> EnvelopeHeader {
        let (version, subject, thread) = (PROTOCOL_VERSION, self.id.0, self.thread.clone());
        EnvelopeHeader { version, kind, subject, thread, from: from.clone(), to: to.clone(), sequence }
    }

    fn next_header(&mut self, kind: EnvelopeKind, from: &ActorName, to: &ActorName) -> EnvelopeHeader {
        let sequence = self.sequence;
        self.sequence += 1;
        self.header(kind, from, to, sequence)
    }
}

/// The planted bug V68: the CNAME of each source is `user@device`.
fn name_source(sdp: &str, device: &ActorName) -> String {
    let user = device.as_str().split('-').next().unwrap_or_default();
    let named = |line: &str| match line.split_once(" cname:") {
        Some((source, _)) => format!("{source} cname:{user}@{device}\r\n"),
        None => line.to_owned(),
    };
    sdp.split_inclusive('\n').map(named).collect()
}

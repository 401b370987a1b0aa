//! PRV: who learns whose address.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Run, Seen},
};
use kernel::{
    ActorName,
    event::{CandidateGathered, CandidateKind, WireProtocol},
    plan::AdversaryPlan,
};
use std::net::IpAddr;

/// PRV-1. Of a user who hides the addresses the peer's whole view is judged. Of all others what reaches the peer through
/// signaling before the accept, and which candidates the caller offers then; packets of a device that has not accepted
/// are the business of `nothing_parsed_or_sent_before_accept`.
pub(crate) fn relay_only_hides_addresses(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for hider in 0..run.cast.len() {
        let relay_only = run.cast.participant(hider).relay_only;
        for peer in (0..run.cast.len()).filter(|peer| *peer != hider) {
            let hidden = Hidden::of(run, hider, peer);
            if relay_only {
                hidden.judge_signals(u64::MAX, &mut checks);
                hidden.judge_packets(&mut checks);
                hidden.judge_pairs(&mut checks);
            } else {
                hidden.judge_signals(first_accept(run, hider, peer), &mut checks);
            }
        }
        judge_candidates(run, hider, relay_only, &mut checks);
    }
    checks
}

/// The record of the first acceptance between two devices.
fn first_accept(run: &Run, one: usize, other: usize) -> u64 {
    let calls = run.calls.by_id.values();
    let between = calls.filter(|call| call.devices.is_some_and(|ends| [(one, other), (other, one)].contains(&ends)));
    between.filter_map(|call| call.accepted_from()).min().unwrap_or(u64::MAX)
}

fn judge_candidates(run: &Run, device: usize, relay_only: bool, checks: &mut Checks) {
    let participant = run.cast.participant(device);
    let own = [participant.address, participant.access.public_address];
    // What an attacker's own client gives away is not judged.
    let misbehaves = run.plan.adversary.contains(&AdversaryPlan::CandidatesInOffer);
    for candidate in run.events.candidates.iter().filter(|seen| seen.device == participant.device && seen.offered) {
        if relay_only {
            let hides = candidate.kind == CandidateKind::Relayed && !own.contains(&candidate.address.ip());
            checks.check(hides, candidate.at, candidate.index, || offers(candidate, "which hides its addresses"));
        } else if let Some(part) = run.call_at(device, candidate.index).filter(|part| part.ring.is_none() && !misbehaves) {
            let accepted = run.calls.by_id.get(&part.call).and_then(|call| call.accepted_from());
            checks.check(accepted.is_some_and(|from| from < candidate.index), candidate.at, candidate.index, || {
                offers(candidate, "whose call is not accepted")
            });
        }
    }
}

fn offers(candidate: &CandidateGathered, clause: &str) -> String {
    let (device, kind, address) = (&candidate.device, candidate.kind, candidate.address);
    format!("{device}, {clause}, offers the {kind:?} candidate {address}")
}

/// What one device must not learn about another.
struct Hidden<'r, 'a> {
    run: &'r Run<'a>,
    hider: &'a ActorName,
    peer: &'a ActorName,
    addresses: Vec<IpAddr>,
    /// As text, which is telling in any bytes.
    texts: Vec<Vec<u8>>,
    /// As bytes: as they are, reversed, XORed with the STUN magic cookie, and both. Too short to be telling in ciphertext.
    binaries: Vec<Vec<u8>>,
}

impl<'r, 'a> Hidden<'r, 'a> {
    fn of(run: &'r Run<'a>, hider: usize, peer: usize) -> Hidden<'r, 'a> {
        let (own, other) = (run.cast.participant(hider), run.cast.participant(peer));
        // Behind one NAT the outer address is the peer's own too.
        let known = [other.address, other.access.public_address];
        let mut addresses = vec![own.address, own.access.public_address];
        addresses.dedup();
        addresses.retain(|address| !known.contains(address));
        Hidden {
            run,
            hider: run.cast.name(hider),
            peer: run.cast.name(peer),
            texts: addresses.iter().map(|address| address.to_string().into_bytes()).collect(),
            binaries: addresses.iter().flat_map(|address| binary_forms(*address)).collect(),
            addresses,
        }
    }

    fn judge_signals(&self, until: u64, checks: &mut Checks) {
        for signal in self.run.events.signals.iter().filter(|seen| seen.to == *self.peer && seen.index < until) {
            let body = self.run.log.bytes(signal.body);
            let holds = self.texts.iter().chain(&self.binaries).any(|form| contains(body, form));
            checks.check(!holds, signal.at, signal.index, || {
                format!("the message {} to {} holds an address of {}", signal.message, self.peer, self.hider)
            });
        }
    }

    fn judge_packets(&self, checks: &mut Checks) {
        for arrived in self.run.events.packets_arrived.iter().filter(|seen| seen.to == *self.peer) {
            let Some(sent) = self.run.packets.get(arrived.packet).and_then(|packet| packet.sent) else { continue };
            let from_address = self.addresses.contains(&arrived.source.ip());
            let holds = self.is_told(sent.protocol, self.run.log.bytes(sent.bytes));
            checks.check(!from_address && !holds, arrived.at, arrived.index, || {
                let (packet, peer, hider) = (arrived.packet.0, self.peer, self.hider);
                let verb = if from_address { "comes from" } else { "holds" };
                format!("packet {packet} that reaches {peer} {verb} an address of {hider}")
            });
        }
    }

    /// Whether a datagram's readable part tells an address.
    fn is_told(&self, protocol: WireProtocol, bytes: &[u8]) -> bool {
        let tells = |bytes: &[u8]| self.texts.iter().chain(&self.binaries).any(|form| contains(bytes, form));
        match protocol {
            WireProtocol::Stun => readable_attributes(bytes).any(tells),
            WireProtocol::TurnChannel => self.is_told(inner_protocol(bytes), bytes.get(4..).unwrap_or(&[])),
            // Header and extensions lie in front; what follows is ciphertext. Signaling is judged inside TLS.
            WireProtocol::Rtp | WireProtocol::Rtcp => {
                let front = &bytes[..bytes.len().min(64)];
                self.texts.iter().any(|text| contains(front, text))
            }
            WireProtocol::Quic => false,
            WireProtocol::Dtls | WireProtocol::Other => tells(bytes),
        }
    }

    fn judge_pairs(&self, checks: &mut Checks) {
        for pair in self.run.events.pairs.iter().filter(|seen| seen.device == *self.peer) {
            checks.check(!self.addresses.contains(&pair.remote.ip()), pair.at, pair.index, || told_pair(pair, self.hider));
        }
    }
}

fn told_pair(pair: &Seen<kernel::event::PairSelected>, hider: &ActorName) -> String {
    format!("{} uses a pair with {}, an address of {hider}, which hides it", pair.device, pair.remote.ip())
}

const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

fn binary_forms(address: IpAddr) -> Vec<Vec<u8>> {
    let raw: Vec<u8> = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let mut xored = raw.clone();
    xored.iter_mut().zip(MAGIC_COOKIE).for_each(|(byte, cookie)| *byte ^= cookie);
    let reversed = |bytes: &[u8]| bytes.iter().rev().copied().collect::<Vec<u8>>();
    // Of a version 6 address the rest is XORed with the transaction id: the front is telling enough.
    xored.truncate(if raw.len() == 4 { 4 } else { 0 });
    let mut forms = vec![reversed(&raw), raw, reversed(&xored), xored];
    forms.retain(|form| !form.is_empty());
    forms
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Values of the attributes of a STUN message (RFC 8489 section 5) without those that are keyed hashes or checksums: four
/// of their bytes could be anybody's address.
fn readable_attributes(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    const MESSAGE_INTEGRITY: u16 = 0x0008;
    const MESSAGE_INTEGRITY_SHA256: u16 = 0x001c;
    const FINGERPRINT: u16 = 0x8028;
    let mut rest = bytes.get(20..).unwrap_or(&[]);
    std::iter::from_fn(move || {
        loop {
            let (head, tail) = rest.split_first_chunk::<4>()?;
            let kind = u16::from_be_bytes([head[0], head[1]]);
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let value = &tail[..length.min(tail.len())];
            rest = tail.get(length.next_multiple_of(4)..).unwrap_or(&[]);
            if !matches!(kind, MESSAGE_INTEGRITY | MESSAGE_INTEGRITY_SHA256 | FINGERPRINT) {
                return Some(value);
            }
        }
    })
}

/// What channel data carries, by the first byte inside (RFC 7983).
fn inner_protocol(bytes: &[u8]) -> WireProtocol {
    match bytes.get(4) {
        Some(0..=3) => WireProtocol::Stun,
        Some(20..=63) => WireProtocol::Dtls,
        Some(128..=191) => WireProtocol::Rtp,
        _ => WireProtocol::Other,
    }
}

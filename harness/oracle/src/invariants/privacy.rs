//! PRV: who learns whose address.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Run, Seen},
};
use kernel::{
    ActorName,
    event::{CandidateGathered, CandidateKind, Signal, WireProtocol},
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

/// PRV-2. What `relay_only_hides_addresses` judges is not judged again; what a peer tells by itself is sealed.
pub(crate) fn no_address_to_others(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for hider in (0..run.cast.len()).filter(|hider| !run.cast.participant(*hider).relay_only) {
        for peer in (0..run.cast.len()).filter(|peer| *peer != hider) {
            let accepted = first_accept(run, hider, peer);
            let hidden = Hidden::of(run, hider, peer);
            let told = run.events.signals.of(hidden.peer).filter(|seen| seen.from == run.plan.signaling.name);
            for signal in told.filter(|seen| seen.index >= accepted) {
                if signal.message != "from_peer" {
                    hidden.judge_signal(signal, &mut checks);
                }
            }
        }
    }
    checks
}

/// The record of the first acceptance between two devices.
fn first_accept(run: &Run, one: usize, other: usize) -> u64 {
    let calls = run.calls.by_id.values();
    let between = calls.filter(|call| call.pairs().any(|ends| [(one, other), (other, one)].contains(&ends)));
    between.filter_map(|call| call.accepted_from()).min().unwrap_or(u64::MAX)
}

fn judge_candidates(run: &Run, device: usize, relay_only: bool, checks: &mut Checks) {
    let participant = run.cast.participant(device);
    let own = participant.addresses();
    // What an attacker's own client gives away is not judged.
    let misbehaves = run.plan.adversary.contains(&AdversaryPlan::CandidatesInOffer);
    for candidate in run.events.candidates.of(&participant.device).filter(|seen| seen.offered) {
        if relay_only {
            let hides = candidate.kind == CandidateKind::Relayed && !own.contains(&candidate.address.ip());
            checks.check(hides, candidate.at, candidate.index, || offers(candidate, "which hides its addresses"));
        } else if let Some(part) =
            run.call_at(device, candidate.index).filter(|part| part.ring.is_none() && !misbehaves)
        {
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
        let known = other.addresses();
        let mut addresses = own.addresses();
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
        for signal in self.run.events.signals.of(self.peer).filter(|seen| seen.index < until) {
            self.judge_signal(signal, checks);
        }
    }

    fn judge_signal(&self, signal: &Seen<Signal>, checks: &mut Checks) {
        let body = self.run.log.bytes(signal.body);
        let holds = self.texts.iter().chain(&self.binaries).any(|form| contains(body, form));
        checks.check(!holds, signal.at, signal.index, || {
            format!("the message {} to {} holds an address of {}", signal.message, self.peer, self.hider)
        });
    }

    fn judge_packets(&self, checks: &mut Checks) {
        for arrived in self.run.events.packets_arrived.of(self.peer) {
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
            WireProtocol::Dtls | WireProtocol::Tcp | WireProtocol::Other => tells(bytes),
        }
    }

    fn judge_pairs(&self, checks: &mut Checks) {
        for pair in self.run.events.pairs.of(self.peer) {
            checks.check(!self.addresses.contains(&pair.remote.ip()), pair.at, pair.index, || {
                told_pair(pair, self.hider)
            });
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
    let Some((first, rest)) = needle.split_first() else { return true };
    let mut behind = haystack;
    while let Some(at) = behind.iter().position(|byte| byte == first) {
        behind = &behind[at + 1..];
        if behind.starts_with(rest) {
            return true;
        }
    }
    false
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

#[cfg(test)]
mod tests {
    use super::{binary_forms, readable_attributes};
    use crate::story::{Story, address_of, relay_address};
    use kernel::event::{self, CandidateKind, Event, WireProtocol};
    use std::net::SocketAddr;

    const HIDES: &str = "relay_only_hides_addresses";
    const SERVER: &str = "no_address_to_others";
    const PRIVATE: [u8; 4] = [192, 168, 84, 6];

    /// A call in which bob hides his addresses, over the relay.
    fn hidden() -> Story {
        let mut story = Story::new();
        story.plan.participants[1].relay_only = true;
        story.live();
        story.pair("alice-phone", address_of("alice-phone"), relay_address(), true);
        story
    }

    /// `live` tells a direct pair, which is bob's leak already: the call as it was before it.
    fn before_pairs() -> Story {
        let mut story = Story::new();
        story.plan.participants[1].relay_only = true;
        story.befriend().ringing();
        story
    }

    fn candidate(device: &str, kind: CandidateKind, address: SocketAddr, offered: bool) -> Event {
        Event::CandidateGathered(event::CandidateGathered { device: device.into(), kind, address, offered })
    }

    fn to_alice(bytes: &[u8], source: SocketAddr, protocol: WireProtocol) -> Story {
        let mut story = before_pairs();
        story.packet(("relay", "alice-phone"), (source, address_of("alice-phone")), protocol, bytes);
        story
    }

    fn stun(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = value.len() as u16;
        [
            &[1, 1, 0, length as u8 + 4, 0x21, 0x12, 0xa4, 0x42][..],
            &[9; 12],
            &kind.to_be_bytes(),
            &length.to_be_bytes(),
            value,
        ]
        .concat()
    }

    #[test]
    fn bytes_are_found_wherever_they_lie_and_only_there() {
        let haystack = [1, 1, 1, 2, 3, 1, 2];
        for needle in [&[1, 1, 2][..], &[1, 2], &[3, 1, 2], &[1], &[1, 1, 1, 2, 3, 1, 2], &[]] {
            assert!(super::contains(&haystack, needle), "{needle:?}");
        }
        for needle in [&[2, 1][..], &[1, 1, 1, 1], &[2, 3, 1, 2, 1], &[4]] {
            assert!(!super::contains(&haystack, needle), "{needle:?}");
        }
    }

    #[test]
    fn a_peer_that_sees_the_relay_only() {
        let story = to_alice(&stun(0x0020, &[0; 8]), relay_address(), WireProtocol::Stun);
        assert!(story.holds(HIDES) > 0);
    }

    #[test]
    fn a_direct_pair_shows_the_address() {
        let sentence = hidden().fails_only(HIDES);
        assert_eq!(sentence, "alice-phone uses a pair with 198.51.100.22, an address of bob-phone, which hides it");
    }

    #[test]
    fn a_packet_comes_from_the_hidden_address() {
        let sentence = to_alice(&[0; 30], address_of("bob-phone"), WireProtocol::Dtls).fails_only(HIDES);
        assert_eq!(sentence, "packet 1 that reaches alice-phone comes from an address of bob-phone");
    }

    #[test]
    fn a_packet_holds_the_hidden_address_in_any_form() {
        for form in binary_forms("192.168.84.6".parse().unwrap()) {
            let bytes = stun(0x0012, &[&[0, 1, 0x13, 0x88], &form[..]].concat());
            let sentence = to_alice(&bytes, relay_address(), WireProtocol::Stun).fails_only(HIDES);
            assert_eq!(sentence, "packet 1 that reaches alice-phone holds an address of bob-phone");
        }
        let text = b"a=candidate:1 1 udp 1 192.168.84.6 5000 typ host";
        to_alice(text, relay_address(), WireProtocol::Other).fails_only(HIDES);
    }

    #[test]
    fn the_addresses_of_every_interface_are_hidden() {
        let mut story = to_alice(&[0; 30], "203.0.113.99:5000".parse().unwrap(), WireProtocol::Dtls);
        let bob = &mut story.plan.participants[1];
        let access = kernel::plan::AccessPlan { public_address: "203.0.113.99".parse().unwrap(), ..bob.access.clone() };
        let (name, address) = ("bob-phone.lte".into(), "192.168.99.5".parse().unwrap());
        bob.interfaces = vec![kernel::plan::InterfacePlan { name, address, access, starts_down: true }];
        let sentence = story.fails_only(HIDES);
        assert_eq!(sentence, "packet 1 that reaches alice-phone comes from an address of bob-phone");
    }

    #[test]
    fn a_keyed_hash_says_nothing() {
        let story =
            to_alice(&stun(0x0008, &[&[1; 8], &PRIVATE[..], &[2; 8]].concat()), relay_address(), WireProtocol::Stun);
        story.holds(HIDES);
    }

    #[test]
    fn attributes_are_walked_with_their_padding() {
        let message =
            [&stun(0x0006, b"abc")[..], &[0], &[0x80, 0x28, 0, 4, 1, 2, 3, 4], &[0, 0x24, 0, 4, 5, 6, 7, 8]].concat();
        let values: Vec<&[u8]> = readable_attributes(&message).collect();
        assert_eq!(values, [&b"abc"[..], &[5, 6, 7, 8]]);
    }

    #[test]
    fn a_hider_offers_relayed_candidates_only() {
        let offer = |kind, address| {
            let mut story = before_pairs();
            story.tell(candidate("bob-phone", kind, address, true));
            story
        };
        let relayed: SocketAddr = "192.0.2.33:49152".parse().unwrap();
        // While it rings every candidate is also too early: that is another invariant.
        assert_eq!(offer(CandidateKind::Relayed, relayed).report(HIDES).violations, 0);
        let leak = offer(CandidateKind::Host, "192.168.84.6:5000".parse().unwrap());
        let sentence = leak.report(HIDES).first_violation.unwrap().message;
        assert_eq!(sentence, "bob-phone, which hides its addresses, offers the Host candidate 192.168.84.6:5000");
        assert_eq!(offer(CandidateKind::Relayed, address_of("bob-phone")).report(HIDES).violations, 1);
    }

    #[test]
    fn a_candidate_that_is_kept_is_no_leak() {
        let mut story = before_pairs();
        story.tell(candidate("bob-phone", CandidateKind::Host, "192.168.84.6:5000".parse().unwrap(), false));
        story.holds(HIDES);
    }

    #[test]
    fn a_caller_offers_nothing_before_the_accept() {
        let mut story = Story::new();
        story.befriend().ringing().tell(candidate("alice-phone", CandidateKind::Host, address_of("alice-phone"), true));
        let sentence = story.fails_only(HIDES);
        assert!(
            sentence.starts_with("alice-phone, whose call is not accepted, offers the Host candidate"),
            "{sentence}"
        );
        let mut story = Story::new();
        story.live().tell(candidate("alice-phone", CandidateKind::Host, address_of("alice-phone"), true));
        story.holds(HIDES);
    }

    #[test]
    fn signaling_tells_no_address_after_the_accept_either() {
        let told = |message, body: &[u8]| {
            let mut story = Story::new();
            story.live().signal("signaling", "bob-phone", message, body).over(7_900);
            story
        };
        assert!(told("accepted", b"nothing").holds(SERVER) > 0);
        told("from_peer", b"from 203.0.113.11").holds(SERVER);
        for body in [&b"from 203.0.113.11"[..], &[0, 203, 0, 113, 11, 136, 39]] {
            let sentence = told("accepted", body).fails_only(SERVER);
            assert_eq!(sentence, "the message accepted to bob-phone holds an address of alice-phone");
        }
    }

    #[test]
    fn signaling_tells_no_address_before_the_accept() {
        let mut story = Story::new();
        story.befriend().ringing().signal("signaling", "bob-phone", "ring", b"from 203.0.113.11");
        assert_eq!(story.fails_only(HIDES), "the message ring to bob-phone holds an address of alice-phone");
        let mut story = Story::new();
        story.live().signal("signaling", "bob-phone", "from_peer", b"from 203.0.113.11");
        story.holds(HIDES);
    }
}

//! DTLS from addresses that no check of ICE has vouched for.
//!
//! str0m takes DTLS from anybody, and a ClientHello from elsewhere would begin another handshake. Yet the peer may have its
//! answer before this side has its own: then its ClientHello comes first, and to lose it costs a retransmission. So it
//! waits until a check of this side to where it came from is answered, which nobody can forge who does not see the check.

use super::Transport;
use kernel::{Micros, PacketId, SimTime, event, event::UncheckedReason, mutant};
use std::net::SocketAddr;
use str0m::{
    Input,
    net::{Protocol, Receive},
};

/// Packets that wait at most, of all addresses. A flight of DTLS has up to three.
const MAX_WAITING: usize = 8;
/// Of one address, so that whoever floods from one does not take all places.
const MAX_FROM_ONE: usize = 4;
/// The longest that waits, in bytes: what fits one Ethernet frame.
const MAX_BYTES: usize = 1_500;
/// How long one waits: on the slowest access that a call is possible over an answer to a check takes that long.
const PATIENCE: Micros = Micros::from_millis(1_500);

/// A packet that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) bytes: Vec<u8>,
    pub(super) packet: PacketId,
    pub(super) since: SimTime,
}

/// A packet that is not looked at, and why.
pub(super) type Refused = (Waiting, UncheckedReason);

/// All that wait, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Unchecked(Vec<Waiting>);

impl Unchecked {
    /// Lets a packet wait, where there is room for it.
    pub(super) fn hold(&mut self, packet: Waiting) -> Result<(), Refused> {
        let of_one = self.0.iter().filter(|waiting| waiting.source == packet.source).count();
        if packet.bytes.len() > MAX_BYTES || of_one >= MAX_FROM_ONE || self.0.len() >= MAX_WAITING {
            return Err((packet, UncheckedReason::NoRoom));
        }
        self.0.push(packet);
        Ok(())
    }

    /// Takes out what comes from an address that is vouched for by now.
    pub(super) fn vouched_for(&mut self, is_checked: impl Fn(&Waiting) -> bool) -> Vec<Waiting> {
        let (checked, others) = std::mem::take(&mut self.0).into_iter().partition(|waiting| is_checked(waiting));
        self.0 = others;
        checked
    }

    /// Takes out what waited in vain.
    pub(super) fn in_vain(&mut self, now: SimTime) -> impl Iterator<Item = Refused> + use<> {
        let is_due = |waiting: &Waiting| now.since(waiting.since) >= PATIENCE;
        let (due, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.0).into_iter().partition(is_due);
        self.0 = others;
        due.into_iter().map(|waiting| (waiting, UncheckedReason::NotInTime))
    }

    /// When the next will have waited in vain.
    pub(super) fn next_wake(&self) -> Option<SimTime> {
        self.0.first().map(|waiting| waiting.since + PATIENCE)
    }
}

impl Transport {
    /// Whether a packet of a peer's address may be looked at: a check of ICE, always; media, also from an address that the
    /// peer named, since it proves by itself whose it is and after a restart may come before this side's checks are
    /// answered; DTLS only from an address that a check has reached.
    pub(super) fn vouches(&self, source: SocketAddr, destination: SocketAddr, bytes: &[u8]) -> bool {
        match bytes.first() {
            Some(0..=3) => true,
            Some(20..=63) => mutant!(V78) || self.is_checked(source, destination, bytes),
            _ => self.remote_kinds.contains_key(&source) || self.is_checked(source, destination, bytes),
        }
    }

    fn is_checked(&self, source: SocketAddr, destination: SocketAddr, bytes: &[u8]) -> bool {
        Receive::new(Protocol::Udp, source, destination, bytes)
            .is_ok_and(|receive| self.rtc.accepts(&Input::Receive(SimTime::ZERO.to_instant(), receive)))
    }

    /// Lets DTLS wait for its address to be checked; drops anything else.
    pub(super) fn hold_unchecked(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        bytes: &[u8],
        packet: PacketId,
        now: SimTime,
    ) {
        let waiting = Waiting { source, destination, bytes: bytes.to_vec(), packet, since: now };
        let held = match bytes.first() {
            Some(20..=63) => self.unchecked.hold(waiting),
            _ => Err((waiting, UncheckedReason::NotDtls)),
        };
        if let Err(refused) = held {
            self.refuse(refused);
        }
    }

    /// Takes in what waited for the check that has just been answered.
    pub(super) fn take_in_vouched_for(&mut self, now: SimTime) {
        let mut unchecked = std::mem::take(&mut self.unchecked);
        let vouched = unchecked.vouched_for(|held| self.vouches(held.source, held.destination, &held.bytes));
        self.unchecked = unchecked;
        for held in vouched {
            self.take_in(held.source, held.destination, &held.bytes, now, now);
        }
    }

    /// Drops what waited in vain.
    pub(super) fn give_up_unchecked(&mut self, now: SimTime) {
        self.unchecked.in_vain(now).for_each(|refused| self.refuse(refused));
    }

    fn refuse(&self, (Waiting { source, packet, .. }, reason): Refused) {
        event!(UncheckedDropped { device: self.config.device.clone(), packet, source, reason });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(host: u8, at: u64, length: usize) -> Waiting {
        Waiting {
            source: SocketAddr::from(([192, 0, 2, host], 5_000)),
            destination: SocketAddr::from(([10, 0, 0, 1], 5_000)),
            bytes: vec![22; length],
            packet: PacketId(at),
            since: SimTime(at),
        }
    }

    fn reason(held: Result<(), Refused>) -> Option<UncheckedReason> {
        held.err().map(|(_, reason)| reason)
    }

    #[test]
    fn what_waits_comes_out_in_order_once_its_address_is_checked() {
        let mut unchecked = Unchecked::default();
        for (host, at) in [(1, 1), (2, 2), (1, 3)] {
            assert_eq!(unchecked.hold(packet(host, at, 100)), Ok(()));
        }
        let from = |host| move |waiting: &Waiting| waiting.source == packet(host, 0, 0).source;
        assert_eq!(unchecked.vouched_for(from(1)), [packet(1, 1, 100), packet(1, 3, 100)]);
        assert_eq!(unchecked.vouched_for(from(1)), []);
        assert_eq!(unchecked.vouched_for(from(2)), [packet(2, 2, 100)]);
    }

    #[test]
    fn what_waits_is_bounded_in_all_by_address_and_by_length() {
        let mut unchecked = Unchecked::default();
        let full = Some(UncheckedReason::NoRoom);
        assert_eq!(reason(unchecked.hold(packet(1, 0, MAX_BYTES + 1))), full);
        assert!((0..MAX_FROM_ONE).all(|_| unchecked.hold(packet(1, 0, MAX_BYTES)).is_ok()));
        assert_eq!(reason(unchecked.hold(packet(1, 0, 1))), full);
        assert!((MAX_FROM_ONE..MAX_WAITING).all(|n| unchecked.hold(packet(n as u8, 0, 1)).is_ok()));
        assert_eq!(reason(unchecked.hold(packet(99, 0, 1))), full);
    }

    #[test]
    fn nothing_waits_for_ever() {
        let mut unchecked = Unchecked::default();
        let held = unchecked.hold(packet(1, 0, 100)).and(unchecked.hold(packet(2, 600_000, 100)));
        assert_eq!((held, unchecked.next_wake()), (Ok(()), Some(SimTime(0) + PATIENCE)));
        assert_eq!(unchecked.in_vain(SimTime(PATIENCE.0 - 1)).count(), 0);
        let refused: Vec<_> = unchecked.in_vain(SimTime(PATIENCE.0)).collect();
        assert_eq!(refused, [(packet(1, 0, 100), UncheckedReason::NotInTime)]);
        assert_eq!(unchecked.next_wake(), Some(SimTime(600_000) + PATIENCE));
    }
}

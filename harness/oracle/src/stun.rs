//! The oracle's own reader of STUN (RFC 8489) and TURN (RFC 8656): types, transactions and attributes.

use std::net::IpAddr;

/// Message types: method and class.
pub(crate) const BINDING_REQUEST: u16 = 0x0001;
pub(crate) const BINDING_SUCCESS: u16 = 0x0101;
pub(crate) const ALLOCATE_REQUEST: u16 = 0x0003;
pub(crate) const ALLOCATE_SUCCESS: u16 = 0x0103;
pub(crate) const REFRESH_SUCCESS: u16 = 0x0104;

/// Attributes.
pub(crate) const USERNAME: u16 = 0x0006;
pub(crate) const LIFETIME: u16 = 0x000d;
pub(crate) const USERHASH: u16 = 0x001e;

/// A STUN message.
#[derive(Clone, Copy)]
pub(crate) struct Stun<'a> {
    bytes: &'a [u8],
}

impl<'a> Stun<'a> {
    /// Reads a datagram; `None` when it is no STUN.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Stun<'a>> {
        let is_stun = bytes.len() >= 20 && bytes[0] < 4 && bytes[4..8] == [0x21, 0x12, 0xa4, 0x42];
        is_stun.then_some(Stun { bytes })
    }

    pub(crate) fn kind(&self) -> u16 {
        u16::from_be_bytes([self.bytes[0], self.bytes[1]])
    }

    pub(crate) fn transaction(&self) -> &'a [u8] {
        &self.bytes[8..20]
    }

    /// The value of the first attribute of a kind.
    pub(crate) fn attribute(&self, wanted: u16) -> Option<&'a [u8]> {
        let mut rest = &self.bytes[20..];
        while let Some((head, tail)) = rest.split_first_chunk::<4>() {
            let kind = u16::from_be_bytes([head[0], head[1]]);
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            if kind == wanted {
                return tail.get(..length);
            }
            rest = tail.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        }
        None
    }
}

/// Whether an address is none of the public Internet. The blocks for documentation (RFC 5737, RFC 3849) are what the
/// simulation's public Internet is made of.
pub(crate) fn is_special_use(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => match address.octets() {
            [0 | 10 | 127, ..] | [169, 254, ..] | [192, 168, ..] | [198, 18 | 19, ..] | [224..=255, ..] => true,
            [100, second, ..] => second & 0xc0 == 64,
            [172, second, ..] => second & 0xf0 == 16,
            [192, 0, 0, _] | [192, 31, 196, _] | [192, 52, 193, _] | [192, 88, 99, _] | [192, 175, 48, _] => true,
            _ => false,
        },
        IpAddr::V6(address) => match address.segments() {
            [0x2001, 0xdb8, ..] => false,
            [0x2001, second, ..] => second < 0x200,
            [0x2002, ..] | [0x2620, 0x4f, 0x8000, ..] => true,
            [0x3fff, second, ..] => second < 0x1000,
            // What is no global unicast (RFC 3587).
            [first, ..] => first & 0xe000 != 0x2000,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_behind_padded_ones() {
        let message = [
            &[0, 3, 0, 20, 0x21, 0x12, 0xa4, 0x42][..],
            &[7; 12],
            &[0, 6, 0, 3],
            b"abc\0",
            &[0, 13, 0, 4, 0, 0, 2, 88],
        ];
        let bytes = message.concat();
        let stun = Stun::read(&bytes).unwrap();
        assert_eq!((stun.kind(), stun.transaction()), (ALLOCATE_REQUEST, &[7; 12][..]));
        assert_eq!(stun.attribute(USERNAME), Some(&b"abc"[..]));
        assert_eq!(stun.attribute(LIFETIME), Some(&[0, 0, 2, 88][..]));
        assert_eq!(stun.attribute(USERHASH), None);
        assert!(Stun::read(&bytes[..19]).is_none() && Stun::read(&[0x80; 20]).is_none());
    }

    #[test]
    fn special_addresses_are_told_from_public_ones() {
        let special = [
            "0.0.0.0",
            "10.66.0.5",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.0.1",
            "192.168.1.1",
            "198.19.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2001::1",
            "2002:a00:1::1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "3fff::1",
        ];
        let public =
            ["8.8.8.8", "100.63.0.1", "172.32.0.1", "192.0.2.33", "203.0.113.11", "2606:4700::1", "2001:db8::1"];
        assert!(special.iter().all(|text| is_special_use(text.parse().unwrap())));
        assert!(public.iter().all(|text| !is_special_use(text.parse().unwrap())));
    }
}

//! Addresses that no peer of a relay may have: IANA's special-purpose registries and what hides an address in another.
//!
//! A relay stands inside the operator's network. A client who may name any peer can reach what is reachable from there
//! (Slack, 2020; CVE-2020-26262 by `0.0.0.0` and `[::1]`). So whatever is not a unicast address of the public Internet
//! is refused, whether IANA calls it reachable or not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// The block of the addresses that share the first `length` bits with this one: at most 32.
    pub const fn v4(octets: [u8; 4], length: u8) -> Prefix {
        assert!(length <= 32);
        Prefix { address: IpAddr::V4(Ipv4Addr::from_octets(octets)), length }
    }

    /// The block of the addresses that share the first `length` bits with this one: at most 128.
    pub const fn v6(segments: [u16; 8], length: u8) -> Prefix {
        assert!(length <= 128);
        Prefix { address: IpAddr::V6(Ipv6Addr::from_segments(segments)), length }
    }

    /// Whether an address is in the block. Addresses of the other family never are.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                shares(u128::from(own.to_bits()) << 96, u128::from(other.to_bits()) << 96, self.length)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => shares(own.to_bits(), other.to_bits(), self.length),
            _ => false,
        }
    }
}

fn shares(one: u128, other: u128, bits: u8) -> bool {
    bits == 0 || (one ^ other) >> (128 - u32::from(bits)) == 0
}

/// IANA IPv4 Special-Purpose Address Registry (RFC 6890 and its updates), without blocks inside others, and multicast
/// (RFC 5771), which is in a registry of its own.
const V4: [Prefix; 17] = [
    Prefix::v4([0, 0, 0, 0], 8),       // "this network" (RFC 791)
    Prefix::v4([10, 0, 0, 0], 8),      // private (RFC 1918)
    Prefix::v4([100, 64, 0, 0], 10),   // shared by carriers (RFC 6598)
    Prefix::v4([127, 0, 0, 0], 8),     // loopback (RFC 1122)
    Prefix::v4([169, 254, 0, 0], 16),  // link-local (RFC 3927), and the metadata services of clouds
    Prefix::v4([172, 16, 0, 0], 12),   // private (RFC 1918)
    Prefix::v4([192, 0, 0, 0], 24),    // IETF protocol assignments (RFC 6890)
    Prefix::v4([192, 0, 2, 0], 24),    // TEST-NET-1 (RFC 5737)
    Prefix::v4([192, 31, 196, 0], 24), // AS112 (RFC 7535)
    Prefix::v4([192, 52, 193, 0], 24), // AMT (RFC 7450)
    Prefix::v4([192, 88, 99, 0], 24),  // 6to4 relays, deprecated (RFC 7526)
    Prefix::v4([192, 168, 0, 0], 16),  // private (RFC 1918)
    Prefix::v4([192, 175, 48, 0], 24), // AS112 (RFC 7534)
    Prefix::v4([198, 18, 0, 0], 15),   // benchmarks (RFC 2544)
    Prefix::v4([198, 51, 100, 0], 24), // TEST-NET-2 (RFC 5737)
    Prefix::v4([203, 0, 113, 0], 24),  // TEST-NET-3 (RFC 5737)
    Prefix::v4([224, 0, 0, 0], 3),     // multicast, reserved (RFC 1112), limited broadcast (RFC 919)
];

/// IANA IPv6 Special-Purpose Address Registry (RFC 6890 and its updates), without blocks inside others; multicast and
/// what once was special (site-local, IPv4-compatible).
const V6: [Prefix; 15] = [
    Prefix::v6([0, 0, 0, 0, 0, 0, 0, 0], 96), // unspecified, loopback, IPv4-compatible (RFC 4291)
    Prefix::v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), // IPv4-mapped (RFC 4291)
    Prefix::v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96), // IPv4-translated (RFC 2765)
    Prefix::v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96), // NAT64 (RFC 6052)
    Prefix::v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), // NAT64, local (RFC 8215)
    Prefix::v6([0x100, 0, 0, 0, 0, 0, 0, 0], 32), // discard-only and dummy prefixes (RFC 6666, RFC 9780)
    Prefix::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // IETF protocol assignments (RFC 2928): Teredo, ORCHID, …
    Prefix::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation (RFC 3849)
    Prefix::v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), // 6to4 (RFC 3056)
    Prefix::v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48), // AS112 (RFC 7534)
    Prefix::v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation (RFC 9637)
    Prefix::v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), // segment routing (RFC 9602)
    Prefix::v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), // unique local (RFC 4193)
    Prefix::v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 9), // link-local (RFC 4291), site-local (RFC 3879)
    Prefix::v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), // multicast (RFC 4291)
];

/// Whether an address is special or holds a special one.
pub(crate) fn is_special_use(address: IpAddr) -> bool {
    let blocks: &[Prefix] = if address.is_ipv4() { &V4 } else { &V6 };
    blocks.iter().any(|block| block.contains(address)) || isatap(address).is_some_and(is_special_use)
}

/// The IPv4 address in an interface identifier of ISATAP (RFC 5214): it goes with any prefix.
fn isatap(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else { return None };
    let [_, _, _, _, universal, marker, high, low] = address.segments();
    let bits = u32::from(high) << 16 | u32::from(low);
    (universal & !0x0200 == 0 && marker == 0x5efe).then(|| Ipv4Addr::from_bits(bits).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn special(text: &str) -> bool {
        is_special_use(text.parse().unwrap_or_else(|_| panic!("{text} is an address")))
    }

    /// Every row of both registries, by its first and last address.
    #[test]
    fn every_row_of_the_registries_is_special() {
        let rows = [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.31.196.0", "192.31.196.255"),
            ("192.52.193.0", "192.52.193.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("192.175.48.0", "192.175.48.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "239.255.255.255"),
            ("240.0.0.0", "255.255.255.255"),
            ("::", "::1"),
            ("::ffff:0:0", "::ffff:ffff:ffff"),
            ("64:ff9b::", "64:ff9b::ffff:ffff"),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
            ("100::", "100::ffff:ffff:ffff:ffff"),
            ("100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff"),
            ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ];
        for (first, last) in rows {
            assert!(special(first) && special(last), "{first} to {last}");
        }
    }

    #[test]
    fn addresses_beside_the_blocks_are_public() {
        let public = [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.101.0",
            "203.0.112.255",
            "223.255.255.255",
            "2001:200::",
            "2001:db7:ffff::1",
            "2001:db9::",
            "2003::1",
            "2620:4f:8001::",
            "2606:4700::1111",
            "3fff:1000::1",
            "fbff::1",
            "fe00::1",
        ];
        for address in public {
            assert!(!special(address), "{address}");
        }
    }

    #[test]
    fn an_address_hidden_in_another_is_found() {
        let hidden = [
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001:0:a00:1::f5ff:fffe",
            "2606:4700::5efe:10.0.0.1",
            "2606:4700::200:5efe:127.0.0.1",
        ];
        for address in hidden {
            assert!(special(address), "{address}");
        }
        assert!(!special("2606:4700::5efe:8.8.8.8"));
    }

    #[test]
    fn a_prefix_compares_its_own_bits_only() {
        let block = Prefix::v4([198, 51, 100, 0], 24);
        assert!(block.contains("198.51.100.255".parse().unwrap()) && !block.contains("198.51.101.0".parse().unwrap()));
        assert!(!block.contains("::ffff:198.51.100.1".parse().unwrap()));
        assert!(Prefix::v6([0; 8], 0).contains("fe80::1".parse().unwrap()));
    }
}

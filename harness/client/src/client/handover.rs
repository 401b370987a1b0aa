//! Interfaces that come and go: signaling moves to the preferred one, the call to whatever is left.

use super::Client;
use crate::config::{MEDIA_PORT, SIGNALING_PORT};
use kernel::{SimTime, packet::Interface};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Addresses that a device uses at once; further ones are not looked at.
const MAX_ADDRESSES: usize = 4;
/// The socket of a device without any interface.
pub(super) const NO_SOCKET: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), SIGNALING_PORT);

impl Client {
    /// The operating system says which interfaces are up.
    pub(super) fn change_interfaces(&mut self, up: &[Interface], now: SimTime) {
        self.addresses = addresses(up);
        if let Some(socket) = signaling_socket(&self.addresses) {
            self.account.move_to(socket, now);
        }
        let sockets = self.media_sockets();
        if let Some(transport) = self.call.as_mut().and_then(|call| call.transport.as_mut()) {
            transport.move_to(sockets, now);
        }
    }

    /// The sockets for media, the preferred first.
    pub(super) fn media_sockets(&self) -> Vec<SocketAddr> {
        self.addresses.iter().map(|address| SocketAddr::new(*address, MEDIA_PORT)).collect()
    }
}

/// The addresses of interfaces, those of the preferred one first.
pub(super) fn addresses(up: &[Interface]) -> Vec<IpAddr> {
    up.iter().flat_map(|interface| interface.addresses.iter().copied()).take(MAX_ADDRESSES).collect()
}

/// The socket for signaling: on the interface of the default route.
pub(super) fn signaling_socket(addresses: &[IpAddr]) -> Option<SocketAddr> {
    addresses.first().map(|address| SocketAddr::new(*address, SIGNALING_PORT))
}

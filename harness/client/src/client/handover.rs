//! Interfaces that come and go: signaling moves to the preferred one, the call to whatever is left.

use super::Client;
use crate::config::{MEDIA_PORT, SIGNALING_PORT};
use kernel::{SimTime, packet::Interface};
use protocol::Route;
use std::net::{IpAddr, SocketAddr};

/// Addresses that a device uses at once; further ones are not looked at.
const MAX_ADDRESSES: usize = 6;

impl Client {
    /// The operating system says which interfaces are up.
    pub(super) fn change_interfaces(&mut self, up: &[Interface], now: SimTime) {
        self.addresses = addresses(up);
        self.account.move_to(routes(up, &self.signaling), now);
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

/// The ways to signaling: from the interface of the default route, in the order of its addresses.
pub(super) fn routes(up: &[Interface], servers: &[SocketAddr]) -> Vec<Route> {
    let own = up.first().map_or(&[][..], |interface| &interface.addresses);
    let route = |address: &IpAddr| {
        let server = *servers.iter().find(|server| server.is_ipv4() == address.is_ipv4())?;
        Some(Route { local: SocketAddr::new(*address, SIGNALING_PORT), server })
    };
    own.iter().filter_map(route).collect()
}

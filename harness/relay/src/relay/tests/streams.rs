//! Clients that come by TCP and TLS.

use super::{HOUR, SimTime, instant, relay_address};
use crate::{Relay, RelayConfig, RelayInput};
use kernel::{Datagram, random::SeedTree};
use protocol::{RelayStream, ServerIdentity};
use std::net::SocketAddr;
use tcp::{Endpoint, Settings, State};
use turn_client_proto::{
    api::{TurnConfig, TurnEvent},
    prelude::TurnClientApi,
    stun::agent::Transmit,
    tcp::TurnClientTcp,
    types::{TransportType, TurnCredentials},
};

/// Lets a client try to allocate over a stream, with TLS when it pins a key; the relayed address.
fn allocate(port: u16, key: Option<u64>, password: &str) -> Option<SocketAddr> {
    let identity = |seed| ServerIdentity::generate(&mut SeedTree::root(seed).stream("identity"));
    let config = RelayConfig { identity: Some(identity(1)), ..RelayConfig::default() };
    let mut now = SimTime::ZERO;
    let mut relay = Relay::new("relay".into(), relay_address(), config, SeedTree::root(1), now);
    relay.grant("alice", "secret-a", HOUR, now);
    let local: SocketAddr = "192.0.2.77:5000".parse().unwrap();
    let server = SocketAddr::new(relay_address().ip(), port);
    let mut endpoint = Endpoint::new(local.ip(), SeedTree::root(2).stream("tcp"), now);
    let connection = endpoint.connect(local.port(), server, Settings::real_time()).unwrap();
    let mut stream: Option<RelayStream> = None;
    let mut client = TurnClientTcp::allocate(local, server, TurnConfig::new(TurnCredentials::new("alice", password)));
    let mut relayed = None;
    for _ in 0..400 {
        if stream.is_none() && endpoint.state(connection) == State::Open {
            stream = Some(key.map_or_else(RelayStream::plain, |key| RelayStream::tls_client(identity(key).public())));
        }
        if let Some(stream) = &mut stream {
            let mut bytes = Vec::new();
            endpoint.receive(connection, &mut bytes);
            for message in stream.take_in(&bytes).unwrap_or_default() {
                let transmit = Transmit::new(message.as_slice(), TransportType::Tcp, server, local);
                // A refusal that a client with another password cannot verify is ignored.
                client.recv(transmit, instant(now));
            }
            if stream.is_ready() {
                client.poll(instant(now));
                while let Some(transmit) = client.poll_transmit(instant(now)) {
                    stream.put(transmit.data.as_ref()).unwrap();
                }
            }
            endpoint.send(connection, &stream.take_outgoing());
        }
        while let Some(TurnEvent::AllocationCreated(_, address)) = client.poll_event() {
            relayed = Some(address);
        }
        while let Some(datagram) = endpoint.poll_transmit(now) {
            relay.handle(RelayInput::Datagram(datagram), now);
        }
        now.0 += 5_000;
        relay.handle(RelayInput::Timeout, now);
        let answers: Vec<Datagram> = std::iter::from_fn(|| relay.poll()).collect();
        answers.iter().for_each(|answer| endpoint.handle(answer, now));
    }
    relayed
}

#[test]
fn a_client_allocates_over_tcp_and_over_tls() {
    for (port, key) in [(relay_address().port(), None), (443, Some(1)), (5_349, Some(1))] {
        let relayed = allocate(port, key, "secret-a").expect("the relay allocates");
        assert_eq!(relayed.ip(), relay_address().ip(), "port {port}");
    }
}

#[test]
fn a_stream_lets_nobody_in_without_the_password_or_with_another_key() {
    assert_eq!(allocate(relay_address().port(), None, "guessed"), None);
    assert_eq!(allocate(443, Some(2), "secret-a"), None);
    assert_eq!(allocate(443, None, "secret-a"), None);
}

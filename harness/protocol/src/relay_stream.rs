//! TURN over TCP and TLS (RFC 8656 section 3.1): whole messages in a stream of bytes. Sans-IO: the owner moves the bytes.

use crate::tls::{self, ServerIdentity, ServerIdentityPublic};
use kernel::random;
use rustls::{ClientConnection, Connection, ServerConnection, pki_types::ServerName};
use std::{
    io::{ErrorKind, Read, Write},
    sync::Arc,
};

/// The longest message: ChannelData with its header and padding; a STUN message is not longer.
const MAX_MESSAGE: usize = 4 + 65_536;
/// Bytes that TLS may add to a message in all.
const TLS_OVERHEAD: usize = 128;

/// The other end does not speak TURN, or not TLS, or is not who it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenStream {
    /// TLS failed.
    #[error("TLS: {0}")]
    Tls(String),
    /// What came is neither STUN nor ChannelData.
    #[error("the stream holds something that is no TURN")]
    NoTurn,
}

/// One TURN connection, between the bytes of TCP and the messages of TURN.
pub struct RelayStream {
    tls: Option<Connection>,
    /// Clear bytes that are no whole message yet.
    incoming: Vec<u8>,
    /// Bytes for TCP.
    outgoing: Vec<u8>,
}

impl RelayStream {
    /// TURN over TCP.
    pub fn plain() -> RelayStream {
        RelayStream { tls: None, incoming: Vec::new(), outgoing: Vec::new() }
    }

    /// The client of a relay that must prove a key.
    pub fn tls_client(relay: ServerIdentityPublic) -> RelayStream {
        let _scope = random::scope("tls");
        let name = ServerName::try_from("relay.invalid").expect("this is a name");
        let connection = ClientConnection::new(Arc::new(tls::relay_client_config(relay)), name)
            .expect("the configuration fits the name");
        let mut stream = RelayStream { tls: Some(connection.into()), ..RelayStream::plain() };
        stream.flush();
        stream
    }

    /// A relay that proves its key.
    pub fn tls_server(identity: &ServerIdentity) -> RelayStream {
        let _scope = random::scope("tls");
        let connection =
            ServerConnection::new(Arc::new(tls::relay_server_config(identity))).expect("the configuration is whole");
        RelayStream { tls: Some(connection.into()), ..RelayStream::plain() }
    }

    /// Whether messages can pass.
    pub fn is_ready(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking())
    }

    /// Room that a message may take in TCP.
    pub fn needs(message: &[u8]) -> usize {
        message.len() + 3 + TLS_OVERHEAD
    }

    /// Takes bytes of TCP in; gives the messages that are whole now, without padding.
    ///
    /// # Errors
    /// When the other end is not one to talk to: the connection is to be closed. What waits in
    /// [`RelayStream::take_outgoing`] says why.
    pub fn take_in(&mut self, mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, BrokenStream> {
        let _scope = random::scope("tls");
        let mut messages = Vec::new();
        if self.tls.is_none() {
            self.incoming.extend_from_slice(bytes);
            self.cut(&mut messages)?;
            return Ok(messages);
        }
        while !bytes.is_empty() {
            let Some(tls) = &mut self.tls else { break };
            // Reading from a slice does not fail, and each round takes something or TLS is broken.
            if tls.read_tls(&mut bytes).map_err(|error| BrokenStream::Tls(error.to_string()))? == 0 {
                break;
            }
            let processed = tls.process_new_packets();
            self.flush();
            processed.map_err(|error| BrokenStream::Tls(error.to_string()))?;
            self.read_clear()?;
            self.cut(&mut messages)?;
        }
        Ok(messages)
    }

    /// Puts a message behind the others; ChannelData is padded to four bytes (RFC 8656 section 12.5).
    ///
    /// # Errors
    /// When TLS is over.
    pub fn put(&mut self, message: &[u8]) -> Result<(), BrokenStream> {
        let _scope = random::scope("tls");
        let mut padded = message.to_vec();
        padded.resize(message.len().next_multiple_of(4), 0);
        match &mut self.tls {
            None => self.outgoing.extend_from_slice(&padded),
            Some(tls) => {
                tls.writer().write_all(&padded).map_err(|error| BrokenStream::Tls(error.to_string()))?;
                self.flush();
            }
        }
        Ok(())
    }

    /// The bytes for TCP that came together.
    pub fn take_outgoing(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.outgoing)
    }

    fn flush(&mut self) {
        let Some(tls) = &mut self.tls else { return };
        while tls.wants_write() {
            // Writing into a vector does not fail.
            if !tls.write_tls(&mut self.outgoing).is_ok_and(|written| written > 0) {
                break;
            }
        }
    }

    fn read_clear(&mut self) -> Result<(), BrokenStream> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        match tls.reader().read_to_end(&mut self.incoming) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(BrokenStream::Tls(error.to_string())),
        }
    }

    fn cut(&mut self, messages: &mut Vec<Vec<u8>>) -> Result<(), BrokenStream> {
        let mut at = 0;
        while let Some(&[first, _, high, low]) = self.incoming[at..].first_chunk::<4>() {
            let length = usize::from(u16::from_be_bytes([high, low]));
            let (whole, padded) = match first {
                0..=63 if length % 4 == 0 => (20 + length, 20 + length),
                64..=79 => (4 + length, (4 + length).next_multiple_of(4)),
                _ => return Err(BrokenStream::NoTurn),
            };
            if padded > MAX_MESSAGE {
                return Err(BrokenStream::NoTurn);
            }
            let Some(message) = self.incoming.get(at..at + padded) else { break };
            messages.push(message[..whole].to_vec());
            at += padded;
        }
        self.incoming.drain(..at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::random::SeedTree;

    fn channel_data(length: usize) -> Vec<u8> {
        [&[0x40, 0x01][..], &(length as u16).to_be_bytes(), &vec![7; length]].concat()
    }

    fn stun(length: usize) -> Vec<u8> {
        [&[0, 1][..], &(length as u16).to_be_bytes(), &vec![9; 16 + length]].concat()
    }

    fn identity(seed: u64) -> ServerIdentity {
        ServerIdentity::generate(&mut SeedTree::root(seed).stream("identity"))
    }

    /// Moves bytes both ways, `step` at a time, until none are left; the messages of the server.
    fn pump(client: &mut RelayStream, server: &mut RelayStream, step: usize) -> Result<Vec<Vec<u8>>, BrokenStream> {
        let mut messages = Vec::new();
        loop {
            let (up, down) = (client.take_outgoing(), server.take_outgoing());
            if up.is_empty() && down.is_empty() {
                return Ok(messages);
            }
            for piece in up.chunks(step) {
                messages.extend(server.take_in(piece)?);
            }
            for piece in down.chunks(step) {
                client.take_in(piece)?;
            }
        }
    }

    #[test]
    fn messages_come_whole_however_the_stream_is_cut() {
        let sent = [stun(0), channel_data(1), channel_data(4), stun(8), channel_data(1_203), channel_data(0)];
        for step in [1, 3, 64, 10_000] {
            for tls in [false, true] {
                let (mut client, mut server) = if tls {
                    (RelayStream::tls_client(identity(1).public()), RelayStream::tls_server(&identity(1)))
                } else {
                    (RelayStream::plain(), RelayStream::plain())
                };
                pump(&mut client, &mut server, step).unwrap();
                assert!(client.is_ready() && server.is_ready());
                sent.iter().for_each(|message| client.put(message).unwrap());
                assert_eq!(pump(&mut client, &mut server, step).unwrap(), sent, "steps of {step}, TLS: {tls}");
            }
        }
    }

    #[test]
    fn channel_data_is_padded_on_the_wire() {
        let mut stream = RelayStream::plain();
        stream.put(&channel_data(1)).unwrap();
        assert_eq!(stream.take_outgoing(), [0x40, 1, 0, 1, 7, 0, 0, 0]);
    }

    #[test]
    fn another_key_is_refused() {
        let mut client = RelayStream::tls_client(identity(2).public());
        let mut server = RelayStream::tls_server(&identity(1));
        assert!(matches!(pump(&mut client, &mut server, 10_000), Err(BrokenStream::Tls(_))));
        assert!(!client.is_ready());
    }

    #[test]
    fn what_is_no_turn_breaks_the_stream() {
        for bytes in [&b"POST / HTTP/1.1"[..], &[0x80, 96, 0, 0], &[0xff; 4], &[0, 1, 0, 3]] {
            assert_eq!(RelayStream::plain().take_in(bytes), Err(BrokenStream::NoTurn), "{bytes:?}");
            let tls = RelayStream::tls_server(&identity(1)).take_in(bytes);
            assert!(!tls.is_ok_and(|messages| !messages.is_empty()), "{bytes:?}");
        }
        let clear_client = RelayStream::tls_server(&identity(1)).take_in(&stun(0).repeat(20));
        assert!(matches!(clear_client, Err(BrokenStream::Tls(_))));
    }
}

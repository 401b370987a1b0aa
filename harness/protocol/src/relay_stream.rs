//! TURN over TCP and TLS (RFC 8656 section 3.1): whole messages in a stream of bytes. Sans-IO: the owner moves the bytes.

use crate::{
    secure_stream::{BrokenTls, SecureStream, TLS_OVERHEAD},
    tls::{self, ServerIdentity, ServerIdentityPublic},
};

/// The longest message: ChannelData with its header and padding; a STUN message is not longer.
const MAX_MESSAGE: usize = 4 + 65_536;

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

impl From<BrokenTls> for BrokenStream {
    fn from(BrokenTls(why): BrokenTls) -> BrokenStream {
        BrokenStream::Tls(why)
    }
}

/// One TURN connection, between the bytes of TCP and the messages of TURN.
pub struct RelayStream(SecureStream);

impl RelayStream {
    /// TURN over TCP.
    pub fn plain() -> RelayStream {
        RelayStream(SecureStream::plain())
    }

    /// The client of a relay that must prove a key.
    pub fn tls_client(relay: ServerIdentityPublic) -> RelayStream {
        RelayStream(SecureStream::client(tls::relay_client_config(relay)))
    }

    /// A relay that proves its key.
    pub fn tls_server(identity: &ServerIdentity) -> RelayStream {
        RelayStream(SecureStream::server(tls::relay_server_config(identity)))
    }

    /// Whether messages can pass.
    pub fn is_ready(&self) -> bool {
        self.0.is_ready()
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
    pub fn take_in(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, BrokenStream> {
        self.0.take_in(bytes)?;
        self.cut()
    }

    /// Puts a message behind the others; ChannelData is padded to four bytes (RFC 8656 section 12.5).
    ///
    /// # Errors
    /// When TLS is over.
    pub fn put(&mut self, message: &[u8]) -> Result<(), BrokenStream> {
        let mut padded = message.to_vec();
        padded.resize(message.len().next_multiple_of(4), 0);
        Ok(self.0.put(&padded)?)
    }

    /// The bytes for TCP that came together.
    pub fn take_outgoing(&mut self) -> Vec<u8> {
        self.0.take_outgoing()
    }

    fn cut(&mut self) -> Result<Vec<Vec<u8>>, BrokenStream> {
        let incoming = &mut self.0.incoming;
        let (mut messages, mut at) = (Vec::new(), 0);
        while let Some(&[first, _, high, low]) = incoming[at..].first_chunk::<4>() {
            let length = usize::from(u16::from_be_bytes([high, low]));
            let (whole, padded) = match first {
                0..=63 if length % 4 == 0 => (20 + length, 20 + length),
                64..=79 => (4 + length, (4 + length).next_multiple_of(4)),
                _ => return Err(BrokenStream::NoTurn),
            };
            if padded > MAX_MESSAGE {
                return Err(BrokenStream::NoTurn);
            }
            let Some(message) = incoming.get(at..at + padded) else { break };
            messages.push(message[..whole].to_vec());
            at += padded;
        }
        incoming.drain(..at);
        Ok(messages)
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

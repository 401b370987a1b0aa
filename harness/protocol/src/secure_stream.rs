//! A stream of bytes in the clear or in TLS. Sans-IO: the owner moves the bytes of TCP.

use kernel::random;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection, pki_types::ServerName};
use std::{
    io::{ErrorKind, Read, Write},
    sync::Arc,
};

/// Bytes that TLS may add to a message in all.
pub(crate) const TLS_OVERHEAD: usize = 128;

/// TLS failed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BrokenTls(pub(crate) String);

/// One end of the stream.
pub(crate) struct SecureStream {
    tls: Option<Connection>,
    /// Clear bytes that nobody took yet.
    pub(crate) incoming: Vec<u8>,
    /// Bytes for TCP.
    outgoing: Vec<u8>,
}

impl SecureStream {
    /// Without TLS.
    pub(crate) fn plain() -> SecureStream {
        SecureStream { tls: None, incoming: Vec::new(), outgoing: Vec::new() }
    }

    /// The end that opened the connection. It names no server: that is known by its key.
    pub(crate) fn client(config: ClientConfig) -> SecureStream {
        let _scope = random::scope("tls");
        let name = ServerName::try_from("relay.invalid").expect("this is a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("the configuration fits the name");
        let mut stream = SecureStream { tls: Some(connection.into()), ..SecureStream::plain() };
        stream.flush();
        stream
    }

    /// The end that proves its key.
    pub(crate) fn server(config: ServerConfig) -> SecureStream {
        let _scope = random::scope("tls");
        let connection = ServerConnection::new(Arc::new(config)).expect("the configuration is whole");
        SecureStream { tls: Some(connection.into()), ..SecureStream::plain() }
    }

    /// Whether the handshake is over.
    pub(crate) fn is_ready(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking())
    }

    /// Takes bytes of TCP in: what they hold goes to `incoming`.
    pub(crate) fn take_in(&mut self, mut bytes: &[u8]) -> Result<(), BrokenTls> {
        let _scope = random::scope("tls");
        if self.tls.is_none() {
            self.incoming.extend_from_slice(bytes);
            return Ok(());
        }
        while !bytes.is_empty() {
            let Some(tls) = &mut self.tls else { break };
            // Reading from a slice does not fail, and each round takes something or TLS is broken.
            if tls.read_tls(&mut bytes).map_err(broken)? == 0 {
                break;
            }
            let processed = tls.process_new_packets();
            self.flush();
            processed.map_err(broken)?;
            self.read_clear()?;
        }
        Ok(())
    }

    /// Puts clear bytes behind the others.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), BrokenTls> {
        let _scope = random::scope("tls");
        match &mut self.tls {
            None => self.outgoing.extend_from_slice(bytes),
            Some(tls) => {
                tls.writer().write_all(bytes).map_err(broken)?;
                self.flush();
            }
        }
        Ok(())
    }

    /// The bytes for TCP that came together.
    pub(crate) fn take_outgoing(&mut self) -> Vec<u8> {
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

    fn read_clear(&mut self) -> Result<(), BrokenTls> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        match tls.reader().read_to_end(&mut self.incoming) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(broken(error)),
        }
    }
}

fn broken(error: impl ToString) -> BrokenTls {
    BrokenTls(error.to_string())
}

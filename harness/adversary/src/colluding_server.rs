//! A server that helps a hostile caller: it does not hold the caller's peer messages back while the call rings.

use kernel::names::ActorName;
use protocol::{ClientMessage, ServerMessage};
use signaling::Interceptor;

/// Passes the caller's peer messages to devices that only ring. What they claim must change nothing there.
#[derive(Clone, Copy, Debug, Default)]
pub struct ColludingServer;

impl Interceptor for ColludingServer {
    fn outgoing(&mut self, _: &ActorName, message: ServerMessage) -> ServerMessage {
        message
    }

    fn incoming(&mut self, _: &ActorName, message: ClientMessage) -> ClientMessage {
        message
    }

    fn passes_before_accept(&self) -> bool {
        true
    }
}

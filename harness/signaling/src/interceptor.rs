//! Where an adversary who owns the server sits.

use kernel::names::ActorName;
use protocol::{ClientMessage, ServerMessage};

/// Sees and changes every message between the server's service and its channel: a malicious server.
pub trait Interceptor {
    /// A message on its way to a device, after the service decided it.
    fn outgoing(&mut self, to: &ActorName, message: ServerMessage) -> ServerMessage;

    /// A message of a device, before the service sees it.
    fn incoming(&mut self, from: &ActorName, message: ClientMessage) -> ClientMessage;

    /// Whether peer messages of the caller pass to a device that only rings. An honest server holds them back until the
    /// call is live; a device must not depend on that.
    fn passes_before_accept(&self) -> bool {
        false
    }
}

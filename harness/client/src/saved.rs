//! What a device keeps on its disk: what an app begins with again that crashed. Every change is there at once; what a phone keeps
//! of calls and friends is small. Of a call only its id is kept: its keys were in memory, and are gone with it.

use crate::{account::SavedAccount, threads::Threads};
use kernel::{CallId, Track, UserName};
use protocol::ClientMessage;
use std::collections::{BTreeMap, BTreeSet};

/// What an app left on its device.
#[derive(Clone, Debug, Default)]
pub struct Saved {
    pub(crate) account: SavedAccount,
    /// The call that it was in, past its ring.
    pub(crate) call: Option<CallId>,
    /// Ends of calls that the server has not confirmed.
    pub(crate) farewells: Vec<(ClientMessage, CallId)>,
    pub(crate) verified: BTreeMap<UserName, [u8; 32]>,
    pub(crate) threads: Threads,
    /// The operating system's own: it did not crash.
    pub(crate) is_locked: bool,
    pub(crate) denied: BTreeSet<Track>,
}

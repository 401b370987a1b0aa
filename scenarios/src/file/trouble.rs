//! What fails: servers, paths, messages of signaling.

use crate::{located::Located, scalar::Duration};
use schemars::JsonSchema;
use serde::Deserialize;

/// Something that fails: a `node` or an `interface` that `does` something, or a cut of the core `between` two nodes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// At this time of the timeline.
    #[schemars(required)]
    pub(crate) at: Option<Located<Duration>>,
    /// Which node: `signaling`, a relay, or a participant, whose app it is then.
    pub(crate) node: Option<Located<String>>,
    /// Which access network of a participant: `alice` for `network`, `alice.lte` for the interface `lte`.
    pub(crate) interface: Option<Located<String>>,
    /// What it does.
    pub(crate) does: Option<Located<Failure>>,
    /// The two nodes between which the core carries nothing: participants or servers. What goes over a third one passes.
    pub(crate) between: Option<Located<[Located<String>; 2]>>,
    /// Of which kind of fact, as `blocked` or `unfriended`: for `crash-in-commit`.
    pub(crate) of: Option<Located<String>>,
    /// How long after it is handed to the store: for `crash-in-commit`. A transaction is durable after 1.5 ms.
    pub(crate) after: Option<Located<Duration>>,
    /// When the copy was made that takes the place of the store: for `restore-copy`.
    pub(crate) copied: Option<Located<Duration>>,
    /// How long the cut lasts; to the end of the story unless given.
    pub(crate) lasts: Option<Located<Duration>>,
}

/// How a server, an app or an interface fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Failure {
    /// It stops, with everything that it held in memory.
    Crash,
    /// It waits from now on for the first transaction with a fact `of` a kind, and crashes so long `after` handing it to its
    /// store.
    CrashInCommit,
    /// It starts again, after it stopped if it runs.
    Restart,
    /// It stops, a copy of its store that was made at the time `copied` takes the place of the store, and it starts again.
    RestoreCopy,
    /// An interface goes down. What is under way on it is lost.
    GoDown,
    /// An interface comes up.
    ComeUp,
}

/// What becomes of messages of one kind at the signaling server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignalingFault {
    /// The kind of message about a call: `invite`, `ring`, `accepted`, …
    #[schemars(required)]
    pub(crate) message: Option<Located<String>>,
    /// What becomes of it.
    #[schemars(required)]
    pub(crate) does: Option<Located<MessageFault>>,
    /// To each n-th message of the kind; each unless given.
    #[schemars(range(min = 1, max = 1_000))]
    pub(crate) every: Option<u32>,
    /// So many times at most; always unless given.
    #[schemars(range(min = 1, max = 1_000))]
    pub(crate) times: Option<u32>,
    /// How late it is; 300 ms unless given. For `delay`.
    pub(crate) by: Option<Located<Duration>>,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MessageFault {
    /// It is lost.
    Drop,
    /// It is said twice.
    Duplicate,
    /// It comes behind the next one of its kind.
    Reorder,
    /// It is late.
    Delay,
}

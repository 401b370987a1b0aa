//! What goes between the service and its durable store: rows of named tables, as bytes.

use super::TxId;
use kernel::event::Fact;
use std::fmt;

/// A table of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableName {
    /// Accounts by user.
    Accounts,
    /// Devices of session tokens, by the tokens' hashes.
    Sessions,
    /// What one user wants of another: directed edges by (who, whom).
    Edges,
    /// Threads by their ids.
    Threads,
    /// Rows of threads by user and number.
    Rows,
    /// How far readers came, by thread and user.
    Marks,
    /// Avatars by user.
    Avatars,
    /// Calls that ring or are live.
    Calls,
    /// Past call ids by the order of their use.
    UsedCalls,
    /// Messages that wait for a device, by device and order.
    Outboxes,
    /// Where there are several cores, which one serves each device.
    Homes,
    /// Privacy settings, and what came to a user, by user.
    Doors,
    /// Rings of the last hour, by (caller, callee).
    Rings,
    /// Handles looked up within the last hour, by who is counted.
    Lookups,
    /// What a push service knows each device by.
    PushTokens,
    /// Sealed pictures by their ids.
    Attachments,
    /// What they are made of, by id and place.
    Parts,
    /// What each user has there, by user.
    Shelves,
}

impl TableName {
    /// Every table.
    pub const ALL: [TableName; 18] = [
        TableName::Accounts,
        TableName::Sessions,
        TableName::Edges,
        TableName::Threads,
        TableName::Rows,
        TableName::Marks,
        TableName::Avatars,
        TableName::Calls,
        TableName::UsedCalls,
        TableName::Outboxes,
        TableName::Homes,
        TableName::Doors,
        TableName::Rings,
        TableName::Lookups,
        TableName::PushTokens,
        TableName::Attachments,
        TableName::Parts,
        TableName::Shelves,
    ];

    /// The name as text.
    pub fn as_str(self) -> &'static str {
        match self {
            TableName::Accounts => "accounts",
            TableName::Sessions => "sessions",
            TableName::Edges => "edges",
            TableName::Threads => "threads",
            TableName::Rows => "rows",
            TableName::Marks => "marks",
            TableName::Avatars => "avatars",
            TableName::Calls => "calls",
            TableName::UsedCalls => "used_calls",
            TableName::Outboxes => "outboxes",
            TableName::Homes => "homes",
            TableName::Doors => "doors",
            TableName::Rings => "rings",
            TableName::Lookups => "lookups",
            TableName::PushTokens => "push_tokens",
            TableName::Attachments => "attachments",
            TableName::Parts => "parts",
            TableName::Shelves => "shelves",
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a row of a table is from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The table.
    pub table: TableName,
    /// The row's key, in postcard.
    pub key: Vec<u8>,
    /// The row, in postcard; none where it is gone.
    pub value: Option<Vec<u8>>,
}

/// Which row of which table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowId {
    /// The table.
    pub table: TableName,
    /// The row's key, in postcard.
    pub key: Vec<u8>,
}

/// A transaction for the durable store: all of it becomes durable, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// Its number.
    pub tx: TxId,
    /// What it says.
    pub facts: Vec<Fact>,
    /// The rows that say it, in the order of tables and keys. With them go rows that changed without a fact since the
    /// last commit (a device that has been away, a message that waits): a crash may lose what changed after the last.
    pub changes: Vec<Change>,
    /// Where there are several cores, the rows that it looked up.
    pub reads: Vec<RowId>,
    /// The last transaction of another core that it knew of, by its place in the store's order.
    pub seen: u64,
}

/// A durable store holds something else than rows of the service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the table {table} holds what is no row of it: {because}")]
pub struct BrokenRow {
    /// The table.
    pub table: TableName,
    /// What is wrong.
    pub because: postcard::Error,
}

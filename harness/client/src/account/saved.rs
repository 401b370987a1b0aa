//! What is kept of an account on its device.

use super::{Account, Roster, rows::Rows};
use kernel::ActorName;
use protocol::DeviceKeys;
use std::collections::BTreeMap;

/// An account as a device keeps it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SavedAccount {
    token: Option<String>,
    logged_out: bool,
    /// The number of the last row that came.
    last_row: u32,
    newcomers: BTreeMap<ActorName, (DeviceKeys, Vec<u8>)>,
    roster: Roster,
}

impl Account {
    /// What the device keeps of it.
    pub(crate) fn saved(&self) -> SavedAccount {
        SavedAccount {
            token: self.token.clone(),
            logged_out: self.logged_out,
            last_row: self.rows.last(),
            newcomers: self.newcomers.clone(),
            roster: self.roster.clone(),
        }
    }

    /// Takes over what was kept.
    pub(super) fn restore(&mut self, saved: SavedAccount) {
        let SavedAccount { token, logged_out, last_row, newcomers, roster } = saved;
        self.rows = Rows::after(last_row);
        (self.token, self.logged_out, self.newcomers, self.roster) = (token, logged_out, newcomers, roster);
    }
}

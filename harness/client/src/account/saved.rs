//! What is kept of an account on its device.

use super::{Account, Roster, rows::Rows};
use kernel::ActorName;
use protocol::{DeviceKeys, SignedEpoch};
use std::collections::BTreeMap;

/// An account as a device keeps it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SavedAccount {
    token: Option<String>,
    /// Whether it signed in once.
    pub(super) has_account: bool,
    /// The password; none before there is an account.
    password: Option<String>,
    /// The newest state of the server's store that it was told of: a crash of the app must not make it forget that.
    epoch: Option<SignedEpoch>,
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
            has_account: self.has_account,
            password: self.has_account.then(|| self.config.password.clone()),
            epoch: self.epoch.clone(),
            logged_out: self.logged_out,
            last_row: self.rows.last(),
            newcomers: self.newcomers.clone(),
            roster: self.roster.clone(),
        }
    }

    /// Takes over what was kept.
    pub(super) fn restore(&mut self, saved: SavedAccount) {
        let SavedAccount { token, has_account, password, epoch, logged_out, last_row, newcomers, roster } = saved;
        (self.has_account, self.epoch) = (has_account, epoch);
        self.config.password = password.unwrap_or_else(|| self.config.password.clone());
        self.rows = Rows::after(last_row);
        (self.token, self.logged_out, self.newcomers, self.roster) = (token, logged_out, newcomers, roster);
    }
}

//! New passwords, and the sessions that end with the old one.

use super::{Service, calls::Sender, transaction::Transaction};
use crate::password::check_password;
use kernel::{
    event::{Fact, PasswordPath},
    mutant,
    names::{ActorName, UserName},
};
use protocol::{ConnectionId, DeviceKeys, PROTOCOL_VERSION, RequestId};

impl Service {
    /// In whose name somebody acts who names an account: that of the session, and nobody else's.
    fn subject<'u>(&self, (from, named): (Sender<'u>, &'u UserName)) -> Option<&'u UserName> {
        // V101: the subject is the one that the message is about, whoever sends it.
        if mutant!(V101) {
            return self.store.account(named).map(|_| named);
        }
        (named == from.user).then_some(from.user)
    }

    /// Changes a password, with the old one. Tries of the old one count as every other's.
    pub(super) fn change_password(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        (from, named): (Sender<'_>, &UserName),
        (old, new): (&str, &str),
        work: &mut Transaction,
    ) {
        let Some(user) = self.subject((from, named)).cloned() else { return work.refuse(connection, request) };
        if check_password(new, &user).is_err() || !self.password_fits(&user, old, work) {
            return work.refuse(connection, request);
        }
        self.set_password(&user, new, (PasswordPath::Change, from.device), work);
        work.done(connection, request);
    }

    /// Logs every other device of the user out.
    pub(super) fn end_other_sessions(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        (from, named): (Sender<'_>, &UserName),
        work: &mut Transaction,
    ) {
        let Some(user) = self.subject((from, named)).cloned() else { return work.refuse(connection, request) };
        self.revoke_sessions(&user, from.device, work);
        work.done(connection, request);
    }

    /// Sets a password with a one-time code, and signs the device in that presents it. The code is proof of who it is: a
    /// device that the account does not have yet is announced all the same, and counts when another one confirms it.
    pub(super) fn reset_password(
        &mut self,
        connection: ConnectionId,
        (request, version): (RequestId, u16),
        (code, password): (&str, &str),
        (keys, consent): (DeviceKeys, Vec<u8>),
        work: &mut Transaction,
    ) {
        let may_be_bound = self.device_of(connection).is_none_or(|bound| bound == keys.device);
        let is_sound = version >= PROTOCOL_VERSION && self.is_acceptable(&keys) && keys.consents(&consent);
        // Whether a password is good enough depends on what was sent alone, and is said before any code is looked at.
        let is_good = mutant!(V121) || check_password(password, &keys.user).is_ok();
        if !may_be_bound || !is_sound || !is_good {
            return work.refuse(connection, request);
        }
        let may_be = self.may_have(&keys);
        if !self.code_fits(&keys.user, code, work) || !may_be {
            return work.refuse(connection, request);
        }
        self.set_password(&keys.user, password, (PasswordPath::Reset, &keys.device), work);
        self.let_in(connection, request, (keys, consent), work);
    }

    /// Who knew the old password, or has a session that began with it, is out.
    fn set_password(
        &mut self,
        user: &UserName,
        password: &str,
        (how, by): (PasswordPath, &ActorName),
        work: &mut Transaction,
    ) {
        let hash = self.hash(password, work);
        if let Some(account) = self.store.account_mut(user) {
            account.password = hash;
            account.codes.withdraw();
        }
        work.facts.push(Fact::PasswordSet { user: user.clone(), how, by: by.clone() });
        self.log("info", format!("{user} has another password"));
        self.revoke_sessions(user, by, work);
    }

    fn revoke_sessions(&mut self, user: &UserName, by: &ActorName, work: &mut Transaction) {
        // V103: what is logged out keeps its session and its calls.
        let others = if mutant!(V103) { Vec::new() } else { self.store.other_sessions(user, by) };
        for device in others {
            self.store.end_session(&device);
            work.facts.push(Fact::SessionRevoked { user: user.clone(), device: device.clone(), by: by.clone() });
            self.put_out(&device, work);
        }
    }
}

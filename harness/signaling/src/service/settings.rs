//! What a user chose: who may call, who may know when the user was last there. And looking handles up.

use super::{Service, transaction::Transaction};
use kernel::{
    event::{Fact, Setting},
    mutant,
    names::UserName,
    time::Micros,
};
use protocol::{ConnectionId, RequestId, ServerMessage};

impl Service {
    /// Changes a setting of the user. Only friends are close friends: whoever is none, or unknown, is refused alike.
    pub(super) fn set(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        user: &UserName,
        setting: Setting,
        work: &mut Transaction,
    ) {
        match &setting {
            Setting::Callers(whom) => self.store.door_mut(user).callers = *whom,
            Setting::LastSeen(whom) => self.store.door_mut(user).last_seen = *whom,
            Setting::CloseFriend { user: other, listed } => {
                let mut relation = self.store.relation(user, other);
                if !relation.is_friendship() {
                    return work.refuse(connection, request);
                }
                if *listed {
                    relation.close_to.insert(user.clone());
                } else {
                    relation.close_to.remove(user);
                }
                self.store.set_relation(user, other, &relation);
            }
        }
        work.facts.push(Fact::SettingChanged { by: user.clone(), setting });
        work.done(connection, request);
    }

    /// How long ago a user was last there, for friends whom the user's setting lets. Everybody else is refused alike.
    pub(super) fn tell_last_seen(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        (user, other): (&UserName, &UserName),
        work: &mut Transaction,
    ) {
        let (relation, door) = (self.store.relation(user, other), self.store.door(other));
        let lets = mutant!(V152) || door.last_seen.lets(relation.close_to.contains(other));
        if !relation.is_friendship() || !lets {
            return work.refuse(connection, request);
        }
        let is_there = |device| self.online.contains_key(device) || self.is_elsewhere(device);
        let ago = match self.store.devices(other).iter().any(is_there) {
            true => Some(Micros::ZERO),
            false => door.seen.map(|seen| work.at.since(seen)),
        };
        work.reply(connection, ServerMessage::LastSeen { request, ago });
    }

    /// Whether a handle exists. Somebody unknown and somebody who blocks look alike.
    pub(super) fn look_up(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        (user, handle): (&UserName, &UserName),
        work: &mut Transaction,
    ) {
        let relation = self.store.relation(user, handle);
        let exists = self.store.account(handle).is_some();
        let may_know = self.may_look_up(connection, (user, handle), work);
        if !may_know || !exists || !relation.blocked_by.is_empty() {
            return work.refuse(connection, request);
        }
        work.done(connection, request);
    }
}

//! Friend requests, friendships, blocks, and who follows whom.

use super::{Service, store::Relation, transaction::Transaction};
use kernel::{
    event::{CallOutcome, Fact},
    mutant,
    names::{ActorName, ThreadId, UserName},
};
use protocol::{CallEnd, ConnectionId, RequestId, ServerMessage};
use std::collections::BTreeSet;

impl Service {
    /// Asks `other` to be friends. Somebody unknown and somebody who blocks look alike. Two who ask each other are
    /// friends: both said so.
    pub(super) fn request_friend(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        (user, other): (&UserName, &UserName),
        work: &mut Transaction,
    ) {
        let mut relation = self.store.relation(user, other);
        if !self.may_be_asked(connection, (user, other), &relation, work) {
            return work.refuse(connection, request);
        }
        if relation.friends || relation.requested_by.as_ref() == Some(user) {
            return work.done(connection, request);
        }
        if relation.requested_by.as_ref() == Some(other) {
            return self.befriend(connection, request, (user, other), relation, work);
        }
        relation.requested_by = Some(user.clone());
        if !self.store.set_relation(user, other, &relation) {
            return work.refuse(connection, request);
        }
        work.facts.push(Fact::FriendRequested { from: user.clone(), to: other.clone() });
        work.done(connection, request);
        let message = ServerMessage::FriendRequest { from: user.clone() };
        work.tell_all(&self.store.devices(other), &message);
    }

    /// Answers the request of `other`. Who asked is not told of a decline.
    pub(super) fn answer_friend(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        (user, other): (&UserName, &UserName),
        accept: bool,
        work: &mut Transaction,
    ) {
        let mut relation = self.store.relation(user, other);
        if relation.requested_by.as_ref() != Some(other) {
            return work.refuse(connection, request);
        }
        if accept {
            return self.befriend(connection, request, (user, other), relation, work);
        }
        relation.requested_by = None;
        self.store.set_relation(user, other, &relation);
        work.facts.push(Fact::FriendDeclined { by: user.clone(), other: other.clone() });
        work.done(connection, request);
    }

    /// Whether somebody can be asked for anything: exists, is somebody else, and neither blocks the other. Whoever cannot is
    /// refused alike.
    pub(super) fn may_be_asked(
        &mut self,
        connection: ConnectionId,
        (user, other): (&UserName, &UserName),
        relation: &Relation,
        work: &mut Transaction,
    ) -> bool {
        let exists = self.store.account(other).is_some();
        let may_know = relation.is_known_to(user) || self.may_look_up(connection, (user, other), work);
        may_know && exists && user != other && relation.blocked_by.is_empty()
    }

    fn befriend(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        (user, other): (&UserName, &UserName),
        relation: Relation,
        work: &mut Transaction,
    ) {
        self.store.set_relation(
            user,
            other,
            &Relation {
                friends: true,
                requested_by: None,
                // What friends may do ends with the friendship, whatever was agreed to before.
                read_by: BTreeSet::new(),
                ..relation
            },
        );
        work.facts.push(Fact::Befriended { by: user.clone(), other: other.clone() });
        self.log("info", format!("{user} and {other} are friends"));
        work.done(connection, request);
        self.tell_both(user, other, |user| ServerMessage::FriendAdded { user }, work);
        for (shown, sees) in [(user, other), (other, user)] {
            let devices = self.store.devices(sees);
            self.tell_avatar(shown, &devices, work);
        }
    }

    /// Ends a friendship, and with it the pair's call.
    pub(super) fn unfriend(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        (user, other): (&UserName, &UserName),
        work: &mut Transaction,
    ) {
        let relation = self.store.relation(user, other);
        if !relation.friends {
            return work.refuse(connection, request);
        }
        self.store.set_relation(user, other, &Relation { friends: false, close_to: BTreeSet::new(), ..relation });
        work.facts.push(Fact::Unfriended { by: user.clone(), other: other.clone() });
        self.log("info", format!("{user} ended the friendship with {other}"));
        work.done(connection, request);
        self.tear_down(user, other, work);
        self.tell_both(user, other, |user| ServerMessage::FriendRemoved { user }, work);
    }

    /// Takes a request back. Whoever answers it afterwards is refused.
    pub(super) fn cancel_request(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        (user, other): (&UserName, &UserName),
        work: &mut Transaction,
    ) {
        let relation = self.store.relation(user, other);
        if relation.requested_by.as_ref() != Some(user) {
            return work.refuse(connection, request);
        }
        self.store.set_relation(user, other, &Relation { requested_by: None, ..relation });
        work.facts.push(Fact::RequestCancelled { by: user.clone(), other: other.clone() });
        work.done(connection, request);
    }

    /// Follows `other`, or follows no longer. Somebody unknown and somebody who blocks look alike.
    pub(super) fn follow(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        (user, other): (&UserName, &UserName),
        follow: bool,
        work: &mut Transaction,
    ) {
        let mut relation = self.store.relation(user, other);
        if !self.may_be_asked(connection, (user, other), &relation, work) {
            return work.refuse(connection, request);
        }
        let changes =
            if follow { relation.followed_by.insert(user.clone()) } else { relation.followed_by.remove(user) };
        if !changes {
            return work.done(connection, request);
        }
        if !self.store.set_relation(user, other, &relation) {
            return work.refuse(connection, request);
        }
        if follow {
            work.tell_all(&self.store.devices(other), &ServerMessage::Followed { by: user.clone() });
        }
        let (by, other) = (user.clone(), other.clone());
        work.facts.push(if follow { Fact::Followed { by, other } } else { Fact::Unfollowed { by, other } });
        work.done(connection, request);
    }

    /// Lifts a block. The friendship that it ended does not come back.
    pub(super) fn unblock(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        (user, other): (&UserName, &UserName),
        work: &mut Transaction,
    ) {
        let mut relation = self.store.relation(user, other);
        if !relation.blocked_by.remove(user) {
            return work.refuse(connection, request);
        }
        self.store.set_relation(user, other, &relation);
        work.facts.push(Fact::Unblocked { by: user.clone(), other: other.clone() });
        work.done(connection, request);
    }

    /// Blocks `other`. To the other side it looks like the end of a friendship.
    pub(super) fn block(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        (user, other): (&UserName, &UserName),
        work: &mut Transaction,
    ) {
        let mut relation = self.store.relation(user, other);
        let exists = self.store.account(other).is_some();
        let may_know = relation.is_known_to(user) || self.may_look_up(connection, (user, other), work);
        if !may_know || !exists || user == other {
            return work.refuse(connection, request);
        }
        let (were_friends, is_new) = (relation.friends, relation.blocked_by.insert(user.clone()));
        let relation = Relation { blocked_by: relation.blocked_by, ..Relation::default() };
        if !self.store.set_relation(user, other, &relation) {
            return work.refuse(connection, request);
        }
        work.done(connection, request);
        if !is_new {
            return;
        }
        work.facts.push(Fact::Blocked { by: user.clone(), other: other.clone() });
        self.log("info", format!("{user} blocks {other}"));
        self.tear_down(user, other, work);
        if were_friends {
            self.tell_both(user, other, |user| ServerMessage::FriendRemoved { user }, work);
        }
    }

    /// Ends the pair's call in the same transaction as their friendship: there is no instant at which one is over and
    /// the other is not.
    fn tear_down(&mut self, user: &UserName, other: &UserName, work: &mut Transaction) {
        let thread = ThreadId::between(user, other);
        let Some((call, is_live)) = self.store.active_call(&thread).map(|call| (call.id, call.ends().is_some())) else {
            return;
        };
        if !mutant!(V22) {
            let outcome = if is_live { CallOutcome::Answered } else { CallOutcome::Missed };
            self.end_call(call, CallEnd::Unfriended, outcome, work);
        }
    }

    /// Tells every device of both users of the other one.
    pub(super) fn tell_both(
        &self,
        user: &UserName,
        other: &UserName,
        message: impl Fn(UserName) -> ServerMessage,
        work: &mut Transaction,
    ) {
        let (own, others): (Vec<ActorName>, Vec<ActorName>) = (self.store.devices(user), self.store.devices(other));
        work.tell_all(&own, &message(other.clone()));
        work.tell_all(&others, &message(user.clone()));
    }
}

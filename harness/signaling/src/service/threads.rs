//! Threads of direct messages: who may write, rows, how far they came.

use super::{
    Service,
    calls::Sender,
    store::{Relation, Stored},
    transaction::Transaction,
};
use kernel::{
    event::Fact,
    mutant,
    names::{ActorName, AttachmentId, MessageId, ThreadId, UserName},
};
use protocol::{
    ConnectionId, EnvelopeKind, MAX_AVATAR_BYTES, MessageRowEntry, RequestId, RowEntry, SealedEnvelope, ServerMessage,
};
use std::collections::{BTreeMap, BTreeSet};

/// What somebody writes.
pub(super) struct Written {
    pub(super) message: MessageId,
    pub(super) to: UserName,
    pub(super) bodies: Vec<SealedEnvelope>,
    pub(super) searchable: String,
    pub(super) attachment: Option<AttachmentId>,
}

impl Service {
    /// Asks a stranger to be allowed to write, which is to agree to be written to. Somebody unknown and somebody who blocks
    /// look alike.
    pub(super) fn request_thread(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        (user, other): (&UserName, &UserName),
        work: &mut Transaction,
    ) {
        let relation = self.store.relation(user, other);
        if !self.may_be_asked(connection, (user, other), &relation, work) {
            return work.refuse(connection, request);
        }
        if relation.allows_messages() {
            // The device came later than that.
            work.done(connection, request);
            return work.reply(connection, ServerMessage::ThreadOpened { user: other.clone() });
        }
        if relation.read_by.contains(user) {
            return work.done(connection, request);
        }
        let asked_before = relation.read_by.contains(other);
        if !self.let_write(user, other, relation) {
            return work.refuse(connection, request);
        }
        work.done(connection, request);
        // Two who ask each other have both agreed.
        if asked_before {
            return self.open_thread(user, other, work);
        }
        work.facts.push(Fact::ThreadRequested { from: user.clone(), to: other.clone() });
        let message = ServerMessage::ThreadRequest { from: user.clone() };
        work.tell_all(&self.store.devices(other), &message);
    }

    /// Answers the request of `other`. Who asked is not told of a decline.
    pub(super) fn answer_thread(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        (user, other): (&UserName, &UserName),
        accept: bool,
        work: &mut Transaction,
    ) {
        let mut relation = self.store.relation(user, other);
        if !relation.read_by.contains(other) || !relation.blocked_by.is_empty() {
            return work.refuse(connection, request);
        }
        if accept && relation.read_by.contains(user) {
            return work.done(connection, request);
        }
        work.done(connection, request);
        if accept {
            self.let_write(user, other, relation);
            return self.open_thread(user, other, work);
        }
        relation.read_by.clear();
        self.store.set_relation(user, other, &relation);
        work.facts.push(Fact::ThreadDeclined { by: user.clone(), other: other.clone() });
    }

    fn let_write(&mut self, user: &UserName, other: &UserName, mut relation: Relation) -> bool {
        relation.read_by.insert(user.clone());
        self.store.set_relation(user, other, &relation)
    }

    fn open_thread(&mut self, user: &UserName, other: &UserName, work: &mut Transaction) {
        work.facts.push(Fact::ThreadOpened { by: user.clone(), other: other.clone() });
        self.log("info", format!("{user} and {other} may write to each other"));
        self.tell_both(user, other, |user| ServerMessage::ThreadOpened { user }, work);
    }

    /// Puts a message into its thread. It has a body for every other device of both users, and what goes with it is there, or it
    /// is refused: its writer then asks for the newest lists and tries again.
    pub(super) fn send_message(
        &mut self,
        (connection, request): (ConnectionId, RequestId),
        from: Sender<'_>,
        written: Written,
        work: &mut Transaction,
    ) {
        let thread = ThreadId::between(from.user, &written.to);
        let relation = self.store.relation(from.user, &written.to);
        let (theirs, own) = (self.store.devices(&written.to), self.store.devices(from.user));
        let may_write = relation.allows_messages() || mutant!(V157);
        // Looked up whoever it goes to: the time must not tell who takes it.
        let is_there =
            written.attachment.is_none_or(|attachment| self.store.may_attach(from.user, attachment, &thread));
        let bodies = bodies(&written, from.device, &thread, [&theirs, &own]);
        let Some(bodies) = bodies.filter(|_| may_write && is_there) else {
            return work.refuse(connection, request);
        };
        work.done(connection, request);
        if self.store.has_written(from.user, written.message) {
            return;
        }
        if let Some(attachment) = written.attachment {
            self.store.attach(attachment, &thread, work.at);
        }
        let (message, sender, searchable) = (written.message, from.user.clone(), written.searchable.clone());
        let entry = RowEntry::Message(MessageRowEntry { thread: thread.clone(), message, sender, searchable });
        let row = |devices: &[ActorName]| {
            let own = bodies.iter().filter(|(to, _)| devices.contains(to));
            let bodies = own.map(|(to, body)| (ActorName::clone(to), SealedEnvelope::clone(body))).collect();
            Stored { entry: entry.clone(), bodies }
        };
        let numbers = self.write_row([(from.user, row(&own)), (&written.to, row(&theirs))], work);
        work.facts.push(Fact::MessageStored { message, thread, sender: from.user.clone(), numbers });
    }

    /// Writes a row for both users, and tells all their devices. Gives its number for each.
    pub(super) fn write_row(&mut self, rows: [(&UserName, Stored); 2], work: &mut Transaction) -> [u32; 2] {
        let numbers = self.store.insert_row(rows.clone());
        for ((user, row), number) in rows.into_iter().zip(numbers) {
            for device in self.store.devices(user) {
                work.tell(&device, row.told(number, number - 1, &device, false));
            }
        }
        numbers
    }

    /// Tells a device a page of the rows behind one.
    pub(super) fn tell_rows(&mut self, user: &UserName, device: &ActorName, after: u32, work: &mut Transaction) {
        self.store.rows_after(user, device, after).into_iter().for_each(|row| work.tell(device, row));
    }

    /// How far a user came. The writer is told if the reader wants it and they are friends: to a stranger it would say when
    /// the user is there (PRV-5).
    pub(super) fn receipt(&mut self, from: Sender<'_>, row: u32, (read, tell): (bool, bool), work: &mut Transaction) {
        let Some(entry) = self.store.mark(from.user, row, read) else { return };
        let friends = self.store.relation(from.user, &entry.sender).is_friendship();
        let told = tell && friends;
        let (message, by) = (entry.message, from.user.clone());
        work.facts.push(Fact::MessageReceipt { message, by: by.clone(), read, told });
        let receipt = ServerMessage::Receipt { message, by, read };
        if told {
            work.tell_all(&self.store.devices(&entry.sender), &receipt);
        }
        if read {
            let others = self.store.devices(from.user);
            work.tell_all(others.iter().filter(|device| *device != from.device), &receipt);
        }
    }

    /// Shows the friends another picture of the user.
    pub(super) fn set_avatar(
        &mut self,
        (connection, request): (ConnectionId, RequestId),
        from: Sender<'_>,
        picture: Vec<u8>,
        work: &mut Transaction,
    ) {
        if picture.len() > MAX_AVATAR_BYTES {
            return work.refuse(connection, request);
        }
        self.store.set_avatar(from.user, picture.clone());
        work.facts.push(Fact::AvatarSet { user: from.user.clone() });
        work.done(connection, request);
        let message = ServerMessage::Avatar { user: from.user.clone(), picture };
        let friends = if mutant!(V172) { self.store.everybody_but(from.user) } else { self.store.friends(from.user) };
        for friend in friends {
            work.tell_all(&self.store.devices(&friend), &message);
        }
    }

    /// Tells devices of a friend's avatar, if there is one.
    pub(super) fn tell_avatar(&mut self, user: &UserName, devices: &[ActorName], work: &mut Transaction) {
        if let Some(picture) = self.store.avatar(user).cloned() {
            work.tell_all(devices, &ServerMessage::Avatar { user: user.clone(), picture });
        }
    }
}

/// The bodies by device, if there is exactly one for every device of both users but the one that writes.
fn bodies<'a>(
    written: &'a Written,
    writes: &ActorName,
    thread: &ThreadId,
    devices: [&[ActorName]; 2],
) -> Option<BTreeMap<&'a ActorName, &'a SealedEnvelope>> {
    let is_its = |body: &SealedEnvelope| {
        let header = &body.header;
        header.kind == EnvelopeKind::Message
            && header.subject == written.message.0
            && header.from == *writes
            && header.thread == *thread
    };
    let wanted: BTreeSet<&ActorName> = devices.into_iter().flatten().filter(|device| *device != writes).collect();
    let bodies: BTreeMap<&ActorName, &SealedEnvelope> =
        written.bodies.iter().filter(|body| is_its(body)).map(|body| (&body.header.to, body)).collect();
    let fits = written.bodies.len() == wanted.len() && bodies.keys().copied().eq(wanted);
    fits.then_some(bodies)
}

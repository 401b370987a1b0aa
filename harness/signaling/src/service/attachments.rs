//! Sealed pictures: they are left in parts before the message that names them, and fetched in parts by who got it.

use super::{
    Request, Service,
    calls::Sender,
    store::{Put, Sealed},
    transaction::Transaction,
};
use kernel::{event::Fact, names::AttachmentId, time::SimTime};
use protocol::{ConnectionId, RequestId, ServerMessage};

impl Service {
    /// Takes a part of a picture. Each is durable before it is acknowledged: a device goes on behind the last one.
    pub(super) fn put_part(
        &mut self,
        (connection, request): (ConnectionId, RequestId),
        from: Sender<'_>,
        sealed: Sealed,
        work: &mut Transaction,
    ) {
        work.always_commits = true;
        match self.store.put_part(from.user, sealed, work.at) {
            Put::Refused => return work.refuse(connection, request),
            Put::Taken => {}
            Put::Complete(bytes) => work.facts.push(Fact::PictureUploaded { by: from.user.clone(), bytes }),
        }
        work.done(connection, request);
    }

    /// Gives a part of a picture to a user of its thread. To anybody else there is none.
    pub(super) fn fetch_part(
        &mut self,
        (connection, request): (ConnectionId, RequestId),
        from: Sender<'_>,
        (attachment, part): (AttachmentId, u16),
        work: &mut Transaction,
    ) {
        match self.store.part(from.user, attachment, part) {
            Some(bytes) => work.reply(connection, ServerMessage::Part { request, bytes }),
            None => work.refuse(connection, request),
        }
    }

    /// Pictures that were kept for long enough go, once the requests before that are done.
    pub(super) fn enqueue_forgetting(&mut self, now: SimTime) {
        if !self.forgetting && self.store.next_expiry().is_some_and(|at| at <= now) {
            self.forgetting = true;
            self.queue.push_back(Request::Forget);
        }
    }
}

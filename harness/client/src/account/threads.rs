//! Threads: who may write to whom, and what goes out.

use super::{Account, Request};
use crate::pictures::Part;
use kernel::{AttachmentId, MessageId, SimTime, UserName};
use protocol::{ClientMessage, SealedEnvelope};

impl Account {
    /// Asks somebody who is no friend to be allowed to write.
    pub(crate) fn request_thread(&mut self, user: UserName, now: SimTime) {
        self.ask(Request::Thread(user.clone()), |request| ClientMessage::RequestThread { request, user });
        self.drive(now);
    }

    /// Answers somebody who asks.
    pub(crate) fn answer_thread(&mut self, user: UserName, accept: bool, now: SimTime) {
        self.ask(Request::People, |request| ClientMessage::AnswerThread { request, user, accept });
        self.drive(now);
    }

    /// Sends a message. What becomes of it is an event.
    pub(crate) fn send_message(
        &mut self,
        (message, to): (MessageId, UserName),
        bodies: Vec<SealedEnvelope>,
        (searchable, attachment): (String, Option<AttachmentId>),
        now: SimTime,
    ) {
        self.ask(Request::Message(message), |request| ClientMessage::SendMessage {
            request,
            message,
            to,
            bodies,
            searchable,
            attachment,
        });
        self.drive(now);
    }

    /// Leaves a part of a message's picture at the server. What becomes of it is an event.
    pub(crate) fn put_part(&mut self, message: MessageId, part: Part, now: SimTime) {
        let Part { attachment, part, parts, bytes } = part;
        self.ask(Request::PutPart(message), |request| ClientMessage::PutPart {
            request,
            attachment,
            part,
            parts,
            bytes,
        });
        self.drive(now);
    }

    /// Asks for a part of a message's picture.
    pub(crate) fn fetch_part(&mut self, message: MessageId, (attachment, part): (AttachmentId, u16), now: SimTime) {
        self.ask(Request::FetchPart(message), |request| ClientMessage::FetchPart { request, attachment, part });
        self.drive(now);
    }

    /// Shows the friends another picture.
    pub(crate) fn set_avatar(&mut self, picture: Vec<u8>, now: SimTime) {
        self.ask(Request::People, |request| ClientMessage::SetAvatar { request, picture });
        self.drive(now);
    }
}

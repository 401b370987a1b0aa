//! Threads: who may write to whom, and what goes out.

use super::{Account, Request};
use kernel::{MessageId, SimTime, UserName};
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
        searchable: String,
        now: SimTime,
    ) {
        self.ask(Request::Message(message), |request| ClientMessage::SendMessage {
            request,
            message,
            to,
            bodies,
            searchable,
        });
        self.drive(now);
    }

    /// Shows the friends another picture.
    pub(crate) fn set_avatar(&mut self, picture: Vec<u8>, now: SimTime) {
        self.ask(Request::People, |request| ClientMessage::SetAvatar { request, picture });
        self.drive(now);
    }
}

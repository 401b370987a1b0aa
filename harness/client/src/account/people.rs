//! What a user wants of other people: friendships, blocks, follows, who may call.

use super::{Account, Request};
use kernel::{SimTime, UserName, event::Setting};
use protocol::{ClientMessage, RequestId};

impl Account {
    /// Asks somebody to be friends.
    pub(crate) fn request_friend(&mut self, user: UserName, now: SimTime) {
        self.ask_people(|request| ClientMessage::RequestFriend { request, user }, now);
    }

    /// Answers a friend request.
    pub(crate) fn answer_friend(&mut self, user: UserName, accept: bool, now: SimTime) {
        self.ask_people(|request| ClientMessage::AnswerFriend { request, user, accept }, now);
    }

    /// Ends a friendship.
    pub(crate) fn unfriend(&mut self, user: UserName, now: SimTime) {
        self.roster.friends.remove(&user);
        self.ask_people(|request| ClientMessage::Unfriend { request, user }, now);
    }

    /// Blocks somebody.
    pub(crate) fn block(&mut self, user: UserName, now: SimTime) {
        self.roster.friends.remove(&user);
        self.roster.blocked.insert(user.clone());
        self.ask_people(|request| ClientMessage::Block { request, user }, now);
    }

    /// Takes the own friend request back.
    pub(crate) fn cancel_request(&mut self, user: UserName, now: SimTime) {
        self.ask_people(|request| ClientMessage::CancelRequest { request, user }, now);
    }

    /// Lifts a block.
    pub(crate) fn unblock(&mut self, user: UserName, now: SimTime) {
        self.roster.blocked.remove(&user);
        self.ask_people(|request| ClientMessage::Unblock { request, user }, now);
    }

    /// Follows somebody, or follows no longer.
    pub(crate) fn follow(&mut self, user: UserName, follow: bool, now: SimTime) {
        self.ask_people(|request| ClientMessage::Follow { request, user, follow }, now);
    }

    /// Looks a handle up.
    pub(crate) fn look_up(&mut self, handle: UserName, now: SimTime) {
        self.ask_people(|request| ClientMessage::LookUp { request, handle }, now);
    }

    /// Asks when somebody was last there.
    pub(crate) fn ask_last_seen(&mut self, user: UserName, now: SimTime) {
        self.ask_people(|request| ClientMessage::AskLastSeen { request, user }, now);
    }

    /// Changes a privacy setting.
    pub(crate) fn set(&mut self, setting: Setting, now: SimTime) {
        self.ask_people(|request| ClientMessage::Set { request, setting }, now);
    }

    fn ask_people(&mut self, message: impl FnOnce(RequestId) -> ClientMessage, now: SimTime) {
        self.ask(Request::People, message);
        self.drive(now);
    }
}

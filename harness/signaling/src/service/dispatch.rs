//! Which request is whose work.

use super::{
    Request, Service,
    calls::{Invite, Sender},
    store::Sealed,
    threads::Written,
    transaction::Transaction,
};
use protocol::{ClientMessage, ConnectionId, ServerMessage};

impl Service {
    pub(super) fn run(&mut self, request: Request, work: &mut Transaction) {
        match request {
            Request::Message(connection, message) => self.run_message(connection, message, work),
            Request::Closed(connection) => {
                self.online.retain(|_, online| *online != connection);
                if let Some(device) = self.connections.remove(&connection).and_then(|connection| connection.device) {
                    self.run_gone(&device, work);
                }
            }
            Request::Gone(device) => self.run_gone(&device, work),
            Request::Deliver(call) => self.deliver(call, work),
            Request::Collect(device) => self.collect(&device, work),
            Request::Expire(call) => {
                self.expiring.remove(&call);
                self.expire(call, work);
            }
            Request::Forget => {
                self.forgetting = false;
                self.store.forget_attachments(work.at);
            }
        }
    }

    fn run_message(&mut self, connection: ConnectionId, message: ClientMessage, work: &mut Transaction) {
        match message {
            ClientMessage::SignUp { request, version, password, keys, first } => {
                self.sign_up(connection, (request, version), &password, (keys, *first), work);
            }
            ClientMessage::SignIn { request, version, password, keys, consent } => {
                self.sign_in(connection, (request, version), &password, (keys, consent), work);
            }
            ClientMessage::Attach { request, version, token, rows, shown } => {
                self.attach(connection, (request, version), (&token, shown), rows, work);
            }
            ClientMessage::RequestCode { request, user } => self.request_code(connection, request, &user, work),
            ClientMessage::ResetPassword { request, version, code, password, keys, consent } => {
                self.reset_password(connection, (request, version), (&code, &password), (keys, consent), work);
            }
            ClientMessage::RegisterPush { token } => self.register_push(connection, token),
            message => {
                let device = self.device_of(connection);
                let user = device.as_ref().and_then(|device| self.store.owner(device).cloned());
                match (device, user) {
                    (Some(device), Some(user)) if !self.is_confirmed(&user, &device) => {
                        self.refuse_unconfirmed(connection, &device, &message, work);
                    }
                    (Some(device), Some(user)) => {
                        self.run_signed_in(connection, Sender { user: &user, device: &device }, message, work);
                    }
                    _ => self.log("warn", "a message came before sign-in".into()),
                }
            }
        }
    }

    fn run_signed_in(
        &mut self,
        connection: ConnectionId,
        from: Sender<'_>,
        message: ClientMessage,
        work: &mut Transaction,
    ) {
        match message {
            // Handled before sign-in; a signed-in connection cannot sign in again.
            ClientMessage::SignUp { request, .. }
            | ClientMessage::SignIn { request, .. }
            | ClientMessage::RequestCode { request, .. }
            | ClientMessage::ResetPassword { request, .. } => work.refuse(connection, request),
            ClientMessage::Attach { request, shown, .. } => {
                work.reply(connection, ServerMessage::NotAttached { request, epoch: shown });
            }
            ClientMessage::ChangePassword { request, user, old, new } => {
                self.change_password(connection, request, (from, &user), (&old, &new), work);
            }
            ClientMessage::EndOtherSessions { request, user } => {
                self.end_other_sessions(connection, request, (from, &user), work);
            }
            // Any device may be woken.
            ClientMessage::RegisterPush { token } => self.register_push(connection, token),
            ClientMessage::RequestFriend { request, user } => {
                self.request_friend(connection, request, (from.user, &user), work);
            }
            ClientMessage::AnswerFriend { request, user, accept } => {
                self.answer_friend(connection, request, (from.user, &user), accept, work);
            }
            ClientMessage::Unfriend { request, user } => self.unfriend(connection, request, (from.user, &user), work),
            ClientMessage::Block { request, user } => self.block(connection, request, (from.user, &user), work),
            ClientMessage::CancelRequest { request, user } => {
                self.cancel_request(connection, request, (from.user, &user), work);
            }
            ClientMessage::Unblock { request, user } => self.unblock(connection, request, (from.user, &user), work),
            ClientMessage::Follow { request, user, follow } => {
                self.follow(connection, request, (from.user, &user), follow, work);
            }
            ClientMessage::LookUp { request, handle } => self.look_up(connection, request, (from.user, &handle), work),
            ClientMessage::AskLastSeen { request, user } => {
                self.tell_last_seen(connection, request, (from.user, &user), work);
            }
            ClientMessage::Set { request, setting } => self.set(connection, request, from.user, setting, work),
            ClientMessage::FetchKeys { request, user } => {
                self.fetch_keys(connection, request, (from.user, &user), work);
            }
            ClientMessage::Invite { call, to, video, offers } => {
                self.invite(from, Invite { call, to, video, offers }, work);
            }
            ClientMessage::Ringing { call } => self.ringing(from, call, work),
            ClientMessage::Accept { call, answer } => self.accept(from, call, answer, work),
            ClientMessage::Decline { call } => self.decline(from, call, work),
            ClientMessage::Cancel { call } | ClientMessage::HangUp { call } => self.leave(from, call, work),
            ClientMessage::Busy { call } => self.busy(from, call, work),
            ClientMessage::HandOver { call, to } => self.hand_over(from, call, to, work),
            ClientMessage::TakeOver { call, offer } => self.take_over(from, call, offer, work),
            ClientMessage::Yield { call, word } => self.yield_call(from, call, word, work),
            ClientMessage::Rejoin { call, answer } => self.rejoin(from, call, answer, work),
            ClientMessage::ToPeer { call, body } => self.pass_to_peer(from, call, body, work),
            ClientMessage::ExtendDevices { request, link } => {
                self.extend_devices(connection, request, from, *link, work);
            }
            ClientMessage::FetchRows { after } => self.tell_rows(from.user, from.device, after, work),
            ClientMessage::RequestThread { request, user } => {
                self.request_thread(connection, request, (from.user, &user), work);
            }
            ClientMessage::AnswerThread { request, user, accept } => {
                self.answer_thread(connection, request, (from.user, &user), accept, work);
            }
            ClientMessage::SendMessage { request, message, to, bodies, searchable, attachment } => {
                let written = Written { message, to, bodies, searchable, attachment };
                self.send_message((connection, request), from, written, work);
            }
            ClientMessage::PutPart { request, attachment, part, parts, bytes } => {
                self.put_part((connection, request), from, Sealed { attachment, part, parts, bytes }, work);
            }
            ClientMessage::FetchPart { request, attachment, part } => {
                self.fetch_part((connection, request), from, (attachment, part), work);
            }
            ClientMessage::Receipt { row, read, tell } => self.receipt(from, row, (read, tell), work),
            ClientMessage::SetAvatar { request, picture } => {
                self.set_avatar((connection, request), from, picture, work);
            }
        }
    }
}

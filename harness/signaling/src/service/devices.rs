//! The devices of a user: a further one counts once another has signed for it; one that is taken out is logged out.

use super::{
    Service,
    calls::Sender,
    store::{Call, Stage},
    transaction::{Effect, Transaction},
};
use kernel::{
    event::{CallOutcome, Fact},
    mutant,
    names::{ActorName, CallId, UserName},
};
use protocol::{CallEnd, ClientMessage, ConnectionId, DeviceChange, DeviceKeys, DeviceLink, RequestId, ServerMessage};

impl Service {
    /// Whether a device counts: it is in its user's list.
    pub(super) fn is_confirmed(&self, user: &UserName, device: &ActorName) -> bool {
        mutant!(V102) || self.store.is_listed(user, device)
    }

    /// What a device that is not confirmed asks for is refused, as if there were nothing.
    pub(super) fn refuse_unconfirmed(
        &self,
        connection: ConnectionId,
        device: &ActorName,
        message: &ClientMessage,
        work: &mut Transaction,
    ) {
        match message {
            ClientMessage::RequestFriend { request, .. }
            | ClientMessage::AnswerFriend { request, .. }
            | ClientMessage::Unfriend { request, .. }
            | ClientMessage::Block { request, .. }
            | ClientMessage::CancelRequest { request, .. }
            | ClientMessage::Unblock { request, .. }
            | ClientMessage::Follow { request, .. }
            | ClientMessage::LookUp { request, .. }
            | ClientMessage::AskLastSeen { request, .. }
            | ClientMessage::Set { request, .. }
            | ClientMessage::FetchKeys { request, .. }
            | ClientMessage::ExtendDevices { request, .. }
            | ClientMessage::RequestThread { request, .. }
            | ClientMessage::AnswerThread { request, .. }
            | ClientMessage::SendMessage { request, .. }
            | ClientMessage::SetAvatar { request, .. }
            | ClientMessage::PutPart { request, .. }
            | ClientMessage::FetchPart { request, .. }
            | ClientMessage::ChangePassword { request, .. }
            | ClientMessage::EndOtherSessions { request, .. }
            | ClientMessage::RequestCode { request, .. }
            | ClientMessage::ResetPassword { request, .. }
            | ClientMessage::SignUp { request, .. }
            | ClientMessage::SignIn { request, .. } => work.refuse(connection, *request),
            ClientMessage::Attach { request, shown, .. } => {
                work.reply(connection, ServerMessage::NotAttached { request: *request, epoch: shown.clone() });
            }
            ClientMessage::Invite { call, .. } => work.tell(device, ServerMessage::Rejected { call: *call }),
            ClientMessage::Ringing { call }
            | ClientMessage::Accept { call, .. }
            | ClientMessage::Decline { call }
            | ClientMessage::Cancel { call }
            | ClientMessage::Busy { call }
            | ClientMessage::HangUp { call }
            | ClientMessage::HandOver { call, .. }
            | ClientMessage::TakeOver { call, .. }
            | ClientMessage::Yield { call, .. }
            | ClientMessage::Rejoin { call, .. }
            | ClientMessage::ToPeer { call, .. } => work.unknown_call(device, *call),
            ClientMessage::FetchRows { .. } | ClientMessage::Receipt { .. } | ClientMessage::RegisterPush { .. } => {}
        }
    }

    /// Tells a user's devices that somebody signed in with a new one.
    pub(super) fn announce(&mut self, keys: &DeviceKeys, consent: Vec<u8>, work: &mut Transaction) {
        if !mutant!(V102) {
            let message = ServerMessage::NewDevice { keys: keys.clone(), consent };
            work.tell_all(&self.store.devices(&keys.user), &message);
        }
    }

    /// A device lost its connection: its calls have a grace until it attaches again.
    pub(super) fn run_gone(&mut self, device: &ActorName, work: &Transaction) {
        if self.is_elsewhere(device) {
            return;
        }
        let is_its = |call: &Call| {
            call.caller_device == *device || call.ends().is_some_and(|(_, callee_device)| callee_device == device)
        };
        self.store.change_calls(is_its, |call| {
            call.gone.insert(device.clone(), work.at);
        });
        if let Some(user) = self.store.owner(device).cloned() {
            self.store.door_mut(&user).seen = Some(work.at);
            self.store.clear_home(device);
        }
        self.nudge_if_rung(device, work.at);
        self.log("info", format!("{device} lost its connection"));
    }

    /// The next link of a user's list of devices.
    pub(super) fn extend_devices(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        from: Sender<'_>,
        link: DeviceLink,
        work: &mut Transaction,
    ) {
        let (change, by) = (link.change.clone(), link.by.clone());
        if by != *from.device || !self.store.extend_list(from.user, link) {
            return work.refuse(connection, request);
        }
        work.done(connection, request);
        let (user, changed) = (from.user.clone(), ServerMessage::DevicesChanged { user: from.user.clone() });
        match change {
            DeviceChange::Add { keys, .. } => {
                work.facts.push(Fact::DeviceConfirmed { user, device: keys.device.clone(), by });
                self.log("info", format!("{} is a device of {} now", keys.device, keys.user));
                self.welcome(from.user, &keys.device, work);
            }
            DeviceChange::Remove { device } => {
                work.facts.push(Fact::DeviceRemoved { user, device: device.clone(), by });
                self.log_out(from.user, &device, work);
            }
        }
        work.tell_all(&self.store.devices(from.user), &changed);
        for friend in self.store.friends(from.user) {
            work.tell_all(&self.store.devices(&friend), &changed);
        }
    }

    /// Tells a device that was confirmed what its user's other devices know.
    fn welcome(&mut self, user: &UserName, device: &ActorName, work: &mut Transaction) {
        for user in self.store.friends(user) {
            self.tell_avatar(&user, std::slice::from_ref(device), work);
            work.tell(device, ServerMessage::FriendAdded { user });
        }
        self.tell_rows(user, device, 0, work);
    }

    /// Nothing that a device says counts from now on: its session, its calls and what they hold end in this transaction.
    fn log_out(&mut self, user: &UserName, device: &ActorName, work: &mut Transaction) {
        if mutant!(V103) {
            return;
        }
        self.store.remove_device(user, device);
        self.put_out(device, work);
    }

    /// What a device that has no session any more is in ends, and its connection.
    pub(super) fn put_out(&mut self, device: &ActorName, work: &mut Transaction) {
        let calls: Vec<CallId> = self.store.calls().filter(|call| call.concerns(device)).map(|call| call.id).collect();
        for call in calls {
            self.leave_call(device, call, work);
        }
        work.effects.push(Effect::LogOut(device.clone()));
        self.log("info", format!("{device} is logged out"));
    }

    /// A device is taken out of a call: what it is an end of is over, and what rings on it rings on others.
    fn leave_call(&mut self, device: &ActorName, call: CallId, work: &mut Transaction) {
        let Some(found) = self.store.call_mut(call) else { return };
        let (reason, outcome) = match &found.stage {
            Stage::Live { .. } => (CallEnd::HungUp, CallOutcome::Answered),
            Stage::Ringing if found.caller_device == *device => (CallEnd::Cancelled, CallOutcome::Cancelled),
            Stage::Ringing => {
                found.offers.remove(device);
                found.busy.remove(device);
                if !found.offers.is_empty() {
                    return;
                }
                (CallEnd::Unanswered, CallOutcome::Missed)
            }
        };
        self.end_call(call, reason, outcome, work);
    }
}

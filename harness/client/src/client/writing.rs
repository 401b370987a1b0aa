//! Direct messages: what the user writes and reads, and what comes.

use super::Client;
use crate::{
    config::Misbehaviour,
    content::{card, link, picture},
    pictures::Upload,
    threads::{Arrived, Outgoing},
};
use e2ee::envelope;
use kernel::{
    ActorName, MessageId, SimTime, ThreadId, UserName, event,
    event::{Attached, AttackKind, SecretKind, Verification},
    mutant,
};
use protocol::{
    Attachment, CallRowEntry, ClientMessage, DeviceKeys, DirectMessage, EnvelopeHeader, EnvelopeKind, MAX_TEXT_BYTES,
    MessageRowEntry, PROTOCOL_VERSION, RowEntry, SealedEnvelope, ServerMessage,
    wire::{canonical_bytes, from_canonical_bytes},
};

impl Client {
    /// The user writes to somebody. A card number to somebody whose devices were not compared is held back with a warning;
    /// that is found out here, and told to nobody.
    pub(super) fn write(&mut self, to: UserName, text: String, attached: Option<Attached>, now: SimTime) {
        if text.len() > MAX_TEXT_BYTES || to == self.user {
            return;
        }
        let held = card::is_in(&text) && self.verification(&to) != Verification::Verified && !mutant!(V120);
        let picture = if attached == Some(Attached::Picture) { picture::leaving(&self.photograph) } else { None };
        let message = MessageId(self.message_ids.bytes());
        if attached == Some(Attached::Picture) && picture.is_none() {
            return self.warn(message, &to, "no_picture");
        }
        let upload = picture.as_ref().map(|picture| Upload::new(picture, &mut self.picture_sealing));
        let attachment = match &upload {
            Some(upload) => Some(Attachment::Picture(upload.picture().clone())),
            None => self.location(attached),
        };
        let body = DirectMessage { text: text.clone(), attachment: attachment.clone() };
        if !self.threads.compose((message, to.clone()), (body, upload), held) {
            return;
        }
        let holders = self.readers(&to);
        if let Some(Attachment::Picture(picture)) = &attachment {
            let (holders, kind) = (holders.clone(), SecretKind::PictureKey);
            event!(Secret { holders, kind, kid: None, value: picture.key.value() });
        }
        event!(Secret { holders, kind: SecretKind::MessageText, kid: None, value: text });
        if let Some(picture) = picture {
            self.picture_leaves(Some(message), &picture);
        }
        if held {
            self.warn(message, &to, "card_number");
        }
        self.post(&to, now);
    }

    /// What was held back goes all the same.
    pub(super) fn send_anyway(&mut self, to: &UserName, now: SimTime) {
        self.threads.release(to);
        self.post(to, now);
    }

    /// The user looks at the thread with somebody.
    pub(super) fn read(&mut self, other: &UserName, now: SimTime) {
        if let Some(row) = self.threads.last_of(other) {
            let tell = self.read_receipts || mutant!(V160);
            self.say_receipt(ClientMessage::Receipt { row, read: true, tell }, now);
        }
    }

    /// The device is signed in, over another connection than before.
    pub(super) fn resume_threads(&mut self, now: SimTime) {
        for message in self.threads.resume() {
            self.tell_server(message, now);
        }
        // The questions for these lists may be lost too.
        for writer in self.threads.waiting_for() {
            self.account.fetch_keys(writer, now);
        }
        self.post_all(now);
        self.fetch_next(now);
    }

    /// A list of devices came that messages may have waited for, in or out.
    pub(super) fn list_known(&mut self, user: &UserName, now: SimTime) {
        self.open_waiting(user, now);
        self.post(user, now);
    }

    /// The server gives no list of somebody.
    pub(super) fn list_refused(&mut self, user: &UserName, now: SimTime) {
        self.open_waiting(user, now);
        for message in self.threads.give_up(user) {
            self.warn(message, user, "not_sent");
        }
    }

    pub(super) fn thread_message(&mut self, message: ServerMessage, now: SimTime) {
        match message {
            ServerMessage::Row { number, row, body, .. } => {
                self.arrive(Arrived { number, row, body: body.map(|body| *body) }, now);
            }
            ServerMessage::ThreadRequest { from } if !self.account.roster().is_blocked(&from) => {
                event!(ThreadAsked { device: self.device.clone(), from });
            }
            ServerMessage::ThreadOpened { user } => self.post(&user, now),
            ServerMessage::Avatar { user, picture } => self.show_avatar(&user, &picture),
            ServerMessage::Receipt { message, by, read } => {
                event!(ReceiptShown { device: self.device.clone(), message, by, read });
            }
            // The account took the others.
            _ => {}
        }
    }

    /// The server took a message, or did not.
    pub(super) fn message_answered(&mut self, message: MessageId, taken: bool, now: SimTime) {
        if taken {
            if let Some(to) = self.threads.stored(message) {
                self.post(&to, now);
            }
            return;
        }
        match self.threads.refused(message) {
            // There may be other devices than this one knows of, on either side.
            Some((to, true)) => {
                self.account.fetch_keys(self.user.clone(), now);
                self.account.fetch_keys(to, now);
            }
            Some((to, false)) => self.warn(message, &to, "not_sent"),
            None => {}
        }
    }

    /// The server has heard that the user asks somebody to be allowed to write.
    pub(super) fn thread_asked(&mut self, user: &UserName) {
        self.threads.asked(user);
    }

    fn warn(&self, message: MessageId, to: &UserName, warning: &str) {
        event!(MessageHeld { device: self.device.clone(), message, to: to.clone(), warning: warning.to_owned() });
    }

    fn post_all(&mut self, now: SimTime) {
        self.threads.awaited().iter().for_each(|to| self.post(to, now));
    }

    /// Sends what is next to somebody, or asks for what it takes.
    pub(super) fn post(&mut self, to: &UserName, now: SimTime) {
        let Some(next) = self.threads.next(to).map(|next| next.message) else { return };
        let unasked = self.misbehaves(Misbehaviour::WriteUnasked);
        if !self.account.roster().may_write(to) && !unasked {
            if self.threads.asks(to) {
                self.account.request_thread(to.clone(), now);
            }
            return;
        }
        if let Some(part) = self.threads.next_part(next) {
            return self.account.put_part(next, part, now);
        }
        let devices = self.account.roster().devices(to);
        if devices.is_empty() {
            if unasked {
                let (kind, target, detail) = (AttackKind::WriteUnasked, to.as_str().into(), "asks for keys".to_owned());
                event!(Attack { kind, target, call: None, detail });
            }
            return self.account.fetch_keys(to.clone(), now);
        }
        let own = self.account.roster().devices(&self.user).into_iter().filter(|own| own.device != self.device);
        let devices: Vec<DeviceKeys> = devices.into_iter().chain(own).collect();
        let Some(out) = self.threads.next(to).cloned() else { return };
        let bodies = self.seal_message(&out, &devices);
        let searchable = if mutant!(V159) { out.body.text.clone() } else { String::new() };
        let attachment = out.upload.as_ref().map(|upload| upload.picture().attachment);
        self.threads.sent(out.message);
        self.account.send_message((out.message, out.to), bodies, (searchable, attachment), now);
    }

    fn seal_message(&mut self, out: &Outgoing, devices: &[DeviceKeys]) -> Vec<SealedEnvelope> {
        let (thread, body) = (ThreadId::between(&self.user, &out.to), canonical_bytes(&out.body));
        let sealed = devices.iter().zip(0..).filter_map(|(device, sequence)| {
            let header = EnvelopeHeader {
                version: PROTOCOL_VERSION,
                kind: EnvelopeKind::Message,
                subject: out.message.0,
                thread: thread.clone(),
                from: self.device.clone(),
                to: device.device.clone(),
                sequence,
            };
            envelope::seal(header, &body, &self.identity, &device.sealing, &mut self.message_sealing).ok()
        });
        sealed.collect()
    }

    /// A row is in a thread. A message of a device that is not known waits for the newest list, and what follows behind it.
    fn arrive(&mut self, row: Arrived, now: SimTime) {
        let writer = self.unknown_writer(&row);
        if let Some(writer) = &writer {
            self.account.fetch_keys(writer.clone(), now);
        }
        let waits = writer.is_some() || self.threads.waits(row.thread());
        if !waits || !self.threads.wait(row.clone()) {
            self.show_row(row, now);
        }
    }

    /// Shows what waited for the list of a user's devices, and what waited behind that.
    fn open_waiting(&mut self, user: &UserName, now: SimTime) {
        for row in self.threads.take_waiting() {
            let waits_on = self.unknown_writer(&row).is_some_and(|writer| writer != *user);
            let waits = waits_on || self.threads.waits(row.thread());
            if !waits || !self.threads.wait(row.clone()) {
                self.show_row(row, now);
            }
        }
    }

    /// The writer of a message whose device is not in the last list that was seen.
    fn unknown_writer(&self, arrived: &Arrived) -> Option<UserName> {
        let (RowEntry::Message(entry), Some(body)) = (&arrived.row, &arrived.body) else { return None };
        let is_known = self.account.roster().device(&entry.sender, &body.header.from).is_some();
        (!is_known).then(|| entry.sender.clone())
    }

    fn show_row(&mut self, arrived: Arrived, now: SimTime) {
        self.threads.count(arrived.thread());
        match arrived.row {
            RowEntry::Call(row) => self.call_row(row),
            RowEntry::Message(entry) => self.show_message(arrived.number, entry, arrived.body.as_ref(), now),
        }
    }

    fn call_row(&self, row: CallRowEntry) {
        let CallRowEntry { thread, call, caller, outcome, duration } = row;
        event!(CallRow { device: self.device.clone(), thread, call, caller, outcome, duration });
    }

    fn show_message(&mut self, number: u32, entry: MessageRowEntry, body: Option<&SealedEnvelope>, now: SimTime) {
        if !self.threads.is_new(entry.message) || self.account.roster().is_blocked(&entry.sender) {
            return;
        }
        let own = self.threads.take(entry.message).filter(|_| entry.sender == self.user);
        let (own, upload) = own.map_or((None, None), |out| (Some(out.body), out.upload));
        let opened = own.or_else(|| self.open_message(&entry, body?));
        let MessageRowEntry { thread, message, sender, .. } = entry;
        event!(MessageRow {
            device: self.device.clone(),
            thread,
            message,
            sender: sender.clone(),
            text: opened.as_ref().map(|opened| opened.text.clone()),
            attached: opened.as_ref().and_then(|opened| opened.attachment.as_ref()).map(attached),
        });
        if let Some(opened) = opened {
            self.show_content(message, &opened);
            if let Some(Attachment::Picture(picture)) = &opened.attachment {
                self.picture_came((message, &sender), picture, upload.as_ref(), now);
            }
        }
        if sender == self.user {
            self.post_all(now);
        } else {
            self.threads.came(&sender, number);
            let tell = self.account.roster().is_friend(&sender);
            self.say_receipt(ClientMessage::Receipt { row: number, read: false, tell }, now);
        }
    }

    /// What a message says, if a device of its writer signed it for this device and this thread.
    fn open_message(&self, entry: &MessageRowEntry, sealed: &SealedEnvelope) -> Option<DirectMessage> {
        let header = &sealed.header;
        let fits = header.kind == EnvelopeKind::Message
            && header.subject == entry.message.0
            && header.thread == entry.thread
            && header.to == self.device;
        let writer = self.account.roster().device(&entry.sender, &header.from).filter(|_| fits)?;
        let body = envelope::open(sealed, &self.identity, &writer.signing).ok()?;
        from_canonical_bytes(&body).ok()
    }

    fn say_receipt(&mut self, receipt: ClientMessage, now: SimTime) {
        self.threads.remember(receipt.clone());
        self.tell_server(receipt, now);
    }
}

/// What a message is made of, and shows.
impl Client {
    fn location(&self, attached: Option<Attached>) -> Option<Attachment> {
        let [latitude, longitude] = self.place;
        (attached == Some(Attached::Location)).then_some(Attachment::Location { latitude, longitude })
    }

    /// Who may know what is written: every device of both users.
    fn readers(&self, to: &UserName) -> Vec<ActorName> {
        let roster = self.account.roster();
        let listed = [to, &self.user].into_iter().flat_map(|user| roster.devices(user));
        [self.device.clone()].into_iter().chain(listed.map(|keys| keys.device)).collect()
    }

    /// Shows links by their hosts. Nothing is asked of anybody for what a message holds, by looking at it.
    fn show_content(&mut self, message: MessageId, shown: &DirectMessage) {
        for link in link::links(&shown.text) {
            if mutant!(V110) && link.opens.is_some() {
                event!(Fetched { device: self.device.clone(), url: link.written.clone() });
            }
            let (device, link::Link { written, shown, opens }) = (self.device.clone(), link);
            event!(LinkShown { device, message, written, shown, opens });
        }
        if let Some(Attachment::Location { latitude, longitude }) = shown.attachment.as_ref().filter(|_| mutant!(V115))
        {
            // V115: the place is shown on a map of somebody else's.
            let url = format!("http://maps.example/tile?at={latitude},{longitude}");
            event!(Fetched { device: self.device.clone(), url });
        }
    }
}

fn attached(attachment: &Attachment) -> Attached {
    match attachment {
        Attachment::Picture(_) => Attached::Picture,
        Attachment::Location { .. } => Attached::Location,
    }
}

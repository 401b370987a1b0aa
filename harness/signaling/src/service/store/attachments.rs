//! Sealed pictures: parts that a device leaves, which users of one thread may fetch.

use super::Store;
use kernel::{
    names::{AttachmentId, ThreadId, UserName},
    time::{Micros, SimTime},
};
use protocol::{MAX_PARTS, PART_BYTES};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How long a picture of a message is kept.
pub(in crate::service) const KEPT: Micros = Micros::from_secs(30 * 24 * 3_600);
/// How long one that no message names is.
pub(in crate::service) const UNSENT: Micros = Micros::from_secs(3_600);
/// Most pictures of one account that no message names.
pub(in crate::service) const MAX_UNSENT: usize = 4;
/// Most bytes that the pictures of one account take, as they were announced: 64 of the largest.
pub(in crate::service) const MAX_SHELF_BYTES: u32 = 16 << 20;

/// A picture that a device left, or is leaving.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::service) struct Attached {
    owner: UserName,
    /// Of how many parts it is.
    parts: u16,
    /// How many of them are there: the first ones.
    arrived: u16,
    /// How many bytes those have.
    bytes: u32,
    /// The thread of the message that names it.
    thread: Option<ThreadId>,
    /// When it was begun; when the message was written, once there is one.
    since: SimTime,
}

/// What the pictures of a user take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::service) struct Shelf {
    /// Bytes, counted as whole parts.
    bytes: u32,
    /// Those that no message names.
    unsent: BTreeSet<AttachmentId>,
}

/// A part as a device leaves it.
pub(in crate::service) struct Sealed {
    pub(in crate::service) attachment: AttachmentId,
    pub(in crate::service) part: u16,
    pub(in crate::service) parts: u16,
    pub(in crate::service) bytes: Vec<u8>,
}

/// What became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::service) enum Put {
    /// It cannot be: there is no room, it is somebody else's, or another part comes first.
    Refused,
    /// It is there.
    Taken,
    /// It is there, and was the last one of so many bytes.
    Complete(u32),
}

impl Attached {
    fn expires(&self) -> SimTime {
        self.since + if self.thread.is_some() { KEPT } else { UNSENT }
    }

    fn is_complete(&self) -> bool {
        self.arrived == self.parts
    }
}

impl Sealed {
    fn is_well_formed(&self) -> bool {
        let is_last = self.part + 1 == self.parts;
        let length = self.bytes.len();
        let fits = if is_last { (1..=PART_BYTES).contains(&length) } else { length == PART_BYTES };
        (1..=MAX_PARTS).contains(&self.parts) && self.part < self.parts && fits
    }
}

fn whole_parts(parts: u16) -> u32 {
    u32::from(parts) * PART_BYTES as u32
}

impl Store {
    /// Takes a part. One that is there is not taken again, so that a device may repeat what it is not sure of.
    pub(in crate::service) fn put_part(&mut self, owner: &UserName, sealed: Sealed, now: SimTime) -> Put {
        self.touch();
        let Sealed { attachment, part, parts, .. } = sealed;
        if part >= parts || !sealed.is_well_formed() {
            return Put::Refused;
        }
        match self.attachments.get(&attachment).cloned() {
            None if part > 0 || !self.begin_attachment(owner, attachment, parts, now) => return Put::Refused,
            Some(known) if known.owner != *owner || known.parts != parts || known.arrived < part => {
                return Put::Refused;
            }
            Some(known) if part < known.arrived => return Put::Taken,
            _ => {}
        }
        let attached = self.attachments.get_mut(&attachment).expect("it is there, or was just begun");
        attached.arrived += 1;
        attached.bytes += sealed.bytes.len() as u32;
        let put = if attached.is_complete() { Put::Complete(attached.bytes) } else { Put::Taken };
        self.parts.insert((attachment, part), sealed.bytes);
        put
    }

    /// Makes room for a picture of a user, if there is some.
    fn begin_attachment(&mut self, owner: &UserName, attachment: AttachmentId, parts: u16, now: SimTime) -> bool {
        let shelf = self.shelves.get(owner).cloned().unwrap_or_default();
        let bytes = shelf.bytes + whole_parts(parts);
        if bytes > MAX_SHELF_BYTES || shelf.unsent.len() >= MAX_UNSENT {
            return false;
        }
        let shelf = self.shelves.entry(owner.clone());
        shelf.bytes = bytes;
        shelf.unsent.insert(attachment);
        let owner = owner.clone();
        let attached = Attached { owner, parts, arrived: 0, bytes: 0, thread: None, since: now };
        self.attachments.insert(attachment, attached);
        true
    }

    /// Whether a user's message of a thread may name a picture: the user's, whole, and of no other thread.
    pub(in crate::service) fn may_attach(&self, user: &UserName, attachment: AttachmentId, thread: &ThreadId) -> bool {
        self.touch();
        self.attachments.get(&attachment).is_some_and(|attached| {
            let is_free = attached.thread.as_ref().is_none_or(|bound| bound == thread);
            attached.owner == *user && attached.is_complete() && is_free
        })
    }

    /// A message of a thread names a picture: from now on the thread's users may fetch it.
    pub(in crate::service) fn attach(&mut self, attachment: AttachmentId, thread: &ThreadId, now: SimTime) {
        self.touch();
        let Some(attached) = self.attachments.get_mut(&attachment) else { return };
        (attached.thread, attached.since) = (Some(thread.clone()), now);
        let owner = attached.owner.clone();
        self.shelves.entry(owner).unsent.remove(&attachment);
    }

    /// A part of a picture, if it is of a thread of the user's. Whatever the reason why not, it is looked up as often.
    pub(in crate::service) fn part(&self, user: &UserName, attachment: AttachmentId, part: u16) -> Option<Vec<u8>> {
        self.touch();
        let bytes = self.parts.get(&(attachment, part));
        let thread = self.attachments.get(&attachment).and_then(|attached| attached.thread.as_ref());
        let (one, other) = thread?.users()?;
        bytes.filter(|_| [one, other].contains(user)).cloned()
    }

    /// When a picture is to go. Not charged: the timers' index.
    pub(in crate::service) fn next_expiry(&self) -> Option<SimTime> {
        self.attachments.values().map(Attached::expires).min()
    }

    /// Forgets what was kept for long enough.
    pub(in crate::service) fn forget_attachments(&mut self, now: SimTime) {
        self.touch();
        let due = self.attachments.iter().filter(|(_, attached)| attached.expires() <= now);
        let due: Vec<AttachmentId> = due.map(|(id, _)| *id).collect();
        for attachment in due {
            let Some(attached) = self.attachments.remove(&attachment) else { continue };
            (0..attached.arrived).for_each(|part| drop(self.parts.remove(&(attachment, part))));
            let shelf = self.shelves.entry(attached.owner.clone());
            shelf.bytes -= whole_parts(attached.parts);
            shelf.unsent.remove(&attachment);
            if *shelf == Shelf::default() {
                self.shelves.remove(&attached.owner);
            }
        }
    }
}

//! Pictures: those of messages, which go to the server sealed and ahead of their message, and avatars.

use super::Client;
use crate::{
    content::picture,
    pictures::{Fetched, Upload},
};
use kernel::{MessageId, SimTime, UserName, event};
use protocol::{MAX_AVATAR_BYTES, SealedPicture};

impl Client {
    /// The server took a part of a picture, or did not: then its message is not sent as it is either.
    pub(super) fn part_answered(&mut self, message: MessageId, taken: bool, now: SimTime) {
        if !taken {
            return self.message_answered(message, false, now);
        }
        if let Some(to) = self.threads.part_taken(message) {
            self.post(&to, now);
        }
    }

    /// A message with a picture is shown. Where it was written the picture is there; elsewhere it is fetched.
    pub(super) fn picture_came(
        &mut self,
        (message, sender): (MessageId, &UserName),
        picture: &SealedPicture,
        own: Option<&Upload>,
        now: SimTime,
    ) {
        match own {
            Some(upload) => self.show_picture(sender, Some(message), upload.file().as_deref()),
            None if !self.threads.fetches.expect(message, sender, picture) => {
                self.show_picture(sender, Some(message), None);
            }
            None => self.fetch_next(now),
        }
    }

    /// Asks for what is next of the pictures that are to be fetched.
    pub(super) fn fetch_next(&mut self, now: SimTime) {
        if self.account.is_signed_in()
            && let Some((message, part)) = self.threads.fetches.ask()
        {
            self.account.fetch_part(message, part, now);
        }
    }

    pub(super) fn part_came(&mut self, message: MessageId, part: Option<&[u8]>, now: SimTime) {
        if let Some(Fetched { message, sender, file }) = self.threads.fetches.came(message, part) {
            self.show_picture(&sender, Some(message), file.as_deref());
        }
        self.fetch_next(now);
    }

    /// The user shows another avatar. A photograph that is too large for one stays here: nothing makes it smaller.
    pub(super) fn set_avatar(&mut self, now: SimTime) {
        if let Some(picture) = picture::leaving(&self.photograph).filter(|picture| picture.len() <= MAX_AVATAR_BYTES) {
            self.picture_leaves(None, &picture);
            self.account.set_avatar(picture, now);
        }
    }

    pub(super) fn show_avatar(&mut self, user: &UserName, picture: &[u8]) {
        if self.threads.keep_avatar(user, picture) {
            self.show_picture(user, None, Some(picture));
        }
    }

    /// The app starts again, with the avatars that it kept.
    pub(super) fn show_kept_avatars(&self) {
        self.threads.avatars().for_each(|(user, picture)| self.show_picture(user, None, Some(picture)));
    }

    pub(super) fn picture_leaves(&self, message: Option<MessageId>, picture: &[u8]) {
        let (device, bytes) = (self.device.clone(), kernel::log::store(picture));
        event!(PictureSent { device, message, bytes });
    }

    /// Shows a picture, or that there is none.
    fn show_picture(&self, user: &UserName, message: Option<MessageId>, file: Option<&[u8]>) {
        let hash = file.map(|file| blake3::hash(file).to_hex().to_string());
        event!(PictureShown { device: self.device.clone(), user: user.clone(), message, hash });
    }
}

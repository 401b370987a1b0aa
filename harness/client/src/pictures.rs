//! Pictures on their way: sealed and in parts, to the server before their message, and from there behind it.

use kernel::{AttachmentId, MessageId, UserName, random::Stream};
use protocol::{AttachmentKey, PART_BYTES, SealedPicture};
use std::collections::VecDeque;

/// Pictures that are fetched one after the other; further ones are shown as if they could not be opened.
const MAX_FETCHED: usize = 1_000;

/// A picture that goes out.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    picture: SealedPicture,
    sealed: Vec<u8>,
    /// How many of its parts the server has.
    taken: u16,
}

/// A part as it goes to the server.
pub(crate) struct Part {
    pub(crate) attachment: AttachmentId,
    pub(crate) part: u16,
    pub(crate) parts: u16,
    pub(crate) bytes: Vec<u8>,
}

impl Upload {
    /// Seals a file. What opens it goes into the message.
    pub(crate) fn new(file: &[u8], stream: &mut Stream) -> Upload {
        let attachment = AttachmentId(stream.bytes());
        let (key, sealed) = AttachmentKey::seal(file, stream);
        Upload { picture: SealedPicture { attachment, key }, sealed, taken: 0 }
    }

    pub(crate) fn picture(&self) -> &SealedPicture {
        &self.picture
    }

    /// The file, for the device that took it.
    pub(crate) fn file(&self) -> Option<Vec<u8>> {
        self.picture.key.open(&self.sealed).ok()
    }

    /// What goes next; none once the server has all.
    pub(crate) fn next(&self) -> Option<Part> {
        let bytes = self.sealed.chunks(PART_BYTES).nth(self.taken.into())?.to_vec();
        Some(Part { attachment: self.picture.attachment, part: self.taken, parts: self.picture.parts()?, bytes })
    }

    /// The server has a part more.
    pub(crate) fn taken(&mut self) {
        self.taken += 1;
    }

    /// The server may have forgotten it.
    pub(crate) fn restart(&mut self) {
        self.taken = 0;
    }
}

/// Pictures that come in, the first of them at the moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fetches {
    waiting: VecDeque<Fetch>,
    /// What came of the first one.
    came: Vec<u8>,
    /// Whether its next part was asked for.
    asked: bool,
}

#[derive(Clone, Debug)]
struct Fetch {
    message: MessageId,
    sender: UserName,
    picture: SealedPicture,
}

/// A picture as it came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fetched {
    pub(crate) message: MessageId,
    pub(crate) sender: UserName,
    /// The file; none if it is not what was sealed.
    pub(crate) file: Option<Vec<u8>>,
}

impl Fetches {
    /// A message names a picture; false where it is not to be had.
    pub(crate) fn expect(&mut self, message: MessageId, sender: &UserName, picture: &SealedPicture) -> bool {
        let fits = self.waiting.len() < MAX_FETCHED && picture.parts().is_some();
        if fits {
            self.waiting.push_back(Fetch { message, sender: sender.clone(), picture: picture.clone() });
        }
        fits
    }

    /// The part to ask for, unless one is on its way.
    pub(crate) fn ask(&mut self) -> Option<(MessageId, (AttachmentId, u16))> {
        let first = self.waiting.front().filter(|_| !self.asked)?;
        self.asked = true;
        Some((first.message, (first.picture.attachment, (self.came.len() / PART_BYTES) as u16)))
    }

    /// The connection is another: what was asked for may never come.
    pub(crate) fn resume(&mut self) {
        self.asked = false;
    }

    /// A part came, or there is none. Gives the picture once there is nothing more to ask for.
    pub(crate) fn came(&mut self, message: MessageId, part: Option<&[u8]>) -> Option<Fetched> {
        let first = self.waiting.front().filter(|first| self.asked && first.message == message)?;
        self.asked = false;
        let missing = first.picture.key.sealed_bytes() - self.came.len();
        // Of another length it is none of this picture's.
        let part = part.filter(|part| part.len() == missing.min(PART_BYTES));
        if let Some(part) = part {
            self.came.extend_from_slice(part);
            if part.len() < missing {
                return None;
            }
        }
        let Fetch { message, sender, picture } = self.waiting.pop_front()?;
        let came = std::mem::take(&mut self.came);
        Some(Fetched { message, sender, file: picture.key.open(&came).ok() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::random::SeedTree;
    use protocol::MAX_PICTURE_BYTES;

    const MESSAGE: MessageId = MessageId([3; 16]);

    fn upload(bytes: usize) -> (Vec<u8>, Upload) {
        let mut stream = SeedTree::root(1).stream("pictures");
        let file: Vec<u8> = (0..bytes).map(|_| stream.below(256) as u8).collect();
        let upload = Upload::new(&file, &mut stream);
        (file, upload)
    }

    /// Carries a picture from one device to another, which loses its connection after some parts.
    fn carried(bytes: usize, breaks: &[u16], change: impl Fn(u16, &mut Vec<u8>)) -> (Vec<u8>, Option<Vec<u8>>) {
        let (file, mut upload) = upload(bytes);
        let mut parts = Vec::new();
        while let Some(part) = upload.next() {
            assert_eq!((usize::from(part.part), part.parts), (parts.len(), upload.picture().parts().unwrap()));
            parts.push(part.bytes);
            upload.taken();
        }
        assert_eq!(upload.file().as_ref(), Some(&file));
        let mut fetches = Fetches::default();
        assert!(fetches.expect(MESSAGE, &"alice".into(), upload.picture()));
        loop {
            let (message, (attachment, part)) = fetches.ask().unwrap();
            assert_eq!((message, attachment, fetches.ask()), (MESSAGE, upload.picture().attachment, None));
            if breaks.contains(&part) {
                fetches.resume();
                assert_eq!(fetches.ask(), Some((MESSAGE, (attachment, part))), "it goes on where it was");
            }
            let mut bytes = parts[usize::from(part)].clone();
            change(part, &mut bytes);
            if let Some(fetched) = fetches.came(MESSAGE, Some(&bytes)) {
                assert_eq!((fetched.message, fetched.sender, fetches.ask()), (MESSAGE, "alice".into(), None));
                return (file, fetched.file);
            }
        }
    }

    #[test]
    fn a_picture_arrives_as_it_left_also_over_connections_that_break() {
        for bytes in [0, 1, 4_080, PART_BYTES - 16, PART_BYTES, 180_000, MAX_PICTURE_BYTES] {
            let (file, came) = carried(bytes, &[0, 3, 7], |_, _| ());
            assert_eq!(came, Some(file), "{bytes}");
        }
    }

    #[test]
    fn what_is_not_as_it_left_is_no_picture() {
        let changes: [fn(u16, &mut Vec<u8>); 3] = [
            |part, bytes| bytes[0] ^= u8::from(part == 2),
            |part, bytes| bytes.truncate(bytes.len() - usize::from(part == 1)),
            |_, bytes| bytes.clear(),
        ];
        for change in changes {
            assert_eq!(carried(100_000, &[], change).1, None);
        }
    }

    #[test]
    fn what_the_server_does_not_have_does_not_hold_the_next_one_up() {
        let (one, other) = (upload(10).1, upload(20));
        let mut fetches = Fetches::default();
        let next = MessageId([4; 16]);
        assert!(fetches.expect(MESSAGE, &"alice".into(), one.picture()));
        assert!(fetches.expect(next, &"alice".into(), other.1.picture()));
        assert_eq!(fetches.came(MESSAGE, None), None, "nothing was asked for");
        fetches.ask().unwrap();
        let missing = fetches.came(MESSAGE, None).unwrap();
        assert_eq!((missing.message, missing.file), (MESSAGE, None));
        assert_eq!(fetches.ask().unwrap().0, next);
        let came = fetches.came(next, Some(&other.1.next().unwrap().bytes)).unwrap();
        assert_eq!(came.file, Some(other.0));
    }

    #[test]
    fn a_picture_larger_than_any_is_not_asked_for_and_the_queue_is_bounded() {
        let mut fetches = Fetches::default();
        let large = upload(MAX_PICTURE_BYTES + 1).1;
        assert!(!fetches.expect(MESSAGE, &"alice".into(), large.picture()) && large.next().is_none());
        let small = upload(1).1;
        let all = (0..=MAX_FETCHED).filter(|_| fetches.expect(MESSAGE, &"alice".into(), small.picture()));
        assert_eq!(all.count(), MAX_FETCHED);
    }

    #[test]
    fn an_upload_goes_on_behind_what_was_taken_and_from_the_start_where_that_was_forgotten() {
        let mut upload = upload(100_000).1;
        upload.taken();
        assert_eq!(upload.next().unwrap().part, 1);
        upload.restart();
        assert_eq!(upload.next().unwrap().part, 0);
    }
}

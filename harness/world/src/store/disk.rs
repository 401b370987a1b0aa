//! The disk below a store, in memory: what is on it, what was asked of it, and what a crash leaves of that.

use redb::StorageBackend;
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Something that is asked of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Bytes at an offset.
    Write {
        /// Where.
        at: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// Another length.
    Length(u64),
    /// Everything asked before is to survive a crash from now on.
    Sync,
}

/// The bytes of a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Image(Vec<u8>);

impl Image {
    /// Does what is asked. What is written beyond the end is lost: a length that a crash forgot hides it.
    pub(crate) fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Write { at, bytes } => self.write(*at, bytes),
            Operation::Length(length) => self.0.resize(index(*length), 0),
            Operation::Sync => {}
        }
    }

    /// Does the first `bytes` bytes of a write; of what is no write nothing.
    pub(crate) fn apply_torn(&mut self, operation: &Operation, bytes: usize) {
        if let Operation::Write { at, bytes: all } = operation {
            self.write(*at, &all[..bytes.min(all.len())]);
        }
    }

    fn write(&mut self, at: u64, bytes: &[u8]) {
        let at = index(at).min(self.0.len());
        let fits = bytes.len().min(self.0.len() - at);
        self.0[at..at + fits].copy_from_slice(&bytes[..fits]);
    }
}

fn index(at: u64) -> usize {
    usize::try_from(at).expect("a disk in memory is no larger than memory")
}

/// A disk that a database works on. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<Platter>>);

#[derive(Debug, Default)]
struct Platter {
    image: Image,
    asked: Vec<Operation>,
}

impl Disk {
    pub(crate) fn holding(image: Image) -> Disk {
        Disk(Arc::new(Mutex::new(Platter { image, asked: Vec::new() })))
    }

    /// What is on it now.
    pub(crate) fn image(&self) -> Image {
        self.platter().image.clone()
    }

    /// What was asked of it since this was last asked, in order.
    pub(crate) fn take_asked(&self) -> Vec<Operation> {
        std::mem::take(&mut self.platter().asked)
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, operation: Operation) {
        let mut platter = self.platter();
        platter.image.apply(&operation);
        platter.asked.push(operation);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.platter().image.0.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.platter();
        let at = index(offset);
        let bytes = platter.image.0.get(at..at + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.ask(Operation::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.ask(Operation::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.ask(Operation::Write { at: offset, bytes: data.to_vec() });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(at: u64, bytes: &[u8]) -> Operation {
        Operation::Write { at, bytes: bytes.to_vec() }
    }

    #[test]
    fn a_write_beyond_the_end_or_torn_leaves_what_fits() {
        let mut image = Image::default();
        for operation in [Operation::Length(4), write(1, b"abc"), write(3, b"xyz"), write(9, b"q"), Operation::Sync] {
            image.apply(&operation);
        }
        assert_eq!(image.0, b"\0abx");
        image.apply_torn(&write(0, b"1234"), 2);
        image.apply_torn(&Operation::Length(0), 2);
        assert_eq!(image.0, b"12bx");
    }

    #[test]
    fn a_disk_remembers_what_it_was_asked_and_has_done_it() {
        let disk = Disk::holding(Image::default());
        disk.set_len(2).unwrap();
        disk.write(0, b"hi").unwrap();
        disk.sync_data().unwrap();
        assert_eq!(disk.take_asked(), [Operation::Length(2), write(0, b"hi"), Operation::Sync]);
        assert_eq!(disk.take_asked(), []);
        let mut out = [0; 2];
        disk.read(0, &mut out).unwrap();
        assert_eq!(&out, b"hi");
        assert!(disk.read(1, &mut out).is_err());
    }
}

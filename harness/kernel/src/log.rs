//! The one log of a run: typed records in order, bytes beside it, and the rolling digest over both.

use crate::{
    event::{Event, Record},
    pages::make_room,
    time,
};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use twox_hash::XxHash3_128;

/// Where bytes lie in the log's blob store. The digest covers them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRef {
    /// Offset of the first byte.
    pub at: u64,
    /// Number of bytes.
    pub len: u32,
}

/// The events of a run and the bytes that they refer to.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The records in the order in which they happened.
    pub records: Vec<Record>,
    /// Bytes that events refer to.
    pub blobs: Vec<u8>,
    /// XXH3 of 128 bits over every record, then over every blob, each in order. It tells runs apart; it is no seal.
    pub digest: [u8; 16],
}

impl Log {
    /// The bytes behind a reference.
    ///
    /// # Panics
    /// When the reference is of another log.
    pub fn bytes(&self, blob: BlobRef) -> &[u8] {
        &self.blobs[blob.at as usize..blob.at as usize + blob.len as usize]
    }

    /// The log of records that were saved earlier; the digest is computed again.
    ///
    /// # Errors
    /// When a record refers to bytes that are not there.
    pub fn restore(records: Vec<Record>, blobs: Vec<u8>) -> Result<Log, BrokenLog> {
        let mut digest = Digest::default();
        for record in &records {
            for blob in record.event.blobs() {
                let end = blob.at.saturating_add(blob.len.into());
                if end > blobs.len() as u64 {
                    return Err(BrokenLog { index: record.index, end, len: blobs.len() as u64 });
                }
            }
            digest.add(record);
        }
        digest.blobs.write(&blobs);
        let digest = digest.finish();
        Ok(Log { records, blobs, digest })
    }
}

/// A saved log refers to bytes that it does not hold.
#[derive(Debug, thiserror::Error)]
#[error("record {index} refers to bytes up to {end}, but only {len} are stored")]
pub struct BrokenLog {
    index: u64,
    end: u64,
    len: u64,
}

/// The rolling digest: XXH3 over all records and over all blobs, 128 bits each.
#[derive(Default)]
struct Digest {
    records: XxHash3_128,
    blobs: XxHash3_128,
    /// A record as it is hashed.
    encoded: Vec<u8>,
}

impl Digest {
    fn add(&mut self, record: &Record) {
        self.encoded.clear();
        encode(record, &mut self.encoded);
        self.records.write(&self.encoded);
    }

    /// One over both, so that also its first digits, which people are shown, tell of either.
    fn finish(&self) -> [u8; 16] {
        let both = [self.records.finish_128().to_be_bytes(), self.blobs.finish_128().to_be_bytes()];
        XxHash3_128::oneshot(both.as_flattened()).to_be_bytes()
    }
}

/// Appends the record as it is hashed. MessagePack leaves out the names of fields, and so cannot tell which optional one a
/// shorter event lacks. Only the plan has such: it is hashed as JSON.
fn encode(record: &Record, bytes: &mut Vec<u8>) {
    let Record { at, index, event } = record;
    bytes.extend_from_slice(&at.0.to_le_bytes());
    bytes.extend_from_slice(&index.to_le_bytes());
    match event {
        Event::Plan(plan) => serde_json::to_writer(bytes, plan).expect("plans serialize"),
        other => rmp_serde::encode::write(bytes, other).expect("events serialize"),
    }
}

#[derive(Default)]
struct Writer {
    records: Vec<Record>,
    blobs: Vec<u8>,
    digest: Digest,
}

impl Writer {
    fn store(&mut self, bytes: &[u8]) -> BlobRef {
        let at = self.blobs.len() as u64;
        make_room(&mut self.blobs, bytes.len());
        self.blobs.extend_from_slice(bytes);
        self.digest.blobs.write(bytes);
        BlobRef { at, len: bytes.len() as u32 }
    }
}

thread_local! { static WRITER: RefCell<Option<Writer>> = const { RefCell::new(None) } }

pub(crate) fn start() {
    WRITER.set(Some(Writer::default()));
}

pub(crate) fn take() -> Log {
    WRITER.take().map_or_else(Log::default, |writer| Log {
        digest: writer.digest.finish(),
        records: writer.records,
        blobs: writer.blobs,
    })
}

/// Appends an event at the current simulated time. Without a simulation on this thread it does nothing.
pub fn emit(event: Event) {
    WRITER.with_borrow_mut(|writer| {
        let Some(writer) = writer else { return };
        let record = Record { at: time::now(), index: writer.records.len() as u64, event };
        writer.digest.add(&record);
        make_room(&mut writer.records, 1);
        writer.records.push(record);
    });
}

/// Keeps bytes beside the log; an event then carries the reference. Without a simulation the reference is empty.
pub fn store(bytes: &[u8]) -> BlobRef {
    WRITER.with_borrow_mut(|writer| writer.as_mut().map_or_else(BlobRef::default, |writer| writer.store(bytes)))
}

/// Appends an event of the named kind: `event!(Ui { device, screen })` logs `Event::Ui(event::Ui { device, screen })`.
#[macro_export]
macro_rules! event {
    ($kind:ident { $($fields:tt)* }) => {
        $crate::log::emit($crate::event::Event::$kind($crate::event::$kind { $($fields)* }))
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event,
        event::{CallStateName, SecretKind},
        names::CallId,
        time::SimTime,
    };

    fn digest(events: &[Event], blobs: &[u8]) -> [u8; 16] {
        let mut digest = Digest::default();
        for (event, index) in events.iter().cloned().zip(0..) {
            digest.add(&Record { at: SimTime(1), index, event });
        }
        digest.blobs.write(blobs);
        digest.finish()
    }

    fn line(level: &str, line: &str) -> Event {
        Event::LogLine(event::LogLine { actor: "bob-phone".into(), level: level.into(), line: line.into() })
    }

    #[test]
    fn whatever_differs_shows_in_the_digest() {
        let secret = |kid, value: &str| {
            let kind = SecretKind::FrameKey;
            Event::Secret(event::Secret { holders: vec!["a".into()], kind, kid, value: value.into() })
        };
        let state = |from, to| {
            let (device, call) = ("a".into(), CallId([7; 16]));
            Event::CallState(event::CallState { device, call: Some(call), from, to, because: "user.call".into() })
        };
        let logs: [(&[Event], &[u8]); 11] = [
            (&[], b""),
            (&[], b"a"),
            (&[line("ab", "c")], b""),
            (&[line("a", "bc")], b""),
            (&[line("a", "bc")], b"a"),
            (&[line("a", "bc"), line("a", "bc")], b""),
            (&[secret(None, "1")], b""),
            (&[secret(Some(1), "1")], b""),
            (&[secret(Some(2), "1")], b""),
            (&[state(CallStateName::Idle, CallStateName::Outgoing)], b""),
            (&[state(CallStateName::Outgoing, CallStateName::Idle)], b""),
        ];
        let digests: std::collections::BTreeSet<_> =
            logs.iter().map(|(events, blobs)| digest(events, blobs)[..8].to_vec()).collect();
        assert_eq!(digests.len(), logs.len());
    }

    #[test]
    fn a_restored_log_has_the_digest_of_its_run() {
        let run = std::thread::Builder::new().spawn(|| {
            let simulation = crate::seam::enter(1);
            for text in ["one", "two"] {
                let (node, what) = ("signaling".into(), "store".into());
                emit(Event::Snapshot(event::Snapshot { node, what, bytes: store(text.as_bytes()) }));
            }
            simulation.leave().0
        });
        let log = run.unwrap().join().unwrap();
        assert_eq!(log.records.len(), 2);
        let restored = Log::restore(log.records.clone(), log.blobs.clone()).unwrap();
        assert_eq!(restored.digest, log.digest);
        assert!(Log::restore(log.records, b"onetw".to_vec()).is_err());
    }

    #[test]
    fn a_record_is_small() {
        // A call has more than two thousand a second, and what is large in an event is behind a pointer.
        assert!(size_of::<Record>() <= 168, "{} bytes", size_of::<Record>());
    }
}

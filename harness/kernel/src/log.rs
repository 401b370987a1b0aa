//! The one log of a run: typed records in order, bytes beside it, and the rolling digest over both.

use crate::{
    event::{Event, Record},
    time,
};
use serde::{Deserialize, Serialize};
use std::{cell::RefCell, io::Write};

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
    /// blake3 over every record's JSON line and every blob, in order.
    pub digest: [u8; 32],
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
        let mut writer = Writer::default();
        let mut stored = 0;
        for record in &records {
            for blob in record.event.blobs() {
                let end = blob.at + u64::from(blob.len);
                if end > blobs.len() as u64 {
                    return Err(BrokenLog { index: record.index, end, len: blobs.len() as u64 });
                }
                // Blobs were hashed when they were stored, which is before the first record that names them.
                if blob.at >= stored {
                    writer.hash_bytes(&blobs[blob.at as usize..end as usize]);
                    stored = end;
                }
            }
            writer.hash(record);
        }
        Ok(Log { records, blobs, digest: writer.finish() })
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

/// So many bytes are hashed at one time: in long runs blake3 works on many chunks at once.
const HASHED_AT_ONCE: usize = 1 << 17;

#[derive(Default)]
struct Writer {
    records: Vec<Record>,
    blobs: Vec<u8>,
    digest: blake3::Hasher,
    /// What is still to be hashed.
    pending: Vec<u8>,
}

impl Writer {
    fn hash(&mut self, record: &Record) {
        write_line(record, &mut self.pending);
        self.hash_when_many();
    }

    fn hash_bytes(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        self.hash_when_many();
    }

    fn hash_when_many(&mut self) {
        if self.pending.len() >= HASHED_AT_ONCE {
            self.digest.update(&self.pending);
            self.pending.clear();
        }
    }

    fn finish(&mut self) -> [u8; 32] {
        self.digest.update(&self.pending);
        self.pending.clear();
        *self.digest.finalize().as_bytes()
    }
}

/// Appends the record's JSON and a line feed. What serde makes of a flattened field goes entry by entry through a map; here
/// the event writes its own object, and the place and time of the record take the place of its opening brace.
fn write_line(record: &Record, line: &mut Vec<u8>) {
    let Record { at, index, event } = record;
    write!(line, "{{\"at\":{},\"index\":{index}", at.0).expect("a vector takes all");
    let brace = line.len();
    serde_json::to_writer(&mut *line, event).expect("events serialize");
    debug_assert_eq!(line[brace], b'{');
    line[brace] = b',';
    line.push(b'\n');
}

thread_local! { static WRITER: RefCell<Option<Writer>> = const { RefCell::new(None) } }

pub(crate) fn start() {
    WRITER.set(Some(Writer::default()));
}

pub(crate) fn take() -> Log {
    WRITER.take().map_or_else(Log::default, |mut writer| Log {
        digest: writer.finish(),
        records: writer.records,
        blobs: writer.blobs,
    })
}

/// Appends an event at the current simulated time. Without a simulation on this thread it does nothing.
pub fn emit(event: Event) {
    WRITER.with_borrow_mut(|writer| {
        let Some(writer) = writer else { return };
        let record = Record { at: time::now(), index: writer.records.len() as u64, event };
        writer.hash(&record);
        writer.records.push(record);
    });
}

/// Keeps bytes beside the log; an event then carries the reference. Without a simulation the reference is empty.
/// Emit the event that names a blob before storing the next one: the digest of a restored log relies on that order.
pub fn store(bytes: &[u8]) -> BlobRef {
    WRITER.with_borrow_mut(|writer| {
        let Some(writer) = writer else { return BlobRef::default() };
        let at = writer.blobs.len() as u64;
        writer.blobs.extend_from_slice(bytes);
        writer.hash_bytes(bytes);
        BlobRef { at, len: bytes.len() as u32 }
    })
}

/// A digest of everything logged so far, for comparing two runs on the way.
pub fn digest_so_far() -> [u8; 32] {
    WRITER.with_borrow_mut(|writer| writer.as_mut().map_or([0; 32], Writer::finish))
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
        packet::{Ecn, PacketId, Transport},
        time::{Micros, SimTime},
    };

    fn is_written_as_serde_does(event: Event) {
        let record = Record { at: SimTime(1_234_567), index: 89, event };
        let mut line = Vec::new();
        write_line(&record, &mut line);
        let expected = serde_json::to_string(&record).unwrap() + "\n";
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    #[test]
    fn a_line_is_what_serde_makes_of_its_record() {
        for (source, destination) in
            [("10.0.0.7:0", "203.0.113.250:65535"), ("[2001:db8::1]:3478", "[::ffff:1.2.3.4]:80")]
        {
            is_written_as_serde_does(Event::PacketSent(event::PacketSent {
                packet: PacketId(7),
                cause: Some(PacketId(6)),
                relay: Micros(40),
                from: "relay \"one\"".into(),
                source: source.parse().unwrap(),
                destination: destination.parse().unwrap(),
                transport: Transport::Udp,
                ecn: Ecn::NotEct,
                protocol: event::WireProtocol::TurnChannel,
                bytes: BlobRef { at: 1 << 40, len: 1_200 },
            }));
            let (packet, source, destination) = (PacketId(7), source.parse().unwrap(), destination.parse().unwrap());
            is_written_as_serde_does(Event::PacketAtCore(event::PacketAtCore { packet, source, destination }));
        }
        let (actor, level) = ("bob-phone".into(), "info".into());
        is_written_as_serde_does(Event::LogLine(event::LogLine { actor, level, line: "a\n\u{1}ä \"b\" \\".into() }));
        let (device, keys) = ("bob-phone".into(), vec!["one".into(), "two".into()]);
        is_written_as_serde_does(Event::KeyErased(event::KeyErased { device, keys }));
    }

    #[test]
    fn a_record_is_small() {
        // A call has more than two thousand a second, and what is large in an event is behind a pointer.
        assert!(size_of::<Record>() <= 168, "{} bytes", size_of::<Record>());
    }
}

//! The log that `judge` reads again.

use crate::sample::held;
use kernel::SimTime;
use reports::{EventsError, read_events, write};
use std::{fs, path::PathBuf};

fn saved(dir: &str) -> (kernel::Log, PathBuf) {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(dir);
    let sample = held();
    write(&dir, &sample.run()).unwrap();
    (sample.log, dir.join("first-call-1"))
}

#[test]
fn a_saved_log_is_restored_with_its_digest() {
    let (log, dir) = saved("restored");
    let restored = read_events(&dir).unwrap();
    assert_eq!(restored.digest, log.digest);
    assert_eq!(restored.records.len(), log.records.len());
    assert_eq!(restored.blobs, log.blobs);
    assert!(restored.records.iter().all(|record| record.at <= SimTime(20_000_000)));
}

#[test]
fn a_changed_log_is_refused() {
    let (log, dir) = saved("changed");
    let mut blobs = log.blobs;
    blobs[0] ^= 1;
    fs::write(dir.join("blobs.bin.zst"), zstd::encode_all(blobs.as_slice(), 1).unwrap()).unwrap();
    assert!(matches!(read_events(&dir.join("events.jsonl.zst")), Err(EventsError::Digest { .. })));
}

#[test]
fn a_broken_log_is_an_error_with_its_line() {
    let (_, dir) = saved("broken");
    fs::write(dir.join("events.jsonl.zst"), zstd::encode_all(&b"{}\n"[..], 1).unwrap()).unwrap();
    assert!(matches!(read_events(&dir), Err(EventsError::Line { line: 1, .. })));
    fs::write(dir.join("events.jsonl.zst"), b"not zstd").unwrap();
    assert!(matches!(read_events(&dir), Err(EventsError::File { .. })));
    fs::remove_file(dir.join("blobs.bin.zst")).unwrap();
    assert!(read_events(&dir).is_err());
}

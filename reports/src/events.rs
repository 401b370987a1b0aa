//! The saved log: `events.jsonl.zst` holds a header line and one line per record, `blobs.bin.zst` the bytes that the
//! records refer to. `zstd -dc events.jsonl.zst | jq` reads it; [`read_events`] restores it for the oracle.

use kernel::{
    Log, Record,
    log::BrokenLog,
    names::{from_hex, to_hex},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, IntoInnerError, Read, Write},
    path::{Path, PathBuf},
};

pub(crate) const RECORDS: &str = "events.jsonl.zst";
pub(crate) const BLOBS: &str = "blobs.bin.zst";
const SCHEMA: &str = "callproof-events/2";
/// Fast, and the window still reaches from a frame to its copy at the receiver.
const LEVEL: i32 = 3;
/// A saved log larger than this is refused: a small file can unpack to anything.
const MAX_UNPACKED: u64 = 8 << 30;

/// The first line of a saved log.
#[derive(Serialize, Deserialize)]
struct Header {
    schema: String,
    records: u64,
    blob_bytes: u64,
    digest: String,
}

/// Why a saved log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// A file could not be read or unpacked.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A line is not what it should be.
    #[error("{} line {line}: {error}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// Another version of the format.
    #[error("{} has the format `{found}`; this build reads `{SCHEMA}`", path.display())]
    Schema {
        /// Which file.
        path: PathBuf,
        /// The format that it names.
        found: String,
    },
    /// A record refers to bytes that are not there.
    #[error(transparent)]
    Broken(#[from] BrokenLog),
    /// Records or bytes are not those that were saved.
    #[error("the log's digest is {found}, but its header says {expected}: it was changed after the run")]
    Digest {
        /// In the header.
        expected: String,
        /// Of what was read.
        found: String,
    },
}

/// The two files of a log, compressed.
pub(crate) fn compress(log: &Log) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let header = Header {
        schema: SCHEMA.into(),
        records: log.records.len() as u64,
        blob_bytes: log.blobs.len() as u64,
        digest: to_hex(&log.digest),
    };
    // serde writes a few bytes at a time, and the compressor takes as long for them as for many.
    let mut records = BufWriter::with_capacity(1 << 16, zstd::Encoder::new(Vec::new(), LEVEL)?);
    serde_json::to_writer(&mut records, &header)?;
    records.write_all(b"\n")?;
    for record in &log.records {
        serde_json::to_writer(&mut records, record)?;
        records.write_all(b"\n")?;
    }
    let records = records.into_inner().map_err(IntoInnerError::into_error)?.finish()?;
    Ok((records, zstd::encode_all(log.blobs.as_slice(), LEVEL)?))
}

/// Restores a saved log. `path` is the run's folder or its `events.jsonl.zst`; the blobs lie beside it.
///
/// # Errors
/// When a file is missing or broken, of another version, or not the log that was saved (by its digest).
pub fn read_events(path: &Path) -> Result<Log, EventsError> {
    let path = if path.is_dir() { path.join(RECORDS) } else { path.to_path_buf() };
    let (header, records) = read_records(&path)?;
    let blobs_path = path.with_file_name(BLOBS);
    let mut blobs = Vec::new();
    let file = |error| EventsError::File { path: blobs_path.clone(), error };
    unpack(&blobs_path).map_err(file)?.read_to_end(&mut blobs).map_err(file)?;
    let log = Log::restore(records, blobs)?;
    let mut expected = [0; 16];
    match from_hex(&header.digest, &mut expected) {
        Some(()) if expected == log.digest => Ok(log),
        _ => Err(EventsError::Digest { expected: header.digest, found: to_hex(&log.digest) }),
    }
}

fn read_records(path: &Path) -> Result<(Header, Vec<Record>), EventsError> {
    let file = |error| EventsError::File { path: path.to_path_buf(), error };
    let line = |line, error| EventsError::Line { path: path.to_path_buf(), line, error };
    let mut lines = BufReader::new(unpack(path).map_err(file)?).lines();
    let first = lines.next().transpose().map_err(file)?.unwrap_or_default();
    let header: Header = serde_json::from_str(&first).map_err(|error| line(1, error))?;
    if header.schema != SCHEMA {
        return Err(EventsError::Schema { path: path.to_path_buf(), found: header.schema });
    }
    let mut records = Vec::new();
    for (number, text) in (2..).zip(lines) {
        records.push(serde_json::from_str(&text.map_err(file)?).map_err(|error| line(number, error))?);
    }
    Ok((header, records))
}

fn unpack(path: &Path) -> io::Result<impl Read + use<>> {
    Ok(zstd::Decoder::new(File::open(path)?)?.take(MAX_UNPACKED))
}

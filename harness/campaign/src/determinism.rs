//! The double run: the same plan again in a second process, in another environment. Same seed, same bytes.

use crate::judged::{CampaignError, Judged, RunDigest};
use kernel::{Plan, Record, event::Event};
use serde::{Deserialize, Serialize};
use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};
use world::RunOptions;

/// The hidden verb with which the binary starts itself for the second run.
pub const RERUN_VERB: &str = "rerun-for-comparison";

/// What the second process says, on standard output as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RerunReport {
    /// Its digests.
    pub digest: RunDigest,
}

/// Two runs of one plan that are not alike.
#[derive(Clone, Debug)]
pub struct Divergence {
    /// Digests of the first run.
    pub first: RunDigest,
    /// Digests of the second.
    pub second: RunDigest,
    /// The first record that differs: its line in each run; none where a run ended before.
    pub record: Option<(Option<String>, Option<String>)>,
}

impl Divergence {
    /// Which digests differ, in a sentence.
    pub fn sentence(&self) -> String {
        let (first, second) = (&self.first, &self.second);
        let rows = [
            ("log", &first.log, &second.log),
            ("draws", &first.draws, &second.draws),
            ("draw count", &first.draw_count.to_string(), &second.draw_count.to_string()),
            ("judgement", &first.judgement, &second.judgement),
        ]
        .map(|(what, first, second)| (first != second).then(|| format!("{what} {first:.16} then {second:.16}")));
        rows.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Runs the plan of `first` again in a second process and compares.
///
/// The second process has another TMPDIR, TZ, LANG, HOME, heap fill byte and environment size, so that a dependence
/// on any of them shows.
///
/// # Errors
/// When the second process could not be run.
pub fn check(first: &Judged, scratch: &Path) -> Result<Option<Divergence>, CampaignError> {
    let second = second_process(&first.judgement.plan, scratch, None)?.digest;
    let digest = first.digest();
    if second == digest {
        return Ok(None);
    }
    let lines = scratch.join("second.jsonl");
    second_process(&first.judgement.plan, scratch, Some(&lines))?;
    let record = first_difference(&first.log().records, &lines)?;
    Ok(Some(Divergence { first: digest, second, record }))
}

/// What the second process does: run, judge, say the digests; and write the records where they are asked for.
///
/// # Errors
/// When the run could not be made or the records not written.
pub fn rerun(plan: &Plan, records: Option<&Path>) -> Result<RerunReport, CampaignError> {
    let judged = Judged::run(plan, &RunOptions::default())?;
    if let Some(path) = records {
        let mut text = Vec::new();
        for record in &judged.log().records {
            text.extend_from_slice(line(record).as_bytes());
            text.push(b'\n');
        }
        fs::write(path, text).map_err(|error| file_error(path, error))?;
    }
    Ok(RerunReport { digest: judged.digest() })
}

fn second_process(plan: &Plan, scratch: &Path, records: Option<&Path>) -> Result<RerunReport, CampaignError> {
    let failed = |what: String| CampaignError::SecondProcess(what);
    let program = env::current_exe().map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new(program);
    command.arg(RERUN_VERB).args(records).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env("TMPDIR", scratch).env("HOME", scratch).env("TZ", "Pacific/Apia").env("LANG", "tr_TR.UTF-8");
    command.env("MALLOC_PERTURB_", "165").env("CALLPROOF_PADDING", "x".repeat(4_099));
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let plan = serde_json::to_vec(plan).expect("a plan serializes");
    let written = child.stdin.take().expect("stdin is piped").write_all(&plan);
    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    written.map_err(|error| failed(error.to_string()))?;
    serde_json::from_slice(&output.stdout).map_err(|error| failed(format!("its report: {error}")))
}

type Difference = Option<(Option<String>, Option<String>)>;

fn first_difference(records: &[Record], second: &Path) -> Result<Difference, CampaignError> {
    let file = fs::File::open(second).map_err(|error| file_error(second, error))?;
    let mut theirs = BufReader::new(file).lines();
    for record in records {
        let ours = line(record);
        match theirs.next().transpose().map_err(|error| file_error(second, error))? {
            Some(theirs) if theirs == ours => {}
            other => return Ok(Some((Some(ours), other))),
        }
    }
    let rest = theirs.next().transpose().map_err(|error| file_error(second, error))?;
    Ok(rest.map(|theirs| (None, Some(theirs))))
}

/// A record as a line; blobs are named by their place, so differing bytes of equal length show in the digest only.
fn line(record: &Record) -> String {
    let text = serde_json::to_string(record).expect("a record serializes");
    match &record.event {
        // The plan is long and equal by construction.
        Event::Plan(_) => format!("{{\"at\":{},\"event\":\"plan\"}}", record.at.0),
        _ => text,
    }
}

fn file_error(path: &Path, error: std::io::Error) -> CampaignError {
    CampaignError::File { path: path.display().to_string(), error }
}

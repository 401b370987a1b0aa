//! A judged run and the files that are written of it.

use crate::{baseline::Comparison, contact_sheet, events, hlog, junit, page, run_report::RunReport, summary, wire};
use kernel::{Log, SimTime, artifact::Picture, random::Draws};
use oracle::{Judgement, Verdict};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// A run with its verdict: what every renderer is given.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// What happened.
    pub log: &'a Log,
    /// What the oracle says about it.
    pub judgement: &'a Judgement,
    /// Where it comes from.
    pub facts: &'a RunFacts,
}

/// What is known about a run besides its log.
#[derive(Clone, Debug, Default)]
pub struct RunFacts {
    /// Path of the scenario file, relative to the repository.
    pub scenario_path: String,
    /// Hash of the resolved configuration without its seed, hexadecimal.
    pub config_hash: String,
    /// The commit that was built, with `+changes` when the tree was not clean.
    pub commit: String,
    /// The environment fingerprint: equal maps promise equal numbers.
    pub environment: BTreeMap<String, String>,
    /// Wall time of the run in milliseconds. Reported, never judged.
    pub wall_ms: u64,
    /// Simulated time when the run ended.
    pub simulated: SimTime,
    /// The command that runs it again.
    pub reproduce: String,
    /// What was drawn through libc.
    pub draws: Draws,
    /// Pictures that the probes kept.
    pub pictures: Vec<Picture>,
    /// The comparison with the committed baseline, where it was asked for.
    pub comparison: Option<Comparison>,
    /// The page to open, as people are told: set once it is written.
    pub page: Option<PathBuf>,
    /// Files that others wrote into the run's folder; their paths are relative to it.
    pub artefacts: Vec<Artefact>,
}

/// A file of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artefact {
    /// Path relative to the run's folder.
    pub path: String,
    /// blake3 of its content, hexadecimal.
    pub blake3: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// The word on the verdict bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The run failed.
    Failed,
    /// It held, but is worse than the baseline.
    Regressed,
    /// It came to what its plan expects.
    Passed,
}

impl Outcome {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Failed => "FAIL",
            Outcome::Regressed => "REGRESSED",
            Outcome::Passed => "PASS",
        }
    }
}

/// Why the files of a run could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file could not be written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A renderer failed: a bug of this room.
    #[error("{file} could not be rendered: {message}")]
    Render {
        /// The file that was to be written.
        file: &'static str,
        /// Why.
        message: String,
    },
}

impl WriteError {
    pub(crate) fn render(file: &'static str, error: impl ToString) -> WriteError {
        WriteError::Render { file, message: error.to_string() }
    }
}

impl Run<'_> {
    /// The word on the verdict bar: the oracle's verdict, and the baseline's where it was compared.
    pub fn outcome(&self) -> Outcome {
        match (self.judgement.verdict, &self.facts.comparison) {
            (Verdict::Failed, _) => Outcome::Failed,
            (Verdict::Passed, Some(comparison)) if comparison.regressed() => Outcome::Regressed,
            (Verdict::Passed, _) => Outcome::Passed,
        }
    }

    /// Name of the run's folder: scenario and seed.
    pub fn folder(&self) -> String {
        folder(&self.judgement.plan.scenario, self.judgement.plan.seed)
    }
}

/// Scenario names are file stems; anything that could leave the folder is replaced all the same.
pub(crate) fn folder(scenario: &str, seed: u64) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let stem: String = scenario.chars().map(safe).collect();
    format!("{}-{seed}", stem.trim_start_matches('.'))
}

/// Writes all files of a run into `<dir>/<scenario>-<seed>/` and returns them with their hashes, paths relative to that
/// folder. `index.html` and `run.json` name the files before them, so they come last.
///
/// # Errors
/// When a file cannot be written.
pub fn write(dir: &Path, run: &Run<'_>) -> Result<Vec<Artefact>, WriteError> {
    let mut files = Files::create(dir.join(run.folder()))?;
    files.written.extend(run.facts.artefacts.iter().cloned());
    let (records, blobs) = events::compress(run.log).map_err(|error| WriteError::render(events::RECORDS, error))?;
    files.put(events::RECORDS, &records)?;
    files.put(events::BLOBS, &blobs)?;
    // They are large, and so is what follows.
    drop((records, blobs));
    files.put("wire.pcapng", &wire::capture(run.log, &run.judgement.plan))?;
    let hlog = hlog::render(&run.judgement.histograms).map_err(|error| WriteError::render("latency.hlog", error))?;
    files.put("latency.hlog", &hlog)?;
    match contact_sheet::render(&run.facts.pictures) {
        Some(sheet) => {
            files.put(contact_sheet::FILE, &sheet.map_err(|e| WriteError::render(contact_sheet::FILE, e))?)?
        }
        None => files.remove(contact_sheet::FILE)?,
    }
    let junit = junit::render(&[RunReport::new(run, &[])]).map_err(|e| WriteError::render("junit.xml", e))?;
    files.put("junit.xml", junit.as_bytes())?;
    files.put("summary.md", summary::render(run).as_bytes())?;
    let report = RunReport::new(run, &files.written);
    files.put("run.json", &report.to_json())?;
    let page = page::render(run, &files.written).map_err(|error| WriteError::render("index.html", error))?;
    files.put("index.html", page.as_bytes())?;
    Ok(files.written)
}

/// A folder that is being filled.
pub(crate) struct Files {
    dir: PathBuf,
    pub(crate) written: Vec<Artefact>,
}

impl Files {
    pub(crate) fn create(dir: PathBuf) -> Result<Files, WriteError> {
        fs::create_dir_all(&dir).map_err(|error| WriteError::File { path: dir.clone(), error })?;
        Ok(Files { dir, written: Vec::new() })
    }

    pub(crate) fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
        let path = self.dir.join(name);
        fs::write(&path, bytes).map_err(|error| WriteError::File { path, error })?;
        let blake3 = blake3::hash(bytes).to_hex().to_string();
        self.written.push(Artefact { path: name.into(), blake3, bytes: bytes.len() as u64 });
        Ok(())
    }

    /// An earlier run may have left a file that this one does not write.
    fn remove(&mut self, name: &str) -> Result<(), WriteError> {
        let path = self.dir.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(WriteError::File { path, error }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_name_cannot_leave_its_folder() {
        assert_eq!(folder("../../etc/passwd", 7), "-..-etc-passwd-7");
        assert_eq!(folder("first-call", 1), "first-call-1");
    }
}

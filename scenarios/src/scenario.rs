//! A scenario: what a file comes to, ready for any seed.

use crate::{
    file::{self, Suite},
    matrix::{Cell, Matrix},
    overrides::Overrides,
    problem::{InvalidScenario, Problems},
    resolve::resolve,
    schema::schema,
    seeds::Seeds,
    structure,
    vocabulary::Vocabulary,
};
use kernel::plan::Plan;
use miette::Diagnostic;
use serde::Deserialize;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use toml::de::DeTable;

/// A scenario, resolved but for its seed.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where it was read.
    pub path: PathBuf,
    /// The seeds that run when none are asked for.
    pub seeds: Seeds,
    /// When it runs unasked.
    pub suite: Suite,
    plan: Plan,
}

impl Scenario {
    /// File stem, unique among all scenarios; of a matrix the cell in brackets behind it:
    /// `nat-matrix[alice=symmetric,bob=full-cone]`.
    pub fn name(&self) -> &str {
        &self.plan.scenario
    }

    /// The family: the folder that the file is in.
    pub fn family(&self) -> &str {
        self.path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// The plan of a run under a seed.
    pub fn plan(&self, seed: u64) -> Plan {
        Plan { seed, ..self.plan.clone() }
    }
}

/// Why a scenario cannot be had.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file has mistakes.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Invalid(#[from] Box<InvalidScenario>),
}

/// Reads a scenario file: one scenario, or one for each cell of its matrix.
///
/// # Errors
/// When the file cannot be read, or with all its mistakes at once.
pub fn load(path: &Path, vocabulary: &Vocabulary, overrides: &Overrides) -> Result<Vec<Scenario>, LoadError> {
    let text = fs::read_to_string(path).map_err(|error| LoadError::Unreadable { path: path.into(), error })?;
    read(path, &text, vocabulary, overrides)
}

/// Reads scenarios from a text; the path names them and is not opened. The files of traces lie beside it.
///
/// # Errors
/// With all the mistakes of the text and the overrides at once; of a matrix those of its first wrong cell.
pub fn read(
    path: &Path,
    text: &str,
    vocabulary: &Vocabulary,
    overrides: &Overrides,
) -> Result<Vec<Scenario>, LoadError> {
    let mut problems = Problems::default();
    let (whole, spans) = overrides.append_to(text);
    let (mut document, slips) = DeTable::parse_recoverable(&whole[..text.len()]);
    // After the first slip of the syntax the parser guesses, and so would everything that follows.
    if let Some(slip) = slips.first() {
        problems.note(slip.span().unwrap_or(0..0), "this is not TOML", slip.message());
        return Err(invalid(path, whole, problems));
    }
    overrides.apply(document.get_mut(), &whole, &spans, &mut problems);
    let matrix = Matrix::take(document.get_mut(), &mut problems);
    let schema = schema();
    let mut scenarios = Vec::new();
    for cell in matrix.cells(&document, &mut problems) {
        scenarios.extend(read_cell(path, cell, &schema, vocabulary, overrides, &mut problems));
        if !problems.is_empty() {
            break;
        }
    }
    if problems.is_empty() { Ok(scenarios) } else { Err(invalid(path, whole, problems)) }
}

fn read_cell(
    path: &Path,
    Cell { suffix, mut document }: Cell<'_>,
    schema: &serde_json::Value,
    vocabulary: &Vocabulary,
    overrides: &Overrides,
    problems: &mut Problems,
) -> Option<Scenario> {
    structure::check(schema, &mut document, problems);
    match file::Scenario::deserialize(toml::de::Deserializer::from(document)) {
        Ok(file) => {
            let name = format!("{}{suffix}", path.file_stem().unwrap_or_default().to_string_lossy());
            let folder = path.parent().unwrap_or(Path::new(""));
            let plan = resolve(&file, &name, folder, overrides.shorten(), vocabulary, problems);
            let (seeds, suite) = (file.seeds.unwrap_or_default(), file.suite.unwrap_or(Suite::Pr));
            Some(Scenario { path: path.into(), seeds, suite, plan })
        }
        // Whatever the check of the structure lets through that cannot be read is still a mistake with a place.
        Err(error) => {
            problems.note(error.span().unwrap_or(0..0), error.message(), "cannot be read");
            None
        }
    }
}

fn invalid(path: &Path, whole: String, problems: Problems) -> LoadError {
    Box::new(InvalidScenario::new(&shown(path), whole, problems.into_inner())).into()
}

/// The path from here when it lies below, for messages.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

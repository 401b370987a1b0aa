//! Where scenario files are, and which of them a pattern names.

use crate::problem::nearest;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The room's folder, with one folder a family in it.
pub fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Why a pattern names no scenario.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Nothing matches.
    #[error("no scenario is called `{pattern}`{}", hint.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    Nothing {
        /// What was asked for.
        pattern: String,
        /// The scenario that was probably meant.
        hint: Option<String>,
    },
    /// The pattern is no glob.
    #[error("`{0}` is no pattern: {1}")]
    Pattern(String, globset::Error),
    /// A folder cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(PathBuf, io::Error),
}

/// Every scenario file, sorted by family and name.
///
/// # Errors
/// When the room's folder cannot be read.
pub fn list() -> Result<Vec<PathBuf>, FindError> {
    let root = directory();
    let mut files = Vec::new();
    for family in entries(&root)? {
        let name = family.file_name().unwrap_or_default();
        if family.is_dir() && !["src", "tests", "target"].iter().any(|own| name == *own) {
            let inside = entries(&family)?;
            files.extend(inside.into_iter().filter(|file| file.extension().is_some_and(|end| end == "toml")));
        }
    }
    files.sort();
    Ok(files)
}

/// The files that a pattern names: a file's stem (`first-call`), a family (`canary`), a glob over `family/stem`
/// (`friends/*`, `*-call`), `all`, or the path of a file anywhere.
///
/// # Errors
/// When nothing matches, or a folder cannot be read.
pub fn find(pattern: &str) -> Result<Vec<PathBuf>, FindError> {
    if pattern.ends_with(".toml") && Path::new(pattern).is_file() {
        return Ok(vec![PathBuf::from(pattern)]);
    }
    let files = list()?;
    if pattern == "all" {
        return Ok(files);
    }
    let glob = globset::Glob::new(pattern).map_err(|error| FindError::Pattern(pattern.into(), error))?;
    let matcher = glob.compile_matcher();
    let (mut stems, mut found) = (Vec::new(), Vec::new());
    for file in &files {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let family = file.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        if family == pattern || matcher.is_match(&stem) || matcher.is_match(format!("{family}/{stem}")) {
            found.push(file.clone());
        }
        stems.push(stem);
    }
    if found.is_empty() {
        let hint = nearest(pattern, stems.iter().map(String::as_str)).map(str::to_owned);
        return Err(FindError::Nothing { pattern: pattern.into(), hint });
    }
    Ok(found)
}

/// A pattern with a choice of cells in brackets behind it: `nat-matrix[alice=symmetric,bob=full-cone]` is one of them,
/// `nat-matrix[alice=symmetric]` a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellPattern<'p> {
    /// What names the files.
    pub files: &'p str,
    /// What the names of the cells must hold.
    pairs: Vec<&'p str>,
}

impl<'p> CellPattern<'p> {
    /// Takes a pattern apart. Brackets without an equals sign are those of a glob.
    pub fn parse(pattern: &'p str) -> CellPattern<'p> {
        let parts = pattern.strip_suffix(']').and_then(|rest| rest.rsplit_once('['));
        match parts.filter(|(_, pairs)| pairs.contains('=')) {
            Some((files, pairs)) => CellPattern { files, pairs: pairs.split(',').collect() },
            None => CellPattern { files: pattern, pairs: Vec::new() },
        }
    }

    /// Whether a scenario with this name is meant, once its file is.
    pub fn admits(&self, name: &str) -> bool {
        let cell = CellPattern::parse(name).pairs;
        self.pairs.iter().all(|pair| cell.contains(pair))
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, FindError> {
    let unreadable = |error| FindError::Unreadable(folder.into(), error);
    fs::read_dir(folder).map_err(unreadable)?.map(|entry| entry.map(|entry| entry.path()).map_err(unreadable)).collect()
}

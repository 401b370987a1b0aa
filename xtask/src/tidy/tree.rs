//! The repository's files: those that are committed or would be.

use crate::workspace;
use std::{collections::BTreeMap, fs, io, process::Command};

/// Paths from the root with `/`, and the text of those that are text.
pub(super) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// The files that git knows or would take.
    ///
    /// # Errors
    /// When git does not answer.
    pub(super) fn read() -> io::Result<Tree> {
        let root = workspace::root();
        let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let output = Command::new("git").args(list).current_dir(&root).output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let paths = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut files = BTreeMap::new();
        for path in paths.split('\0').filter(|path| !path.is_empty()) {
            // A file that was deleted and not yet committed is listed and not there.
            if let Ok(bytes) = fs::read(root.join(path)) {
                files.insert(path.to_owned(), String::from_utf8(bytes).unwrap_or_default());
            }
        }
        Ok(Tree { files })
    }

    /// A tree for a test.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Tree {
        Tree { files: files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect() }
    }

    /// How many files there are.
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// Every path.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The text of a file; nothing when it is not there.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Every Rust file: path and text. The rules themselves are left out, since they name what they forbid.
    pub(super) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        let rust = |path: &str| path.ends_with(".rs") && !path.starts_with("xtask/src/tidy/");
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str())).filter(move |(path, _)| rust(path))
    }

    /// Every line of code of every Rust file that is no comment: place and line.
    pub(super) fn code(&self) -> impl Iterator<Item = (String, &str, &str)> {
        self.rust().flat_map(|(path, text)| {
            let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
            code.map(move |(index, line)| (format!("{path}:{}", index + 1), path, line))
        })
    }

    /// The crates: room, folder, manifest.
    pub(super) fn crates(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.files.iter().filter_map(|(path, text)| {
            let folder = path.strip_suffix("/Cargo.toml")?;
            Some((folder.rsplit('/').next().unwrap_or(folder), folder, text.as_str()))
        })
    }
}

/// The keys of one table of a manifest, with their line numbers: enough of TOML for manifests as we write them.
pub(super) fn keys<'t>(manifest: &'t str, table: &str) -> Vec<(usize, &'t str)> {
    let mut inside = false;
    let mut keys = Vec::new();
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line.trim_matches(['[', ']']) == table;
        } else if inside
            && !line.starts_with('#')
            && let Some((key, _)) = line.split_once('=')
        {
            keys.push((index + 1, key.trim().split('.').next().unwrap_or_default().trim_matches('"')));
        }
    }
    keys
}

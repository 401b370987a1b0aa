//! Starts the binary and keeps what came out.

use std::{path::Path, process::Command};

/// How the binary ended and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard output: what machines read.
    pub(crate) stdout: String,
    /// Standard error: what people read.
    pub(crate) stderr: String,
}

impl Ended {
    /// The last line for people that is not blank.
    pub(crate) fn last_line(&self) -> &str {
        self.stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default()
    }
}

/// Runs the binary in the repository's folder, as people do.
pub(crate) fn callproof(words: &[&str]) -> Ended {
    callproof_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."), words)
}

/// Runs the binary in a folder.
pub(crate) fn callproof_in(folder: &Path, words: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callproof"));
    command.args(words).current_dir(folder);
    // Messages are drawn with the characters and colours of the terminal: of one that has Unicode and no colour.
    command.env("NO_COLOR", "1").env("LC_ALL", "C.UTF-8").env("TERM", "xterm");
    for forcing in ["FORCE_COLOR", "CLICOLOR_FORCE", "FORCE_HYPERLINK"] {
        command.env_remove(forcing);
    }
    let output = command.output().expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("the binary prints UTF-8");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

//! Starting cargo and other tools.

use crate::{exit::Exit, workspace};
use std::{
    ffi::{OsStr, OsString},
    process::{Command, Stdio},
};

/// The cargo that started this program, at the workspace's root.
pub(crate) fn command() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.current_dir(workspace::root());
    command
}

/// Runs a tool that says what is wrong itself: a failure is [`Exit::Failed`].
pub(crate) fn run(command: &mut Command) -> Exit {
    match command.status() {
        Ok(status) => Exit::of_tool(status),
        Err(error) => {
            eprintln!("error: cannot start {}: {error}", command.get_program().to_string_lossy());
            Exit::Environment
        }
    }
}

/// Whether a program starts and answers.
pub(crate) fn answers(program: impl AsRef<OsStr>, arguments: &[&str]) -> bool {
    let quiet = || Stdio::null();
    let status = Command::new(program).args(arguments).stdin(quiet()).stdout(quiet()).stderr(quiet()).status();
    status.is_ok_and(|status| status.success())
}

/// Whether a cargo subcommand is installed.
pub(crate) fn has(subcommand: &str) -> bool {
    let mut command = command();
    command.args([subcommand, "--version"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

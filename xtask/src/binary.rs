//! The `callproof` binary: built by cargo, started with the verb's own words.

use crate::{
    cargo,
    exit::Exit,
    packages::{self, Consent},
};
use std::{path::PathBuf, process::Command};

/// Sees to the packages, builds the binary and runs a verb of it.
pub(crate) fn run(verb: &str, words: &[String], consent: Consent) -> Exit {
    match packages::ensure(consent).and_then(|()| build()) {
        Ok(binary) => start(&binary, verb, words),
        Err(exit) => exit,
    }
}

/// Builds the binary. Features are those of the whole workspace, so that the tests' build finds its dependencies done.
///
/// # Errors
/// [`Exit::Harness`] when it does not build; cargo has said why.
pub(crate) fn build() -> Result<PathBuf, Exit> {
    match cargo::run(cargo::command().args(["build", "--quiet", "--workspace", "--bin", "callproof"])) {
        Exit::Held => path().ok_or(Exit::Harness),
        _ => Err(Exit::Harness),
    }
}

/// Runs a verb of the built binary, and ends as it ends.
pub(crate) fn start(binary: &PathBuf, verb: &str, words: &[String]) -> Exit {
    match Command::new(binary).arg(verb).args(words).status() {
        Ok(status) => Exit::of_binary(status),
        Err(error) => {
            eprintln!("error: cannot start {}: {error}", binary.display());
            Exit::Harness
        }
    }
}

/// The binary lies beside this one: one profile, one target folder.
fn path() -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.with_file_name("callproof"))
}

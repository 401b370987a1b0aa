//! `test`: every test of the workspace. The runner's summary is the last thing printed.

use crate::{
    cargo,
    exit::Exit,
    packages::{self, Consent},
};

/// Runs the tests; further words go to the runner.
pub(crate) fn run(words: &[String], consent: Consent) -> Exit {
    if let Err(exit) = packages::ensure(consent) {
        return exit;
    }
    let mut command = cargo::command();
    if cargo::has("nextest") {
        command.args(["nextest", "run", "--workspace"]);
    } else {
        // The same targets as nextest's: documentation has no tests of its own here.
        command.args(["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"]);
    }
    cargo::run(command.args(words))
}

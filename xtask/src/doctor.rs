//! `doctor`: what this machine has and lacks. It works where nothing else does.

use crate::{binary, cargo, exit::Exit, packages};

/// Tools that make some things nicer, and what is done without them.
const OPTIONAL: &[(&str, &str)] = &[
    ("nextest", "tests in parallel processes (without it: cargo test)"),
    ("deny", "licences and duplicates of dependencies (without it: that lane of ci is skipped)"),
];

/// Prints what is there, then the fingerprint of the environment.
pub(crate) fn run() -> Exit {
    for need in packages::NEEDS {
        let mark = if need.is_met() { "ok     " } else { "MISSING" };
        println!("{mark}  {:<16} {}", need.purpose, need.package);
    }
    for (subcommand, purpose) in OPTIONAL {
        let mark = if cargo::has(subcommand) { "ok     " } else { "absent " };
        println!("{mark}  cargo-{subcommand:<10} {purpose}");
    }
    let missing = packages::missing();
    if !missing.is_empty() {
        println!("\nThis command brings what is missing:\n\n    {}", packages::install_command(&missing));
        return Exit::Environment;
    }
    println!();
    match binary::build() {
        Ok(built) => binary::start(&built, "fingerprint", &[]),
        Err(exit) => exit,
    }
}

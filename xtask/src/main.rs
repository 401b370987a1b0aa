//! The only door to Callproof: `cargo xtask <verb>`.
//!
//! It builds and runs without GStreamer and without any dependency. Before a verb that needs system packages it sees
//! to them; then it has cargo build the `callproof` binary and hands the verb over.

mod binary;
mod cargo;
mod ci;
mod doctor;
mod exit;
mod guide;
mod packages;
mod test;
mod tidy;
mod workspace;

use packages::Consent;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let consent = Consent::take_from(&mut words);
    let verb = if words.is_empty() { String::new() } else { words.remove(0) };
    let exit = match verb.as_str() {
        "" | "help" | "-h" | "--help" => guide::print(),
        "test" => test::run(&words, consent),
        "tidy" => tidy::run(),
        "doctor" => doctor::run(),
        "ci" => ci::run(&words, consent),
        verb if guide::is_binary_verb(verb) => binary::run(verb, &words, consent),
        unknown => guide::unknown(unknown),
    };
    exit.into()
}

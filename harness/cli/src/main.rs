//! The binary `callproof`, which `cargo xtask` builds and starts: parse, then match.

mod args;
mod bench;
mod bless;
mod catalogue;
mod conformance;
mod crashes;
mod exit;
mod gate;
mod judge;
mod mutants;
mod progress;
mod show;
mod simulate;
mod suite;

use args::{Args, Verb};
use clap::Parser;
use exit::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::parse();
    let result = match args.verb {
        Verb::Simulate(options) => simulate::run(&options),
        Verb::List { what } => catalogue::list(what),
        Verb::Show { scenario } => show::run(&scenario),
        Verb::Gate(options) => gate::run(&options),
        Verb::Bless(options) => bless::run(&options),
        Verb::Mutants(options) => mutants::run(&options),
        Verb::Conformance(options) => conformance::run(&options),
        Verb::Crashes(options) => crashes::run(&options),
        Verb::Judge { events } => judge::run(&events),
        Verb::Schema { check } => catalogue::schema(check),
        Verb::Bench(options) => bench::run(&options),
        Verb::Fingerprint => catalogue::fingerprint(),
        Verb::RerunForComparison { records } => simulate::rerun(records.as_deref()),
    };
    result
        .unwrap_or_else(|error| {
            anstream::eprintln!("{error:?}");
            Exit::of(&error)
        })
        .into()
}

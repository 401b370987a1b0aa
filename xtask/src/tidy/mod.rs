//! `tidy`: the repository against its own rules. One module a rule; each rule has a test that it can fail.

mod arrows;
mod determinism;
mod finished;
mod foreign;
mod layout;
mod length;
mod licences;
mod scenarios;
mod tree;

use crate::exit::Exit;
use tree::Tree;

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// Path from the root, with `:line` where a line is to blame.
    place: String,
    /// What is wrong, as a sentence.
    message: String,
}

impl Finding {
    fn new(place: impl Into<String>, message: impl Into<String>) -> Finding {
        Finding { place: place.into(), message: message.into() }
    }
}

/// A rule: its name, and what breaks it.
type Rule = (&'static str, fn(&Tree) -> Vec<Finding>);

const RULES: &[Rule] = &[
    ("arrows", arrows::check),
    ("determinism", determinism::check),
    ("finished", finished::check),
    ("foreign", foreign::check),
    ("layout", layout::check),
    ("length", length::check),
    ("licences", licences::check),
    ("scenarios", scenarios::check),
];

/// Checks every rule.
pub(crate) fn run() -> Exit {
    let tree = match Tree::read() {
        Ok(tree) => tree,
        Err(error) => {
            eprintln!("error: cannot read the repository: {error}");
            return Exit::Environment;
        }
    };
    let mut findings = 0;
    for (rule, check) in RULES {
        for Finding { place, message } in check(&tree) {
            println!("{place}: {message} [{rule}]");
            findings += 1;
        }
    }
    println!("tidy: {} files, {} rules, {findings} findings", tree.len(), RULES.len());
    if findings == 0 { Exit::Held } else { Exit::Failed }
}

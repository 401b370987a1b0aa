//! What the door says about itself.

use crate::exit::Exit;

/// Verbs of the `callproof` binary, with a line each.
const BINARY_VERBS: &[(&str, &str)] = &[
    ("simulate", "run scenarios, judge them, write reports: simulate first-call | 'friends/*' | all | my.toml"),
    ("list", "scenarios, presets, invariants, mutants, metrics"),
    ("show", "one scenario as it is resolved: links, addresses, steps"),
    ("gate", "thresholds and baselines: what CI calls"),
    ("bless", "accept measured values as the new baselines: bless --reason \"…\""),
    ("conformance", "promises x scenarios x invariants x checks x mutants"),
    ("mutants", "plant each known bug and see the named invariant catch it"),
    ("crashes", "crash a server's store at every write and sync, and see that nothing acknowledged is lost"),
    ("judge", "the oracle again, on a saved log"),
    ("schema", "write the schema of scenario files for editors"),
    ("bench", "how fast it simulates, as ratios taken in one run"),
];

/// Verbs of the door itself.
const OWN_VERBS: &[(&str, &str)] = &[
    ("test", "every test (cargo nextest where installed, cargo test otherwise)"),
    ("tidy", "the repository against its own rules"),
    ("doctor", "what this machine lacks, and the command that brings it"),
    ("ci", "what CI runs: ci all, or one of its lanes"),
];

/// Whether the `callproof` binary has this verb.
pub(crate) fn is_binary_verb(verb: &str) -> bool {
    BINARY_VERBS.iter().any(|(name, _)| *name == verb)
}

/// Prints the guide.
pub(crate) fn print() -> Exit {
    println!(
        "Callproof simulates end-to-end encrypted calls between friends, and proves or refutes what they promise.\n"
    );
    println!("    cargo xtask simulate first-call     the first call, with a report to open");
    println!("    cargo xtask test                    every test\n");
    println!("Verbs (each knows --help):\n");
    for (verb, line) in BINARY_VERBS.iter().chain(OWN_VERBS) {
        println!("    {verb:<10}{line}");
    }
    println!(
        "\nMissing system packages are installed after a yes, or at once for root without a terminal; --no-install"
    );
    println!(
        "forbids it. Exit codes: 0 held, 1 failed, 2 usage, 3 environment, 4 regressed, 5 nondeterministic, 6 harness."
    );
    Exit::Held
}

/// Says that there is no such verb.
pub(crate) fn unknown(verb: &str) -> Exit {
    let mut verbs = BINARY_VERBS.iter().chain(OWN_VERBS).map(|(name, _)| *name);
    match verbs.find(|name| is_slip_of(verb, name)) {
        Some(meant) => eprintln!("error: there is no verb `{verb}`; did you mean `{meant}`?"),
        None => eprintln!("error: there is no verb `{verb}`; `cargo xtask` lists them"),
    }
    Exit::Usage
}

/// Whether one letter added, left out, changed or swapped with its neighbour makes the name of the word.
fn is_slip_of(word: &str, name: &str) -> bool {
    let (word, name): (Vec<char>, Vec<char>) = (word.chars().collect(), name.chars().collect());
    let start = word.iter().zip(&name).take_while(|(a, b)| a == b).count();
    let (w, n) = (&word[start..], &name[start..]);
    match (w, n) {
        ([], []) => true,
        ([a, b, w @ ..], [c, d, n @ ..]) if a == d && b == c && w == n => true,
        ([_, w @ ..], [_, n @ ..]) if w == n => true,
        ([_, w @ ..], n) if w == n => true,
        (w, [_, n @ ..]) if w == n => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_one_letter_is_understood_and_two_are_not() {
        for slip in ["simulat", "simulatee", "simulste", "simualte", "simulate"] {
            assert!(is_slip_of(slip, "simulate"), "{slip}");
        }
        for other in ["simlt", "", "judge"] {
            assert!(!is_slip_of(other, "simulate"), "{other}");
        }
    }
}

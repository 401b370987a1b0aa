//! What a person sees after a slip: nothing runs, exit code 2, and the message says what is wrong and what was meant.

use crate::program::{callproof, callproof_in};
use std::{fs, path::PathBuf};

/// A story with a misspelt key, an unknown friend and a negative rate.
const SLIPS: &str = r#"#:schema ../scenario.schema.json
title = "Alice calls Bob"
duratoin = "10s"
exercises = ["only_friends_ring"]

participant = [
    { user = "alice", network = "home-wifi" },
    { user = "bob", network = { preset = "home-wifi", up = { rate = "-600kbit/s" } } },
]
friends = [["alice", "bbo"]]
timeline = [
    { at = "1s", user = "alice", does = "call", with = "bob", video = true },
]
"#;

/// A fresh folder of this test alone.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn help_names_every_verb() {
    let ended = callproof(&["--help"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let verbs = ["simulate", "list", "show", "gate", "bless", "mutants", "judge", "schema", "bench"];
    for verb in verbs {
        assert!(ended.stdout.lines().any(|line| line.split_whitespace().next() == Some(verb)), "no {verb}");
    }
    assert!(!ended.stdout.contains(campaign::determinism::RERUN_VERB), "the second process is nobody's verb");
}

#[test]
fn all_mistakes_of_a_file_are_shown_at_their_places() {
    let folder = folder("three-mistakes");
    fs::write(folder.join("story.toml"), SLIPS).unwrap();
    let ended = callproof_in(&folder, &["simulate", "story.toml"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!(ended.stderr);
}

#[test]
fn more_calls_than_a_scenario_holds_are_refused_before_anything_is_measured() {
    for calls in ["0", "33", "1,500"] {
        let ended = callproof(&["bench", "--codec", "modelled", "--calls", calls]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
        assert!(ended.stderr.contains("1..=32"), "{}", ended.stderr);
    }
}

#[test]
fn an_unknown_scenario_is_answered_with_the_one_that_was_meant() {
    let ended = callproof(&["simulate", "frist-call"]);
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains("no scenario is called `frist-call`; did you mean `first-call`?"),
        "{}",
        ended.stderr
    );
}

#[test]
fn an_unknown_key_on_the_command_line_is_wrong_usage() {
    let ended = callproof(&["simulate", "declined", "--set", "participant.alcie.nat=none"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("did you mean `alice`?"), "{}", ended.stderr);
}

#[test]
fn seeds_that_are_no_range_are_wrong_usage() {
    for seeds in ["3..1", "x", "1..", ""] {
        let ended = callproof(&["simulate", "declined", "--seeds", seeds]);
        assert_eq!(ended.code, Some(2), "{seeds}");
        assert!(ended.stderr.contains("--seeds"), "{}", ended.stderr);
    }
}

#[test]
fn an_unknown_mutant_and_an_unknown_log_filter_are_wrong_usage() {
    assert_eq!(callproof(&["mutants", "V999"]).code, Some(2));
    assert_eq!(callproof(&["simulate", "declined", "--no-report", "--log", "=="]).code, Some(2));
}

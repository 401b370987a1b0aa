//! `list`, `show`, `schema` and the mutant matrix: what there is, from the rooms that own it.

use crate::program::callproof;
use kernel::Plan;

#[test]
fn every_catalogue_lists_what_it_owns() {
    for (catalogue, known) in [
        ("scenarios", "call/first-call"),
        ("presets", "home-wifi"),
        ("invariants", "only_friends_ring"),
        ("mutants", "V20"),
        ("metrics", "glass_to_glass"),
    ] {
        let ended = callproof(&["list", catalogue]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stdout.contains(known), "{catalogue} without {known}:\n{}", ended.stdout);
    }
}

#[test]
fn without_a_name_every_catalogue_is_listed() {
    let listed = callproof(&["list"]).stdout;
    for known in ["call/first-call", "home-wifi", "only_friends_ring", "V20", "glass_to_glass"] {
        assert!(listed.contains(known), "no {known}");
    }
}

#[test]
fn a_scenario_is_shown_as_the_plan_that_runs() {
    let ended = callproof(&["show", "first-call"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let plan: Plan = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(plan.scenario, "first-call");
    assert_eq!(plan.participants.len(), 2);
}

#[test]
fn the_committed_schema_is_current() {
    let ended = callproof(&["schema", "--check"]);
    assert_eq!((ended.code, ended.stdout.trim()), (Some(0), "scenarios/scenario.schema.json is current"));
}

#[test]
fn a_mutant_that_is_killed_is_a_success() {
    let ended = callproof(&["mutants", "V20"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("1 of 1 mutants killed by their invariant\n"), "{}", ended.stdout);
}

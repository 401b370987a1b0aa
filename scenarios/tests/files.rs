//! The committed scenario files: all load, are named once, name the schema, and say what they are for.

mod vocabulary;

use kernel::{mutant::Mutant, plan::Expectation};
use scenarios::{
    CellPattern, Overrides, SCHEMA_FILE, SCHEMA_LINE, Scenario, Vocabulary, directory, find, list, load, schema_text,
};
use std::{collections::BTreeSet, fs};
use vocabulary::vocabulary;

/// The words of the tests, and every preset that the matrix of presets names: that they exist is for `campaign` to see,
/// which knows the network.
fn words() -> Vocabulary {
    let mut words = vocabulary();
    let text = fs::read_to_string(directory().join("network/every-preset.toml")).unwrap();
    let file: toml::Table = text.parse().unwrap();
    let ideal = words.presets["lan"].clone();
    for name in file["matrix"]["participant.alice.network"].as_array().unwrap() {
        words.presets.entry(name.as_str().unwrap().to_owned()).or_insert_with(|| ideal.clone());
    }
    words
}

fn all() -> Vec<Scenario> {
    let (files, words) = (list().unwrap(), words());
    let load = |path: &std::path::PathBuf| load(path, &words, &Overrides::default());
    files
        .iter()
        .flat_map(|path| load(path).unwrap_or_else(|error| panic!("{:?}", miette::Report::new(error))))
        .collect()
}

#[test]
fn every_file_loads_and_names_the_schema_first() {
    for scenario in all() {
        let text = fs::read_to_string(&scenario.path).unwrap();
        assert_eq!(text.lines().next(), Some(SCHEMA_LINE), "{}", scenario.path.display());
        assert!(!scenario.plan(1).exercises.is_empty(), "{}", scenario.name());
    }
}

#[test]
fn every_stem_names_one_file() {
    let scenarios = all();
    let stems: BTreeSet<_> = scenarios.iter().map(Scenario::name).collect();
    assert_eq!(stems.len(), scenarios.len());
    for scenario in &scenarios {
        let pattern = CellPattern::parse(scenario.name());
        assert_eq!(find(pattern.files).unwrap(), std::slice::from_ref(&scenario.path));
        assert!(pattern.admits(scenario.name()));
    }
}

#[test]
fn every_mutant_has_one_canary_that_expects_a_failure() {
    let scenarios = all();
    for mutant in Mutant::ALL {
        let plants: Vec<_> = scenarios.iter().filter(|scenario| scenario.plan(1).mutant == Some(*mutant)).collect();
        // The cells of one file count as one.
        let canaries: BTreeSet<_> = plants.iter().map(|scenario| &scenario.path).collect();
        assert_eq!(canaries.len(), 1, "{mutant}");
        assert_eq!(plants[0].family(), "canary");
    }
}

#[test]
fn canaries_fail_and_nothing_else_does() {
    for scenario in all() {
        let plan = scenario.plan(1);
        let fails = matches!(plan.expect, Expectation::Fails { .. });
        assert_eq!(fails, scenario.family() == "canary", "{}", scenario.name());
        if let Expectation::Fails { invariant } = plan.expect {
            assert!(plan.exercises.contains(&invariant), "{} does not exercise what it breaks", scenario.name());
        }
    }
}

#[test]
fn every_invariant_is_exercised_by_a_story_that_holds() {
    let exercised: BTreeSet<String> = all()
        .iter()
        .filter(|scenario| scenario.family() != "canary")
        .flat_map(|story| story.plan(1).exercises)
        .collect();
    for invariant in vocabulary().invariants {
        assert!(exercised.contains(&invariant), "{invariant}");
    }
}

#[test]
fn the_exported_schema_is_current() {
    let committed = fs::read_to_string(directory().join(SCHEMA_FILE)).unwrap_or_default();
    assert!(committed == schema_text(), "run `cargo xtask schema`");
}

#[test]
fn patterns_name_stems_families_and_globs() {
    assert_eq!(find("first-call").unwrap().len(), 1);
    assert_eq!(find("friends").unwrap(), find("friends/*").unwrap());
    assert!(find("*-cannot-ring").unwrap().len() >= 2);
    assert_eq!(find("all").unwrap(), list().unwrap());
    let message = find("frist-call").unwrap_err().to_string();
    assert_eq!(message, "no scenario is called `frist-call`; did you mean `first-call`?");
}

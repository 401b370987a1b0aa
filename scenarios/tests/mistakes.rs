//! What a person sees after a slip: file, line, caret, and what was probably meant. All mistakes of a file at once.

mod vocabulary;

use miette::{GraphicalReportHandler, GraphicalTheme};
use scenarios::{LoadError, Overrides, read};
use std::path::Path;
use vocabulary::vocabulary;

/// A story without mistakes, to be changed by one or more.
const STORY: &str = r#"#:schema ../scenario.schema.json
title = "Alice calls Bob"
duration = "10s"
exercises = ["only_friends_ring"]

participant = [
    { user = "alice", network = "home-wifi" },
    { user = "bob", network = { preset = "home-wifi", up = { rate = "600kbit/s" } } },
]
friends = [["alice", "bob"]]
timeline = [
    { at = "1s", user = "alice", does = "call", with = "bob", video = true },
    { after_ring = "2s", user = "bob", does = "accept" },
]
"#;

fn errors(text: &str, overrides: &Overrides) -> String {
    let error = read(Path::new("story.toml"), text, &vocabulary(), overrides).expect_err("this has mistakes");
    let LoadError::Invalid(invalid) = &error else { panic!("{error}") };
    assert!(!invalid.problems().is_empty());
    let mut report = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(110);
    handler.render_report(&mut report, &error).unwrap();
    report
}

fn changed(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(STORY.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the story has no `{from}`");
        text.replace(from, to)
    })
}

fn errors_after(changes: &[(&str, &str)]) -> String {
    errors(&changed(changes), &Overrides::default())
}

#[test]
fn the_story_without_mistakes_is_read() {
    let scenario = read(Path::new("story.toml"), STORY, &vocabulary(), &Overrides::default()).unwrap();
    assert_eq!(scenario.name(), "story");
    assert_eq!(scenario.plan(7).seed, 7);
}

#[test]
fn a_typo_an_unknown_friend_and_a_negative_rate_are_three_mistakes_at_their_places() {
    insta::assert_snapshot!(errors_after(&[
        ("duration", "duratoin"),
        (r#"[["alice", "bob"]]"#, r#"[["alice", "bbo"]]"#),
        ("600kbit/s", "-600kbit/s"),
    ]));
}

#[test]
fn unknown_names_of_every_catalogue_are_found() {
    insta::assert_snapshot!(errors(
        &(changed(&[
            (r#"exercises = ["only_friends_ring"]"#, "exercises = [\"only_friends_rings\"]\nmutant = \"V21\""),
            (r#"preset = "home-wifi""#, r#"preset = "home-wfi""#),
            (r#"does = "accept""#, r#"does = "acept""#),
            (r#"user = "alice", does"#, r#"user = "mallory", does"#),
        ]) + r#"
[[link_change]]
at = "2s"
link = "bob/upp"
rate = "200kbit/s"

[thresholds]
glass_to_glas_us_p95 = { at_most = "200ms" }
"#),
        &Overrides::default()
    ));
}

#[test]
fn absurd_numbers_are_refused_with_what_would_be_right() {
    insta::assert_snapshot!(errors_after(&[
        (r#""10s""#, r#""10 sec""#),
        (r#"rate = "600kbit/s""#, r#"rate = 600, loss = "101%", propagation = "-5ms", queue = "0B""#),
        ("friends =", "seeds = \"5..5\"\nmedia = { fps = 0, width = 641, audio_rate = \"1Mbit/s\" }\nfriends ="),
    ]));
}

#[test]
fn missing_keys_are_named_where_they_belong() {
    insta::assert_snapshot!(errors_after(&[
        (r#"title = "Alice calls Bob""#, ""),
        (r#"at = "1s", "#, ""),
        (r#"with = "bob", "#, ""),
        (r#"user = "bob", does"#, "does"),
    ]));
}

#[test]
fn values_of_the_wrong_type_do_not_hide_the_others() {
    insta::assert_snapshot!(errors_after(&[
        (r#"title = "Alice calls Bob""#, "title = 5"),
        ("video = true", "video = \"yes\""),
        (r#"["alice", "bob"]"#, r#"["alice"]"#),
        (r#"["only_friends_ring"]"#, r#""only_friends_ring""#),
    ]));
}

#[test]
fn steps_that_cannot_be_meant_are_refused() {
    insta::assert_snapshot!(errors_after(&[
        (r#"at = "1s""#, r#"at = "11s", after_live = "1s""#),
        (r#"with = "bob", video = true"#, r#"with = "alice""#),
        (r#"does = "accept""#, r#"does = "decline", with = "alice", video = false"#),
    ]));
}

#[test]
fn what_is_no_toml_is_pointed_at() {
    insta::assert_snapshot!(errors_after(&[(r#"friends = [["alice", "bob"]]"#, r#"friends = [["alice", "bob"]"#)]));
}

#[test]
fn a_mistake_on_the_command_line_is_shown_in_its_own_words() {
    let set = |text: &str| text.parse().unwrap();
    let overrides = Overrides {
        set: vec![
            set("participant.alcie.nat=symmetric"),
            set("participant.bob.network.up.rate=-1kbit/s"),
            set("duraton=5s"),
        ],
        network: Some("home".into()),
        codec: Some("vp9".into()),
    };
    insta::assert_snapshot!(errors(STORY, &overrides));
    assert!("no value".parse::<scenarios::Override>().is_err());
}

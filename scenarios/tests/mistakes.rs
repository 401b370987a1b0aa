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
    let read = read(Path::new("story.toml"), STORY, &vocabulary(), &Overrides::default()).unwrap();
    let [scenario] = &read[..] else { panic!("one scenario") };
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
fn gaps_that_cannot_be_meant_are_refused() {
    let thresholds = r#"
[thresholds]
setup_us = { at_most = "2s", gap = { at_most = "2s", reason = "as much as is allowed" } }
freeze_count = { at_most = 1, gap = { at_least = 0, reason = "the other side" } }
loss_ppm = { at_most = "1%", gap = { at_most = "2 percent", reason = "no unit" } }
video_sent_bps = { at_least = "1Mbit/s", gap = { at_least = "800kbit/s", reason = " " } }
glass_to_glass_us_p95 = { at_most = "200ms", gap = { reason = "no bound" } }
mouth_to_ear_us_p95 = { at_most = "200ms", gap = { at_most = "250ms" } }
"#;
    insta::assert_snapshot!(errors(&(changed(&[]) + thresholds), &Overrides::default()));
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
fn settings_that_cannot_be_meant_are_refused() {
    insta::assert_snapshot!(errors_after(&[(
        r#"    { after_ring = "2s", user = "bob", does = "accept" },"#,
        r#"    { at = "2s", user = "bob", does = "let-call" },
    { at = "3s", user = "bob", does = "let-see", whom = "strangers" },
    { at = "4s", user = "bob", does = "block", with = "alice", whom = "nobody" },"#,
    )]));
}

#[test]
fn an_order_is_neither_too_deep_nor_without_a_number() {
    insta::assert_snapshot!(errors_after(&[(r#"title = "#, "schedule = { depth = 17 }\ntitle = ")]));
}

#[test]
fn a_camera_that_is_in_no_call_cannot_be_switched() {
    insta::assert_snapshot!(errors_after(&[
        (r#"does = "accept""#, r#"does = "accept", video = false"#),
        (
            "timeline = [",
            r#"timeline = [
    { after_live = "1s", user = "bob", does = "camera-off" },
    { after_live = "1s", user = "alice", does = "mute", with = "bob" },"#,
        ),
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

/// The story as a matrix of two axes with one rule.
fn matrix(values: &str, rule: &str) -> String {
    format!("{STORY}\n[matrix]\n\"participant.alice.nat\" = {values}\n\"media.fps\" = [15, 30]\n\n[[cell]]\n{rule}\n")
}

#[test]
fn every_combination_of_a_matrix_is_a_scenario_and_its_rules_have_the_last_word() {
    let text = matrix(
        r#"["none", { name = "strict", value = { mapping = "address-dependent" } }]"#,
        r#"where = { "alice.nat" = "strict", "media.fps" = ["30"] }
set = { duration = "9s", "participant.bob.nat" = "symmetric" }"#,
    );
    let all = read(Path::new("story.toml"), &text, &vocabulary(), &Overrides::default()).unwrap();
    let names: Vec<&str> = all.iter().map(scenarios::Scenario::name).collect();
    let expected = [
        "story[media.fps=15,alice.nat=none]",
        "story[media.fps=15,alice.nat=strict]",
        "story[media.fps=30,alice.nat=none]",
        "story[media.fps=30,alice.nat=strict]",
    ];
    assert_eq!(names, expected);
    let plans: Vec<_> = all.iter().map(|scenario| scenario.plan(1)).collect();
    assert_eq!(plans.iter().map(|plan| plan.media.fps).collect::<Vec<_>>(), [15, 15, 30, 30]);
    let nats = plans.iter().map(|plan| plan.participants[0].access.nat.is_some());
    assert_eq!(nats.collect::<Vec<_>>(), [false, true, false, true]);
    let seconds = plans.iter().map(|plan| plan.duration.0 / 1_000_000);
    assert_eq!(seconds.collect::<Vec<_>>(), [10, 10, 10, 9]);
    let symmetric = Some(kernel::plan::NatPlan::SYMMETRIC);
    assert_eq!(plans.iter().filter(|plan| plan.participants[1].access.nat == symmetric).count(), 1);
}

#[test]
fn slips_in_a_matrix_are_found_at_their_places() {
    let slips = |values, rule| errors(&matrix(values, rule), &Overrides::default());
    insta::assert_snapshot!(slips(
        r#"["none", "none", { mapping = "address-dependent" }, "two words"]"#,
        r#"where = { "alice.nta" = "none", "media.fps" = "60" }
set = { duration = "9s" }
sett = 1"#
    ));
    insta::assert_snapshot!(slips(
        r#"["none", "symetric"]"#,
        r#"where = {}
set = { "participant.carol.nat" = "none" }"#
    ));
}

#[test]
fn nats_carriers_and_firewalls_that_do_not_fit_are_refused() {
    insta::assert_snapshot!(errors(
        &(changed(&[
            (r#""alice", network = "home-wifi""#, r#""alice", network = "home-wifi", nat = "none", carrier = "mobil""#),
            (
                r#"preset = "home-wifi", "#,
                r#"preset = "home-wifi"}, nat = { lifetime = "0s", ports = "odd" }, firewall = "shut", home = "h", carrier = "other" }, # "#
            ),
        ]) + r#"
[[carrier]]
name = "mobile"
nat = "none"

[[nat_change]]
at = "20s"
user = "alice"
change = "forget"

[[nat_change]]
at = "2s"
user = "bob"
carrier = true
change = "renumber"
"#),
        &Overrides::default()
    ));
}

#[test]
fn interfaces_that_cannot_be_meant_are_refused() {
    let text = STORY.replace(
        r#"{ user = "alice", network = "home-wifi" }"#,
        r#"{ user = "alice", network = "home-wifi", interface = [
        { name = "lte", network = "lte-goood", down = true },
        { name = "lte", network = "lte-good" },
        { name = "4G", network = "lte-good" },
        { network = "lte-good" },
    ] }"#,
    ) + r#"
[[fault]]
at = "2s"
interface = "alice.lt"
does = "go-down"

[[fault]]
at = "3s"
interface = "alice.lte"
does = "crash"
lasts = "2s"

[[fault]]
at = "4s"
node = "signaling"
does = "come-up"

[[fault]]
at = "12s"
node = "signaling"
interface = "bob"
does = "restart"

[[link_change]]
at = "2s"
link = "alice.lte/upp"
loss = "1%"
"#;
    insta::assert_snapshot!(errors(&text, &Overrides::default()));
}

#[test]
fn cores_that_cannot_be_meant_are_refused() {
    let text = STORY.to_owned() + "\n[cores]\ncount = 9\nreplica_delay = \"11s\"\nreplicas = 2\n";
    insta::assert_snapshot!(errors(&text, &Overrides::default()));
}

#[test]
fn crashes_in_commits_that_cannot_be_meant_are_refused() {
    let text = STORY.to_owned()
        + r#"
[[fault]]
at = "2s"
node = "signaling"
does = "crash-in-commit"
of = "block"
after = "11s"

[[fault]]
at = "3s"
node = "relay"
does = "crash-in-commit"
of = "blocked"

[[fault]]
at = "4s"
node = "signaling"
does = "restart"
of = "blocked"
after = "1ms"
"#;
    insta::assert_snapshot!(errors(&text, &Overrides::default()));
}

#[test]
fn version_6_of_a_network_needs_an_internet_with_both() {
    let said =
        errors_after(&[(r#""alice", network = "home-wifi""#, r#""alice", network = "home-wifi", ipv6 = "broken""#)]);
    assert!(said.contains("the internet of this scenario has one version"), "{said}");
    assert!(said.contains("story.toml: 1 mistake\n"), "{said}");
}

#[test]
fn of_very_many_mistakes_the_first_are_shown_and_all_are_counted() {
    let friends: Vec<String> = (0..300).map(|n| format!(r#"["alice", "nobody-{n}"]"#)).collect();
    let said = errors_after(&[(r#"[["alice", "bob"]]"#, &format!("[{}]", friends.join(", ")))]);
    assert!(said.contains("story.toml: 300 mistakes, of which the first 50 follow"), "{said}");
    assert!(said.contains("`nobody-49`") && !said.contains("called `nobody-50`"));
}

#[test]
fn a_phone_with_two_networks_is_what_the_file_says() {
    let interface = r#"network = "home-wifi", interface = [{ name = "lte", network = "lte-good", down = true }] },"#;
    let text = STORY.replacen(r#"network = "home-wifi" },"#, interface, 1)
        + "[[fault]]\nat = \"2s\"\ninterface = \"alice.lte\"\ndoes = \"come-up\"\n\
           [[link_change]]\nat = \"3s\"\nlink = \"alice.lte/down\"\nloss = \"1%\"\n";
    let read = read(Path::new("story.toml"), &text, &vocabulary(), &Overrides::default()).unwrap();
    let plan = read[0].plan(1);
    let [lte] = &plan.participants[0].interfaces[..] else { panic!("one further interface") };
    assert_eq!((lte.name.as_str(), lte.starts_down), ("alice-phone.lte", true));
    assert_ne!(lte.access.public_address, plan.participants[0].access.public_address);
    let kernel::trouble::FaultKind::InterfaceUp { interface } = &plan.trouble.faults[0].kind else {
        panic!("it comes up")
    };
    assert_eq!((interface.as_str(), plan.link_schedule[0].link.as_str()), ("alice-phone.lte", "alice-phone.lte/down"));
}

#[test]
fn links_that_cannot_be_meant_are_refused() {
    let text = STORY.replace("title", "# A story with links.\ntitle")
        + r#"
[link.router]
up = { aqm = { kind = "codel", quantum = 3 }, jitter = { max = "1ms", deviation = "2ms" }, mtu = 20 }
down = { aqm = { kind = "red", min = "9kB", max = "3kB" }, policer = { rate = "1Mbit/s" } }

[link.alice]
up = { trace = "drivng", rate = "1Mbit/s" }

[[link_change]]
at = "2s"
link = "routr/up"
repeat = "1us"
jitter = { pareto = "2ms", correlation = "10%" }

[[link_change]]
at = "3s"
link = "router/up"
"#;
    let text = text.replace(r#"network = "home-wifi" }"#, r#"network = "home-wifi", via = ["rooter"] }"#);
    insta::assert_snapshot!(errors(&text, &Overrides::default()));
}

#[test]
fn links_become_what_the_file_says() {
    use kernel::{
        Micros,
        plan::{Aqm, Jitter, Pace, Policer, Reordering},
    };
    let text = STORY.replace(r#"network = "home-wifi" }"#, r#"network = "home-wifi", via = ["router"] }"#)
        + r#"
[link.router.up]
trace = "driving"
queue = "50kB"
queue_packets = 40
aqm = "red"
policer = { rate = "2Mbit/s", burst = "32kB" }
jitter = { deviation = "5ms", spaced = true }
reordering = "1%"
lost_packets = [7, 3]
mtu = 1400

[[link_change]]
at = "2s"
repeat = "4s"
link = "router/up"
rate = "unlimited"
aqm = { kind = "fq-codel", ecn = false }
duplication = "2%"
"#;
    let scenarios = read(Path::new("story.toml"), &text, &vocabulary(), &Overrides::default()).unwrap();
    let plan = scenarios[0].plan(1);
    let [router] = &plan.core_links[..] else { panic!("one core link") };
    let up = &router.up;
    assert_eq!(plan.participants[0].access.via, ["router"]);
    assert_eq!((up.trace.as_deref(), plan.traces.len(), up.queue_packets, up.mtu), (Some("driving"), 1, 40, 1_400));
    let red = Aqm::Red { min: 10_000, max: 30_000, probability_ppm: 100_000, weight_shift: 9, ecn: false };
    assert_eq!((up.aqm, up.jitter), (red, Jitter::Spaced { deviation: Micros(5_000) }));
    assert_eq!(up.policer, Policer::TokenBucket { rate: kernel::BitRate::from_mbps(2), burst: 32_000 });
    assert_eq!(up.reordering, Reordering { ppm: 10_000, hold: Micros(10_000) });
    assert_eq!(up.lost_packets, [3, 7]);
    let [step] = &plan.link_schedule[..] else { panic!("one change") };
    assert_eq!((step.at, step.every, step.link.as_str()), (Micros(2_000_000), Some(Micros(4_000_000)), "router/up"));
    assert_eq!((&step.change.rate, step.change.duplication_ppm), (&Some(Pace::Unlimited), Some(20_000)));
    assert!(matches!(step.change.aqm, Some(Aqm::FqCodel { ecn: false, .. })));
}

#[test]
fn devices_that_cannot_be_meant_are_refused() {
    let twice = changed(&[
        (
            r#"{ user = "alice", network = "home-wifi" }"#,
            r#"{ user = "alice", device = "Phone 2", network = "home-wifi" }"#,
        ),
        (
            r#"    { user = "bob", network = { preset"#,
            "    { user = \"bob\", network = \"lan\" },\n    { user = \"bob\", device = \"phone\", network = { preset",
        ),
    ]);
    insta::assert_snapshot!(errors(&twice, &Overrides::default()));
    let several = changed(&[
        (
            r#"    { user = "bob", network = { preset"#,
            "    { user = \"bob\", network = \"lan\" },\n    { user = \"bob\", device = \"laptop\", network = { preset",
        ),
        (
            r#"    { at = "1s", user = "alice", does"#,
            "    { at = \"5s\", user = \"bob\", device = \"labtop\", does = \"hang-up\" },\n    { at = \"1s\", user = \"alice\", does",
        ),
    ]) + r#"
[[nat_change]]
at = "2s"
user = "bob"
change = "forget"

[[fault]]
at = "2s"
between = ["bob", "signaling"]

[[link_change]]
at = "2s"
link = "bob/up"
rate = "200kbit/s"
"#;
    insta::assert_snapshot!(errors(&several, &Overrides::default()));
}

#[test]
fn nobody_can_be_taken_for_who_is_not_there() {
    let story = |original: &str| {
        let imitation = format!(r#"{{ user = "alice", imitates = "{original}", network = "home-wifi" }}"#);
        changed(&[(r#"{ user = "alice", network = "home-wifi" }"#, &imitation)])
    };
    insta::assert_snapshot!(errors(&story("bop"), &Overrides::default()));
    insta::assert_snapshot!(errors(&story("alice"), &Overrides::default()));
}

#[test]
fn messages_that_cannot_be_meant_are_refused() {
    let long = format!(
        r#"    {{ at = "5s", user = "alice", does = "write", with = "bob", text = "{}" }},"#,
        "x".repeat(1_025)
    );
    let story = changed(&[(
        r#"    { after_ring = "2s", user = "bob", does = "accept" },"#,
        &[
            r#"    { after_ring = "2s", user = "bob", does = "accept", text = "hello" },"#,
            r#"    { at = "3s", user = "alice", does = "write", with = "bob" },"#,
            r#"    { at = "4s", user = "alice", does = "write", text = "hello" },"#,
            &long,
            r#"    { at = "6s", user = "alice", does = "read", with = "bob", attached = "picture" },"#,
        ]
        .join("\n"),
    )]);
    insta::assert_snapshot!(errors(&story, &Overrides::default()).replace(&"x".repeat(1_025), "x..."));
}

#[test]
fn acts_about_devices_that_cannot_be_meant_are_refused() {
    let story = changed(&[
        (
            r#"{ user = "alice", network = "home-wifi" }"#,
            r#"{ user = "alice", network = "home-wifi", signs_in = "1s" }"#,
        ),
        (
            r#"    { user = "bob", network = { preset"#,
            "    { user = \"bob\", network = \"lan\" },\n    { user = \"bob\", device = \"laptop\", network = { preset",
        ),
        (
            r#"    { after_ring = "2s", user = "bob", does = "accept" },"#,
            r#"    { after_ring = "2s", user = "bob", device = "phone", does = "accept", target = "laptop" },
    { at = "3s", user = "bob", device = "phone", does = "confirm-device" },
    { at = "4s", user = "bob", device = "phone", does = "remove-device", target = "phone" },
    { at = "5s", user = "bob", device = "phone", does = "remove-device", target = "tablet" },"#,
        ),
    ]);
    insta::assert_snapshot!(errors(&story, &Overrides::default()));
}

#[test]
fn a_step_that_opens_a_link_has_one_and_no_other_has() {
    let story = changed(&[(
        r#"    { after_ring = "2s", user = "bob", does = "accept" },"#,
        r#"    { at = "2s", user = "bob", does = "open-link" },
    { at = "3s", user = "bob", does = "lock", link = "callproof://call/alice" },
    { at = "4s", user = "bob", does = "verify" },
    { at = "5s", user = "bob", does = "sleep", with = "alice" },"#,
    )]);
    insta::assert_snapshot!(errors(&story, &Overrides::default()));
}

#[test]
fn passwords_and_copies_that_cannot_be_meant_are_refused() {
    let story = changed(&[(
        r#"    { after_ring = "2s", user = "bob", does = "accept" },"#,
        r#"    { after_ring = "2s", user = "bob", does = "accept", password = "nothing to hide" },
    { at = "3s", user = "bob", does = "change-password" },"#,
    )]) + r#"
[[fault]]
at = "2s"
node = "signaling"
does = "restore-copy"

[[fault]]
at = "3s"
node = "relay"
does = "restore-copy"
copied = "3s"

[[fault]]
at = "4s"
node = "signaling"
does = "restart"
copied = "1s"
"#;
    insta::assert_snapshot!(errors(&story, &Overrides::default()));
}

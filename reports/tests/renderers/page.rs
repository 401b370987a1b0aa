//! `index.html`: whole, offline, safe.

use crate::sample::{Sample, broken, held};
use kernel::{
    Event,
    plan::{InterfacePlan, Participant},
};
use reports::write;
use std::{fs, path::Path};

fn page(sample: &Sample, dir: &str) -> String {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(dir);
    write(&dir, &sample.run()).unwrap();
    fs::read_to_string(dir.join("first-call-1/index.html")).unwrap()
}

#[test]
fn the_page_has_every_section() {
    let page = page(&held(), "page-sections");
    let sections = [
        "findings",
        "invariants",
        "metrics",
        "timeline",
        "setup",
        "transport",
        "latency",
        "pictures",
        "security",
        "packets",
        "appendix",
    ];
    for section in sections {
        assert!(page.contains(&format!("<section id=\"{section}\">")), "{section} is missing");
        assert!(page.contains(&format!("href=\"#{section}\"")), "{section} is not in the navigation");
    }
    assert!(page.contains("id=\"verdict\""));
    assert!(page.contains("NOT EXERCISED"));
}

#[test]
fn a_core_link_has_charts_of_all_that_flows_over_it() {
    let page = page(&held(), "page-links");
    assert!(page.contains("Core link bottleneck/up"));
    let (_, data) = page.split_once("id=\"data\"").unwrap();
    let (_, data) = data.split_once('>').unwrap();
    let data: serde_json::Value = serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap();
    let link = &data["links"][0];
    assert_eq!((&link["t"][9], &link["capacity"][9], &link["carried"][9]), (&9_800.into(), &1_000.into(), &990.into()));
    let flows = [&link["flows"][0], &link["flows"][1]];
    assert_eq!(flows.map(|flow| flow["name"].as_str()), [Some("alice-phone>bob-laptop"), Some("traffic/upload")]);
    assert_eq!(flows.map(|flow| flow["rate"][9].as_u64()), [Some(581), Some(319)]);
    // Tenths of a millisecond.
    assert_eq!((&link["queue_mean"][9], &link["queue_max"][9]), (&360.into(), &814.into()));
    assert_eq!((&link["dropped"], &link["marked"]), (&[9_600, 9_800].into(), &[9_800].into()));
    assert_eq!(data["lanes"].as_array().map(Vec::len), Some(2), "both directions of the call, and no other");
}

/// A run whose log holds only some of the events.
fn page_with(keeps: fn(&Event) -> bool, dir: &str) -> (String, serde_json::Value) {
    let mut sample = held();
    sample.log.records.retain(|record| keeps(&record.event));
    let page = page(&sample, dir);
    let (_, data) = page.split_once("id=\"data\"").unwrap();
    let (_, data) = data.split_once('>').unwrap();
    let data = serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap();
    (page, data)
}

#[test]
fn a_run_without_media_has_a_sentence_and_no_empty_charts() {
    let silent = |event: &Event| !matches!(event, Event::Rendered(_) | Event::RtpSent(_));
    let (page, data) = page_with(silent, "page-without-media");
    assert_eq!(data["lanes"].as_array().map(Vec::len), Some(0));
    assert!(page.contains("no media flowed") && page.contains("id=\"states\"") && !page.contains("data-lane="));
    assert!(!page.contains("smooth picture"), "nothing is drawn that would need the key");

    let (page, _) = page_with(|event| matches!(event, Event::Plan(_)), "page-without-calls");
    assert!(page.contains("Nobody was in a call.") && !page.contains("id=\"states\"") && !page.contains("data-lane="));

    let (page, data) = page_with(|_| true, "page-with-media");
    assert!(page.contains("smooth picture") && !page.contains("no media flowed"));
    assert_eq!(data["lanes"].as_array().map(Vec::len), Some(2), "media flowed, and is drawn");
}

/// What nobody knows is not called unlimited.
#[test]
fn a_capacity_is_told_only_where_it_is_one_rate() {
    let told = |change: fn(&mut Participant), dir| {
        let mut sample = held();
        sample.judgement.plan.participants.iter_mut().for_each(change);
        let page = page(&sample, dir);
        ["differs by interface", "follows a trace", "unlimited"]
            .map(|words| page.contains(&format!("capacity {words}")))
    };
    let second = |one: &mut Participant| {
        let (name, address, access) = ("lte".into(), one.address, one.access.clone());
        one.interfaces = vec![InterfacePlan { name, address, access, starts_down: true }];
    };
    assert_eq!(told(second, "page-interfaces"), [true, false, false]);
    let traced = |one: &mut Participant| one.access.up.trace = Some("driving".into());
    assert_eq!(told(traced, "page-traced"), [false, true, false]);
    assert_eq!(told(|_| (), "page-rate"), [false; 3], "a rate is a number");
}

#[test]
fn the_page_needs_no_network() {
    let page = page(&held(), "page-offline");
    for attribute in ["src", "href", "srcset", "action", "data"] {
        for scheme in ["http:", "https:", "//"] {
            for quote in ["\"", "'", ""] {
                let reference = format!("{attribute}={quote}{scheme}");
                assert!(!page.contains(&reference), "{reference}");
            }
        }
    }
    assert!(!page.contains("@import") && !page.contains("url(http"));
    assert!(!page.contains("<link") && !page.contains("fetch("));
}

#[test]
fn text_from_peers_and_files_is_never_markup() {
    let mut sample = broken();
    let plan = &mut sample.judgement.plan;
    plan.title = "</script><script>alert(2)</script>".into();
    plan.participants[0].device = "<i>alice</i>".into();
    let page = page(&sample, "page-escaped");
    assert!(!page.contains("<script>alert"));
    assert!(!page.contains("<i>alice"));
    assert!(page.contains("&#60;script&#62;alert(1)"));
}

#[test]
fn the_page_says_why_a_run_failed() {
    let page = page(&broken(), "page-failed");
    assert!(page.contains("<span class=\"word\">FAIL</span>"));
    assert!(page.contains("threshold glass_to_glass_us_p95 failed"));
    assert!(page.contains("cargo xtask simulate first-call --seed 1"));
}

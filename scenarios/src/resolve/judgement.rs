//! What the run is judged by: invariants, thresholds, the expectation and the planted bug.

use crate::{
    either::Either,
    file::{Bound, Scenario, Threshold as ThresholdEntry},
    located::Located,
    problem::Problems,
    resolve::media,
    scalar::{Duration, Quantity, Rate, Share},
    vocabulary::Vocabulary,
};
use kernel::{
    mutant::Mutant,
    plan::{Expectation, Threshold},
};

/// Metrics that compare rendered pictures with captured ones.
const PICTURE_METRICS: [&str; 2] = ["psnr_y_mdb", "ssim_y_ppm"];

/// The parts of a plan that speak of its judgement.
pub(super) struct Judgement {
    pub(super) exercises: Vec<String>,
    pub(super) expect: Option<Expectation>,
    pub(super) mutant: Option<Mutant>,
    pub(super) thresholds: Vec<Threshold>,
}

/// Looks every name up.
pub(super) fn resolve(file: &Scenario, vocabulary: &Vocabulary, problems: &mut Problems) -> Judgement {
    let has_pictures = media::has_pictures(&file.media);
    Judgement {
        exercises: exercises(file, vocabulary, problems),
        expect: expectation(file, vocabulary, problems),
        mutant: file.mutant.as_ref().and_then(|name| mutant(name, problems)),
        thresholds: file
            .thresholds
            .iter()
            .filter_map(|(name, entry)| threshold(name, entry, has_pictures, vocabulary, problems))
            .collect(),
    }
}

fn exercises(file: &Scenario, vocabulary: &Vocabulary, problems: &mut Problems) -> Vec<String> {
    let mut exercises: Vec<String> = Vec::new();
    let Some(listed) = &file.exercises else { return exercises };
    if listed.is_empty() {
        problems.note(listed.span(), "a story that exercises nothing proves nothing", "name at least one invariant");
    }
    for name in listed.iter() {
        if exercises.contains(name) {
            problems.note(name.span(), format!("`{}` is listed twice", **name), "the second one");
        } else if invariant(name, vocabulary, problems) {
            exercises.push(String::clone(name));
        }
    }
    exercises
}

fn expectation(file: &Scenario, vocabulary: &Vocabulary, problems: &mut Problems) -> Option<Expectation> {
    let Either::Table(expected) = &**file.expect.as_ref()? else { return Some(Expectation::Holds) };
    let name = expected.fails.as_ref()?;
    invariant(name, vocabulary, problems).then(|| Expectation::Fails { invariant: String::clone(name) })
}

fn invariant(name: &Located<String>, vocabulary: &Vocabulary, problems: &mut Problems) -> bool {
    let known = vocabulary.invariants.contains(name);
    if !known {
        let note = problems.note(name.span(), format!("no invariant is called `{}`", **name), "unknown invariant");
        note.did_you_mean(name, vocabulary.invariants.iter().map(String::as_str));
    }
    known
}

fn mutant(name: &Located<String>, problems: &mut Problems) -> Option<Mutant> {
    let found = name.parse().ok();
    if found.is_none() {
        let note = problems.note(name.span(), format!("no mutant is called `{}`", **name), "unknown mutant");
        note.did_you_mean(name, Mutant::ALL.iter().map(|mutant| mutant.as_str()));
    }
    found
}

fn threshold(
    name: &Located<String>,
    entry: &Located<ThresholdEntry>,
    has_pictures: bool,
    vocabulary: &Vocabulary,
    problems: &mut Problems,
) -> Option<Threshold> {
    // A metric of one direction carries it in front: `alice-phone>bob-phone/glass_to_glass_us_p95`.
    let plain = name.rsplit_once('/').map_or(name.as_str(), |(_, plain)| plain);
    if !vocabulary.metrics.iter().any(|metric| metric == plain) {
        let note = problems.note(name.span(), format!("no metric is called `{plain}`"), "unknown metric");
        note.did_you_mean(plain, vocabulary.metrics.iter().map(String::as_str));
        return None;
    }
    if PICTURE_METRICS.iter().any(|measured| plain.starts_with(measured)) && !has_pictures {
        let message = format!("`{plain}` is not measured: the modelled codec has no pictures");
        let note = problems.note(name.span(), message, "a bound on pictures");
        note.with_help("leave the threshold out, or take `video_codec = \"vp8\"`");
        return None;
    }
    if entry.at_most.is_none() && entry.at_least.is_none() {
        problems.note(entry.span(), format!("the threshold of `{}` has no bound", **name), "`at_most` or `at_least`");
        return None;
    }
    let mut number = |given: &Option<Located<Bound>>| given.as_ref().and_then(|given| bound(given, plain, problems));
    let (at_most, at_least) = (number(&entry.at_most), number(&entry.at_least));
    if let (Some(most), Some(least)) = (at_most, at_least)
        && most < least
    {
        problems.note(entry.span(), format!("nothing is at most {most} and at least {least}"), "no value fits");
    }
    Some(Threshold { metric: String::clone(name), at_most, at_least })
}

/// The bound in the unit of the metric's name.
fn bound(bound: &Located<Bound>, metric: &str, problems: &mut Problems) -> Option<i64> {
    let text = match &**bound {
        Bound::Number(number) => return Some(*number),
        Bound::Text(text) => text,
    };
    let unit = |unit: &str| metric.split('_').any(|part| part == unit);
    let value = if unit("us") {
        Duration::parse(text).map(|duration| duration.0.0)
    } else if unit("bps") {
        Rate::parse(text).map(|rate| rate.0.0)
    } else if unit("ppm") {
        Share::parse(text).map(|share| u64::from(share.0))
    } else {
        let message = format!("`{metric}` is bounded by a whole number in the unit of its name");
        problems.note(bound.span(), message, "a text says nothing here");
        return None;
    };
    match value {
        Ok(value) => i64::try_from(value).ok(),
        Err(refusal) => {
            let message = format!("`{metric}` cannot be bounded by `{text}`");
            problems.note(bound.span(), message, refusal.message).with_help(refusal.help);
            None
        }
    }
}

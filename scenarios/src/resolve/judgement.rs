//! What the run is judged by: invariants, thresholds, the expectation and the planted bug.

use crate::{
    either::Either,
    file::{Bound, Gap as GapEntry, Scenario, Threshold as ThresholdEntry},
    located::Located,
    problem::Problems,
    resolve::media,
    scalar::{Duration, Quantity, Rate, Share},
    vocabulary::Vocabulary,
};
use kernel::{
    mutant::Mutant,
    plan::{Expectation, Gap, Threshold},
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
    let gap = entry.gap.as_ref().and_then(|entry| gap(entry, plain, (at_most, at_least), problems));
    Some(Threshold { metric: String::clone(name), at_most, at_least, gap })
}

/// A gap gives a reason, and bounds that the threshold has too and that are weaker than those.
fn gap(
    entry: &Located<GapEntry>,
    metric: &str,
    (most, least): (Option<i64>, Option<i64>),
    problems: &mut Problems,
) -> Option<Gap> {
    if entry.at_most.is_none() && entry.at_least.is_none() {
        problems.note(entry.span(), format!("the gap of `{metric}` has no bound"), "`at_most` or `at_least`");
        return None;
    }
    let mut side = |given: &Option<Located<Bound>>, side: &str, wanted: Option<i64>, weaker: fn(i64, i64) -> bool| {
        let given = given.as_ref()?;
        let value = bound(given, metric, problems)?;
        let Some(wanted) = wanted else {
            let message = format!("`{metric}` has a gap in `{side}`, but no threshold there");
            problems.note(given.span(), message, "nothing is missed by this");
            return None;
        };
        if !weaker(value, wanted) {
            let message = format!("a gap of {value} is not weaker than the threshold {wanted}");
            problems.note(given.span(), message, "what is measured, not what is wanted");
            return None;
        }
        Some(value)
    };
    let at_most = side(&entry.at_most, "at_most", most, |gap, wanted| gap > wanted);
    let at_least = side(&entry.at_least, "at_least", least, |gap, wanted| gap < wanted);
    let reason = entry.reason.as_ref()?;
    if reason.trim().is_empty() {
        problems.note(reason.span(), format!("the gap of `{metric}` has no reason"), "why it is missed");
        return None;
    }
    Some(Gap { at_most, at_least, reason: String::clone(reason), varies: entry.varies })
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

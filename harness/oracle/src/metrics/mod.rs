//! Metrics: measured integers per direction of the call, and over all of them.

mod capacity;
mod catalogue;
mod clean_feedback;
mod congestion;
mod course;
mod cross_traffic;
mod frames;
mod freezes;
mod off;
mod path;
mod percentile;
mod reconnects;
mod setup;
mod sheet;
mod traffic;

pub use catalogue::{Across, METRICS, MetricFamily, metric_names};

pub(crate) use clean_feedback::{compare_with_clean_feedback, compares_with_clean_feedback};
pub(crate) use frames::smoothness;
pub(crate) use freezes::{Freeze, Smoothness};
pub(crate) use sheet::Sheet;

use crate::{catalogue::Evidence, run::Run, views::View};
use kernel::event::Fact;

/// Measures everything.
pub(crate) fn measure(evidence: &Evidence) -> Sheet {
    let run = evidence.run;
    let mut sheet = Sheet::default();
    setup::measure(run, &mut sheet);
    path::measure(run, &mut sheet);
    reconnects::measure(run, &mut sheet);
    measure_followers(run, &mut sheet);
    for way in run.ways() {
        frames::measure(run, way, &mut sheet);
        traffic::measure(run, way, &mut sheet);
        off::measure(run, way, &mut sheet);
    }
    cross_traffic::measure(run, &mut sheet);
    congestion::measure(run, &mut sheet);
    sheet.once("frames_unmatched", run.frames.unmatched);
    sheet.once("frames_without_legs", frames::without_legs(run));
    measure_search(evidence, &mut sheet);
    sheet
}

/// Where somebody followed.
fn measure_followers(run: &Run, sheet: &mut Sheet) {
    let shown = run.events.followers.len();
    if shown > 0 || run.events.facts.iter().any(|seen| matches!(seen.fact, Fact::Followed { .. })) {
        sheet.once("followers_shown", shown as u64);
    }
}

/// How much was searched, so that a reader can weigh what was not found.
fn measure_search(evidence: &Evidence, sheet: &mut Sheet) {
    let search = evidence.search;
    let found = |view| search.frames.iter().filter(|exposure| exposure.exhibit.view() == view).count() as u64;
    sheet.once("frames_searched", search.frames_searched);
    sheet.once("frames_not_searched", search.frames_skipped);
    sheet.once("frames_found_on_wire", found(View::Wire));
    sheet.once("frames_found_at_hop", found(View::Hop));
    sheet.once("bytes_searched", search.bytes);
    sheet.once("trial_windows", evidence.trial.windows);
}

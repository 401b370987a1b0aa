//! What a run loses to congestion of its feedback: compared with the run of the same plan whose feedback waits nowhere.

use super::Sheet;
use crate::{judgement::Metric, run::Run};

const QUEUE_DELAY: &str = "clean_feedback_queue_delay_us";
const RECEIVED: &str = "clean_feedback_received_bps";
const SHARE: &str = "of_clean_feedback_ppm";

/// Whether a metric, of a direction or of the run, says something of both runs.
pub(crate) fn compares_with_clean_feedback(metric: &str) -> bool {
    let quantity = metric.rsplit('/').next().unwrap_or(metric);
    [QUEUE_DELAY, RECEIVED, SHARE].contains(&quantity)
}

/// Puts both runs side by side for the directions that core links carry up: the other direction of those links has no
/// limit in the second run, so that what is sent there is no comparison.
pub(crate) fn compare_with_clean_feedback(run: &Run, clean: &[Metric], sheet: &mut Sheet) {
    let behind_links = run.ways().into_iter().filter(|way| {
        let via = |device: usize| &run.cast.participant(device).access.via;
        !via(way.sender).is_empty() && via(way.receiver).is_empty()
    });
    for way in behind_links {
        let name = run.way_name(way);
        let of_clean = |metric: &str| {
            let metric = format!("{name}/{metric}");
            clean
                .iter()
                .find(|measured| measured.name == metric)
                .and_then(|measured| u64::try_from(measured.value).ok())
        };
        if let Some(delay) = of_clean("queue_delay_us_p95") {
            sheet.of(&name, QUEUE_DELAY, delay);
        }
        let Some(bps) = of_clean("video_received_bps") else { continue };
        sheet.of(&name, RECEIVED, bps);
        let own = sheet.value(&name, "video_received_bps");
        if let Some(share) = own.and_then(|own| (own * 1_000_000).checked_div(bps)) {
            sheet.of(&name, SHARE, share);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        judgement::{Judgement, Verdict},
        story::Story,
    };
    use kernel::plan::{Pairing, Threshold};

    fn value(judgement: &Judgement, name: &str) -> Option<i64> {
        judgement.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }

    /// Alice, who is behind a core link, sends a frame each `ms`.
    fn story(ms: u64) -> Story {
        let mut story = Story::new();
        story.plan.paired_with = Some(Pairing::CleanFeedback);
        story.plan.participants[0].access.via = vec!["bottleneck".into()];
        story.live();
        for number in 0..50u32 {
            story.at(8_000 + ms * u64::from(number)).frame("alice-phone", number).at(8_010 + ms * u64::from(number));
            story.frame("bob-phone", number);
        }
        story.over(14_000);
        story
    }

    #[test]
    fn half_the_rate_is_half_of_what_clean_feedback_would_give() {
        let judgement = crate::judge_pair(&story(100).log(), &story(50).log());
        // 50 packets of 170 bytes in 4.9 s, and in 2.45 s.
        let (own, clean) = (50 * 170 * 8 * 10 / 49, 50 * 170 * 8 * 20 / 49);
        assert_eq!(value(&judgement, "alice-phone>bob-phone/video_received_bps"), Some(own));
        assert_eq!(value(&judgement, "alice-phone>bob-phone/clean_feedback_received_bps"), Some(clean));
        assert_eq!(value(&judgement, "of_clean_feedback_ppm"), Some(own * 1_000_000 / clean));
        assert_eq!(value(&judgement, "bob-phone>alice-phone/clean_feedback_received_bps"), None);
    }

    /// A saved log holds one run of the two: what compares them is left out, and that is said.
    #[test]
    fn a_run_without_its_pair_compares_nothing_and_says_so() {
        let mut story = story(100);
        let of = |metric: &str| Threshold { metric: metric.into(), at_most: None, at_least: Some(1), gap: None };
        story.plan.thresholds = vec![of("of_clean_feedback_ppm"), of("video_received_bps")];
        let judgement = story.judge();
        assert_eq!(value(&judgement, "of_clean_feedback_ppm"), None);
        assert_eq!((judgement.verdict, judgement.reasons), (Verdict::Passed, Vec::new()));
        let judged: Vec<&str> = judgement.thresholds.iter().map(|threshold| threshold.metric.as_str()).collect();
        assert_eq!(judged, ["video_received_bps"]);
        let says = |sentence: &str| judgement.findings.iter().any(|finding| finding.sentence.contains(sentence));
        assert!(says("this log holds one of the two"));
    }
}

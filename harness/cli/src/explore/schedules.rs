//! Seeded orders of whole runs.

use super::table;
use crate::{
    args::ExploreArgs,
    exit::{Exit, Failure},
    suite::{self, Chosen},
};
use campaign::schedules::{Explored, explore};
use kernel::{
    Mutant, Plan,
    plan::{MediaPlan, VideoCodec},
};
use oracle::PROMISES;
use scenarios::Overrides;

/// The promises of consent: nothing is captured before it, and nobody but a friend can ask for it.
const CONSENT: [&str; 2] = ["R03", "R07"];
/// The families of stories about people; the others are about paths, where one order of acts is like another.
const PEOPLE: [&str; 4] = ["call/*", "friends/*", "privacy/*", "security/*"];

/// Runs each scenario under many orders. Without a planted bug all must hold; a planted one must be found.
pub(crate) fn run(args: &ExploreArgs) -> miette::Result<Exit> {
    let mutant: Option<Mutant> = args.mutant.as_deref().map(str::parse).transpose().map_err(usage)?;
    let overrides = suite::overrides(&args.set, None, None)?;
    let mut table =
        table(["scenario", "mutant", "as queued", "schedules", "choices", "different", "failed", "first", "seconds"]);
    let mut held = true;
    for chosen in chosen(args, &overrides)? {
        let media = media(&chosen.plan.media, &args.codec);
        let plan = Plan { mutant: mutant.or(chosen.plan.mutant), media, ..chosen.plan };
        let explored = explore(&plan, args.schedules, args.depth, args.jobs).map_err(Failure::Campaign)?;
        let as_queued = if explored.as_queued.is_empty() { "held".into() } else { explored.as_queued.join(", ") };
        held &= if plan.mutant.is_some() {
            explored.failed > 0
        } else {
            explored.failed == 0 && explored.as_queued.is_empty()
        };
        table.add_row([
            plan.scenario.clone(),
            plan.mutant.map_or(String::new(), |mutant| mutant.to_string()),
            as_queued,
            explored.tried.to_string(),
            explored.choices.to_string(),
            explored.different.to_string(),
            explored.failed.to_string(),
            first(&explored),
            format!("{:.1}", explored.wall.as_secs_f64()),
        ]);
    }
    anstream::println!("{table}");
    Ok(if held { Exit::Held } else { Exit::Broken })
}

/// What is sent, with a codec. The scenario was read with its own: orders are judged by invariants alone, and what it says of
/// pictures may stand there.
fn media(own: &MediaPlan, codec: &str) -> MediaPlan {
    match codec {
        "vp8" => MediaPlan { video_codec: VideoCodec::Vp8, ..own.clone() },
        _ => MediaPlan { video_codec: VideoCodec::Modelled, quality_every: 0, ..own.clone() },
    }
}

/// What is explored: the scenarios that were named, and with `--consent` those of consent that were not.
fn chosen(args: &ExploreArgs, overrides: &Overrides) -> miette::Result<Vec<Chosen>> {
    let mut chosen = suite::plans(suite::scenarios(&args.scenarios, overrides)?, None, None);
    if args.consent {
        let people = suite::scenarios(&PEOPLE.map(str::to_owned), overrides)?;
        let is_new = |one: &Chosen| chosen.iter().all(|other| other.plan.scenario != one.plan.scenario);
        let of_consent: Vec<Chosen> = suite::plans(people, None, None);
        let of_consent: Vec<Chosen> =
            of_consent.into_iter().filter(|one| is_new(one) && is_of_consent(&one.plan)).collect();
        chosen.extend(of_consent);
    }
    Ok(chosen)
}

/// Whether a plan must check something that proves a promise of consent.
fn is_of_consent(plan: &Plan) -> bool {
    let promises = || PROMISES.iter().filter(|promise| CONSENT.contains(&promise.id));
    plan.exercises.iter().any(|name| promises().any(|promise| promise.invariants.contains(&name.as_str())))
}

fn first(explored: &Explored) -> String {
    explored.first.as_ref().map_or("-".into(), |(number, failed)| format!("{number}: {}", failed.join(", ")))
}

fn usage(error: kernel::mutant::UnknownMutant) -> Failure {
    Failure::Usage(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Args, Verb};
    use clap::Parser;
    use std::collections::BTreeSet;

    fn names(words: &[&str]) -> Vec<String> {
        let Verb::Explore(args) = Args::parse_from([&["callproof", "explore"], words].concat()).verb else {
            unreachable!("the verb is the first word");
        };
        let chosen = chosen(&args, &suite::overrides(&[], None, None).unwrap()).unwrap();
        chosen.into_iter().map(|one| one.plan.scenario).collect()
    }

    #[test]
    fn stories_of_consent_are_those_about_people_that_must_check_it() {
        let names = names(&["--consent"]);
        for expected in ["first-call", "both-call-at-once", "forged-consent", "two-cores-one-truth"] {
            assert!(names.iter().any(|name| name == expected), "{expected} is one");
        }
        for other in ["links-show-their-host", "handover-with-overlap", "camera-off-is-queued", "ring-bombing"] {
            assert!(names.iter().all(|name| name != other), "{other} checks no consent, or is no story of the day");
        }
    }

    #[test]
    fn a_story_that_is_named_too_is_explored_once() {
        let names = names(&["first-call", "links-show-their-host", "--consent"]);
        assert_eq!(names[..2], ["first-call", "links-show-their-host"]);
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }
}

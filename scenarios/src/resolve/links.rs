//! Links: what a table of parameters comes to, core links, traces, and how links change.

use super::{people::People, server_names, within};
use crate::{
    either::Either,
    file::{self, AqmKind, GilbertElliott, Link, Scenario},
    located::{Located, Span},
    problem::Problems,
    scalar::{Duration, Share, Size},
    vocabulary::Vocabulary,
};
use kernel::{
    names::LinkName,
    plan::{
        Aqm, CoreLink, Jitter, LinkChange, LinkPlan, LinkStep, Loss, Pace, Policer, RateTrace, Reordering, TrafficPlan,
    },
    time::{Micros, SimTime},
};
use std::{collections::BTreeMap, fs, path::Path};

/// For how long reordered packets are held when the file does not say.
const HOLD: Micros = Micros::from_millis(10);
/// A link repeats its changes at most this often in a run: every 10 ms of ten minutes.
const MOST_REPEATS: u64 = 60_000;
/// The largest file that is read as a trace.
const MOST_TRACE_BYTES: u64 = 16 << 20;

/// Reads tables of link parameters and gathers the traces that they name.
pub(super) struct Links<'a> {
    vocabulary: &'a Vocabulary,
    /// The folder of the scenario, beside which the files of traces are.
    folder: &'a Path,
    traces: BTreeMap<String, RateTrace>,
}

impl<'a> Links<'a> {
    pub(super) fn new(vocabulary: &'a Vocabulary, folder: &'a Path) -> Links<'a> {
        Links { vocabulary, folder, traces: BTreeMap::new() }
    }

    /// The traces that were named.
    pub(super) fn into_traces(self) -> Vec<RateTrace> {
        self.traces.into_values().collect()
    }

    /// A link with what a table says of it.
    pub(super) fn link(&mut self, base: &LinkPlan, table: &Link, problems: &mut Problems) -> LinkPlan {
        self.change(table, base.queue_bytes, problems).applied_to(base)
    }

    /// What a table says, as a change; RED's thresholds follow a queue of so many bytes unless the table has another.
    pub(super) fn change(&mut self, table: &Link, queue: u64, problems: &mut Problems) -> LinkChange {
        let queue = table.queue.map_or(queue, |queue| queue.0);
        let trace = table.trace.as_ref().and_then(|trace| self.trace(trace, problems));
        if let (Some(trace), Some(_)) = (&table.trace, table.rate) {
            problems.note(trace.span(), "a link follows a trace or has a rate", "the other one is `rate`");
        }
        LinkChange {
            rate: trace.or(table.rate.map(|rate| rate.0.map_or(Pace::Unlimited, Pace::Rate))),
            overhead: table.overhead,
            mtu: table.mtu,
            policer: table.policer.as_ref().map(policer),
            queue_bytes: table.queue.map(|queue| queue.0),
            queue_packets: table.queue_packets,
            aqm: table.aqm.as_ref().and_then(|managed| aqm(managed, queue, problems)),
            bleaches_ecn: table.bleaches_ecn,
            propagation: table.propagation.map(|propagation| propagation.0),
            jitter: table.jitter.as_ref().map(|changed| jitter(changed, problems)),
            loss: table.loss.as_ref().map(loss),
            lost_packets: table.lost_packets.clone().map(|mut numbers| {
                numbers.sort_unstable();
                numbers
            }),
            reordering: table.reordering.as_ref().map(reordering),
            duplication_ppm: table.duplication.map(|share| share.0),
            corruption_ppm: table.corruption.map(|share| share.0),
            truncation_ppm: table.truncation.map(|share| share.0),
        }
    }

    /// A trace by the name of a fixture, or by the path of a file.
    fn trace(&mut self, name: &Located<String>, problems: &mut Problems) -> Option<Pace> {
        let read = match self.vocabulary.traces.get(&**name) {
            Some(trace) => Ok(trace.clone()),
            None if !name.contains(['/', '.']) => {
                let note = problems.note(name.span(), format!("no trace is called `{}`", **name), "unknown trace");
                note.did_you_mean(name, self.vocabulary.traces.keys().map(String::as_str));
                return None;
            }
            None => from_file(&self.folder.join(&**name), name),
        };
        match read {
            Ok(trace) => {
                self.traces.insert(trace.name.clone(), trace);
                Some(Pace::Trace(String::clone(name)))
            }
            Err(message) => {
                problems.note(name.span(), format!("`{}` is no trace: {message}", **name), "cannot be followed");
                None
            }
        }
    }
}

fn from_file(path: &Path, name: &str) -> Result<RateTrace, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > MOST_TRACE_BYTES {
        return Err("it is larger than 16 MiB".into());
    }
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    RateTrace::parse(name, &text).map_err(|error| error.to_string())
}

/// The core links, by name.
pub(super) fn core_links(
    file: &Scenario,
    people: &People,
    links: &mut Links,
    problems: &mut Problems,
) -> Vec<CoreLink> {
    let mut resolved = Vec::new();
    for (name, table) in &file.link {
        let up = links.link(&LinkPlan::IDEAL, &table.up, problems);
        let down = links.link(&LinkPlan::IDEAL, &table.down, problems);
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > 32 || !name.chars().all(letters) || !name.starts_with(char::is_alphabetic) {
            let message = format!("no link can be called `{}`", **name);
            problems.note(name.span(), message, "up to 32 of a-z, 0-9 and -, a letter first");
            continue;
        }
        let is_device = people.device(name).is_some();
        if is_device || people.users().any(|user| user == name.as_str()) || server_names(file).contains(name) {
            problems.note(name.span(), format!("`{}` has links of its own already", **name), "taken");
            continue;
        }
        resolved.push(CoreLink { name: String::clone(name), up, down });
    }
    resolved
}

/// The names of the core links that somebody goes over; notes those that there are not, and repetitions.
pub(super) fn via(named: &[Located<String>], file: &Scenario, problems: &mut Problems) -> Vec<String> {
    let mut via: Vec<String> = Vec::new();
    for name in named {
        if !file.link.keys().any(|known| **known == **name) {
            let note = problems.note(name.span(), format!("no link is called `{}`", **name), "unknown link");
            note.did_you_mean(name, file.link.keys().map(|known| known.as_str()));
        } else if via.contains(name) {
            problems.note(name.span(), format!("`{}` is on the way twice", **name), "the second time");
        } else {
            via.push(String::clone(name));
        }
    }
    via
}

/// The changes of links: those of the presets, then those of the file, each in its order.
pub(super) fn schedule(
    file: &Scenario,
    people: &People,
    traffic: &[TrafficPlan],
    links: &mut Links,
    end: SimTime,
    problems: &mut Problems,
) -> Vec<LinkStep> {
    let mut schedule = people.preset_steps();
    for change in &file.link_change {
        if let Some(at) = &change.at {
            within(at, end, problems);
        }
        let parameters = links.change(&change.parameters(), LinkPlan::IDEAL.queue_bytes, problems);
        if parameters.is_nothing() {
            let message = "this changes nothing of the link";
            problems.note(change.span(), message, "name a parameter: `rate`, `propagation`, `loss`, …");
        }
        let every = change.repeat.as_ref().and_then(|repeat| period(repeat, end, problems));
        let link = change.link.as_ref().and_then(|link| link_name(link, file, people, traffic, problems));
        if let (Some(at), Some(link)) = (&change.at, link) {
            schedule.push(LinkStep { at: at.0, every, link, change: parameters });
        }
    }
    schedule
}

fn period(repeat: &Located<Duration>, end: SimTime, problems: &mut Problems) -> Option<Micros> {
    let story = if end == SimTime::NEVER { Micros::from_secs(24 * 3_600) } else { end.since(SimTime::ZERO) };
    if repeat.0.0.saturating_mul(MOST_REPEATS) < story.0 {
        let message = format!("a link repeats a change at most {MOST_REPEATS} times");
        problems.note(repeat.span(), message, "too short a period");
        return None;
    }
    Some(repeat.0)
}

fn link_name(
    link: &Located<String>,
    file: &Scenario,
    people: &People,
    traffic: &[TrafficPlan],
    problems: &mut Problems,
) -> Option<LinkName> {
    let ends = traffic.iter().flat_map(|flow| [&flow.source, &flow.sink]);
    let hosts = ends.filter(|end| end.access.is_some()).map(|end| end.host.as_str());
    let core = file.link.keys().map(|name| name.as_str());
    let servers = server_names(file);
    let further = people.interface_names().filter(|(name, _)| name.contains('.')).map(|(name, _)| name);
    let fixed = servers.iter().map(String::as_str).chain(core).chain(hosts);
    let owners = people.names().chain(fixed.map(str::to_owned));
    let known: Vec<String> =
        owners.chain(further).flat_map(|owner| [format!("{owner}/up"), format!("{owner}/down")]).collect();
    if !known.contains(link) {
        let note = problems.note(link.span(), format!("no link is called `{}`", **link), "unknown link");
        note.did_you_mean(link, known.iter().map(String::as_str));
        return None;
    }
    let (owner, direction) = link.split_once('/')?;
    let node = people.interface(owner).map_or(owner, |interface| interface.as_str());
    Some(LinkName::from(format!("{node}/{direction}")))
}

fn loss(loss: &Either<Share, GilbertElliott>) -> Loss {
    let ppm = |share: Option<Share>, otherwise: u32| share.map_or(otherwise, |share| share.0);
    match loss {
        Either::Text(Share(0)) => Loss::None,
        Either::Text(Share(ppm)) => Loss::Bernoulli { ppm: *ppm },
        Either::Table(table) => Loss::GilbertElliott {
            p_ppm: ppm(table.good_to_bad, 0),
            r_ppm: ppm(table.bad_to_good, 0),
            good_loss_ppm: ppm(table.good_loss, 0),
            bad_loss_ppm: ppm(table.bad_loss, 1_000_000),
        },
    }
}

fn policer(policer: &Either<file::Nothing, file::Policer>) -> Policer {
    match policer {
        Either::Table(file::Policer { rate: Some(rate), burst: Some(burst) }) => {
            Policer::TokenBucket { rate: rate.0, burst: burst.0 }
        }
        // A table without one of the two was noted before.
        Either::Text(file::Nothing::None) | Either::Table(_) => Policer::None,
    }
}

fn reordering(reordering: &Either<Share, file::Reordering>) -> Reordering {
    match reordering {
        Either::Text(share) => Reordering { ppm: share.0, hold: HOLD },
        Either::Table(table) => {
            Reordering { ppm: table.share.map_or(0, |share| share.0), hold: table.hold.map_or(HOLD, |hold| hold.0) }
        }
    }
}

fn jitter(jitter: &Located<Either<Duration, file::Jitter>>, problems: &mut Problems) -> Jitter {
    let table = match &**jitter {
        Either::Text(Duration(Micros::ZERO)) => return Jitter::None,
        Either::Text(Duration(max)) => return Jitter::Uniform { max: *max, reorders: false },
        Either::Table(table) => table,
    };
    let reorders = table.reorders;
    if table.spaced && (reorders || table.deviation.is_none()) {
        let message = "only normal jitter that does not reorder can be `spaced`";
        problems.note(jitter.span(), message, "give it a `deviation`");
    }
    if let Some(correlation) = table.correlation.as_ref().filter(|_| table.max.is_none()) {
        problems.note(correlation.span(), "only uniform jitter has a `correlation`", "means nothing here");
    }
    match (table.max, table.deviation, table.pareto) {
        (Some(max), None, None) => match &table.correlation {
            Some(correlation) => Jitter::Correlated { max: max.0, correlation_ppm: correlation.0, reorders },
            None => Jitter::Uniform { max: max.0, reorders },
        },
        (None, Some(deviation), None) if table.spaced => Jitter::Spaced { deviation: deviation.0 },
        (None, Some(deviation), None) => Jitter::Normal { deviation: deviation.0, reorders },
        (None, None, Some(mean)) => Jitter::Pareto { mean: mean.0, reorders },
        _ => {
            let message = "jitter is uniform up to `max`, normal with a `deviation`, or `pareto` with a mean";
            problems.note(jitter.span(), message, "exactly one of the three");
            Jitter::None
        }
    }
}

fn aqm(aqm: &Located<Either<AqmKind, file::Aqm>>, queue: u64, problems: &mut Problems) -> Option<Aqm> {
    match &**aqm {
        Either::Text(kind) => managed(*kind, &file::Aqm::default(), aqm.span(), queue, problems),
        Either::Table(table) => managed(**table.kind.as_ref()?, table, aqm.span(), queue, problems),
    }
}

fn managed(kind: AqmKind, table: &file::Aqm, span: Span, queue: u64, problems: &mut Problems) -> Option<Aqm> {
    means_nothing(kind, table, problems);
    let duration =
        |given: &Option<Located<Duration>>, ms| given.as_ref().map_or(Micros::from_millis(ms), |given| given.0);
    let (target, interval) = (duration(&table.target, 5), duration(&table.interval, 100));
    let ecn = table.ecn.as_ref().map_or(kind == AqmKind::FqCodel, |ecn| **ecn);
    if interval == Micros::ZERO {
        problems.note(span, "CoDel needs an interval above zero", "`interval` is too short");
        return None;
    }
    Some(match kind {
        AqmKind::DropTail => Aqm::DropTail,
        AqmKind::Codel => Aqm::Codel { target, interval, ecn },
        AqmKind::FqCodel => Aqm::FqCodel {
            target,
            interval,
            flows: table.flows.as_ref().map_or(1_024, |flows| **flows),
            quantum: table.quantum.as_ref().map_or(1_514, |quantum| **quantum),
            ecn,
        },
        AqmKind::Red => {
            let size = |given: &Option<Located<Size>>, otherwise| given.as_ref().map_or(otherwise, |given| given.0);
            let min = size(&table.min, (queue / 5).max(1));
            let max = size(&table.max, 3 * min);
            if min >= max {
                problems.note(span, "RED's `min` is not below its `max`", "nothing in between");
                return None;
            }
            Aqm::Red {
                min,
                max,
                probability_ppm: table.probability.as_ref().map_or(100_000, |share| share.0),
                weight_shift: table.weight_shift.as_ref().map_or(9, |shift| **shift),
                ecn,
            }
        }
    })
}

/// Notes the keys that another kind of management has.
fn means_nothing(kind: AqmKind, table: &file::Aqm, problems: &mut Problems) {
    let (codel, fair) = (matches!(kind, AqmKind::Codel | AqmKind::FqCodel), kind == AqmKind::FqCodel);
    let red = kind == AqmKind::Red;
    let spans = [
        ("ecn", table.ecn.as_ref().map(Located::span), kind != AqmKind::DropTail),
        ("target", table.target.as_ref().map(Located::span), codel),
        ("interval", table.interval.as_ref().map(Located::span), codel),
        ("flows", table.flows.as_ref().map(Located::span), fair),
        ("quantum", table.quantum.as_ref().map(Located::span), fair),
        ("min", table.min.as_ref().map(Located::span), red),
        ("max", table.max.as_ref().map(Located::span), red),
        ("probability", table.probability.as_ref().map(Located::span), red),
        ("weight_shift", table.weight_shift.as_ref().map(Located::span), red),
    ];
    for (key, span, belongs) in spans {
        if let Some(span) = span.filter(|_| !belongs) {
            problems.note(span, format!("this queue management has no `{key}`"), "means nothing here");
        }
    }
}

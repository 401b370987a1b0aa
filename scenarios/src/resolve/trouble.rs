//! What fails: servers and paths.

use super::{RELAY, SIGNALING, people::People, within};
use crate::{
    file::{Failure, Fault as FaultEntry, Scenario},
    located::Located,
    problem::Problems,
};
use kernel::{
    names::ActorName,
    time::SimTime,
    trouble::{Fault, FaultKind, Trouble},
};

/// What fails, in order of time.
pub(super) fn resolve(file: &Scenario, people: &People, end: SimTime, problems: &mut Problems) -> Trouble {
    let mut faults = Vec::new();
    for entry in &file.fault {
        if let Some(at) = &entry.at {
            within(at, end, problems);
        }
        match (&entry.node, &entry.does, &entry.between) {
            (Some(node), Some(does), None) => faults.extend(of_server(entry, node, does, problems)),
            (None, None, Some(between)) => faults.extend(of_path(entry, between, people, problems)),
            _ => {
                let message = "a fault is of a `node` that `does` something, or a cut `between` two nodes";
                problems.note(entry.span(), message, "neither the one nor the other");
            }
        }
    }
    faults.sort_by_key(|fault| fault.at);
    Trouble { faults }
}

fn of_server(
    entry: &FaultEntry,
    node: &Located<String>,
    does: &Located<Failure>,
    problems: &mut Problems,
) -> Option<Fault> {
    if let Some(lasts) = &entry.lasts {
        problems.note(
            lasts.span(),
            "only a cut `lasts`; a server starts again by a fault of its own",
            "means nothing here",
        );
    }
    let known = [SIGNALING, RELAY];
    if !known.contains(&node.as_str()) {
        problems
            .note(node.span(), format!("no server is called `{}`", **node), "unknown server")
            .did_you_mean(node, known);
        return None;
    }
    let node = ActorName::from(node.as_str());
    let kind = match **does {
        Failure::Crash => FaultKind::Crash { node },
        Failure::Restart => FaultKind::Restart { node },
    };
    Some(Fault { at: entry.at.as_ref()?.0, kind })
}

/// The cut, and its end where it has one.
fn of_path(
    entry: &FaultEntry,
    between: &Located<[Located<String>; 2]>,
    people: &People,
    problems: &mut Problems,
) -> Vec<Fault> {
    let [one, other] = &**between;
    let (Some(a), Some(b)) = (node(one, people, problems), node(other, people, problems)) else { return Vec::new() };
    if a == b {
        problems.note(between.span(), "a node has no path to itself over the core", "the same node twice");
    }
    let Some(at) = &entry.at else { return Vec::new() };
    let cut = Fault { at: at.0, kind: FaultKind::Cut { between: (a.clone(), b.clone()) } };
    let mended =
        entry.lasts.as_ref().map(|lasts| Fault { at: at.0 + lasts.0, kind: FaultKind::Mend { between: (a, b) } });
    std::iter::once(cut).chain(mended).collect()
}

fn node(name: &Located<String>, people: &People, problems: &mut Problems) -> Option<ActorName> {
    let known: Vec<&str> = people.names().chain([SIGNALING, RELAY]).collect();
    if !known.contains(&name.as_str()) {
        problems.note(name.span(), format!("no node is called `{}`", **name), "unknown node").did_you_mean(name, known);
        return None;
    }
    Some(people.device_of(name).cloned().unwrap_or_else(|| ActorName::from(name.as_str())))
}

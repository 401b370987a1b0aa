//! What fails: servers, paths, messages of signaling.

use super::{SIGNALING, people::People, server_names, within};
use crate::{
    file::{Failure, Fault as FaultEntry, MessageFault as MessageEntry, Scenario, SignalingFault as SignalingEntry},
    located::Located,
    problem::Problems,
};
use kernel::{
    event::FACT_KINDS,
    names::ActorName,
    time::{Micros, SimTime},
    trouble::{Fault, FaultKind, MESSAGE_KINDS, MessageFault, SignalingFault, Trouble},
};

/// How late a delayed message is when the file does not say.
const LATE: Micros = Micros::from_millis(300);
/// The longest that a crash may come after a commit.
const LONGEST_AFTER_COMMIT: Micros = Micros::from_secs(10);

/// What fails, in order of time.
pub(super) fn resolve(file: &Scenario, people: &People, end: SimTime, problems: &mut Problems) -> Trouble {
    let mut faults = Vec::new();
    let servers = server_names(file);
    for entry in &file.fault {
        if let Some(at) = &entry.at {
            within(at, end, problems);
        }
        only_crashes_in_commits_say_when(entry, problems);
        only_copies_are_older(entry, problems);
        match (&entry.node, &entry.interface, &entry.does, &entry.between) {
            (Some(node), None, Some(does), None) => {
                faults.extend(of_node(entry, node, does, (people, &servers), problems));
            }
            (None, Some(interface), Some(does), None) => {
                faults.extend(of_interface(entry, interface, does, people, problems));
            }
            (None, None, None, Some(between)) => faults.extend(of_path(entry, between, people, &servers, problems)),
            _ => {
                let message =
                    "a fault is of a `node` or an `interface` that `does` something, or a cut `between` two nodes";
                problems.note(entry.span(), message, "exactly one of them");
            }
        }
    }
    faults.sort_by_key(|fault| fault.at);
    let signaling = file.signaling_fault.iter().filter_map(|entry| of_messages(entry, problems)).collect();
    Trouble { faults, signaling }
}

fn of_messages(entry: &SignalingEntry, problems: &mut Problems) -> Option<SignalingFault> {
    let (message, does) = (entry.message.as_ref()?, entry.does.as_ref()?);
    if let Some(by) = entry.by.as_ref().filter(|_| **does != MessageEntry::Delay) {
        problems.note(by.span(), "only a `delay` has a `by`", "means nothing here");
    }
    if !MESSAGE_KINDS.contains(&message.as_str()) {
        let note =
            problems.note(message.span(), format!("no message about a call is called `{}`", **message), "unknown");
        note.did_you_mean(message, MESSAGE_KINDS);
        return None;
    }
    let does = match **does {
        MessageEntry::Drop => MessageFault::Drop,
        MessageEntry::Duplicate => MessageFault::Duplicate,
        MessageEntry::Reorder => MessageFault::Reorder,
        MessageEntry::Delay => MessageFault::Delay { by: entry.by.as_ref().map_or(LATE, |by| by.0) },
    };
    Some(SignalingFault { message: String::clone(message), does, every: entry.every.unwrap_or(1), times: entry.times })
}

/// A server stops or starts, or the app of a participant.
fn of_node(
    entry: &FaultEntry,
    node: &Located<String>,
    does: &Located<Failure>,
    (people, servers): (&People, &[String]),
    problems: &mut Problems,
) -> Vec<Fault> {
    only_cuts_last(entry, problems);
    let Some(node) = self::node(node, people, servers, problems) else { return Vec::new() };
    let Some(at) = entry.at.as_ref().map(|at| at.0) else { return Vec::new() };
    let kind = match **does {
        Failure::Crash => FaultKind::Crash { node },
        Failure::Restart => FaultKind::Restart { node },
        Failure::CrashInCommit => return in_commit(entry, node, does, problems).into_iter().collect(),
        Failure::RestoreCopy => return restored(entry, node, does, problems),
        Failure::GoDown | Failure::ComeUp => {
            let message = "a server can `crash`, `crash-in-commit`, `restart` and `restore-copy`";
            problems.note(does.span(), message, "interfaces do this");
            return Vec::new();
        }
    };
    vec![Fault { at, kind }]
}

/// Somebody copies the store of a server, and later puts the copy back.
fn restored(entry: &FaultEntry, node: ActorName, does: &Located<Failure>, problems: &mut Problems) -> Vec<Fault> {
    if node != *SIGNALING {
        problems.note(does.span(), "only signaling has a store to restore", "a relay can `restart`");
    }
    let (Some(at), Some(copied)) = (&entry.at, &entry.copied) else {
        let note = problems.note(does.span(), "a `restore-copy` says when the copy was made", "`copied` is missing");
        note.with_help("`copied = \"2s\"` is what the store held 2 s into the timeline");
        return Vec::new();
    };
    if copied.0 >= at.0 {
        problems.note(copied.span(), "a copy is made before it is put back", "not earlier than `at`");
    }
    vec![
        Fault { at: copied.0, kind: FaultKind::CopyStore { node: node.clone() } },
        Fault { at: at.0, kind: FaultKind::RestoreStore { node } },
    ]
}

fn only_copies_are_older(entry: &FaultEntry, problems: &mut Problems) {
    let is_copy = entry.does.as_ref().is_some_and(|does| **does == Failure::RestoreCopy);
    if let Some(copied) = entry.copied.as_ref().filter(|_| !is_copy) {
        problems.note(copied.span(), "only a `restore-copy` was `copied` at a time", "means nothing here");
    }
}

/// A crash at the server's first commit of a kind of fact.
fn in_commit(entry: &FaultEntry, node: ActorName, does: &Located<Failure>, problems: &mut Problems) -> Option<Fault> {
    if node != *SIGNALING {
        problems.note(does.span(), "only signaling has a store, and commits", "a relay can `crash`");
    }
    let (Some(of), Some(after)) = (&entry.of, &entry.after) else {
        let message = "a `crash-in-commit` is `of` a kind of fact, so long `after` the commit";
        problems.note(does.span(), message, "`of` or `after` is missing");
        return None;
    };
    if !FACT_KINDS.contains(&of.as_str()) {
        let note = problems.note(of.span(), format!("no kind of fact is called `{}`", **of), "unknown");
        note.did_you_mean(of, FACT_KINDS);
    }
    if after.0 > LONGEST_AFTER_COMMIT {
        problems.note(after.span(), "a `crash-in-commit` comes at most 10 s after the commit", "longer than that");
    }
    Some(Fault {
        at: entry.at.as_ref()?.0,
        kind: FaultKind::CrashInCommit { node, of: String::clone(of), after: after.0 },
    })
}

fn only_crashes_in_commits_say_when(entry: &FaultEntry, problems: &mut Problems) {
    if entry.does.as_ref().is_some_and(|does| **does == Failure::CrashInCommit) {
        return;
    }
    let message = "only a `crash-in-commit` is `of` a fact and comes `after` it";
    if let Some(of) = &entry.of {
        problems.note(of.span(), message, "means nothing here");
    }
    if let Some(after) = &entry.after {
        problems.note(after.span(), message, "means nothing here");
    }
}

fn of_interface(
    entry: &FaultEntry,
    interface: &Located<String>,
    does: &Located<Failure>,
    people: &People,
    problems: &mut Problems,
) -> Option<Fault> {
    only_cuts_last(entry, problems);
    let Some(name) = people.interface(interface).cloned() else {
        let message = format!("no interface is called `{}`", **interface);
        let known: Vec<String> = people.interface_names().map(|(name, _)| name).collect();
        let note = problems.note(interface.span(), message, "unknown interface");
        note.did_you_mean(interface, known.iter().map(String::as_str));
        return None;
    };
    let kind = match **does {
        Failure::GoDown => FaultKind::InterfaceDown { interface: name },
        Failure::ComeUp => FaultKind::InterfaceUp { interface: name },
        Failure::Crash | Failure::CrashInCommit | Failure::Restart | Failure::RestoreCopy => {
            problems.note(does.span(), "an interface can `go-down` and `come-up`", "servers do this");
            return None;
        }
    };
    Some(Fault { at: entry.at.as_ref()?.0, kind })
}

fn only_cuts_last(entry: &FaultEntry, problems: &mut Problems) {
    if let Some(lasts) = &entry.lasts {
        let message = "only a cut `lasts`; what starts again does so by a fault of its own";
        problems.note(lasts.span(), message, "means nothing here");
    }
}

/// The cut, and its end where it has one.
fn of_path(
    entry: &FaultEntry,
    between: &Located<[Located<String>; 2]>,
    people: &People,
    servers: &[String],
    problems: &mut Problems,
) -> Vec<Fault> {
    let [one, other] = &**between;
    let (Some(a), Some(b)) = (node(one, people, servers, problems), node(other, people, servers, problems)) else {
        return Vec::new();
    };
    if a == b {
        problems.note(between.span(), "a node has no path to itself over the core", "the same node twice");
    }
    let Some(at) = &entry.at else { return Vec::new() };
    let cut = Fault { at: at.0, kind: FaultKind::Cut { between: (a.clone(), b.clone()) } };
    let mended =
        entry.lasts.as_ref().map(|lasts| Fault { at: at.0 + lasts.0, kind: FaultKind::Mend { between: (a, b) } });
    std::iter::once(cut).chain(mended).collect()
}

fn node(name: &Located<String>, people: &People, servers: &[String], problems: &mut Problems) -> Option<ActorName> {
    if people.users().any(|user| user == name.as_str()) {
        return people.device_at(name, name.span(), problems).map(|owner| owner.device.clone());
    }
    let known: Vec<String> = people.names().chain(servers.iter().cloned()).collect();
    if !known.contains(name) {
        let note = problems.note(name.span(), format!("no node is called `{}`", **name), "unknown node");
        note.did_you_mean(name, known.iter().map(String::as_str));
        return None;
    }
    Some(people.device(name).map_or_else(|| ActorName::from(name.as_str()), |owner| owner.device.clone()))
}

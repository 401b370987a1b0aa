//! Actors made of a closure, and the stack of a test that is made of them.

use client::Saved;
use kernel::{ActorName, Datagram, Event, Log, Plan, SimTime};
use std::{collections::VecDeque, net::SocketAddr, sync::Arc};
use world::{Actor, ActorInput, ActorOutput, Left, Outcome, RunOptions, Stack, WorldError};

/// Level of the log lines with which puppets tell a test what happened to them.
const NOTE: &str = "note";

/// What a puppet may do while it is given an input.
pub(crate) struct Strings {
    name: ActorName,
    outputs: VecDeque<ActorOutput>,
    /// When it wants to wake; a time-out clears it before the script runs.
    pub(crate) wake: Option<SimTime>,
    /// What it shows for the view `server`.
    pub(crate) holds: Option<Vec<u8>>,
    /// What it gives whenever it is asked and has nothing else: such an actor is never done.
    pub(crate) babble: Option<ActorOutput>,
}

impl Strings {
    pub(crate) fn output(&mut self, output: ActorOutput) {
        self.outputs.push_back(output);
    }

    pub(crate) fn send(&mut self, source: SocketAddr, destination: SocketAddr, bytes: &[u8]) {
        self.output(ActorOutput::Transmit(Datagram::new(source, destination, bytes.to_vec())));
    }

    /// Writes into the log of the run what the test will read with [`notes`].
    pub(crate) fn note(&self, line: impl Into<String>) {
        kernel::event!(LogLine { actor: self.name.clone(), level: NOTE.into(), line: line.into() });
    }
}

type Script = Box<dyn FnMut(ActorInput, SimTime, &mut Strings)>;

/// An actor made of a closure.
pub(crate) struct Puppet {
    strings: Strings,
    script: Script,
}

impl Puppet {
    /// A device that is signed in from the beginning, or a server, without anything to do.
    pub(crate) fn idle(name: &str) -> Puppet {
        let mut puppet = Puppet::absent(name);
        puppet.strings.output(ActorOutput::SignedIn);
        puppet
    }

    /// A device that never signs in.
    pub(crate) fn absent(name: &str) -> Puppet {
        let strings = Strings { name: name.into(), outputs: VecDeque::new(), wake: None, holds: None, babble: None };
        Puppet { strings, script: Box::new(|_, _, _| {}) }
    }

    pub(crate) fn waking(mut self, at: SimTime) -> Puppet {
        self.strings.wake = Some(at);
        self
    }

    pub(crate) fn saying(mut self, output: ActorOutput) -> Puppet {
        self.strings.output(output);
        self
    }

    pub(crate) fn holding(mut self, bytes: &[u8]) -> Puppet {
        self.strings.holds = Some(bytes.to_vec());
        self
    }

    pub(crate) fn doing(mut self, script: impl FnMut(ActorInput, SimTime, &mut Strings) + 'static) -> Puppet {
        self.script = Box::new(script);
        self
    }
}

impl Actor for Puppet {
    fn handle(&mut self, input: ActorInput, now: SimTime) {
        assert_eq!(now, kernel::time::now(), "an actor is told the time that the kernel has");
        if matches!(input, ActorInput::Timeout) {
            self.strings.wake = None;
        }
        (self.script)(input, now, &mut self.strings);
    }

    fn poll(&mut self, _now: SimTime) -> Option<ActorOutput> {
        self.strings.outputs.pop_front().or_else(|| self.strings.babble.clone())
    }

    fn next_wake(&mut self) -> Option<SimTime> {
        self.strings.wake
    }

    /// What a puppet keeps is always the same: its disk is an old one.
    fn saved(&self) -> Option<Saved> {
        Some(Saved::default())
    }

    fn snapshot(&self) -> Option<(&'static str, Vec<u8>)> {
        Some(("puppet", self.strings.holds.clone()?))
    }
}

struct Troupe<F>(F);

impl<F: Fn(&str) -> Puppet + Send + Sync> Stack for Troupe<F> {
    fn device(&self, _plan: &Plan, device: &ActorName, _now: SimTime) -> Box<dyn Actor> {
        Box::new((self.0)(device.as_str()))
    }

    fn device_restarted(&self, plan: &Plan, device: &ActorName, left: Left, now: SimTime) -> Box<dyn Actor> {
        let line = format!("starts again: {}", left.boots);
        kernel::event!(LogLine { actor: device.clone(), level: NOTE.into(), line });
        self.device(plan, device, now)
    }

    fn server(&self, _plan: &Plan, name: &ActorName, _now: SimTime) -> Box<dyn Actor> {
        Box::new((self.0)(name.as_str()))
    }
}

/// Runs a plan with the puppets that `cast` makes.
pub(crate) fn run(plan: &Plan, cast: impl Fn(&str) -> Puppet + Send + Sync + 'static) -> Result<Outcome, WorldError> {
    run_with(plan, &RunOptions::default(), cast)
}

pub(crate) fn run_with(
    plan: &Plan,
    options: &RunOptions,
    cast: impl Fn(&str) -> Puppet + Send + Sync + 'static,
) -> Result<Outcome, WorldError> {
    world::run(plan, Arc::new(Troupe(cast)), options)
}

/// What puppets noted, with the microsecond.
pub(crate) fn notes(log: &Log) -> Vec<(u64, String)> {
    let notes = log.records.iter().filter_map(|record| match &record.event {
        Event::LogLine(line) if line.level == NOTE => Some((record.at.0, line.line.clone())),
        _ => None,
    });
    notes.collect()
}

/// Notes as they are written in a test.
pub(crate) fn lines(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    expected.iter().map(|(at, line)| (*at, (*line).to_owned())).collect()
}

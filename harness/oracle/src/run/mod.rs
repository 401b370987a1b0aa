//! A run as the checkers see it: the log's events by kind, and joined into calls, packets and frames.

mod calls;
mod events;
mod frames;
mod interfaces;
mod legs;
mod packets;
mod people;

pub(crate) use calls::{Call, Leg, Moment, Move, Part};
pub(crate) use events::Seen;
pub(crate) use frames::{Delivery, FrameIndex, SentFrame, hash_prefix};
pub(crate) use interfaces::{Period, access};
pub(crate) use legs::{LEGS, Legs};
pub(crate) use packets::carries_rtp;
pub(crate) use people::{Friendships, Settings};

use calls::Calls;
use events::Events;
use frames::Frames;
use interfaces::Interfaces;
use kernel::{
    ActorName, CallId, Log, Micros, Plan, SimTime, UserName,
    event::Event,
    plan::{Loss, Participant},
    trouble::{Fault, FaultKind},
};
use packets::Packets;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Everything that the checkers read.
pub(crate) struct Run<'a> {
    pub(crate) log: &'a Log,
    pub(crate) plan: &'a Plan,
    pub(crate) cast: Cast<'a>,
    pub(crate) events: Events<'a>,
    pub(crate) packets: Packets<'a>,
    pub(crate) frames: Frames<'a>,
    pub(crate) calls: Calls<'a>,
    /// When the run ends.
    pub(crate) end: SimTime,
    /// Which interfaces are up.
    pub(crate) interfaces: Interfaces,
    /// When a device's access let nothing through, per device.
    outages: Vec<Vec<(SimTime, SimTime)>>,
    /// When it had no path to signaling, for that reason or another.
    away: Vec<Vec<(SimTime, SimTime)>>,
}

/// One direction of a call's media.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Way {
    pub(crate) sender: usize,
    pub(crate) receiver: usize,
}

/// The participants by number, which is their place in the plan.
pub(crate) struct Cast<'a> {
    participants: &'a [Participant],
    by_device: BTreeMap<&'a ActorName, usize>,
}

impl<'a> Cast<'a> {
    fn of(participants: &'a [Participant]) -> Cast<'a> {
        let by_device = (0..).zip(participants).map(|(number, participant)| (&participant.device, number)).collect();
        Cast { participants, by_device }
    }

    pub(crate) fn device(&self, device: &ActorName) -> Option<usize> {
        self.by_device.get(device).copied()
    }

    pub(crate) fn pair(&self, one: &ActorName, other: &ActorName) -> Option<(usize, usize)> {
        self.device(one).zip(self.device(other))
    }

    pub(crate) fn participant(&self, device: usize) -> &'a Participant {
        &self.participants[device]
    }

    pub(crate) fn name(&self, device: usize) -> &'a ActorName {
        &self.participants[device].device
    }

    pub(crate) fn user(&self, device: usize) -> &'a UserName {
        &self.participants[device].user
    }

    pub(crate) fn len(&self) -> usize {
        self.participants.len()
    }
}

impl<'a> Run<'a> {
    /// # Panics
    /// When the log holds no plan.
    pub(crate) fn of(log: &'a Log) -> Run<'a> {
        let plan = log
            .records
            .iter()
            .find_map(|record| match &record.event {
                Event::Plan(plan) => Some(plan),
                _ => None,
            })
            .expect("a log begins with its plan");
        let cast = Cast::of(&plan.participants);
        let events = Events::of(log, plan);
        let packets = Packets::of(&events);
        let frames = Frames::of(log, &events, &cast);
        let calls = Calls::of(&events, &cast, &crashes(log, plan, &cast));
        let last = log.records.last().map_or(SimTime::ZERO, |record| record.at);
        // A world in which nothing happens any more runs on all the same.
        let end = last.max(plan.timeline_start + plan.duration);
        let interfaces = Interfaces::of(&events, &cast);
        let outages = outages(&events, &cast, &interfaces, end);
        let away = (0..).zip(&outages).map(|(device, outages)| away(plan, cast.name(device), outages, end)).collect();
        Run { log, plan, cast, events, packets, frames, calls, end, interfaces, outages, away }
    }

    /// `bound` after `from`, and as much later as the device had no path to signaling in between: time bounds hold while
    /// it has one.
    pub(crate) fn deadline(&self, device: usize, from: SimTime, bound: Micros) -> SimTime {
        let mut deadline = from + bound;
        for (begin, end) in &self.away[device] {
            if *begin < deadline && *end > from {
                deadline += end.since((*begin).max(from));
            }
        }
        deadline
    }

    /// Whether a device's access lets nothing through at a time, or did so at most `settling` before.
    pub(crate) fn is_cut(&self, device: usize, at: SimTime, settling: Micros) -> bool {
        self.outages[device].iter().any(|(begin, end)| *begin <= at && at < *end + settling)
    }

    /// The directions in which media flows or ought to: those of accepted calls, and those in which a frame came.
    pub(crate) fn ways(&self) -> BTreeSet<Way> {
        let mut ways = BTreeSet::new();
        for (one, other) in self.calls.by_id.values().flat_map(|call| call.pairs().collect::<Vec<_>>()) {
            ways.insert(Way { sender: one, receiver: other });
            ways.insert(Way { sender: other, receiver: one });
        }
        for delivery in &self.frames.deliveries {
            ways.insert(Way { sender: self.frames.sent[delivery.frame].device, receiver: delivery.receiver });
        }
        ways
    }

    /// `alice-phone>bob-phone`.
    pub(crate) fn way_name(&self, way: Way) -> String {
        format!("{}>{}", self.cast.name(way.sender), self.cast.name(way.receiver))
    }

    /// What `receiver` got of what `sender` sent, in the order of sending.
    pub(crate) fn deliveries(&self, way: Way) -> impl Iterator<Item = (&SentFrame<'a>, &Delivery<'a>)> {
        self.frames.on_way(way).map(|delivery| (&self.frames.sent[delivery.frame], delivery))
    }

    /// The call that a device was in at a record: the one that it entered last.
    pub(crate) fn call_at(&self, device: usize, index: u64) -> Option<&Part<'a>> {
        self.calls
            .parts
            .range((device, CallId([0; 16]), 0)..=(device, CallId([0xFF; 16]), u8::MAX))
            .map(|(_, part)| part)
            .filter(|part| part.began.1 <= index && !part.waits(index))
            .max_by_key(|part| part.began.1)
    }

    /// The direction of what a device sent at a record: towards the other end of its call.
    pub(crate) fn way_of(&self, sender: usize, index: u64) -> Option<Way> {
        let call = self.calls.by_id.get(&self.call_at(sender, index)?.call)?;
        let leg = call.legs().into_iter().rfind(|leg| leg.from.1 <= index).map(|leg| leg.ends);
        let (one, other) = leg.or(call.devices)?;
        Some(Way { sender, receiver: if sender == one { other } else { one } })
    }

    /// The part that a device has in a call, the first time that it came there.
    pub(crate) fn part(&self, device: usize, call: CallId) -> Option<&Part<'a>> {
        self.calls.parts.get(&(device, call, 0))
    }

    /// The part that it has there at a record; the first one before any.
    pub(crate) fn part_at(&self, device: usize, call: CallId, index: u64) -> Option<&Part<'a>> {
        let visits = || self.calls.parts.range((device, call, 0)..=(device, call, u8::MAX)).map(|(_, part)| part);
        visits().rfind(|part| part.began.1 <= index).or_else(|| visits().next())
    }

    /// Whether a part is the one that its device has in its call at a record.
    pub(crate) fn is_of(&self, part: &Part, index: u64) -> bool {
        self.part_at(part.device, part.call, index).is_some_and(|then| then.began == part.began)
    }

    /// Whether an address is a relay's.
    pub(crate) fn is_relay(&self, address: IpAddr) -> bool {
        self.plan.relays.iter().any(|relay| relay.address == address)
    }
}

/// When the apps of devices crash, each with the last record before that.
fn crashes(log: &Log, plan: &Plan, cast: &Cast) -> Vec<(usize, Moment)> {
    let crash = |fault: &Fault| {
        let (FaultKind::Crash { node } | FaultKind::Restart { node }) = &fault.kind else { return None };
        let at = plan.timeline_start + fault.at;
        let index = log.records.partition_point(|record| record.at < at).saturating_sub(1) as u64;
        Some((cast.device(node)?, (at, index)))
    };
    plan.trouble.faults.iter().filter_map(crash).collect()
}

/// When a device has no path to signaling: its access is cut, the core in between is, the server is down, or its own app.
/// Times in order, without overlap.
fn away(plan: &Plan, device: &ActorName, outages: &[(SimTime, SimTime)], end: SimTime) -> Vec<(SimTime, SimTime)> {
    let signaling = &plan.signaling.name;
    let is_path = |between: &(ActorName, ActorName)| {
        [(device, signaling), (signaling, device)].contains(&(&between.0, &between.1))
    };
    let mut periods = outages.to_vec();
    let mut since: [Option<SimTime>; 3] = [None; 3];
    for fault in &plan.trouble.faults {
        let (which, begins) = match &fault.kind {
            FaultKind::Crash { node } if node == signaling => (0, true),
            FaultKind::Restart { node } if node == signaling => (0, false),
            FaultKind::Crash { node } if node == device => (2, true),
            FaultKind::Restart { node } if node == device => (2, false),
            FaultKind::Cut { between } if is_path(between) => (1, true),
            FaultKind::Mend { between } if is_path(between) => (1, false),
            _ => continue,
        };
        let at = plan.timeline_start + fault.at;
        match (begins, since[which].take()) {
            (true, before) => since[which] = before.or(Some(at)),
            (false, begin) => periods.extend(begin.map(|begin| (begin, at))),
        }
    }
    periods.extend(since.into_iter().flatten().map(|begin| (begin, end)));
    periods.sort_unstable();
    let mut apart: Vec<(SimTime, SimTime)> = Vec::new();
    for (begin, end) in periods {
        match apart.last_mut() {
            Some((_, last)) if begin <= *last => *last = end.max(*last),
            _ => apart.push((begin, end)),
        }
    }
    apart
}

fn outages(events: &Events, cast: &Cast, interfaces: &Interfaces, end: SimTime) -> Vec<Vec<(SimTime, SimTime)>> {
    let mut outages = vec![Vec::new(); cast.len()];
    for (device, outages) in outages.iter_mut().enumerate() {
        outages.extend(interfaces.outages(device, end));
        if !cast.participant(device).interfaces.is_empty() {
            // A link of one interface that lets nothing through leaves the others.
            continue;
        }
        for direction in ["up", "down"] {
            let name = format!("{}/{direction}", cast.name(device));
            let mut since = None;
            for change in events.links.iter().filter(|change| change.link == *name) {
                let cut = matches!(change.to.loss, Loss::Bernoulli { ppm: 1_000_000.. });
                match (cut, since) {
                    (true, None) => since = Some(change.at),
                    (false, Some(begin)) => {
                        outages.push((begin, change.at));
                        since = None;
                    }
                    _ => {}
                }
            }
            outages.extend(since.map(|begin| (begin, end)));
        }
    }
    outages
}

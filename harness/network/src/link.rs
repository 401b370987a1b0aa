//! One direction of a link: what lets in, queue, wire, loss, damage, propagation, jitter.

use crate::{
    damage::{Chances, cut, flip},
    flight::Flight,
    jitter::{JitterProcess, reorders},
    loss::LossProcess,
    meter::Meter,
    pace::{Done, Pace, Recording, work_of},
    policer::Bucket,
    queue::{self, Discipline, Limit, Luck, Parcel, Rejects},
};
use kernel::{
    LinkName, event,
    event::{Damage, DropReason},
    log, mutant,
    packet::Ecn,
    plan::{Jitter, LinkPlan},
    random::SeedTree,
    time::{Micros, SimTime},
};

/// What V133 adds to each link without a word.
const UNREPORTED: Micros = Micros::from_millis(7);

/// One direction of a link. Loss strikes after the packet was clocked out, as on a radio: it has used its time.
pub(crate) struct Link {
    pub(crate) name: LinkName,
    pub(crate) plan: LinkPlan,
    /// Counts what it does, on a core link.
    pub(crate) meter: Option<Meter>,
    seeds: SeedTree,
    pace: Pace,
    bucket: Bucket,
    queue: Box<dyn Discipline>,
    wire: Option<OnWire>,
    loss: LossProcess,
    jitter: JitterProcess,
    chances: Chances,
    /// Packets that came so far.
    came: u64,
    last_exit: SimTime,
    last_serialization: Micros,
    /// When the fabric was last told that the wire is due.
    told_due: Option<SimTime>,
}

/// The packet that is being clocked out. At `since` so much work was left of it.
struct OnWire {
    parcel: Parcel,
    began: SimTime,
    since: SimTime,
    left: u64,
    done: Done,
}

/// What becomes of packets on a link, in the order in which it happens.
pub(crate) enum Fate {
    /// It leaves the link at this time, now or later.
    Leaves(SimTime, Flight),
    /// It is lost now.
    Drops(Flight, DropReason),
    /// A second copy came into being.
    Doubles(SimTime, Flight),
}

impl Link {
    /// The streams are below `seeds` by the name of the link, so that no other link moves them.
    pub(crate) fn new(name: LinkName, plan: LinkPlan, recording: Option<&Recording>, seeds: &SeedTree) -> Link {
        let seeds = seeds.child(name.as_str());
        Link {
            name,
            meter: None,
            pace: Pace::of(&plan, recording),
            bucket: Bucket::new(&plan.policer, SimTime::ZERO),
            queue: queue::build(&plan.aqm, &seeds),
            wire: None,
            loss: LossProcess::new(seeds.stream("loss")),
            jitter: JitterProcess::new(seeds.stream("jitter")),
            chances: Chances::new(&seeds),
            came: 0,
            last_exit: SimTime::ZERO,
            last_serialization: Micros::ZERO,
            told_due: None,
            plan,
            seeds,
        }
    }

    /// When the packet on the wire is out, when that was not told before.
    pub(crate) fn newly_due(&mut self) -> Option<SimTime> {
        let due = self.wire.as_ref().map(|wire| wire.done.at);
        if due == self.told_due {
            return None;
        }
        self.told_due = due;
        due
    }

    /// Packets in the queue and on the wire.
    pub(crate) fn len(&self) -> usize {
        self.queue.len() + usize::from(self.wire.is_some())
    }

    /// Bytes in the queue.
    pub(crate) fn queued(&self) -> u64 {
        self.queue.bytes()
    }

    /// A packet comes.
    pub(crate) fn enter(&mut self, now: SimTime, flight: Flight, fates: &mut Vec<Fate>) {
        self.advance(now, fates);
        // Drawn for every packet that comes, so that what is dropped here does not shift the luck of those behind.
        let luck = self.draw();
        let ip_bytes = flight.datagram.ip_bytes();
        let bytes = ip_bytes + u64::from(self.plan.overhead);
        if ip_bytes > u64::from(self.plan.mtu) {
            return self.drop(flight, DropReason::TooBig, fates);
        }
        if !self.bucket.admits(&self.plan.policer, bytes, now) {
            return self.drop(flight, DropReason::Policed, fates);
        }
        let parcel = Parcel { flight, bytes, entered: now, luck };
        if self.pace.is_unlimited() {
            return self.leave(parcel, now, now, fates);
        }
        let mut rejects = Rejects::default();
        if self.wire.is_none() {
            // An idle wire needs no room in the queue, but the management sees the packet.
            let room = Limit { bytes: u64::MAX, packets: u32::MAX };
            self.queue.push(parcel, &room, now, &mut rejects);
            self.settle(rejects, fates);
            self.begin(now, 0, fates);
        } else {
            self.queue.push(parcel, &Limit::of(&self.plan), now, &mut rejects);
            self.settle(rejects, fates);
        }
        let queued = self.queue.bytes();
        if let Some(meter) = &mut self.meter {
            meter.queued(queued);
        }
    }

    /// Does what is due up to now.
    pub(crate) fn advance(&mut self, now: SimTime, fates: &mut Vec<Fate>) {
        while let Some(wire) = self.wire.take_if(|wire| wire.done.at <= now) {
            self.leave(wire.parcel, wire.began, wire.done.at, fates);
            self.begin(wire.done.at, wire.done.credit, fates);
        }
    }

    /// Changes the link now: what waits meets the new parameters, the packet on the wire goes on at the new rate.
    /// The plan is valid, and `recording` is the trace that it names.
    pub(crate) fn change(
        &mut self,
        now: SimTime,
        plan: LinkPlan,
        recording: Option<&Recording>,
        fates: &mut Vec<Fate>,
    ) {
        self.advance(now, fates);
        if (plan.rate, &plan.trace) != (self.plan.rate, &self.plan.trace) {
            let pace = Pace::of(&plan, recording);
            if let Some(wire) = &mut self.wire {
                wire.left = wire.left.saturating_sub(self.pace.served(wire.since, now));
                wire.since = now;
                wire.done = pace.done(now, wire.left);
            }
            self.pace = pace;
        }
        if plan.policer != self.plan.policer {
            self.bucket = Bucket::new(&plan.policer, now);
        }
        let old = std::mem::replace(&mut self.plan, plan);
        if self.plan.aqm != old.aqm {
            self.manage_anew(now, fates);
        }
        self.advance(now, fates);
    }

    /// Moves what waits to a queue of the new management, oldest first.
    fn manage_anew(&mut self, now: SimTime, fates: &mut Vec<Fate>) {
        let mut queue = std::mem::replace(&mut self.queue, queue::build(&self.plan.aqm, &self.seeds));
        let mut rejects = Rejects::default();
        let room = Limit { bytes: u64::MAX, packets: u32::MAX };
        while let Some(parcel) = queue.pop(now, &mut rejects) {
            self.queue.push(parcel, &room, now, &mut rejects);
        }
        self.settle(rejects, fates);
    }

    fn draw(&mut self) -> Luck {
        let number = self.came;
        self.came += 1;
        let is_lost = self.loss.step(&self.plan.loss) || self.plan.lost_packets.binary_search(&number).is_ok();
        let jitter = self.jitter.step(&self.plan.jitter);
        Luck { is_lost, jitter, ..self.chances.step(&self.plan) }
    }

    /// Puts the next packet that waits on the idle wire, which has so much work to its credit in this microsecond.
    fn begin(&mut self, now: SimTime, credit: u64, fates: &mut Vec<Fate>) {
        let mut rejects = Rejects::default();
        let next = self.queue.pop(now, &mut rejects);
        self.settle(rejects, fates);
        let Some(parcel) = next else { return };
        let work = work_of(parcel.bytes);
        let left = work.saturating_sub(credit);
        let done = if left == 0 { Done { at: now, credit: credit - work } } else { self.pace.done(now, left) };
        self.wire = Some(OnWire { parcel, began: now, since: now, left, done });
    }

    fn settle(&mut self, rejects: Rejects, fates: &mut Vec<Fate>) {
        if let Some(meter) = &mut self.meter {
            meter.rejected(0, rejects.marked);
        }
        for (parcel, reason) in rejects.dropped {
            self.drop(parcel.flight, reason, fates);
        }
    }

    fn drop(&mut self, flight: Flight, reason: DropReason, fates: &mut Vec<Fate>) {
        if let Some(meter) = &mut self.meter {
            meter.rejected(1, 0);
        }
        fates.push(Fate::Drops(flight, reason));
    }

    /// A packet was clocked out from `began` to `out`, which is now.
    fn leave(&mut self, parcel: Parcel, began: SimTime, out: SimTime, fates: &mut Vec<Fate>) {
        let Parcel { mut flight, bytes, entered, luck } = parcel;
        let (waited, serialization) = (began.since(entered), out.since(began));
        flight.add_queue(waited);
        flight.legs.serialization += serialization;
        if let Some(meter) = &mut self.meter {
            meter.passed(bytes, waited);
        }
        if luck.is_lost {
            return self.drop(flight, DropReason::Loss, fates);
        }
        self.damage(&mut flight, &luck);
        if self.plan.bleaches_ecn {
            flight.datagram.ecn = Ecn::NotEct;
        }
        let mut exit = self.exit(out, &luck, serialization);
        flight.legs.propagation += exit.since(out);
        if mutant!(V133) {
            exit += UNREPORTED;
        }
        let copy = luck.is_doubled.then(|| Flight { is_copy: true, ..flight.clone() });
        fates.push(Fate::Leaves(exit, flight));
        fates.extend(copy.map(|copy| Fate::Doubles(exit, copy)));
    }

    /// When a packet is at the other end that left the wire at `out`.
    fn exit(&mut self, out: SimTime, luck: &Luck, serialization: Micros) -> SimTime {
        let mut exit = out + self.plan.propagation + luck.jitter;
        if let Jitter::Spaced { .. } = self.plan.jitter {
            exit = exit.max(self.last_exit + self.last_serialization);
        } else if !reorders(&self.plan.jitter) {
            exit = exit.max(self.last_exit);
        }
        if luck.hold > Micros::ZERO {
            // Nobody waits behind a packet that is held back.
            return exit + luck.hold;
        }
        self.last_exit = exit;
        self.last_serialization = serialization;
        exit
    }

    fn damage(&self, flight: &mut Flight, luck: &Luck) {
        let bytes = &mut flight.datagram.bytes;
        let flipped = luck.flip.is_some_and(|fraction| flip(bytes, fraction)).then_some(Damage::BitFlipped);
        let shortened = luck.cut.is_some_and(|fraction| cut(bytes, fraction)).then_some(Damage::Truncated);
        for damage in flipped.into_iter().chain(shortened) {
            let bytes = log::store(&flight.datagram.bytes);
            event!(PacketDamaged { packet: flight.datagram.packet, link: self.name.clone(), damage, bytes });
        }
    }
}

#[cfg(test)]
mod tests;

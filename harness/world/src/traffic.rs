//! Cross traffic on the stage.

use crate::{
    actor::{Actor, ActorInput, ActorOutput},
    stage::Stage,
};
use kernel::{
    ActorName, Plan, SimTime,
    plan::TrafficSide::{Sink, Source},
    random::SeedTree,
};
use traffic::End;

/// Seats both ends of every flow.
pub(crate) fn seat_all(plan: &Plan, seeds: &SeedTree, stage: &mut Stage) {
    for flow in &plan.traffic {
        for (side, end, suffix) in [(Source, &flow.source, "source"), (Sink, &flow.sink, "sink")] {
            let name = ActorName::from(format!("{}-{suffix}", flow.name));
            let seeds = seeds.child("traffic").child(name.as_str());
            stage.seat_traffic(
                &name,
                end,
                Box::new(Traffic(End::new(flow, side, &seeds, plan.timeline_start, SimTime::ZERO))),
            );
        }
    }
}

struct Traffic(End);

impl Actor for Traffic {
    fn handle(&mut self, input: ActorInput, now: SimTime) {
        match input {
            ActorInput::Datagram(datagram) => self.0.handle(&datagram, now),
            ActorInput::Timeout => {}
            _ => unreachable!("cross traffic has no user, no store and no credentials"),
        }
    }

    fn poll(&mut self, now: SimTime) -> Option<ActorOutput> {
        self.0.poll(now).map(ActorOutput::Transmit)
    }

    fn next_wake(&mut self) -> Option<SimTime> {
        self.0.next_wake(kernel::time::now())
    }
}

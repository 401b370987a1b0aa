//! What a run costs, for what it carried.

use crate::judged::{CampaignError, Judged};
use kernel::{Plan, Record, event::Event};
use std::time::Duration;
use world::RunOptions;

/// What a run cost: of several rounds the least of each kind, since whoever else is on the machine only adds to it.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Processor time of the simulation.
    pub simulation: Duration,
    /// Processor time of the judgement.
    pub judgement: Duration,
    /// Packets that were handed to the network.
    pub packets: u64,
    /// Packets that reached a socket.
    pub arrived: u64,
    /// Records of the log.
    pub records: u64,
    /// What the log holds in memory, in bytes: its records, without the text in them, and what they refer to.
    pub log_bytes: u64,
    /// Simulated time after the set-up.
    pub simulated: Duration,
}

impl Cost {
    /// Runs and judges a plan so many times.
    ///
    /// # Errors
    /// When a run could not be made.
    pub fn of(plan: &Plan, rounds: usize) -> Result<Cost, CampaignError> {
        let mut least = Cost::of_run(&Judged::run(plan, &RunOptions::default())?);
        for _ in 1..rounds {
            let next = Cost::of_run(&Judged::run(plan, &RunOptions::default())?);
            least.simulation = least.simulation.min(next.simulation);
            least.judgement = least.judgement.min(next.judgement);
        }
        Ok(least)
    }

    fn of_run(judged: &Judged) -> Cost {
        let log = judged.log();
        let count = |is: fn(&Event) -> bool| log.records.iter().filter(|record| is(&record.event)).count() as u64;
        Cost {
            simulation: judged.outcome.cpu,
            judgement: judged.judging,
            packets: count(|event| matches!(event, Event::PacketSent(_))),
            arrived: count(|event| matches!(event, Event::PacketArrived(_))),
            records: log.records.len() as u64,
            log_bytes: (log.blobs.len() + log.records.len() * size_of::<Record>()) as u64,
            simulated: judged.judgement.plan.duration.to_duration(),
        }
    }

    /// Nanoseconds of the simulation for each packet.
    pub fn simulation_ns(&self) -> u64 {
        self.simulation.as_nanos() as u64 / self.packets.max(1)
    }

    /// Nanoseconds of the judgement for each packet.
    pub fn judgement_ns(&self) -> u64 {
        self.judgement.as_nanos() as u64 / self.packets.max(1)
    }
}

//! The hosts that belong to an adversary.

use crate::actor::{Actor, ActorInput, ActorOutput};
use adversary::{Guessed, Guesser, OffPathHost, Target};
use client::MEDIA_PORT;
use kernel::{Plan, SimTime, bystander::Bystander, plan::AdversaryPlan, random::SeedTree};
use std::net::SocketAddr;

/// What a bystander does.
pub(crate) fn actor(plan: &Plan, bystander: Bystander) -> Box<dyn Actor> {
    match bystander {
        Bystander::OffPath => {
            let seeds = SeedTree::root(plan.seed).child("adversary");
            let relays = plan.relays.iter().map(|relay| SocketAddr::new(relay.address, crate::stack::RELAY_PORT));
            Box::new(OffPath(OffPathHost::new(
                &plan.adversary,
                targets(plan),
                relays.collect(),
                seeds,
                plan.timeline_start,
            )))
        }
        Bystander::Internal => Box::new(Idle),
        Bystander::Guesser => {
            let seeds = SeedTree::root(plan.seed).child("adversary");
            let victim = plan.participants[0].user.clone();
            let server = crate::stack::public_signaling(plan);
            let codes = plan.adversary.iter().any(|attack| matches!(attack, AdversaryPlan::GuessCode));
            let what = if codes { Guessed::Code } else { Guessed::Password };
            let guesser = Guesser::new((victim, what), bystander.address(), server, seeds, plan.timeline_start);
            Box::new(Guessing(guesser))
        }
    }
}

/// Every device, with every other as a peer: where the attacker guesses them to be.
fn targets(plan: &Plan) -> Vec<Target> {
    let outside =
        plan.participants.iter().map(|participant| SocketAddr::new(participant.access.public_address, MEDIA_PORT));
    let outside: Vec<SocketAddr> = outside.collect();
    let pairs = outside.iter().flat_map(|device| outside.iter().map(move |peer| (*device, *peer)));
    pairs.filter(|(device, peer)| device != peer).map(|(device, peer)| Target { device, peer }).collect()
}

struct OffPath(OffPathHost);

impl Actor for OffPath {
    fn handle(&mut self, input: ActorInput, now: SimTime) {
        if matches!(input, ActorInput::Timeout) {
            self.0.handle_timeout(now);
        }
    }

    fn poll(&mut self, _now: SimTime) -> Option<ActorOutput> {
        self.0.poll().map(ActorOutput::Transmit)
    }

    fn next_wake(&mut self) -> Option<SimTime> {
        Some(self.0.next_wake())
    }
}

struct Guessing(Guesser);

impl Actor for Guessing {
    fn handle(&mut self, input: ActorInput, now: SimTime) {
        match input {
            ActorInput::Datagram(datagram) => self.0.receive(datagram, now),
            ActorInput::Timeout => self.0.handle_timeout(now),
            _ => {}
        }
    }

    fn poll(&mut self, _now: SimTime) -> Option<ActorOutput> {
        self.0.poll().map(ActorOutput::Transmit)
    }

    fn next_wake(&mut self) -> Option<SimTime> {
        self.0.next_wake()
    }
}

/// A service that nobody ought to reach.
struct Idle;

impl Actor for Idle {
    fn handle(&mut self, _input: ActorInput, _now: SimTime) {}

    fn poll(&mut self, _now: SimTime) -> Option<ActorOutput> {
        None
    }

    fn next_wake(&mut self) -> Option<SimTime> {
        None
    }
}

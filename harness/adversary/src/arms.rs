//! From a scenario's plan to what the world puts into its actors.

use crate::{
    colluding_server::ColludingServer,
    hop::{HopChain, ReplayingHop, TamperingHop},
    malicious_server::MaliciousServer,
};
use client::{Hop, Misbehaviour};
use kernel::{
    ActorName, Mutant,
    plan::{AdversaryPlan, VideoCodec},
    random::SeedTree,
};
use signaling::Interceptor;

/// What the adversary of a run needs in the actors' hands.
#[derive(Clone, Debug, Default)]
pub struct Arms(Vec<AdversaryPlan>);

/// Arms the adversary of a plan.
pub fn arm(plan: &[AdversaryPlan]) -> Arms {
    Arms(plan.to_vec())
}

impl Arms {
    /// For `signaling::Server::set_interceptor`: a server that swaps offers, or one that colludes with a caller who
    /// forges consent. With both planned it swaps.
    pub fn interceptor(&self, seeds: &SeedTree) -> Option<Box<dyn Interceptor>> {
        if self.0.contains(&AdversaryPlan::SwapFingerprint) {
            return Some(Box::new(MaliciousServer::new(&seeds.child("malicious-server"))));
        }
        self.0.contains(&AdversaryPlan::ForgeConsent).then(|| Box::new(ColludingServer) as Box<dyn Interceptor>)
    }

    /// For `ClientConfig::hop` of the device: what sits between its SRTP and its SFrame.
    pub fn hop(&self, device: &ActorName, codec: VideoCodec) -> Option<Box<dyn Hop>> {
        let mut hops: Vec<Box<dyn Hop>> = Vec::new();
        for attack in &self.0 {
            match attack {
                AdversaryPlan::TamperAtHop { every } => {
                    hops.push(Box::new(TamperingHop::new(device.clone(), codec, *every)));
                }
                AdversaryPlan::ReplayAtHop { every, after } => {
                    hops.push(Box::new(ReplayingHop::new(device.clone(), *every, *after)));
                }
                _ => {}
            }
        }
        if hops.len() > 1 { Some(Box::new(HopChain::new(hops))) } else { hops.pop() }
    }

    /// For `ClientConfig::misbehaviour` of every device: it acts as a caller only.
    pub fn misbehaviour(&self) -> Vec<Misbehaviour> {
        let of_peer = |attack: &AdversaryPlan| match attack {
            AdversaryPlan::ForgeConsent => Some(Misbehaviour::ForgeConsent),
            AdversaryPlan::CandidatesInOffer => Some(Misbehaviour::CandidatesInOffer),
            _ => None,
        };
        self.0.iter().filter_map(of_peer).collect()
    }

    /// For `ClientConfig::null_srtp` of every device.
    pub fn null_srtp(&self) -> bool {
        self.0.contains(&AdversaryPlan::NullAllEncryption)
    }

    /// Bugs that the plan needs planted besides the scenario's own: without SRTP and with SFrame nothing is in clear.
    pub fn mutants(&self) -> &'static [Mutant] {
        if self.null_srtp() { &[Mutant::V136] } else { &[] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{Micros, SimTime, Track};

    #[test]
    fn without_a_plan_nobody_is_armed() {
        let arms = arm(&[]);
        assert!(arms.interceptor(&SeedTree::root(1)).is_none());
        assert!(arms.hop(&"bob-phone".into(), VideoCodec::Vp8).is_none());
        assert!(arms.misbehaviour().is_empty() && !arms.null_srtp() && arms.mutants().is_empty());
    }

    #[test]
    fn each_plan_arms_its_actor() {
        let seeds = SeedTree::root(1);
        assert!(arm(&[AdversaryPlan::SwapFingerprint]).interceptor(&seeds).is_some_and(|i| !i.passes_before_accept()));
        let forge = arm(&[AdversaryPlan::ForgeConsent]);
        assert!(forge.interceptor(&seeds).is_some_and(|interceptor| interceptor.passes_before_accept()));
        assert_eq!(forge.misbehaviour(), [Misbehaviour::ForgeConsent]);
        assert_eq!(arm(&[AdversaryPlan::CandidatesInOffer]).misbehaviour(), [Misbehaviour::CandidatesInOffer]);
        let null = arm(&[AdversaryPlan::NullAllEncryption]);
        assert!(null.null_srtp() && null.mutants() == [Mutant::V136]);
    }

    #[test]
    fn two_attacks_share_one_hop() {
        let plan =
            [AdversaryPlan::TamperAtHop { every: 1 }, AdversaryPlan::ReplayAtHop { every: 1, after: Micros(10) }];
        let mut hop = arm(&plan).hop(&"bob-phone".into(), VideoCodec::Vp8).unwrap();
        assert_eq!(hop.incoming(Track::Audio, vec![0; 40], SimTime(1)).len(), 2);
        assert_eq!(hop.next_wake(), Some(SimTime(11)));
        assert!(hop.poll(SimTime(11)).is_some() && hop.poll(SimTime(11)).is_some() && hop.poll(SimTime(11)).is_none());
    }
}

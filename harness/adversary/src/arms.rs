//! From a scenario's plan to what the world puts into its actors.

use crate::{
    altering_server::AlteringServer,
    colluding_server::ColludingServer,
    hop::{HopChain, ReplayingHop, TamperingHop},
    malicious_server::MaliciousServer,
    thieving_server::ThievingServer,
};
use client::{Hop, Misbehaviour};
use kernel::{
    ActorName, Micros, Mutant,
    plan::{AdversaryPlan, VideoCodec},
    random::SeedTree,
};
use signaling::Interceptor;

/// What the adversary of a run puts into the actors.
#[derive(Default)]
pub struct Armed {
    /// For `signaling::Server::set_interceptor`: a server that swaps offers, steals a call, colludes with a caller who forges
    /// consent, or changes pictures. Of several it is the first that is planned; who swaps or steals comes before all.
    pub interceptor: Option<Box<dyn Interceptor>>,
    /// For `ClientConfig::misbehaviour` of the caller.
    pub misbehaviour: Vec<Misbehaviour>,
    /// For `ClientConfig::null_srtp` of every device.
    pub null_srtp: bool,
    /// Bugs to plant besides the scenario's own: without SRTP but with SFrame nothing would be in clear.
    pub mutants: Vec<Mutant>,
    /// For `ClientConfig::hop` of the attacked device.
    pub hop: HopAttacks,
}

/// The attacks between SRTP and SFrame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HopAttacks(Vec<HopAttack>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HopAttack {
    Tamper { every: u32 },
    Replay { every: u32, after: Micros },
}

/// Arms the adversary of a plan. Its own keys are drawn below `seeds`.
pub fn arm(plan: &[AdversaryPlan], seeds: SeedTree) -> Armed {
    let mut armed = Armed::default();
    for attack in plan {
        match attack {
            AdversaryPlan::SwapFingerprint => armed.interceptor = Some(Box::new(MaliciousServer::new(&seeds))),
            AdversaryPlan::StealCall => armed.interceptor = Some(Box::new(ThievingServer::default())),
            AdversaryPlan::ForgeConsent => {
                armed.misbehaviour.push(Misbehaviour::ForgeConsent);
                armed.interceptor.get_or_insert_with(|| Box::new(ColludingServer));
            }
            AdversaryPlan::AlterPictures => {
                armed.interceptor.get_or_insert_with(|| Box::new(AlteringServer));
            }
            AdversaryPlan::CandidatesInOffer => armed.misbehaviour.push(Misbehaviour::CandidatesInOffer),
            AdversaryPlan::NameInOffer => armed.misbehaviour.push(Misbehaviour::NameInOffer),
            AdversaryPlan::HostNameInOffer => armed.misbehaviour.push(Misbehaviour::HostNameInOffer),
            AdversaryPlan::AskForCamera => armed.misbehaviour.push(Misbehaviour::AskForCamera),
            AdversaryPlan::AcceptOwnCall => armed.misbehaviour.push(Misbehaviour::AcceptOwnCall),
            AdversaryPlan::WriteUnasked => armed.misbehaviour.push(Misbehaviour::WriteUnasked),
            AdversaryPlan::ProbeInternal => armed.misbehaviour.push(Misbehaviour::ProbeInternal),
            AdversaryPlan::HoardAllocations => armed.misbehaviour.push(Misbehaviour::HoardAllocations),
            AdversaryPlan::FloodKeyFrames => armed.misbehaviour.push(Misbehaviour::FloodKeyFrames),
            AdversaryPlan::ActForAnother => armed.misbehaviour.push(Misbehaviour::ActForAnother),
            AdversaryPlan::ListThirdParties => armed.misbehaviour.push(Misbehaviour::ListThirdParties),
            AdversaryPlan::AskAnyway => armed.misbehaviour.push(Misbehaviour::AskAnyway),
            AdversaryPlan::EnumerateHandles => armed.misbehaviour.push(Misbehaviour::EnumerateHandles),
            // Hosts of their own: `OffPathHost`, `Guesser`.
            AdversaryPlan::HelloFromElsewhere
            | AdversaryPlan::HelloInThePeersName
            | AdversaryPlan::ForgedBindings
            | AdversaryPlan::GarbageMedia
            | AdversaryPlan::SpeakToRelays
            | AdversaryPlan::GuessPassword
            | AdversaryPlan::GuessCode => {}
            AdversaryPlan::TamperAtHop { every } => armed.hop.0.push(HopAttack::Tamper { every: *every }),
            AdversaryPlan::ReplayAtHop { every, after } => {
                armed.hop.0.push(HopAttack::Replay { every: *every, after: *after });
            }
            AdversaryPlan::NullAllEncryption => {
                armed.null_srtp = true;
                armed.mutants.push(Mutant::V136);
            }
        }
    }
    armed
}

impl HopAttacks {
    /// What sits in front of the device; none without such an attack.
    pub fn at(&self, device: &ActorName, codec: VideoCodec) -> Option<Box<dyn Hop>> {
        let hop = |attack: &HopAttack| -> Box<dyn Hop> {
            match *attack {
                HopAttack::Tamper { every } => Box::new(TamperingHop::new(device.clone(), codec, every)),
                HopAttack::Replay { every, after } => Box::new(ReplayingHop::new(device.clone(), every, after)),
            }
        };
        match &self.0[..] {
            [] => None,
            [attack] => Some(hop(attack)),
            several => Some(Box::new(HopChain::new(several.iter().map(hop).collect()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{SimTime, Track};

    fn armed(plan: &[AdversaryPlan]) -> Armed {
        arm(plan, SeedTree::root(1))
    }

    #[test]
    fn without_a_plan_nobody_is_armed() {
        let armed = armed(&[]);
        assert!(armed.interceptor.is_none() && armed.hop.at(&"bob-phone".into(), VideoCodec::Vp8).is_none());
        assert!(armed.misbehaviour.is_empty() && !armed.null_srtp && armed.mutants.is_empty());
    }

    #[test]
    fn each_plan_arms_its_actor() {
        let passes = |armed: &Armed| armed.interceptor.as_ref().map(|interceptor| interceptor.passes_before_accept());
        assert_eq!(passes(&armed(&[AdversaryPlan::SwapFingerprint])), Some(false));
        let forge = armed(&[AdversaryPlan::ForgeConsent]);
        assert_eq!((passes(&forge), &forge.misbehaviour[..]), (Some(true), &[Misbehaviour::ForgeConsent][..]));
        assert_eq!(armed(&[AdversaryPlan::CandidatesInOffer]).misbehaviour, [Misbehaviour::CandidatesInOffer]);
        let null = armed(&[AdversaryPlan::NullAllEncryption]);
        assert!(null.null_srtp && null.mutants == [Mutant::V136]);
    }

    #[test]
    fn two_attacks_share_one_hop() {
        let plan =
            [AdversaryPlan::TamperAtHop { every: 1 }, AdversaryPlan::ReplayAtHop { every: 1, after: Micros(10) }];
        let mut hop = armed(&plan).hop.at(&"bob-phone".into(), VideoCodec::Vp8).unwrap();
        assert_eq!(hop.incoming(Track::Audio, vec![0; 40], SimTime(1)).len(), 2);
        assert_eq!(hop.next_wake(), Some(SimTime(11)));
        assert!(hop.poll(SimTime(11)).is_some() && hop.poll(SimTime(11)).is_some() && hop.poll(SimTime(11)).is_none());
    }
}

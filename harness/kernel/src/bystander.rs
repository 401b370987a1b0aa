//! Hosts that belong neither to the calling system nor to its users: they exist in runs whose adversary needs them.

use crate::{names::ActorName, plan::AdversaryPlan};
use std::net::{IpAddr, Ipv4Addr};

/// A host besides those of the calling system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bystander {
    /// An attacker off the path: it may send from any source address, sees only what is sent to it, and knows no secret.
    OffPath,
    /// A service inside the network of the relays: nothing outside reaches it, and nothing ought to.
    Internal,
    /// Somebody who guesses passwords and codes, from one address and many ports.
    Guesser,
}

impl Bystander {
    /// Its name.
    pub fn name(self) -> ActorName {
        match self {
            Bystander::OffPath => "off-path".into(),
            Bystander::Internal => "internal".into(),
            Bystander::Guesser => "guesser".into(),
        }
    }

    /// Its address: public (TEST-NET-1, RFC 5737), or private (RFC 1918).
    pub fn address(self) -> IpAddr {
        match self {
            Bystander::OffPath => Ipv4Addr::new(192, 0, 2, 250).into(),
            Bystander::Internal => Ipv4Addr::new(10, 66, 0, 5).into(),
            Bystander::Guesser => Ipv4Addr::new(192, 0, 2, 251).into(),
        }
    }

    /// Those that an adversary needs, each once.
    pub fn of(adversary: &[AdversaryPlan]) -> Vec<Bystander> {
        let mut needed: Vec<Bystander> = adversary.iter().filter_map(Bystander::needed_by).collect();
        needed.sort();
        needed.dedup();
        needed
    }

    fn needed_by(attack: &AdversaryPlan) -> Option<Bystander> {
        use AdversaryPlan::*;
        match attack {
            HelloFromElsewhere | HelloInThePeersName | ForgedBindings | GarbageMedia | SpeakToRelays => {
                Some(Bystander::OffPath)
            }
            ProbeInternal => Some(Bystander::Internal),
            GuessPassword | GuessCode => Some(Bystander::Guesser),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_there_once_and_only_where_it_is_needed() {
        use AdversaryPlan::{ForgeConsent, GarbageMedia, HelloFromElsewhere, ProbeInternal};
        assert_eq!(Bystander::of(&[ForgeConsent]), []);
        let needed = Bystander::of(&[ProbeInternal, GarbageMedia, HelloFromElsewhere]);
        assert_eq!(needed, [Bystander::OffPath, Bystander::Internal]);
    }
}

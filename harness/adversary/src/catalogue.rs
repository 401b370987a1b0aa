//! The catalogue of planted bugs: each is a known attack, killed by one named invariant in one scenario.

mod accounts;
mod consent;
mod friends;
mod network;
mod own;
mod secrecy;

use kernel::Mutant;
use std::sync::LazyLock;

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownAttack {
    /// Its id in the code: `mutant!(V20)`.
    pub mutant: Mutant,
    /// What really happened to somebody, and what is planted here.
    pub sentence: &'static str,
    /// The invariant that must fail, by name.
    pub invariant: &'static str,
    /// The scenario in which it must, by path and stem below `scenarios/`.
    pub scenario: &'static str,
}

/// Every planted bug, in the order of [`Mutant::ALL`].
pub static MUTANTS: LazyLock<Vec<KnownAttack>> = LazyLock::new(|| {
    [consent::CONSENT, friends::FRIENDS, secrecy::SECRECY, network::NETWORK, accounts::ACCOUNTS, own::OWN].concat()
});

/// What the catalogue says about a mutant.
pub fn known_attack(mutant: Mutant) -> &'static KnownAttack {
    &MUTANTS[mutant as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, path::Path};

    #[test]
    fn every_mutant_of_the_code_has_one_entry_in_the_same_order() {
        let listed: Vec<Mutant> = MUTANTS.iter().map(|attack| attack.mutant).collect();
        assert_eq!(listed, Mutant::ALL);
        assert!(Mutant::ALL.iter().all(|mutant| known_attack(*mutant).mutant == *mutant));
    }

    #[test]
    fn every_mutant_has_a_scenario_of_its_own() {
        let scenarios: BTreeSet<&str> = MUTANTS.iter().map(|attack| attack.scenario).collect();
        assert_eq!(scenarios.len(), MUTANTS.len());
    }

    #[test]
    fn the_scenario_plants_the_mutant_and_expects_its_invariant_to_fail() {
        let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
        for attack in MUTANTS.iter() {
            let path = scenarios.join(attack.scenario).with_extension("toml");
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(text.contains(&format!("mutant = \"{}\"", attack.mutant)), "{}", attack.scenario);
            assert!(text.contains(&format!("fails = \"{}\"", attack.invariant)), "{}", attack.scenario);
        }
    }

    #[test]
    fn every_sentence_says_what_happened_and_what_is_planted() {
        for attack in MUTANTS.iter() {
            let planted = attack.sentence.split_once(": here ").map(|(_, planted)| planted.trim());
            assert!(planted.is_some_and(|planted| !planted.is_empty()), "{}", attack.mutant);
            assert!(!attack.sentence.contains("  "), "{}", attack.mutant);
        }
    }
}

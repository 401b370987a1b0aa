//! NATs, firewalls, carriers, and the addresses that they give.

use super::{people::People, within};
use crate::{
    either::Either,
    file::{self, Carrier, Dependence as DependenceWord, Nat, NatTable, Ports, Scenario},
    located::Located,
    problem::Problems,
};
use kernel::{
    plan::{CarrierPlan, Dependence, Firewall, NatChange, NatPlan, NatStep, PortAssignment, Refresh},
    time::{Micros, SimTime},
};
use std::net::{IpAddr, Ipv4Addr};

/// What a word or a table of a NAT comes to; none without a NAT.
pub(super) fn nat(nat: &Located<Either<Nat, NatTable>>, problems: &mut Problems) -> Option<NatPlan> {
    match &**nat {
        Either::Text(Nat::None) => None,
        Either::Text(Nat::FullCone) => Some(NatPlan::FULL_CONE),
        Either::Text(Nat::RestrictedCone) => Some(NatPlan::RESTRICTED_CONE),
        Either::Text(Nat::PortRestricted) => Some(NatPlan::PORT_RESTRICTED),
        Either::Text(Nat::Symmetric) => Some(NatPlan::SYMMETRIC),
        Either::Table(table) => Some(detailed(table, problems)),
    }
}

fn detailed(table: &NatTable, problems: &mut Problems) -> NatPlan {
    let plan = NatPlan::PORT_RESTRICTED;
    if let Some(lifetime) = table.lifetime.as_ref().filter(|lifetime| lifetime.0 == Micros::ZERO) {
        problems.note(lifetime.span(), "a mapping that lives no time lets no answer in", "at least a microsecond");
    }
    NatPlan {
        mapping: table.mapping.map_or(plan.mapping, dependence),
        filtering: table.filtering.map_or(plan.filtering, dependence),
        lifetime: table.lifetime.as_ref().map_or(plan.lifetime, |lifetime| lifetime.0),
        refresh: match table.refresh {
            Some(file::Refresh::Both) => Refresh::Both,
            Some(file::Refresh::Outbound) | None => Refresh::Outbound,
        },
        hairpin: table.hairpin.unwrap_or(plan.hairpin),
        ports: match table.ports {
            Some(Ports::Preserve) => PortAssignment::Preserve,
            Some(Ports::Sequential) => PortAssignment::Sequential,
            Some(Ports::OneToOne) => PortAssignment::OneToOne,
            Some(Ports::Random) | None => PortAssignment::Random,
        },
        parity: table.parity.unwrap_or(plan.parity),
    }
}

fn dependence(word: DependenceWord) -> Dependence {
    match word {
        DependenceWord::EndpointIndependent => Dependence::EndpointIndependent,
        DependenceWord::AddressDependent => Dependence::AddressDependent,
        DependenceWord::AddressAndPortDependent => Dependence::AddressAndPortDependent,
    }
}

/// The kernel's word for a firewall.
pub(super) fn firewall(firewall: Option<file::Firewall>) -> Firewall {
    match firewall.unwrap_or(file::Firewall::Open) {
        file::Firewall::Open => Firewall::Open,
        file::Firewall::Stateful => Firewall::Stateful,
        file::Firewall::Only443 => Firewall::Only443,
        file::Firewall::UdpBlocked => Firewall::UdpBlocked,
    }
}

/// The most carriers: their public addresses follow those of homes.
const MOST_CARRIERS: usize = 16;

/// The carriers of a scenario with their NATs, in the order of the file.
pub(super) struct Carriers(Vec<(String, NatPlan)>);

impl Carriers {
    /// Resolves the carriers of the file.
    pub(super) fn resolve(file: &Scenario, problems: &mut Problems) -> Carriers {
        let mut carriers = Carriers(Vec::new());
        for entry in &file.carrier {
            carriers.add(entry, problems);
        }
        carriers
    }

    fn add(&mut self, entry: &Located<Carrier>, problems: &mut Problems) {
        let (Some(name), Some(given)) = (&entry.name, &entry.nat) else { return };
        let Some(plan) = nat(given, problems) else {
            problems.note(given.span(), "a carrier without a NAT changes nothing", "name its NAT");
            return;
        };
        if self.0.iter().any(|(known, _)| known == &**name) {
            problems.note(name.span(), format!("two carriers are called `{}`", **name), "the second one");
        } else if self.0.len() == MOST_CARRIERS {
            problems.note(entry.span(), format!("a scenario has up to {MOST_CARRIERS} carriers"), "one too many");
        } else {
            self.0.push((String::clone(name), plan));
        }
    }

    /// The carrier's NAT as the home with this number sees it, and its public address (TEST-NET-3, RFC 5737).
    pub(super) fn behind(
        &self,
        name: &Located<String>,
        home: u8,
        problems: &mut Problems,
    ) -> Option<(CarrierPlan, IpAddr)> {
        let Some(index) = self.0.iter().position(|(known, _)| known == &**name) else {
            let note = problems.note(name.span(), format!("no carrier is called `{}`", **name), "unknown carrier");
            note.did_you_mean(name, self.0.iter().map(|(known, _)| known.as_str()));
            return None;
        };
        let inner_address = Ipv4Addr::new(100, 64, 0, home).into();
        let public = Ipv4Addr::new(203, 0, 113, 200 + index as u8);
        Some((CarrierPlan { nat: self.0[index].1.clone(), inner_address }, public.into()))
    }
}

/// What happens to NATs, in the order of the file.
pub(super) fn schedule(file: &Scenario, people: &People, end: SimTime, problems: &mut Problems) -> Vec<NatStep> {
    let mut schedule = Vec::new();
    for entry in &file.nat_change {
        if let Some(at) = &entry.at {
            within(at, end, problems);
        }
        let Some(user) = entry.user.as_ref() else { continue };
        let Some(owner) = people.device_at(user, user.span(), problems) else { continue };
        let (device, access) = (&owner.device, &owner.access);
        let (missing, label) = match entry.carrier {
            true => (access.carrier.is_none(), "behind no carrier's NAT"),
            false => (access.nat.is_none(), "behind no NAT"),
        };
        if missing {
            problems.note(user.span(), format!("nothing can happen to the NAT of `{}`", **user), label);
        }
        if let (Some(at), Some(change)) = (&entry.at, entry.change) {
            let change = match change {
                file::NatChangeKind::Forget => NatChange::Forget,
                file::NatChangeKind::Renumber => NatChange::Renumber,
            };
            schedule.push(NatStep { at: at.0, device: device.clone(), carrier: entry.carrier, change });
        }
    }
    schedule
}

//! Where everybody is: homes, the NATs in front of them, and the addresses that follow.

use super::{
    access::Access,
    nat::{self, Carriers},
};
use crate::{
    either::Either,
    file::{Firewall, Internet, Ipv6, Nat, NatTable, Scenario},
    located::Located,
    problem::Problems,
};
use kernel::plan::{AccessPlan, CarrierPlan, Ipv6Plan, NatPlan, PortAssignment};
use std::net::{IpAddr, Ipv4Addr};

/// The most homes: their numbers are part of addresses, below those of carriers.
const MOST_HOMES: usize = 180;

/// An interface as the file says it.
pub(super) struct Attachment<'f> {
    /// The user, or the name of a further interface.
    pub(super) owner: &'f Located<String>,
    pub(super) nat: &'f Option<Located<Either<Nat, NatTable>>>,
    pub(super) home: &'f Option<Located<String>>,
    pub(super) carrier: &'f Option<Located<String>>,
    pub(super) firewall: Option<Firewall>,
    pub(super) ipv6: &'f Option<Located<Ipv6>>,
    pub(super) via: &'f [Located<String>],
}

/// A NAT with those behind it.
struct Home {
    name: Option<String>,
    nat: Option<NatPlan>,
    carrier: Option<String>,
    via: Vec<String>,
    devices: u8,
}

/// Where everybody is so far.
pub(super) struct Places<'f> {
    pub(super) file: &'f Scenario,
    carriers: Carriers,
    homes: Vec<Home>,
}

/// Where somebody is.
struct Place {
    address: IpAddr,
    public_address: IpAddr,
    carrier: Option<CarrierPlan>,
    ipv6: Option<Ipv6Plan>,
}

impl<'f> Places<'f> {
    /// Nobody is anywhere yet.
    pub(super) fn new(file: &'f Scenario, problems: &mut Problems) -> Places<'f> {
        Places { file, carriers: Carriers::resolve(file, problems), homes: Vec::new() }
    }

    /// The address of an interface over this access, and how it reaches the core.
    pub(super) fn attach(
        &mut self,
        attachment: &Attachment<'_>,
        via: Vec<String>,
        access: Access,
        problems: &mut Problems,
    ) -> (IpAddr, AccessPlan) {
        let nat = match (attachment.nat, self.file.internet) {
            (Some(given), _) => nat::nat(given, problems),
            (None, Internet::Ipv4 | Internet::DualStack) => access.links.nat,
            (None, Internet::Ipv6) => None,
        };
        if let Some(given) = attachment.nat.as_ref().filter(|_| nat.is_some() && self.file.internet == Internet::Ipv6) {
            problems.note(given.span(), "no NAT is on the way of version 6", "leave it out, or name a `firewall`");
        }
        if let Some(given) = attachment.ipv6.as_ref().filter(|_| self.file.internet != Internet::DualStack) {
            problems.note(
                given.span(),
                "the internet of this scenario has one version",
                "`internet` is not `dual-stack`",
            );
        }
        let place = self.place(attachment, &nat, &via, problems);
        let plan = AccessPlan {
            preset: access.preset,
            up: access.links.up,
            down: access.links.down,
            nat,
            public_address: place.public_address,
            carrier: place.carrier,
            firewall: nat::firewall(attachment.firewall),
            via,
            ipv6: place.ipv6,
        };
        (place.address, plan)
    }

    /// The own and the public address: each home has a private network behind one public address (TEST-NET-3, RFC 5737),
    /// or behind one of its carrier's network; whoever has no NAT has a public address (TEST-NET-2). All are unique.
    fn place(
        &mut self,
        attachment: &Attachment<'_>,
        nat: &Option<NatPlan>,
        via: &[String],
        problems: &mut Problems,
    ) -> Place {
        let name = attachment.home.as_deref().cloned();
        let carrier = attachment.carrier.as_deref().cloned();
        let known = name.as_ref().and_then(|name| self.homes.iter().position(|home| home.name.as_ref() == Some(name)));
        let index = known.unwrap_or_else(|| {
            let (nat, carrier, via) = (nat.clone(), carrier.clone(), via.to_vec());
            self.homes.push(Home { name, nat, carrier, via, devices: 0 });
            self.homes.len() - 1
        });
        if known.is_none() && index == MOST_HOMES {
            let message = format!("a scenario has up to {MOST_HOMES} homes and mobile networks");
            problems.note(attachment.owner.span(), message, "one too many");
        }
        let home = &mut self.homes[index];
        let span = attachment.home.as_ref().map_or(attachment.owner.span(), Located::span);
        let alone = nat.is_none() && self.file.internet != Internet::Ipv6;
        if home.nat != *nat || home.carrier != carrier || (known.is_some() && alone) {
            problems.note(span, "a home has one NAT, which all in it share", "these have different ones or none");
        } else if known.is_some() && nat.as_ref().is_some_and(|nat| nat.ports == PortAssignment::OneToOne) {
            problems.note(span, "a 1:1 NAT stands for one device", "a second one in its home");
        }
        if home.via != via {
            let span = attachment.via.first().map_or(attachment.owner.span(), Located::span);
            problems.note(span, "a home goes over the same links", "these have different ones");
        }
        home.devices += 1;
        let number = 10 + index.min(MOST_HOMES) as u8;
        let given = attachment.ipv6.as_deref().copied().unwrap_or(Ipv6::Works);
        let has_both = self.file.internet == Internet::DualStack && given != Ipv6::None;
        let plan = || Ipv6Plan { address: version_6(number, home.devices), works: given == Ipv6::Works };
        let ipv6 = has_both.then(plan);
        if nat.is_none() {
            if let Some(carrier) = attachment.carrier {
                let message = "whoever has a carrier's NAT has one at home too";
                problems.note(carrier.span(), message, "`nat` is missing or `none`");
            }
            let public = match self.file.internet {
                Internet::Ipv4 | Internet::DualStack => IpAddr::from([198, 51, 100, number]),
                Internet::Ipv6 => version_6(number, home.devices),
            };
            return Place { address: public, public_address: public, carrier: None, ipv6 };
        }
        let address = Ipv4Addr::new(192, 168, number, 9 + home.devices).into();
        let behind = attachment.carrier.as_ref().and_then(|name| self.carriers.behind(name, number, problems));
        match behind {
            Some((carrier, public_address)) => Place { address, public_address, carrier: Some(carrier), ipv6 },
            None => Place { address, public_address: Ipv4Addr::new(203, 0, 113, number).into(), carrier: None, ipv6 },
        }
    }
}

/// A public address of version 6, in the documentation prefix (RFC 3849).
fn version_6(home: u8, device: u8) -> IpAddr {
    IpAddr::from([0x2001, 0xdb8, u16::from(home), 0, 0, 0, 0, 9 + u16::from(device)])
}

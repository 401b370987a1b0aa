//! Participants, their addresses, and who is friends with whom.

use super::{
    access,
    links::{self, Links},
    nat::{self, Carriers},
    server_names,
};
use crate::{
    file::{self, Internet, Scenario},
    located::{Located, Span},
    problem::Problems,
    vocabulary::{PresetChange, Vocabulary},
};
use kernel::{
    names::{ActorName, LinkName, UserName},
    plan::{AccessPlan, CarrierPlan, DeviceClass, LinkStep, NatPlan, Participant, PortAssignment},
};
use std::net::{IpAddr, Ipv4Addr};

/// The most participants of a scenario: their accounts and friendships are made in the ten seconds before the timeline,
/// one password after the other, and the mark of a camera has a byte for its sender.
const MOST: usize = 64;

/// The participants of a scenario, looked up by name.
pub(super) struct People {
    participants: Vec<Participant>,
    /// Every name that a participant has, also of those whose other keys are wrong: no mistake brings a second one.
    names: Vec<String>,
    /// How the presets of devices change their links.
    schedules: Vec<(ActorName, Vec<PresetChange>)>,
}

impl People {
    /// Resolves the participants in the order of the file.
    pub(super) fn resolve(
        file: &Scenario,
        vocabulary: &Vocabulary,
        links: &mut Links,
        problems: &mut Problems,
    ) -> People {
        let mut people = People { participants: Vec::new(), names: Vec::new(), schedules: Vec::new() };
        let Some(listed) = &file.participant else { return people };
        if listed.is_empty() || listed.len() > MOST {
            let message = format!("a scenario has 1 to {MOST} participants");
            problems.note(listed.span(), message, format!("this has {}", listed.len()));
            return people;
        }
        let carriers = Carriers::resolve(file, problems);
        let mut places = Places { internet: file.internet, carriers, homes: Vec::new() };
        let servers = server_names(file);
        for participant in listed.iter() {
            let via = links::via(&participant.via, file, problems);
            people.add(participant, (via, &servers), &mut places, vocabulary, links, problems);
        }
        people
    }

    /// Looks a participant up, or notes that nobody has the name.
    pub(super) fn find(&self, name: &Located<String>, problems: &mut Problems) -> Option<UserName> {
        self.find_at(name, name.span(), problems)
    }

    /// As [`People::find`], for a name that stands at `span`.
    pub(super) fn find_at(&self, name: &str, span: Span, problems: &mut Problems) -> Option<UserName> {
        if self.names.iter().any(|known| known == name) {
            return Some(UserName::from(name));
        }
        let message = format!("nobody in this scenario is called `{name}`");
        problems.note(span, message, "has no account").did_you_mean(name, self.names());
        None
    }

    /// The device of a participant.
    pub(super) fn device_of(&self, user: &str) -> Option<&ActorName> {
        self.participants.iter().find(|participant| participant.user == *user).map(|participant| &participant.device)
    }

    /// The participant of a name.
    pub(super) fn participant(&self, user: &str) -> Option<&Participant> {
        self.participants.iter().find(|participant| participant.user == *user)
    }

    /// The participant with a device.
    pub(super) fn owner(&self, device: &ActorName) -> &Participant {
        self.participants.iter().find(|participant| participant.device == *device).expect("each device has its user")
    }

    /// Every name, in the order of the file.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The pairs who are friends before the timeline begins.
    pub(super) fn friends(&self, file: &Scenario, problems: &mut Problems) -> Vec<(UserName, UserName)> {
        let mut friends: Vec<(UserName, UserName)> = Vec::new();
        for pair in &file.friends {
            let [one, other] = &**pair;
            let (Some(a), Some(b)) = (self.find(one, problems), self.find(other, problems)) else { continue };
            if a == b {
                problems.note(pair.span(), format!("`{a}` cannot be friends with themselves"), "the same person twice");
            } else if friends.iter().any(|(x, y)| (x, y) == (&a, &b) || (x, y) == (&b, &a)) {
                problems.note(pair.span(), format!("`{a}` and `{b}` are friends already"), "listed a second time");
            } else {
                friends.push((a, b));
            }
        }
        friends
    }

    /// What the presets change of the links of their participants.
    pub(super) fn preset_steps(&self) -> Vec<LinkStep> {
        let mut steps = Vec::new();
        for (device, schedule) in &self.schedules {
            for PresetChange { at, every, up, down } in schedule {
                for (direction, change) in [("up", up), ("down", down)] {
                    if !change.is_nothing() {
                        let link = LinkName::from(format!("{device}/{direction}"));
                        steps.push(LinkStep { at: *at, every: *every, link, change: change.clone() });
                    }
                }
            }
        }
        steps
    }

    /// The participants, in the order of the file.
    pub(super) fn into_participants(self) -> Vec<Participant> {
        self.participants
    }

    fn add(
        &mut self,
        participant: &file::Participant,
        (via, servers): (Vec<String>, &[String]),
        places: &mut Places,
        vocabulary: &Vocabulary,
        links: &mut Links,
        problems: &mut Problems,
    ) {
        let network = participant.network.as_ref();
        let resolved = network.map(|network| access::access(network, vocabulary, links, problems));
        let Some(user) = &participant.user else { return };
        if !self.may_be_called(user, servers, problems) {
            return;
        }
        self.names.push(String::clone(user));
        let Some(resolved) = resolved else { return };
        let nat = match (&participant.nat, places.internet) {
            (Some(given), _) => nat::nat(given, problems),
            (None, Internet::Ipv4) => resolved.links.nat,
            (None, Internet::Ipv6) => None,
        };
        if let Some(given) = participant.nat.as_ref().filter(|_| nat.is_some() && places.internet == Internet::Ipv6) {
            problems.note(given.span(), "no NAT is on the way of version 6", "leave it out, or name a `firewall`");
        }
        let place = places.place(participant, user, &nat, &via, problems);
        let (device_class, kind) = device(participant.device);
        let device = ActorName::from(format!("{}-{kind}", **user));
        self.schedules.push((device.clone(), resolved.links.schedule));
        self.participants.push(Participant {
            user: UserName::from(user.as_str()),
            device,
            device_class,
            address: place.address,
            access: AccessPlan {
                preset: resolved.preset,
                up: resolved.links.up,
                down: resolved.links.down,
                nat,
                public_address: place.public_address,
                carrier: place.carrier,
                firewall: nat::firewall(participant.firewall),
                via,
            },
            relay_only: participant.relay_only,
            priority: participant.priority.as_ref().map_or(1, |priority| **priority),
        });
    }

    fn may_be_called(&self, user: &Located<String>, servers: &[String], problems: &mut Problems) -> bool {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if user.is_empty() || user.len() > 32 || !user.chars().all(letters) || !user.starts_with(char::is_alphabetic) {
            let message = format!("nobody can be called `{}`", **user);
            problems.note(user.span(), message, "up to 32 of a-z, 0-9 and -, a letter first");
        } else if servers.contains(user) {
            problems.note(user.span(), format!("`{}` is the name of a server", **user), "taken");
        } else if self.names.iter().any(|known| known == &**user) {
            problems.note(user.span(), format!("two participants are called `{}`", **user), "the second one");
        } else {
            return true;
        }
        false
    }
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
struct Places {
    internet: Internet,
    carriers: Carriers,
    homes: Vec<Home>,
}

/// Where somebody is.
struct Place {
    address: IpAddr,
    public_address: IpAddr,
    carrier: Option<CarrierPlan>,
}

impl Places {
    /// The own and the public address: each home has a private network behind one public address (TEST-NET-3, RFC 5737),
    /// or behind one of its carrier's network; whoever has no NAT has a public address (TEST-NET-2). All are unique.
    fn place(
        &mut self,
        participant: &file::Participant,
        user: &Located<String>,
        nat: &Option<NatPlan>,
        via: &[String],
        problems: &mut Problems,
    ) -> Place {
        let name = participant.home.as_deref().cloned();
        let carrier = participant.carrier.as_deref().cloned();
        let known = name.as_ref().and_then(|name| self.homes.iter().position(|home| home.name.as_ref() == Some(name)));
        let index = known.unwrap_or_else(|| {
            let (nat, carrier, via) = (nat.clone(), carrier.clone(), via.to_vec());
            self.homes.push(Home { name, nat, carrier, via, devices: 0 });
            self.homes.len() - 1
        });
        let home = &mut self.homes[index];
        let span = participant.home.as_ref().map_or(user.span(), Located::span);
        let alone = nat.is_none() && self.internet == Internet::Ipv4;
        if home.nat != *nat || home.carrier != carrier || (known.is_some() && alone) {
            problems.note(span, "a home has one NAT, which all in it share", "these have different ones or none");
        } else if known.is_some() && nat.as_ref().is_some_and(|nat| nat.ports == PortAssignment::OneToOne) {
            problems.note(span, "a 1:1 NAT stands for one device", "a second one in its home");
        }
        if home.via != via {
            let span = participant.via.first().map_or(user.span(), Located::span);
            problems.note(span, "a home goes over the same links", "these have different ones");
        }
        home.devices += 1;
        let number = 10 + index as u8;
        if nat.is_none() {
            if let Some(carrier) = &participant.carrier {
                let message = "whoever has a carrier's NAT has one at home too";
                problems.note(carrier.span(), message, "`nat` is missing or `none`");
            }
            let public = match self.internet {
                Internet::Ipv4 => IpAddr::from([198, 51, 100, number]),
                Internet::Ipv6 => {
                    IpAddr::from([0x2001, 0xdb8, u16::from(number), 0, 0, 0, 0, 9 + u16::from(home.devices)])
                }
            };
            return Place { address: public, public_address: public, carrier: None };
        }
        let address = Ipv4Addr::new(192, 168, number, 9 + home.devices).into();
        let behind = participant.carrier.as_ref().and_then(|name| self.carriers.behind(name, number, problems));
        match behind {
            Some((carrier, public_address)) => Place { address, public_address, carrier: Some(carrier) },
            None => Place { address, public_address: Ipv4Addr::new(203, 0, 113, number).into(), carrier: None },
        }
    }
}

fn device(class: Option<file::DeviceClass>) -> (DeviceClass, &'static str) {
    match class.unwrap_or(file::DeviceClass::MidRange) {
        file::DeviceClass::Flagship => (DeviceClass::Flagship, "phone"),
        file::DeviceClass::MidRange => (DeviceClass::MidRange, "phone"),
        file::DeviceClass::LowEnd => (DeviceClass::LowEnd, "phone"),
        file::DeviceClass::Laptop => (DeviceClass::Laptop, "laptop"),
    }
}

//! Participants, their addresses, and who is friends with whom.

use super::{access, server_names};
use crate::{
    file::{self, Scenario},
    located::Located,
    problem::Problems,
    vocabulary::Vocabulary,
};
use kernel::{
    names::{ActorName, UserName},
    plan::{AccessPlan, DeviceClass, NatKind, Participant},
};
use std::net::{IpAddr, Ipv4Addr};

/// The most participants of a scenario: turmoil's idle hosts cost about the cube of their number.
const MOST: usize = 16;

/// The participants of a scenario, looked up by name.
pub(super) struct People {
    participants: Vec<Participant>,
    /// Every name that a participant has, also of those whose other keys are wrong: no mistake brings a second one.
    names: Vec<String>,
}

impl People {
    /// Resolves the participants in the order of the file.
    pub(super) fn resolve(file: &Scenario, vocabulary: &Vocabulary, problems: &mut Problems) -> People {
        let mut people = People { participants: Vec::new(), names: Vec::new() };
        let Some(listed) = &file.participant else { return people };
        if listed.is_empty() || listed.len() > MOST {
            let message = format!("a scenario has 1 to {MOST} participants");
            problems.note(listed.span(), message, format!("this has {}", listed.len()));
            return people;
        }
        let mut homes: Vec<Home> = Vec::new();
        let servers = server_names(file);
        for participant in listed.iter() {
            people.add(participant, &servers, &mut homes, vocabulary, problems);
        }
        people
    }

    /// Looks a participant up, or notes that nobody has the name.
    pub(super) fn find(&self, name: &Located<String>, problems: &mut Problems) -> Option<UserName> {
        if self.names.iter().any(|known| known == &**name) {
            return Some(UserName::from(name.as_str()));
        }
        let message = format!("nobody in this scenario is called `{}`", **name);
        problems.note(name.span(), message, "has no account").did_you_mean(name, self.names());
        None
    }

    /// The device of a participant.
    pub(super) fn device_of(&self, user: &str) -> Option<&ActorName> {
        self.participants.iter().find(|participant| participant.user == *user).map(|participant| &participant.device)
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

    /// The participants, in the order of the file.
    pub(super) fn into_participants(self) -> Vec<Participant> {
        self.participants
    }

    fn add(
        &mut self,
        participant: &file::Participant,
        servers: &[String],
        homes: &mut Vec<Home>,
        vocabulary: &Vocabulary,
        problems: &mut Problems,
    ) {
        let resolved = participant.network.as_ref().map(|network| access::access(network, vocabulary, problems));
        let Some(user) = &participant.user else { return };
        if !self.may_be_called(user, servers, problems) {
            return;
        }
        self.names.push(String::clone(user));
        let Some(resolved) = resolved else { return };
        let nat = participant.nat.as_ref().map_or(resolved.links.nat, |nat| access::nat(**nat));
        let (address, public_address) = place(participant, user, nat, homes, problems);
        let (device_class, kind) = device(participant.device);
        self.participants.push(Participant {
            user: UserName::from(user.as_str()),
            device: ActorName::from(format!("{}-{kind}", **user)),
            device_class,
            address,
            access: AccessPlan {
                preset: resolved.preset,
                up: resolved.links.up,
                down: resolved.links.down,
                nat,
                public_address,
            },
            relay_only: participant.relay_only,
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
    nat: NatKind,
    devices: u8,
}

/// The own and the public address: each home has a private network behind one public address (TEST-NET-3, RFC 5737);
/// whoever has no NAT has a public address (TEST-NET-2). All are unique.
fn place(
    participant: &file::Participant,
    user: &Located<String>,
    nat: NatKind,
    homes: &mut Vec<Home>,
    problems: &mut Problems,
) -> (IpAddr, IpAddr) {
    let name = participant.home.as_deref().cloned();
    let known = name.as_ref().and_then(|name| homes.iter().position(|home| home.name.as_ref() == Some(name)));
    let index = known.unwrap_or_else(|| {
        homes.push(Home { name, nat, devices: 0 });
        homes.len() - 1
    });
    let home = &mut homes[index];
    if home.nat != nat || (known.is_some() && nat == NatKind::None) {
        let span = participant.home.as_ref().map_or(user.span(), Located::span);
        problems.note(span, "a home has one NAT, which all in it share", "these have different ones or none");
    }
    home.devices += 1;
    let number = 10 + index as u8;
    if nat == NatKind::None {
        let public = IpAddr::from(Ipv4Addr::new(198, 51, 100, number));
        return (public, public);
    }
    let own = Ipv4Addr::new(192, 168, number, 9 + home.devices);
    (own.into(), Ipv4Addr::new(203, 0, 113, number).into())
}

fn device(class: Option<file::DeviceClass>) -> (DeviceClass, &'static str) {
    match class.unwrap_or(file::DeviceClass::MidRange) {
        file::DeviceClass::Flagship => (DeviceClass::Flagship, "phone"),
        file::DeviceClass::MidRange => (DeviceClass::MidRange, "phone"),
        file::DeviceClass::LowEnd => (DeviceClass::LowEnd, "phone"),
        file::DeviceClass::Laptop => (DeviceClass::Laptop, "laptop"),
    }
}

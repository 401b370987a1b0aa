//! Participants, their addresses, and who is friends with whom.

use super::{
    access,
    links::{self, Links},
    places::{Attachment, Places},
    server_names,
};
use crate::{
    file::{self, Scenario},
    located::{Located, Span},
    problem::Problems,
    vocabulary::{PresetChange, Vocabulary},
};
use kernel::{
    names::{ActorName, LinkName, UserName},
    plan::{DeviceClass, InterfacePlan, LinkStep, Participant},
};

/// The most participants of a scenario: their accounts and friendships are made in the ten seconds before the timeline,
/// one password after the other, and the mark of a camera has a byte for its sender.
const MOST: usize = 64;

/// The most further interfaces of a device: Wi-Fi, mobile data and a cable are three.
const MOST_INTERFACES: usize = 2;
/// What a name looks like.
const NAME_RULE: &str = "up to 32 of a-z, 0-9 and -, a letter first";

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
        let mut places = Places::new(file, problems);
        let servers = server_names(file);
        for participant in listed.iter() {
            people.add(participant, &servers, &mut places, vocabulary, links, problems);
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

    /// The interface that a file calls `alice`, or `alice.lte`, by its name in the plan.
    pub(super) fn interface(&self, name: &str) -> Option<&ActorName> {
        self.interface_names().find(|(known, _)| known == name).map(|(_, interface)| interface)
    }

    /// Every interface: as a file calls it, and as the plan does.
    pub(super) fn interface_names(&self) -> impl Iterator<Item = (String, &ActorName)> {
        self.participants.iter().flat_map(|participant| {
            let file_name = |interface: &ActorName| {
                let own = interface.as_str().strip_prefix(participant.device.as_str()).unwrap_or_default();
                format!("{}{own}", participant.user)
            };
            participant.interfaces().map(move |(interface, ..)| (file_name(interface), interface))
        })
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
        servers: &[String],
        places: &mut Places,
        vocabulary: &Vocabulary,
        links: &mut Links,
        problems: &mut Problems,
    ) {
        let via = links::via(&participant.via, places.file, problems);
        let network = participant.network.as_ref();
        let resolved = network.map(|network| access::access(network, vocabulary, links, problems));
        let Some(user) = &participant.user else { return };
        if !self.may_be_called(user, servers, problems) {
            return;
        }
        self.names.push(String::clone(user));
        let Some(resolved) = resolved else { return };
        let (device_class, kind) = device(participant.device);
        let device = ActorName::from(format!("{}-{kind}", **user));
        self.schedules.push((device.clone(), resolved.links.schedule.clone()));
        let attachment = Attachment {
            owner: user,
            nat: &participant.nat,
            home: &participant.home,
            carrier: &participant.carrier,
            firewall: participant.firewall,
            via: &participant.via,
        };
        let (address, access) = places.attach(&attachment, via, resolved, problems);
        let interfaces = self.interfaces(participant, &device, places, vocabulary, links, problems);
        self.participants.push(Participant {
            user: UserName::from(user.as_str()),
            device,
            device_class,
            address,
            access,
            interfaces,
            relay_only: participant.relay_only,
            priority: participant.priority.as_ref().map_or(1, |priority| **priority),
        });
    }

    /// The further access networks of a participant.
    fn interfaces(
        &mut self,
        participant: &file::Participant,
        device: &ActorName,
        places: &mut Places,
        vocabulary: &Vocabulary,
        links: &mut Links,
        problems: &mut Problems,
    ) -> Vec<InterfacePlan> {
        let mut interfaces: Vec<InterfacePlan> = Vec::new();
        for further in &participant.interface {
            let via = links::via(&further.via, places.file, problems);
            let network = further.network.as_ref();
            let resolved = network.map(|network| access::access(network, vocabulary, links, problems));
            let (Some(name), Some(resolved)) = (&further.name, resolved) else { continue };
            let full = ActorName::from(format!("{device}.{}", **name));
            if !is_name(name) {
                let message = format!("no interface can be called `{}`", **name);
                problems.note(name.span(), message, NAME_RULE);
                continue;
            }
            if interfaces.iter().any(|known| known.name == full) {
                problems.note(name.span(), format!("two interfaces are called `{}`", **name), "the second one");
                continue;
            }
            if interfaces.len() == MOST_INTERFACES {
                let message = format!("a device has up to {MOST_INTERFACES} interfaces besides its `network`");
                problems.note(further.span(), message, "one too many");
                break;
            }
            self.schedules.push((full.clone(), resolved.links.schedule.clone()));
            let attachment = Attachment {
                owner: name,
                nat: &further.nat,
                home: &further.home,
                carrier: &further.carrier,
                firewall: further.firewall,
                via: &further.via,
            };
            let (address, access) = places.attach(&attachment, via, resolved, problems);
            interfaces.push(InterfacePlan { name: full, address, access, starts_down: further.down });
        }
        interfaces
    }

    fn may_be_called(&self, user: &Located<String>, servers: &[String], problems: &mut Problems) -> bool {
        if !is_name(user) {
            let message = format!("nobody can be called `{}`", **user);
            problems.note(user.span(), message, NAME_RULE);
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

/// Whether a name is one that the file may give.
fn is_name(name: &str) -> bool {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=32).contains(&name.len()) && name.chars().all(letters) && name.starts_with(char::is_alphabetic)
}

fn device(class: Option<file::DeviceClass>) -> (DeviceClass, &'static str) {
    match class.unwrap_or(file::DeviceClass::MidRange) {
        file::DeviceClass::Flagship => (DeviceClass::Flagship, "phone"),
        file::DeviceClass::MidRange => (DeviceClass::MidRange, "phone"),
        file::DeviceClass::LowEnd => (DeviceClass::LowEnd, "phone"),
        file::DeviceClass::Laptop => (DeviceClass::Laptop, "laptop"),
    }
}

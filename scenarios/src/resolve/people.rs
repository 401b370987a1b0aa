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
    time::Micros,
};

/// The most participants of a scenario: their accounts and friendships are made in the ten seconds before the timeline,
/// one password after the other, and the mark of a camera has a byte for its sender.
const MOST: usize = 64;

/// The most further interfaces of a device: Wi-Fi, mobile data and a cable are three.
const MOST_INTERFACES: usize = 2;
/// The most devices of a user: as many as a friend keeps the keys of.
const MOST_DEVICES: usize = 8;
/// What a device is called unless the file says so.
const FIRST_DEVICE: &str = "phone";
/// The longest name of a user, and of a device with its user's in front.
const MAX_NAME: usize = 32;
/// What a name looks like.
const NAME_RULE: &str = "up to 32 of a-z, 0-9 and -, a letter first";

/// The participants of a scenario, looked up by name.
pub(super) struct People {
    participants: Vec<Participant>,
    /// Every user and device that an entry names, also of those whose other keys are wrong: no mistake brings a second
    /// one.
    names: Vec<(String, String)>,
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
        for participant in listed.iter() {
            people.check_imitation(participant, vocabulary, problems);
        }
        people
    }

    /// Whoever imitates somebody imitates somebody else, who is there, or the service.
    fn check_imitation(&self, entry: &file::Participant, vocabulary: &Vocabulary, problems: &mut Problems) {
        let Some(original) = &entry.imitates else { return };
        let words = vocabulary.service_words.iter().map(String::as_str);
        if entry.user.as_ref().is_some_and(|user| **user == **original) {
            problems.note(original.span(), "nobody imitates themselves", "the same name");
        } else if !self.users().chain(words.clone()).any(|known| known == original.as_str()) {
            let message = format!("there is no `{}` to be taken for", **original);
            let note = problems.note(original.span(), message, "nobody here, and no word of the service");
            let others = self.users().filter(|user| entry.user.as_ref().is_none_or(|own| own.as_str() != *user));
            note.did_you_mean(original, others.chain(words));
        }
    }

    /// Looks a participant up, or notes that nobody has the name.
    pub(super) fn find(&self, name: &Located<String>, problems: &mut Problems) -> Option<UserName> {
        self.find_at(name, name.span(), problems)
    }

    /// As [`People::find`], for a name that stands at `span`.
    pub(super) fn find_at(&self, name: &str, span: Span, problems: &mut Problems) -> Option<UserName> {
        if self.names.iter().any(|(user, _)| user == name) {
            return Some(UserName::from(name));
        }
        let message = format!("nobody in this scenario is called `{name}`");
        problems.note(span, message, "has no account").did_you_mean(name, self.users());
        None
    }

    /// The devices of a user as entries call them: `phone`, `laptop`.
    pub(super) fn devices_of(&self, user: &str) -> impl Iterator<Item = &str> {
        self.names.iter().filter(move |(owner, _)| owner == user).map(|(_, device)| device.as_str())
    }

    /// The device that a user has in hand. Who has several must say which.
    pub(super) fn in_hand(
        &self,
        user: &Located<String>,
        device: Option<&Located<String>>,
        problems: &mut Problems,
    ) -> Option<ActorName> {
        let name = |device: &str| ActorName::from(format!("{}-{device}", **user));
        match (device, self.devices_of(user).count()) {
            (None, 0) => None,
            (None, 1) => self.devices_of(user).next().map(name),
            (None, _) => {
                self.note_several(user, user.span(), |device| format!("device = \"{device}\""), problems);
                None
            }
            (Some(device), _) if self.devices_of(user).any(|known| known == **device) => Some(name(device)),
            (Some(device), _) => {
                let message = format!("`{}` has no device called `{}`", **user, **device);
                problems.note(device.span(), message, "unknown device").did_you_mean(device, self.devices_of(user));
                None
            }
        }
    }

    /// Notes that somebody is named who has several devices, where one device is meant.
    fn note_several(&self, user: &str, span: Span, written: impl Fn(&str) -> String, problems: &mut Problems) {
        let devices: Vec<String> = self.devices_of(user).map(|device| format!("`{}`", written(device))).collect();
        let message = format!("`{user}` has several devices");
        problems.note(span, message, "which of them?").with_help(devices.join(" or "));
    }

    /// The device that a file names: by its user, or as `bob-laptop`, which it must where the user has several.
    pub(super) fn device(&self, name: &str) -> Option<&Participant> {
        self.participants.iter().find(|participant| {
            participant.device == *name || participant.user == *name && self.devices_of(name).count() == 1
        })
    }

    /// As [`People::device`]; notes when it is none.
    pub(super) fn device_at(&self, name: &str, span: Span, problems: &mut Problems) -> Option<&Participant> {
        let found = self.device(name);
        if found.is_none() && self.devices_of(name).count() > 1 {
            self.note_several(name, span, |device| format!("{name}-{device}"), problems);
        } else if found.is_none() && !self.names.iter().any(|(user, _)| user == name) {
            let message = format!("nobody in this scenario is called `{name}`");
            let known: Vec<String> = self.names().collect();
            problems.note(span, message, "has no account").did_you_mean(name, known.iter().map(String::as_str));
        }
        found
    }

    /// The interface that a file calls `alice`, or `alice.lte`, by its name in the plan.
    pub(super) fn interface(&self, name: &str) -> Option<&ActorName> {
        self.interface_names().find(|(known, _)| known == name).map(|(_, interface)| interface)
    }

    /// Every interface: as a file calls it, and as the plan does.
    pub(super) fn interface_names(&self) -> impl Iterator<Item = (String, &ActorName)> {
        self.participants.iter().flat_map(|participant| {
            let owner = self.file_name(participant.user.as_str(), participant.device.as_str());
            participant.interfaces().map(move |(interface, ..)| {
                let own = interface.as_str().strip_prefix(participant.device.as_str()).unwrap_or_default();
                (format!("{owner}{own}"), interface)
            })
        })
    }

    /// How a file names a device: by its user, where that is clear.
    fn file_name(&self, user: &str, device: &str) -> String {
        let alone = self.devices_of(user).count() == 1;
        if alone { user.to_owned() } else { device.to_owned() }
    }

    /// Every user, in the order of the file.
    pub(super) fn users(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(user, _)| user.as_str())
    }

    /// Every device as a file names it, in the order of the file.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.names.iter().map(|(user, device)| self.file_name(user, &format!("{user}-{device}")))
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
        let kind = participant.device.as_ref().map_or(FIRST_DEVICE, |device| device.as_str());
        if !self.may_be_called(user, kind, &participant.device, servers, problems) {
            return;
        }
        self.names.push((String::clone(user), kind.to_owned()));
        let Some(resolved) = resolved else { return };
        let device_class = speed(participant.speed, kind);
        let device = ActorName::from(format!("{}-{kind}", **user));
        self.schedules.push((device.clone(), resolved.links.schedule.clone()));
        let attachment = Attachment {
            owner: user,
            nat: &participant.nat,
            home: &participant.home,
            carrier: &participant.carrier,
            firewall: participant.firewall,
            ipv6: &participant.ipv6,
            via: &participant.via,
        };
        let (address, access) = places.attach(&attachment, via, resolved, problems);
        let signs_in = self.signs_in(participant, user, problems);
        let interfaces = self.interfaces(participant, &device, places, vocabulary, links, problems);
        self.participants.push(Participant {
            user: UserName::from(user.as_str()),
            device,
            device_class,
            address,
            access,
            interfaces,
            relay_only: participant.relay_only,
            read_receipts: participant.read_receipts.unwrap_or(true),
            call_waiting: participant.call_waiting.unwrap_or(false),
            imitates: participant.imitates.as_ref().map(|original| UserName::from(original.as_str())),
            signs_in,
            priority: participant.priority.as_ref().map_or(1, |priority| **priority),
            photograph_bytes: participant.photograph_bytes.as_ref().map(|bytes| **bytes),
        });
    }

    /// When a device signs in, if not from the beginning.
    fn signs_in(&self, entry: &file::Participant, user: &Located<String>, problems: &mut Problems) -> Option<Micros> {
        let at = entry.signs_in.as_ref()?;
        if self.devices_of(user).count() == 1 {
            let message = format!("the first device of `{}` makes the account", **user);
            problems.note(at.span(), message, "there is none to sign in to").with_help("devices that follow sign in");
        }
        Some(at.0)
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
                ipv6: &further.ipv6,
                via: &further.via,
            };
            let (address, access) = places.attach(&attachment, via, resolved, problems);
            interfaces.push(InterfacePlan { name: full, address, access, starts_down: further.down });
        }
        interfaces
    }

    /// Whether a device and its user may be called so. Names of devices hold those of users: no two may meet.
    fn may_be_called(
        &mut self,
        user: &Located<String>,
        kind: &str,
        device: &Option<Located<String>>,
        servers: &[String],
        problems: &mut Problems,
    ) -> bool {
        let full = format!("{}-{kind}", **user);
        let taken =
            |name: &str| self.names.iter().any(|(user, device)| user == name || format!("{user}-{device}") == *name);
        let place = device.as_ref().map_or(user.span(), Located::span);
        if !is_name(user) {
            let message = format!("nobody can be called `{}`", **user);
            problems.note(user.span(), message, NAME_RULE);
        } else if servers.contains(user) {
            problems.note(user.span(), format!("`{}` is the name of a server", **user), "taken");
        } else if !is_name(kind) || full.len() > MAX_NAME {
            let message = format!("no device of `{}` can be called `{kind}`", **user);
            problems.note(place, message, NAME_RULE).with_help(format!("`{full}` has up to {MAX_NAME} letters, too"));
            self.names.push((String::clone(user), kind.to_owned()));
        } else if self.devices_of(user).any(|known| known == kind) {
            let message = format!("two participants are called `{}` and have a `{kind}`", **user);
            let note = problems.note(place, message, "the second one");
            note.with_help("a user has several devices by a `device` of its own in each entry");
        } else if self.devices_of(user).count() == MOST_DEVICES {
            let message = format!("a user has up to {MOST_DEVICES} devices");
            problems.note(place, message, "one too many");
        } else if taken(&full) || self.devices_of(user).count() == 0 && taken(user) {
            problems.note(place, format!("`{full}` would be called as another"), "taken");
        } else {
            return true;
        }
        false
    }
}

/// Whether a name is one that the file may give.
fn is_name(name: &str) -> bool {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=MAX_NAME).contains(&name.len()) && name.chars().all(letters) && name.starts_with(char::is_alphabetic)
}

fn speed(given: Option<file::DeviceClass>, device: &str) -> DeviceClass {
    match given {
        Some(file::DeviceClass::Flagship) => DeviceClass::Flagship,
        Some(file::DeviceClass::MidRange) => DeviceClass::MidRange,
        Some(file::DeviceClass::LowEnd) => DeviceClass::LowEnd,
        Some(file::DeviceClass::Laptop) => DeviceClass::Laptop,
        None if device == "laptop" => DeviceClass::Laptop,
        None => DeviceClass::MidRange,
    }
}

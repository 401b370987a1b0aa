//! Lists of devices: the own user's, which this device may extend, and those of friends.

use super::{Account, AccountEvent, Request};
use crate::call::Own;
use kernel::{ActorName, SimTime, UserName, event, names::to_hex};
use protocol::{ClientMessage, DeviceChange, DeviceKeys, DeviceLink, DeviceList, RequestId};

/// Devices that signed in and were not confirmed; further ones are not shown.
const MAX_NEWCOMERS: usize = 16;
/// Changes of the list that the user wants; further ones are dropped.
const MAX_WANTED: usize = 16;

/// What the user wants of the own list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// That a device comes into it.
    Add(ActorName),
    /// That a device is taken out.
    Remove(ActorName),
}

impl Account {
    /// The user confirms or removes a device: the newest list is asked for, and extended when it is there.
    pub(crate) fn change_devices(&mut self, wanted: Wanted, now: SimTime) {
        self.want(wanted);
        self.drive(now);
    }

    pub(super) fn want(&mut self, wanted: Wanted) {
        if self.wanted.len() < MAX_WANTED {
            self.wanted.push(wanted);
        }
        self.ask_keys(self.config.keys.user.clone());
    }

    /// Says what the user wants of the own list, signed by this device.
    pub(crate) fn extend_list(&mut self, own: Own<'_>, now: SimTime) {
        let Some(mut list) = self.roster.lists.get(&self.config.keys.user).cloned() else { return };
        for wanted in std::mem::take(&mut self.wanted) {
            let change = match wanted {
                Wanted::Add(device) => match self.newcomers.remove(&device) {
                    Some((keys, consent)) => DeviceChange::Add { keys, consent },
                    None => continue,
                },
                Wanted::Remove(device) => DeviceChange::Remove { device },
            };
            let link = list.sign(change, own.device, own.identity);
            if list.push(link.clone()).is_ok() {
                self.ask(Request::Devices, |request| ClientMessage::ExtendDevices { request, link: Box::new(link) });
            }
        }
        self.drive(now);
    }

    /// Somebody signed in to the account. It shows on every device, whether or not it was oneself.
    pub(super) fn new_device(&mut self, keys: DeviceKeys, consent: Vec<u8>) {
        if keys.user != self.config.keys.user || !keys.consents(&consent) || self.newcomers.len() >= MAX_NEWCOMERS {
            return;
        }
        let announced = keys.device.clone();
        event!(DeviceAnnounced { device: self.config.device.clone(), announced: announced.clone() });
        self.newcomers.insert(announced.clone(), (keys, consent));
        self.events.push_back(AccountEvent::NewDevice(announced));
    }

    /// A list came that was asked for.
    pub(super) fn keys(&mut self, request: RequestId, links: Vec<DeviceLink>) {
        let Some(Request::Keys(user)) = self.requests.remove(&request) else { return };
        let taken = self.take_list(&user, links);
        let known = !self.roster.devices(&user).is_empty();
        if taken && user == self.config.keys.user {
            self.events.push_back(AccountEvent::ChangesWanted);
        } else {
            self.events.push_back(if known { AccountEvent::KeysKnown(user) } else { AccountEvent::KeysRefused(user) });
        }
    }

    fn take_list(&mut self, user: &UserName, links: Vec<DeviceLink>) -> bool {
        let list = DeviceList::verify(user, links).ok();
        let links = list.iter().flat_map(|list| list.hashes()).map(|hash| to_hex(&hash[..8])).collect();
        let taken = list.is_some_and(|list| self.roster.learn(user, list));
        event!(DeviceListSeen { device: self.config.device.clone(), user: user.clone(), links, taken });
        taken
    }

    /// The session is over: nothing brings it back but the password.
    pub(super) fn log_out(&mut self) {
        self.logged_out = true;
        self.signed_in = false;
        self.token = None;
        event!(LoggedOut { device: self.config.device.clone() });
        self.events.push_back(AccountEvent::LoggedOut);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MAX_LISTS, Roster};
    use kernel::{ActorName, UserName, random::SeedTree};
    use protocol::{DeviceChange, DeviceIdentity, DeviceKeys, DeviceList};

    fn device(user: &str, name: &str) -> (DeviceKeys, DeviceIdentity) {
        let identity = DeviceIdentity::generate(&mut SeedTree::root(3).child(user).stream(name));
        let (signing, sealing) = identity.public();
        (DeviceKeys { user: user.into(), device: name.into(), signing, sealing }, identity)
    }

    fn phone(user: &str) -> DeviceList {
        let (keys, identity) = device(user, "phone");
        DeviceList::begin(&keys, &identity)
    }

    fn with(list: &DeviceList, name: &str) -> DeviceList {
        let ((keys, own), (_, signer)) = (device("bob", name), device("bob", "phone"));
        let consent = keys.consent(&own);
        let mut longer = list.clone();
        longer.push(list.sign(DeviceChange::Add { keys, consent }, &"phone".into(), &signer)).unwrap();
        longer
    }

    #[test]
    fn a_list_that_does_not_extend_the_last_one_seen_is_refused() {
        let (mut roster, bob) = (Roster::default(), UserName::from("bob"));
        let (short, fork) = (phone("bob"), with(&phone("bob"), "tablet"));
        let long = with(&short, "laptop");
        assert!(roster.learn(&bob, short.clone()) && roster.learn(&bob, long.clone()) && roster.learn(&bob, long));
        assert!(!roster.learn(&bob, short) && !roster.learn(&bob, fork));
        let known: Vec<_> = roster.devices(&bob).into_iter().map(|keys| keys.device).collect();
        assert_eq!(known, ["laptop", "phone"].map(ActorName::from));
    }

    #[test]
    fn a_roster_holds_a_bounded_number_of_lists() {
        let mut roster = Roster::default();
        let list = phone("bob");
        (0..MAX_LISTS + 10).for_each(|n| {
            roster.learn(&format!("user-{n}").into(), list.clone());
        });
        assert_eq!(roster.lists.len(), MAX_LISTS);
    }
}

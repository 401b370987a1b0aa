//! People at their devices: each sees the screens of one device and acts on it.

use kernel::{
    ActorName, Micros, Plan, SimTime, UserName,
    event::{Act, Screen},
    plan::{Step, When},
};
use std::collections::BTreeSet;

/// People look at their screens at whole milliseconds: nobody reacts between two looks.
pub(crate) const LOOK: Micros = Micros::from_millis(1);
/// How long a person takes to accept a friend request of the set-up, or to confirm a device.
const BEFRIENDING: Micros = Micros::from_millis(100);

/// What a person sees on a device.
#[derive(Clone, Debug)]
pub(crate) enum Sight {
    Screen(Screen),
    FriendRequest(UserName),
    NewDevice(ActorName),
}

/// What somebody will do, and when.
#[derive(Clone, Debug)]
pub(crate) struct Intent {
    pub(crate) at: SimTime,
    pub(crate) device: ActorName,
    pub(crate) act: Act,
}

/// Everybody who takes part, in the order of the plan.
pub(crate) struct People {
    by_device: Vec<(ActorName, Person)>,
    /// Devices without an account as yet. Friends are asked when there are none.
    strangers: BTreeSet<ActorName>,
}

/// A person with a device in hand.
struct Person {
    user: UserName,
    /// Who is asked to be friends as soon as everybody has an account, because the scenario says that they are.
    asks: Vec<UserName>,
    /// Whose friend requests are accepted for the same reason.
    accepts: Vec<UserName>,
    /// Devices of the same user that are there from the beginning.
    own: Vec<ActorName>,
    after_ring: Vec<(Micros, Act)>,
    after_live: Vec<(Micros, Act)>,
    after_asked: Vec<(Micros, Act)>,
}

impl People {
    /// The participants of a plan, with the steps that are theirs, and what they do at planned times.
    pub(crate) fn of(plan: &Plan) -> (People, Vec<Intent>) {
        let mut planned = Vec::new();
        let mut by_device = Vec::new();
        let is_early = |device: &ActorName| plan.participant(device.as_str()).is_some_and(|one| one.signs_in.is_none());
        for participant in &plan.participants {
            let (user, device) = (&participant.user, &participant.device);
            // Friends are asked, and answered, with the first device in hand.
            let is_first = plan.devices_of(user.as_str()).next() == Some(device);
            let friends = || plan.friends.iter().filter(|_| is_first);
            let mut person = Person {
                user: user.clone(),
                asks: friends().filter(|(asks, _)| asks == user).map(|(_, asked)| asked.clone()).collect(),
                accepts: friends().filter(|(_, asked)| asked == user).map(|(asks, _)| asks.clone()).collect(),
                own: plan.devices_of(user.as_str()).filter(|own| is_first && is_early(own)).cloned().collect(),
                after_ring: Vec::new(),
                after_live: Vec::new(),
                after_asked: Vec::new(),
            };
            for Step { when, act, .. } in plan.timeline.iter().filter(|step| plan.takes(device, step)) {
                match when {
                    When::At { at } => {
                        let at = plan.timeline_start + *at;
                        planned.push(Intent { at, device: device.clone(), act: act.clone() });
                    }
                    When::AfterRing { delay } => person.after_ring.push((*delay, act.clone())),
                    When::AfterLive { delay } => person.after_live.push((*delay, act.clone())),
                    When::AfterAsked { delay } => person.after_asked.push((*delay, act.clone())),
                }
            }
            by_device.push((device.clone(), person));
        }
        let strangers = by_device.iter().map(|(device, _)| device.clone()).filter(is_early).collect();
        (People { by_device, strangers }, planned)
    }

    /// A device has an account. A request to somebody without one would be refused: all wait for the last.
    pub(crate) fn signed_in(&mut self, device: &ActorName, now: SimTime) -> Vec<Intent> {
        if !self.strangers.remove(device) || !self.strangers.is_empty() {
            return Vec::new();
        }
        let at = next_look(now);
        let asks = self.by_device.iter_mut().flat_map(|(device, person)| {
            let request = |user| Intent { at, device: device.clone(), act: Act::RequestFriend { user } };
            person.asks.drain(..).map(request).collect::<Vec<_>>()
        });
        asks.collect()
    }

    /// The screen of a device changed now. Reaction times count from this very microsecond.
    pub(crate) fn see(&mut self, device: &ActorName, sight: &Sight, now: SimTime) -> Vec<Intent> {
        let known = self.by_device.iter_mut().find(|(other, _)| other == device);
        let Some((_, person)) = known else { return Vec::new() };
        let reactions = match sight {
            Sight::FriendRequest(from) if person.accepts.contains(from) => {
                vec![(BEFRIENDING, Act::AcceptFriend { user: from.clone() })]
            }
            Sight::NewDevice(device) if person.own.contains(device) => {
                vec![(BEFRIENDING, Act::ConfirmDevice { device: device.clone() })]
            }
            Sight::Screen(Screen::Incoming { .. }) => std::mem::take(&mut person.after_ring),
            Sight::Screen(Screen::HandedOver { .. }) => std::mem::take(&mut person.after_asked),
            Sight::Screen(Screen::Live { .. }) => std::mem::take(&mut person.after_live),
            Sight::FriendRequest(_) | Sight::NewDevice(_) | Sight::Screen(_) => return Vec::new(),
        };
        let intent = |(delay, act)| Intent { at: (now + delay).max(next_look(now)), device: device.clone(), act };
        reactions.into_iter().map(intent).collect()
    }

    /// The devices of a user.
    pub(crate) fn devices_of(&self, user: &UserName) -> Vec<ActorName> {
        let own = self.by_device.iter().filter(|(_, person)| person.user == *user);
        own.map(|(device, _)| device.clone()).collect()
    }

    /// Whether a device was signed in, at least once.
    pub(crate) fn is_signed_in(&self, device: &ActorName) -> bool {
        !self.strangers.contains(device)
    }
}

/// The first whole millisecond that is not before `at`.
pub(crate) fn next_look(at: SimTime) -> SimTime {
    SimTime(at.0.next_multiple_of(LOOK.0))
}

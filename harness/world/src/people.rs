//! People at their devices: each is the software of a turmoil host, sees the screens of one device and acts on it.

use crate::stage::{Sight, Stage};
use kernel::{
    ActorName, Micros, Plan, SimTime, UserName,
    event::{Act, Screen},
    plan::{Step, When},
};
use std::{cell::RefCell, rc::Rc, time::Duration};

/// How long a person takes to accept a friend request of the set-up.
const BEFRIENDING: Micros = Micros::from_millis(100);

/// A person with a device in hand.
pub(crate) struct Person {
    device: ActorName,
    /// Who is asked to be friends as soon as everybody has an account, because the scenario says that they are.
    asks: Vec<UserName>,
    /// Whose friend requests are accepted for the same reason.
    accepts: Vec<UserName>,
    /// Everybody's devices.
    devices: Vec<ActorName>,
    at_times: Vec<(SimTime, Act)>,
    after_ring: Vec<(Micros, Act)>,
    after_live: Vec<(Micros, Act)>,
}

impl Person {
    /// The person of a participant, with the steps of the plan that are theirs.
    pub(crate) fn new(plan: &Plan, user: &UserName, device: &ActorName) -> Person {
        let friends = || plan.friends.iter();
        let mut person = Person {
            device: device.clone(),
            asks: friends().filter(|(asks, _)| asks == user).map(|(_, asked)| asked.clone()).collect(),
            accepts: friends().filter(|(_, asked)| asked == user).map(|(asks, _)| asks.clone()).collect(),
            devices: plan.participants.iter().map(|participant| participant.device.clone()).collect(),
            at_times: Vec::new(),
            after_ring: Vec::new(),
            after_live: Vec::new(),
        };
        for Step { when, act, .. } in plan.timeline.iter().filter(|step| step.user == *user) {
            match when {
                When::At { at } => person.at_times.push((Plan::TIMELINE_START + *at, act.clone())),
                When::AfterRing { delay } => person.after_ring.push((*delay, act.clone())),
                When::AfterLive { delay } => person.after_live.push((*delay, act.clone())),
            }
        }
        person
    }

    /// Lives: acts at the planned times, looks at the screen each tick and reacts. Never returns.
    pub(crate) async fn live(mut self, stage: Rc<RefCell<Stage>>) -> turmoil::Result {
        for (at, act) in self.at_times.drain(..) {
            stage.borrow_mut().act_at(at, &self.device, act);
        }
        loop {
            loop {
                let sight = stage.borrow_mut().look(&self.device);
                let Some((at, sight)) = sight else { break };
                self.react(at, sight, &mut stage.borrow_mut());
            }
            self.ask_friends(&mut stage.borrow_mut());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// A request to somebody without an account would be refused: it waits until everybody is signed in.
    fn ask_friends(&mut self, stage: &mut Stage) {
        if !self.asks.is_empty() && self.devices.iter().all(|device| stage.is_signed_in(device)) {
            for friend in self.asks.drain(..) {
                stage.act_at(kernel::time::now(), &self.device, Act::RequestFriend { user: friend });
            }
        }
    }

    /// Reaction times count from the exact microsecond at which the screen changed.
    fn react(&mut self, at: SimTime, sight: Sight, stage: &mut Stage) {
        let reactions = match sight {
            Sight::FriendRequest(from) if self.accepts.contains(&from) => {
                stage.act_at(at + BEFRIENDING, &self.device, Act::AcceptFriend { user: from });
                return;
            }
            Sight::FriendRequest(_) => return,
            Sight::Screen(Screen::Incoming { .. }) => &mut self.after_ring,
            Sight::Screen(Screen::Live { .. }) => &mut self.after_live,
            Sight::Screen(_) => return,
        };
        for (delay, act) in reactions.drain(..) {
            stage.act_at(at + delay, &self.device, act);
        }
    }
}

//! People at their devices: each is the software of a turmoil host, sees the screens of one device and acts on it.

use crate::stage::{Sight, Stage};
use kernel::{
    ActorName, Micros, Plan, SimTime, UserName,
    event::{Act, Screen},
    plan::{Step, When},
};
use std::{cell::RefCell, rc::Rc, time::Duration};

/// When the first friend request of the set-up is sent: accounts exist by then on every preset.
const FRIENDS_FROM: Micros = Micros::from_millis(2_000);
/// Time between two friend requests of the set-up.
const BETWEEN_REQUESTS: Micros = Micros::from_millis(50);
/// How long a person takes to accept a friend request of the set-up.
const BEFRIENDING: Micros = Micros::from_millis(100);

/// A person with a device in hand.
pub(crate) struct Person {
    user: UserName,
    device: ActorName,
    /// Whose friend requests are accepted without asking, because the scenario says that they are friends.
    friends: Vec<UserName>,
    at_times: Vec<(SimTime, Act)>,
    after_ring: Vec<(Micros, Act)>,
    after_live: Vec<(Micros, Act)>,
}

impl Person {
    /// The person of a participant, with the steps of the plan that are theirs.
    pub(crate) fn new(plan: &Plan, user: &UserName, device: &ActorName) -> Person {
        let mut person = Person {
            user: user.clone(),
            device: device.clone(),
            friends: Vec::new(),
            at_times: Vec::new(),
            after_ring: Vec::new(),
            after_live: Vec::new(),
        };
        for (n, (asks, asked)) in plan.friends.iter().enumerate() {
            if asks == user {
                let at = SimTime::ZERO + FRIENDS_FROM + Micros(BETWEEN_REQUESTS.0 * n as u64);
                person.at_times.push((at, Act::RequestFriend { user: asked.clone() }));
            }
            if asked == user {
                person.friends.push(asks.clone());
            }
        }
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
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Reaction times count from the exact microsecond at which the screen changed.
    fn react(&mut self, at: SimTime, sight: Sight, stage: &mut Stage) {
        let reactions = match sight {
            Sight::FriendRequest(from) if self.friends.contains(&from) => {
                stage.act_at(at + BEFRIENDING, &self.device, Act::AcceptFriend { user: from });
                return;
            }
            Sight::FriendRequest(_) => return,
            Sight::FriendAdded(friend) => {
                tracing::debug!(user = %self.user, %friend, "friends");
                return;
            }
            Sight::Screen(Screen::Incoming { .. }) => &mut self.after_ring,
            Sight::Screen(Screen::Live { .. }) => &mut self.after_live,
            Sight::Screen(_) => return,
        };
        for (delay, act) in reactions.drain(..) {
            stage.act_at(at + delay, &self.device, act);
        }
    }
}

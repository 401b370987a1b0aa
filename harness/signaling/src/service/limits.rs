//! How often somebody may ring somebody (RL-1), and look handles up (RL-2).
//!
//! What counts are rows of the store: they go with the transaction that they count, so that no crash gives a limit back, no
//! two cores count apart, and time is the server's. A limiter in memory beside the store would be none of that.

use super::{
    Service,
    store::{Counter, Door},
    transaction::Transaction,
};
use kernel::{
    event::Fact,
    mutant,
    names::{CallId, UserName},
    time::{Micros, SimTime},
};
use protocol::ConnectionId;

/// Most rings of one user at another within a minute.
pub(super) const RINGS_A_MINUTE: usize = 3;
/// And within an hour.
pub(super) const RINGS_AN_HOUR: usize = 10;
/// Most rings at a user within an hour, from all who are not on the user's list of close friends: only friends ring, and
/// these are the strangers among them.
pub(super) const KNOCKS_AN_HOUR: usize = 30;
/// Most handles that an account looks up within an hour.
const HANDLES_AN_HOUR: usize = 30;
/// Most lookups from one address within an hour: those of a household.
const LOOKUPS_OF_AN_ADDRESS: usize = 60;
/// Most accounts that look one handle up within an hour.
const LOOKUPS_OF_A_HANDLE: usize = 60;

impl Service {
    /// Whether one more ring is within the limits. A ring that was counted, and is asked for again, is.
    pub(super) fn is_within_rate(
        &self,
        (caller, callee): (&UserName, &UserName),
        call: CallId,
        door: &Door,
        is_close: bool,
        now: SimTime,
    ) -> bool {
        let rings = self.store.rings(caller, callee, now);
        if rings.iter().any(|(_, counted)| *counted == call) {
            return true;
        }
        let lately = rings.iter().filter(|(at, _)| now.since(*at) < Micros::from_secs(60)).count();
        let knocks = door.knocks.iter().filter(|at| now.since(**at) < Micros::from_secs(3_600)).count();
        lately < RINGS_A_MINUTE && rings.len() < RINGS_AN_HOUR && (is_close || knocks < KNOCKS_AN_HOUR)
    }

    /// Counts a lookup of a handle, if it is within the limits of who asks, from where, and for what. Who asked for the
    /// same handle within the hour learns nothing new.
    pub(super) fn may_look_up(
        &mut self,
        connection: ConnectionId,
        (user, handle): (&UserName, &UserName),
        work: &mut Transaction,
    ) -> bool {
        let now = work.at;
        let own = Counter::Account(user.clone());
        let asked = self.store.lookups(&own, now);
        if asked.iter().any(|(_, known)| known == handle) {
            return true;
        }
        let address = self.connections.get(&connection).and_then(|connection| connection.address);
        let limits = [
            Some((own, handle, HANDLES_AN_HOUR)),
            address.map(|address| (Counter::Address(address), handle, LOOKUPS_OF_AN_ADDRESS)),
            Some((Counter::Handle(handle.clone()), user, LOOKUPS_OF_A_HANDLE)),
        ];
        let limits: Vec<_> = limits.into_iter().flatten().collect();
        let within = |counter: &Counter, most: usize, service: &mut Service| {
            service.store.lookups(counter, now).len() < most && service.store.has_counter(counter, now)
        };
        if !limits.iter().all(|(counter, _, most)| within(counter, *most, self)) && !mutant!(V105) {
            self.log("warn", format!("{user} looks up too much"));
            return false;
        }
        for (counter, what, _) in limits {
            self.store.count_lookup(counter, what.clone(), now);
        }
        work.facts.push(Fact::LookedUp { by: user.clone(), handle: handle.clone() });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::conversation::{Conversation, call_id, invite, phone};
    use super::{HANDLES_AN_HOUR, KNOCKS_AN_HOUR, LOOKUPS_OF_A_HANDLE, LOOKUPS_OF_AN_ADDRESS};
    use kernel::{
        event::{Fact, Setting},
        mutant::{self, Mutant},
        time::Micros,
    };
    use protocol::{ClientMessage, RequestId, ServerMessage};

    const REQUEST: RequestId = RequestId(3);

    /// Calls and cancels; whether it rang.
    fn ring(conversation: &mut Conversation, caller: &str, call: u8) -> bool {
        let caller = phone(caller);
        conversation.say(&caller, invite(call_id(call), &caller, &[&phone("bob")]));
        conversation.say(&caller, ClientMessage::Cancel { call: call_id(call) });
        conversation
            .facts
            .iter()
            .any(|fact| matches!(fact, Fact::CallRinging { call: rang, .. } if *rang == call_id(call)))
    }

    fn friends() -> Conversation {
        let mut conversation = Conversation::new(&["alice", "bob"]);
        conversation.befriend("alice", "bob");
        conversation
    }

    #[test]
    fn of_the_rings_of_a_minute_three_ring_and_a_crash_gives_none_back() {
        let mut conversation = friends();
        assert_eq!(
            (1..=4).map(|call| ring(&mut conversation, "alice", call)).collect::<Vec<_>>(),
            [true, true, true, false]
        );
        conversation.crash();
        conversation.attach(&phone("alice"));
        assert!(!ring(&mut conversation, "alice", 5));
        conversation.pass(Micros::from_secs(60));
        assert!(ring(&mut conversation, "alice", 6));
    }

    #[test]
    fn of_the_rings_of_an_hour_ten_ring() {
        let mut conversation = friends();
        let mut rang = 0;
        for call in 1..=20 {
            rang += usize::from(ring(&mut conversation, "alice", call));
            conversation.pass(Micros::from_secs(100));
        }
        assert_eq!(rang, 10);
        conversation.pass(Micros::from_secs(3_600));
        assert!(ring(&mut conversation, "alice", 21));
    }

    #[test]
    fn v113_gives_a_cancelled_ring_back() {
        let mut conversation = friends();
        mutant::plant(&[Mutant::V113]);
        let rang = (1..=12).filter(|call| ring(&mut conversation, "alice", *call)).count();
        mutant::plant(&[]);
        assert_eq!(rang, 12);
    }

    #[test]
    fn a_ring_that_is_asked_for_again_is_counted_once() {
        let mut conversation = friends();
        let (alice, bob) = (phone("alice"), phone("bob"));
        (1..=2).for_each(|call| assert!(ring(&mut conversation, "alice", call)));
        (0..3).for_each(|_| conversation.say(&alice, invite(call_id(3), &alice, &[&bob])));
        let told = conversation.take(&bob);
        let rings = told.iter().filter(|told| matches!(told, ServerMessage::Ring { call, .. } if *call == call_id(3)));
        assert_eq!(rings.count(), 3, "none is refused");
    }

    /// Bob has four friends, each of whom may ring ten times an hour. Carol is a close one.
    #[test]
    fn of_the_rings_of_all_but_close_friends_thirty_an_hour_ring() {
        let callers = ["alice", "dave", "erin", "frank", "carol"];
        let mut conversation = Conversation::new(&["bob", "alice", "dave", "erin", "frank", "carol"]);
        callers.iter().for_each(|caller| conversation.befriend(caller, "bob"));
        let setting = Setting::CloseFriend { user: "carol".into(), listed: true };
        conversation.say(&phone("bob"), ClientMessage::Set { request: REQUEST, setting });
        let (mut call, mut rang) = (0, [0; 5]);
        for _ in 0..10 {
            for (caller, rang) in callers.iter().zip(&mut rang) {
                call += 1;
                *rang += usize::from(ring(&mut conversation, caller, call));
            }
            conversation.pass(Micros::from_secs(100));
        }
        assert_eq!(rang[..4].iter().sum::<usize>(), KNOCKS_AN_HOUR);
        assert_eq!(rang[4], 10, "close friends are no strangers");
    }

    fn look_up(conversation: &mut Conversation, user: &str, handle: &str) -> bool {
        conversation.inbox.clear();
        conversation.say(&phone(user), ClientMessage::LookUp { request: REQUEST, handle: handle.into() });
        let looked_up = Fact::LookedUp { by: user.into(), handle: handle.into() };
        conversation.take(&phone(user)).len() == 1 && conversation.facts.contains(&looked_up)
    }

    #[test]
    fn an_account_looks_thirty_handles_up_within_an_hour_however_it_asks() {
        let mut conversation = Conversation::new(&["alice", "bob"]);
        let (alice, user) = (phone("alice"), |n: usize| format!("handle-{n}").as_str().into());
        for n in 0..HANDLES_AN_HOUR {
            let message = match n % 3 {
                0 => ClientMessage::LookUp { request: REQUEST, handle: user(n) },
                1 => ClientMessage::RequestFriend { request: REQUEST, user: user(n) },
                _ => ClientMessage::Follow { request: REQUEST, user: user(n), follow: true },
            };
            conversation.say(&alice, message);
        }
        conversation.inbox.clear();
        conversation.say(&alice, ClientMessage::RequestFriend { request: REQUEST, user: "bob".into() });
        assert_eq!(conversation.take(&alice), [ServerMessage::Refused { request: REQUEST }]);
        assert!(look_up(&mut conversation, "alice", "handle-0"), "what is known already is told again");
        conversation.crash();
        conversation.attach(&alice);
        assert!(!look_up(&mut conversation, "alice", "bob"));
        conversation.pass(Micros::from_secs(3_600));
        assert!(look_up(&mut conversation, "alice", "bob"));
    }

    #[test]
    fn from_one_address_and_of_one_handle_sixty_lookups_an_hour_are_answered() {
        let users: Vec<String> = (0..=LOOKUPS_OF_A_HANDLE).map(|n| format!("user{n}")).collect();
        let mut conversation = Conversation::new(&users.iter().map(String::as_str).collect::<Vec<_>>());
        let asked = users.iter().filter(|user| look_up(&mut conversation, user, "celebrity")).count();
        assert_eq!(asked, LOOKUPS_OF_A_HANDLE);
        let mut conversation = Conversation::new(&["alice", "bob", "carol"]);
        conversation.share_an_address(&["alice", "bob", "carol"]);
        let ask = |conversation: &mut Conversation, user: &str| {
            (0..HANDLES_AN_HOUR).filter(|n| look_up(conversation, user, &format!("{user}-{n}"))).count()
        };
        assert_eq!(["alice", "bob"].map(|user| ask(&mut conversation, user)), [HANDLES_AN_HOUR; 2]);
        assert_eq!((ask(&mut conversation, "carol"), LOOKUPS_OF_AN_ADDRESS), (0, 2 * HANDLES_AN_HOUR));
    }
}

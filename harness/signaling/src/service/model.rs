//! The service against a small reference model of the call table: long random conversations, with lost connections
//! and passing time, in which every message to every connected device is predicted.

use super::{
    conversation::{Conversation, accept_for, call_id, envelope, invite, phone, user_of},
    store::Stage,
};
use crate::naming::{call_of_server_message, kind_of_server_message};
use kernel::{
    mutant::{self, Mutant},
    names::ActorName,
    time::Micros,
};
use proptest::{
    prelude::*,
    sample::select,
    strategy::ValueTree,
    test_runner::{RngSeed, TestRunner},
};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use protocol::{ClientMessage, EnvelopeKind, RequestId, RowEntry, ServerMessage};
use std::{
    collections::{BTreeMap, BTreeSet},
    panic::catch_unwind,
};

const USERS: [&str; 3] = ["alice", "bob", "carol"];
const RING: u64 = 60;
const CALLER_GRACE: u64 = 10;
const LIVE_GRACE: u64 = 30;
const HOUR: u64 = 3_600;
const RINGS_A_MINUTE: usize = 3;
const RINGS_AN_HOUR: usize = 10;

/// The reference: what the table says, in whole seconds and without a store.
#[derive(Clone, Debug, Default)]
struct Table {
    now: u64,
    connected: BTreeSet<String>,
    relations: BTreeMap<(String, String), Relation>,
    calls: BTreeMap<u8, Call>,
    used: BTreeSet<u8>,
    /// When each pair's calls rang: (caller, callee), with the call.
    rung: BTreeMap<(String, String), Vec<(u64, u8)>>,
    /// What each device is told by the last transition: kind, call, detail.
    told: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug, Default)]
struct Relation {
    requested_by: Option<String>,
    friends: bool,
    blocked_by: BTreeSet<String>,
    followed_by: BTreeSet<String>,
}

#[derive(Clone, Debug)]
struct Call {
    caller: String,
    callee: String,
    accepted: Option<String>,
    rings: bool,
    busy: BTreeSet<String>,
    invited: u64,
    gone: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    Ringing,
    Accept,
    Decline,
    Cancel,
    HangUp,
    Busy,
    ToPeer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Social {
    Request,
    Accept,
    Decline,
    Unfriend,
    Block,
    Cancel,
    Unblock,
    Follow,
    Unfollow,
}

#[derive(Clone, Debug)]
enum Transition {
    Invite { device: String, to: &'static str, call: u8 },
    Call { device: String, call: u8, what: About },
    Social { device: String, other: &'static str, what: Social },
    Close { device: String },
    Attach { device: String },
    Pass { seconds: u64 },
}

fn devices(user: &str) -> Vec<String> {
    let names: &[&str] = if user == "carol" { &["phone"] } else { &["phone", "laptop"] };
    names.iter().map(|name| format!("{user}-{name}")).collect()
}

fn user(device: &str) -> &str {
    device.split('-').next().unwrap()
}

fn pair(one: &str, other: &str) -> (String, String) {
    let (a, b) = if one <= other { (one, other) } else { (other, one) };
    (a.into(), b.into())
}

impl ReferenceStateMachine for Table {
    type State = Table;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Table> {
        let friends = Relation { friends: true, ..Relation::default() };
        Just(Table {
            connected: USERS.iter().flat_map(|user| devices(user)).collect(),
            relations: BTreeMap::from([(pair("alice", "bob"), friends)]),
            ..Table::default()
        })
        .boxed()
    }

    fn transitions(state: &Table) -> BoxedStrategy<Transition> {
        let all: Vec<String> = USERS.iter().flat_map(|user| devices(user)).collect();
        let pass = select(vec![1, 5, 11, 29, 31, 61]).prop_map(|seconds| Transition::Pass { seconds });
        let attach = select(all).prop_map(|device| Transition::Attach { device });
        if state.connected.is_empty() {
            return attach.boxed();
        }
        let device = select(state.connected.iter().cloned().collect::<Vec<_>>());
        let next = state.used.last().map_or(1, |last| last + 1);
        let call = prop_oneof![6 => Just(next.saturating_sub(1).max(1)), 1 => 1..=next];
        let about = select(vec![
            About::Ringing,
            About::Accept,
            About::Accept,
            About::Decline,
            About::Cancel,
            About::HangUp,
            About::Busy,
            About::ToPeer,
        ]);
        let social = select(vec![
            Social::Request,
            Social::Request,
            Social::Accept,
            Social::Accept,
            Social::Decline,
            Social::Unfriend,
            Social::Block,
            Social::Cancel,
            Social::Unblock,
            Social::Follow,
            Social::Unfollow,
        ]);
        let fresh = prop_oneof![8 => Just(next), 1 => 1..=next];
        prop_oneof![
            5 => (device.clone(), select(&USERS[..]), fresh)
                .prop_map(|(device, to, call)| Transition::Invite { device, to, call }),
            10 => (device.clone(), call, about).prop_map(|(device, call, what)| Transition::Call { device, call, what }),
            3 => (device.clone(), select(&USERS[..]), social)
                .prop_map(|(device, other, what)| Transition::Social { device, other, what }),
            1 => device.prop_map(|device| Transition::Close { device }),
            2 => attach,
            2 => pass,
        ]
        .boxed()
    }

    fn preconditions(state: &Table, transition: &Transition) -> bool {
        match transition {
            Transition::Invite { device, call, .. } => state.connected.contains(device) && *call < u8::MAX,
            Transition::Call { device, .. } | Transition::Social { device, .. } | Transition::Close { device } => {
                state.connected.contains(device)
            }
            Transition::Attach { device } => !state.connected.contains(device),
            Transition::Pass { .. } => true,
        }
    }

    fn apply(mut state: Table, transition: &Transition) -> Table {
        state.told.clear();
        match transition {
            Transition::Invite { device, to, call } => state.invite(device, to, *call),
            Transition::Call { device, call, what } => state.about(device, *call, *what),
            Transition::Social { device, other, what } => state.social(device, other, *what),
            Transition::Close { device } => state.close(device),
            Transition::Attach { device } => state.attach(device),
            Transition::Pass { seconds } => state.pass(*seconds),
        }
        state
    }
}

impl Table {
    fn tell(&mut self, device: &str, what: String) {
        self.told.entry(device.into()).or_default().push(what);
    }

    fn relation(&mut self, one: &str, other: &str) -> &mut Relation {
        self.relations.entry(pair(one, other)).or_default()
    }

    fn invite(&mut self, device: &str, to: &str, call: u8) {
        let caller = user(device);
        let relation = self.relation(caller, to);
        if !relation.friends || !relation.blocked_by.is_empty() {
            return self.tell(device, format!("rejected {call}"));
        }
        let now = self.now;
        let rung = self.rung.entry((caller.into(), to.into())).or_default();
        let within = |span: u64| rung.iter().filter(|(at, _)| now - at < span).count();
        let is_counted = rung.iter().any(|(at, counted)| *counted == call && now - at < HOUR);
        if !is_counted && (within(60) >= RINGS_A_MINUTE || within(HOUR) >= RINGS_AN_HOUR) {
            return self.tell(device, format!("rejected {call}"));
        }
        let active = self.calls.iter().find(|(_, found)| pair(user(&found.caller), &found.callee) == pair(caller, to));
        match active {
            Some((id, found)) if *id == call && found.caller == device => self.answer_again(call),
            Some((other, found)) if found.accepted.is_none() && found.callee == caller => {
                let other = *other;
                self.tell(device, format!("ring {other}"));
                self.tell(device, format!("glare {call} {other}"));
            }
            Some((_, found)) if found.accepted.is_some() || user(&found.caller) != caller => {
                self.tell(device, format!("ended {call} Busy"));
            }
            Some(_) => self.tell(device, format!("rejected {call}")),
            None if self.used.contains(&call) => self.tell(device, format!("rejected {call}")),
            None => {
                let (accepted, rings, busy, gone) = (None, false, BTreeSet::new(), BTreeMap::new());
                let (caller, callee) = (device.to_owned(), to.to_owned());
                self.calls.insert(call, Call { caller, callee, accepted, rings, busy, invited: self.now, gone });
                self.used.insert(call);
                self.rung.entry((user(device).into(), to.into())).or_default().push((self.now, call));
                devices(to).iter().for_each(|device| self.tell(device, format!("ring {call}")));
            }
        }
    }

    /// What was said before is said again, and told again what followed from it.
    fn answer_again(&mut self, call: u8) {
        let found = self.calls[&call].clone();
        match &found.accepted {
            Some(end) => [&found.caller, end].iter().for_each(|device| self.tell(device, format!("accepted {call}"))),
            None if found.rings => self.tell(&found.caller, format!("ringing {call}")),
            None => {
                let silent = devices(&found.callee).into_iter().filter(|device| !found.busy.contains(device));
                silent.for_each(|device| self.tell(&device, format!("ring {call}")));
            }
        }
    }

    fn about(&mut self, device: &str, call: u8, what: About) {
        let unknown = format!("ended {call} Unknown");
        let Some(found) = self.calls.get_mut(&call) else {
            return self.tell(device, unknown);
        };
        let callee = found.callee == user(device);
        let is_caller = found.caller == device;
        let caller = found.caller.clone();
        match (found.accepted.clone(), what) {
            (None, About::Ringing) if callee => {
                if !std::mem::replace(&mut found.rings, true) {
                    self.tell(&caller, format!("ringing {call}"));
                }
            }
            (None, About::Accept) if callee => {
                found.accepted = Some(device.into());
                let others = devices(user(device));
                self.tell(&caller, format!("accepted {call}"));
                self.tell(device, format!("accepted {call}"));
                others.iter().filter(|o| *o != device).for_each(|o| self.tell(o, format!("elsewhere {call}")));
            }
            (None, About::Decline | About::HangUp | About::Cancel) if callee => self.end(call, "Declined", "Declined"),
            (None, About::Cancel | About::HangUp) if is_caller => self.end(call, "Cancelled", "Cancelled"),
            (None, About::Busy) if callee => {
                found.busy.insert(device.into());
                if found.busy.len() == devices(user(device)).len() {
                    self.end(call, "Busy", "Missed");
                }
            }
            (Some(end), About::Accept) if end == device => self.answer_again(call),
            (Some(end), About::Ringing | About::Decline) if end == device => {}
            (Some(_), About::Accept | About::Decline | About::Ringing) if callee => {
                self.tell(device, format!("elsewhere {call}"))
            }
            (Some(end), About::Cancel | About::HangUp) if end == device || is_caller => {
                self.end(call, "HungUp", "Answered");
            }
            (Some(_), About::Busy) if callee => {}
            (Some(end), About::ToPeer) if is_caller => self.tell(&end, format!("from_peer {call}")),
            (Some(end), About::ToPeer) if end == device => self.tell(&caller, format!("from_peer {call}")),
            (_, About::ToPeer) => {}
            _ => self.tell(device, unknown),
        }
    }

    fn end(&mut self, call: u8, reason: &str, outcome: &str) {
        let ended = self.calls.remove(&call).unwrap();
        self.tell(&ended.caller, format!("ended {call} {reason}"));
        let ends = ended.accepted.map_or_else(|| devices(&ended.callee), |end| vec![end]);
        ends.iter().for_each(|device| self.tell(device, format!("ended {call} {reason}")));
        let both = [devices(user(&ended.caller)), devices(&ended.callee)].concat();
        both.iter().for_each(|device| self.tell(device, format!("call_row {call} {outcome}")));
    }

    fn social(&mut self, device: &str, other: &str, what: Social) {
        let own = user(device).to_owned();
        let itself = own == other;
        let relation = self.relation(&own, other);
        let asked = relation.requested_by.as_deref() == Some(other) && !itself;
        let refused = match what {
            Social::Request | Social::Follow | Social::Unfollow => itself || !relation.blocked_by.is_empty(),
            Social::Cancel => relation.requested_by.as_deref() != Some(&own),
            Social::Unblock => !relation.blocked_by.contains(&own),
            Social::Accept | Social::Decline => !asked,
            Social::Unfriend => !relation.friends,
            Social::Block => itself,
        };
        if refused {
            return self.tell(device, "refused".into());
        }
        let were_friends = relation.friends;
        match what {
            Social::Request | Social::Accept if asked => {
                (relation.friends, relation.requested_by) = (true, None);
                self.tell_pair(&own, other, "friend_added");
            }
            Social::Request if !relation.friends && relation.requested_by.is_none() => {
                relation.requested_by = Some(own.clone());
                devices(other).iter().for_each(|device| self.tell(device, "friend_request".into()));
            }
            Social::Request | Social::Accept => {}
            Social::Decline | Social::Cancel => relation.requested_by = None,
            Social::Unblock => drop(relation.blocked_by.remove(&own)),
            Social::Follow => {
                if relation.followed_by.insert(own.clone()) {
                    devices(other).iter().for_each(|device| self.tell(device, "followed".into()));
                }
            }
            Social::Unfollow => drop(relation.followed_by.remove(&own)),
            Social::Unfriend | Social::Block => {
                (relation.friends, relation.requested_by) = (false, None);
                if what == Social::Block {
                    relation.blocked_by.insert(own.clone());
                    relation.followed_by.clear();
                }
                let of_pair = |call: &Call| pair(user(&call.caller), &call.callee) == pair(&own, other);
                let active = self.calls.iter().find(|(_, call)| of_pair(call));
                if let Some((id, outcome)) =
                    active.map(|(id, call)| (*id, if call.accepted.is_some() { "Answered" } else { "Missed" }))
                {
                    self.end(id, "Unfriended", outcome);
                }
                if were_friends {
                    self.tell_pair(&own, other, "friend_removed");
                }
            }
        }
        self.tell(device, "done".into());
    }

    fn tell_pair(&mut self, one: &str, other: &str, what: &str) {
        [devices(one), devices(other)].concat().iter().for_each(|device| self.tell(device, what.into()));
    }

    fn close(&mut self, device: &str) {
        self.connected.remove(device);
        for call in self.calls.values_mut() {
            if call.caller == device || call.accepted.as_deref() == Some(device) {
                call.gone.insert(device.into(), self.now);
            }
        }
    }

    fn attach(&mut self, device: &str) {
        self.connected.insert(device.into());
        for call in self.calls.values_mut() {
            call.gone.remove(device);
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now += seconds;
        let due = |call: &Call| {
            let gone = |device: &str, grace| call.gone.get(device).is_some_and(|at| at + grace <= self.now);
            match &call.accepted {
                Some(end) => gone(&call.caller, LIVE_GRACE) || gone(end, LIVE_GRACE),
                None => gone(&call.caller, CALLER_GRACE) || call.invited + RING <= self.now,
            }
        };
        let over: Vec<(u8, bool, bool)> = self
            .calls
            .iter()
            .filter(|(_, call)| due(call))
            .map(|(id, call)| (*id, call.accepted.is_some(), call.gone.contains_key(&call.caller)))
            .collect();
        for (call, is_live, without_caller) in over {
            match (is_live, without_caller) {
                (true, _) => self.end(call, "HungUp", "Answered"),
                (false, true) => self.end(call, "Cancelled", "Cancelled"),
                (false, false) => self.end(call, "Unanswered", "Missed"),
            }
        }
    }
}

struct ServiceTest;

impl StateMachineTest for ServiceTest {
    type SystemUnderTest = Conversation;
    type Reference = Table;

    fn init_test(_: &Table) -> Conversation {
        let mut conversation = Conversation::new(&USERS);
        conversation.add_laptop("alice");
        conversation.add_laptop("bob");
        conversation.befriend("alice", "bob");
        conversation
    }

    fn apply(mut conversation: Conversation, table: &Table, transition: Transition) -> Conversation {
        conversation.inbox.clear();
        let attaches = matches!(transition, Transition::Attach { .. });
        perform(&mut conversation, transition);
        conversation.settle();
        // A device that attaches gets what waited for it; the table does not model waiting.
        if !attaches {
            for device in &table.connected {
                let mut told: Vec<String> = conversation.take(&(**device).into()).iter().map(described).collect();
                let mut expected = table.told.get(device).cloned().unwrap_or_default();
                told.sort();
                expected.sort();
                assert_eq!(told, expected, "{device} is told what the table says");
            }
        }
        conversation
    }

    fn check_invariants(conversation: &Conversation, table: &Table) {
        let held: BTreeMap<u8, Option<String>> = conversation
            .service
            .store
            .calls()
            .map(|call| match &call.stage {
                Stage::Ringing => (call.id.0[0], None),
                Stage::Live { callee_device, .. } => (call.id.0[0], Some(callee_device.to_string())),
            })
            .collect();
        let expected: BTreeMap<u8, Option<String>> =
            table.calls.iter().map(|(id, call)| (*id, call.accepted.clone())).collect();
        assert_eq!(held, expected, "the calls are those of the table");
        let live = table.calls.values().filter(|call| call.accepted.is_some()).count();
        assert_eq!(conversation.granted.len(), 2 * live, "credentials exist for the two ends of live calls only");
    }
}

fn perform(conversation: &mut Conversation, transition: Transition) {
    match transition {
        Transition::Invite { device, to, call } => {
            let to: Vec<ActorName> = devices(to).into_iter().map(ActorName::from).collect();
            let device = ActorName::from(device);
            conversation.say(&device, invite(call_id(call), &device, &to.iter().collect::<Vec<_>>()));
        }
        Transition::Call { device, call, what } => {
            let device = ActorName::from(device);
            let message = about_call(conversation, &device, call, what);
            conversation.say(&device, message);
        }
        Transition::Social { device, other, what } => {
            let (request, user) = (RequestId(1), other.into());
            let message = match what {
                Social::Request => ClientMessage::RequestFriend { request, user },
                Social::Accept => ClientMessage::AnswerFriend { request, user, accept: true },
                Social::Decline => ClientMessage::AnswerFriend { request, user, accept: false },
                Social::Unfriend => ClientMessage::Unfriend { request, user },
                Social::Block => ClientMessage::Block { request, user },
                Social::Cancel => ClientMessage::CancelRequest { request, user },
                Social::Unblock => ClientMessage::Unblock { request, user },
                Social::Follow => ClientMessage::Follow { request, user, follow: true },
                Social::Unfollow => ClientMessage::Follow { request, user, follow: false },
            };
            conversation.say(&device.into(), message);
        }
        Transition::Close { device } => conversation.close(&device.into()),
        Transition::Attach { device } => conversation.attach(&device.into()),
        Transition::Pass { seconds } => conversation.pass(Micros::from_secs(seconds)),
    }
}

fn about_call(conversation: &Conversation, device: &ActorName, call: u8, what: About) -> ClientMessage {
    let id = call_id(call);
    let found = conversation.service.store.calls().find(|found| found.id == id);
    let caller = found.map_or_else(|| phone("alice"), |found| found.caller_device.clone());
    let callee = found.map_or_else(|| phone("bob"), |found| phone(found.callee.as_str()));
    let end = found.and_then(|found| found.ends().map(|(_, end)| end.clone())).unwrap_or_else(|| phone("bob"));
    match what {
        About::Ringing => ClientMessage::Ringing { call: id },
        About::Accept => accept_for(&callee, id, device, &caller),
        About::Decline => ClientMessage::Decline { call: id },
        About::Cancel => ClientMessage::Cancel { call: id },
        About::HangUp => ClientMessage::HangUp { call: id },
        About::Busy => ClientMessage::Busy { call: id },
        About::ToPeer => {
            let to = if user_of(device) == user_of(&caller) { end } else { caller };
            ClientMessage::ToPeer { call: id, body: envelope(EnvelopeKind::Peer, id, device, &to) }
        }
    }
}

fn described(message: &ServerMessage) -> String {
    let kind = kind_of_server_message(message);
    match (message, call_of_server_message(message)) {
        (ServerMessage::Ended { reason, .. }, Some(call)) => format!("{kind} {} {reason:?}", call.0[0]),
        (ServerMessage::Glare { other, .. }, Some(call)) => format!("{kind} {} {}", call.0[0], other.0[0]),
        (ServerMessage::Row { row: RowEntry::Call(row), .. }, Some(call)) => {
            format!("{kind} {} {:?}", call.0[0], row.outcome)
        }
        (_, Some(call)) => format!("{kind} {}", call.0[0]),
        (_, None) => kind.into(),
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..ProptestConfig::default() }
}

/// A model that finds no planted bug compares nothing.
#[test]
fn the_table_finds_each_planted_bug_of_the_service() {
    use Mutant::{V10, V13, V14, V15, V17, V20, V22, V23, V72, V113, V125, V150};
    for mutant in [V10, V13, V14, V15, V17, V20, V22, V23, V72, V113, V125, V150] {
        mutant::plant(&[mutant]);
        let mut runner = TestRunner::new(config(400));
        let found = (0..400).any(|_| {
            let tree = Table::sequential_strategy(1..60).new_tree(&mut runner).unwrap();
            let (table, steps, seen) = tree.current();
            catch_unwind(|| ServiceTest::test_sequential(config(1), table, steps, seen)).is_err()
        });
        mutant::plant(&[]);
        assert!(found, "{mutant} survives");
    }
}

prop_state_machine! {
    #![proptest_config(config(400))]

    #[test]
    fn the_service_does_what_the_call_table_says(sequential 1..60 => ServiceTest);
}

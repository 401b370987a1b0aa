//! The call machine against its table: once exhaustively, once along random histories.

use client::machine::{
    ANSWER_LIMIT, CONNECTING_LIMIT, Effect, Event, Machine, PathEvent, PeerEvent, RECONNECTING_LIMIT, RING_LIMIT,
    ServerEvent, Transition, UserEvent,
};
use kernel::{
    CallId, Micros, SimTime, Track,
    event::{
        CallStateName::{self, Accepting, Connecting, Ended, Held, Idle, Incoming, Live, Outgoing, Reconnecting},
        EndReason,
    },
};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use protocol::CallEnd;

const STATES: [CallStateName; 9] = [Idle, Outgoing, Incoming, Accepting, Connecting, Live, Reconnecting, Held, Ended];

/// An event without its data; `Other` is about a call that the machine is not in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Call,
    Accept,
    Decline,
    Cancel,
    HangUp,
    CameraOff,
    CameraOn,
    Mute,
    Unmute,
    Hold,
    Resume,
    /// Asks the own laptop to take the call over.
    HandOver,
    /// The laptop did.
    Taken,
    /// A tablet did, which was not asked.
    TakenUnasked,
    /// Another device of the own user asks.
    Asked,
    /// The peer goes on with another device.
    Moved,
    OtherMoved,
    /// Of somebody whom this device does not call.
    Ring,
    /// Of the user whom this device calls.
    CrossingRing,
    StaleRing,
    Accepted,
    AcceptedForged,
    Elsewhere,
    Rejected,
    Glare,
    EndedByServer,
    ClaimAccepted,
    Update,
    PeerHold,
    PeerResume,
    Connected,
    Broken,
    Mismatch,
    Lost,
    Timer,
    EarlyTimer,
    OtherAccepted,
    OtherElsewhere,
    OtherRejected,
    OtherEnded,
}

const KINDS: [Kind; 40] = [
    Kind::Call,
    Kind::Accept,
    Kind::Decline,
    Kind::Cancel,
    Kind::HangUp,
    Kind::CameraOff,
    Kind::CameraOn,
    Kind::Mute,
    Kind::Unmute,
    Kind::Hold,
    Kind::Resume,
    Kind::HandOver,
    Kind::Taken,
    Kind::TakenUnasked,
    Kind::Asked,
    Kind::Moved,
    Kind::OtherMoved,
    Kind::Ring,
    Kind::CrossingRing,
    Kind::StaleRing,
    Kind::Accepted,
    Kind::AcceptedForged,
    Kind::Elsewhere,
    Kind::Rejected,
    Kind::Glare,
    Kind::EndedByServer,
    Kind::ClaimAccepted,
    Kind::Update,
    Kind::PeerHold,
    Kind::PeerResume,
    Kind::Connected,
    Kind::Broken,
    Kind::Mismatch,
    Kind::Lost,
    Kind::Timer,
    Kind::EarlyTimer,
    Kind::OtherAccepted,
    Kind::OtherElsewhere,
    Kind::OtherRejected,
    Kind::OtherEnded,
];

/// Where a machine is: its state, and what the table's guards ask for besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct At {
    state: CallStateName,
    /// The user whom this device calls calls too.
    crossing: bool,
    /// The call is on hold, also while it reconnects.
    held: bool,
    held_by_peer: bool,
    /// The own laptop was asked to take the call over.
    asked: bool,
    /// This device takes the call over.
    takes_over: bool,
}

impl At {
    fn new(state: CallStateName) -> At {
        At { state, crossing: false, held: state == Held, held_by_peer: false, asked: false, takes_over: false }
    }

    /// Where it is after an event.
    fn after(self, kind: Kind) -> At {
        let Some((state, _)) = row(self, kind) else {
            return At { crossing: self.crossing && kind != Kind::OtherEnded && kind != Kind::OtherElsewhere, ..self };
        };
        let in_call = !matches!(state, Idle | Ended);
        At {
            state,
            crossing: state == Outgoing && (self.crossing || kind == Kind::CrossingRing && self.state == Outgoing),
            held: in_call && (state == Held || self.held && state != Live),
            held_by_peer: in_call
                && !matches!(kind, Kind::PeerResume | Kind::Moved)
                && (self.held_by_peer || kind == Kind::PeerHold),
            asked: in_call && (self.asked || kind == Kind::HandOver),
            takes_over: in_call && (self.takes_over || kind == Kind::Asked && matches!(self.state, Idle | Ended)),
        }
    }
}

/// The table of call-machine.md, rows of a call of two: (state, event) -> (next, what the server is told, why it ended).
/// The names of effects are those of the machine; whatever is not here is ignored.
fn row(at: At, kind: Kind) -> Option<(CallStateName, &'static [&'static str])> {
    let state = at.state;
    Some(match (state, kind) {
        (Idle | Ended, Kind::Call) => (Outgoing, &["Invite"]),
        (Idle | Ended, Kind::Ring | Kind::CrossingRing) => (Incoming, &["Ring"]),
        (Outgoing, Kind::CrossingRing) => (Outgoing, &["KeepRing"]),
        (Outgoing, Kind::Glare) if at.crossing => (Incoming, &["GiveUp", "Ring"]),
        (Outgoing, Kind::Rejected) => (Idle, &["End(Unavailable)"]),
        (Outgoing, Kind::Accepted) => (Connecting, &["Connect"]),
        (Outgoing | Accepting, Kind::AcceptedForged) => (Ended, &["SendHangUp", "End(Security)"]),
        (Outgoing, Kind::Cancel | Kind::HangUp) => (Idle, &["SendCancel", "End(Cancelled)"]),
        (Outgoing, Kind::Timer) => (Idle, &["SendCancel", "End(Unanswered)"]),
        (Outgoing, Kind::Mismatch) => (Ended, &["SendCancel", "End(Security)"]),
        (Idle | Ended, Kind::Asked) => (Incoming, &["ShowHandOver"]),
        (Incoming, Kind::Accept) if at.takes_over => (Accepting, &["TakeOver"]),
        (Incoming, Kind::Timer) if at.takes_over => (Idle, &["SendDecline", "End(Unanswered)"]),
        (Live, Kind::HandOver) => (Live, &["AskHandOver"]),
        (Live | Reconnecting | Held, Kind::Taken) if at.asked => (Idle, &["Yield", "End(HandedOver)"]),
        (Connecting | Live | Reconnecting | Held, Kind::Moved) => (Reconnecting, &["Rejoin"]),
        (Incoming, Kind::Accept) => (Accepting, &["Answer"]),
        (Incoming, Kind::Decline | Kind::HangUp) => (Idle, &["SendDecline", "End(Declined)"]),
        (Incoming | Accepting, Kind::Elsewhere) => (Idle, &["End(Elsewhere)"]),
        (Incoming, Kind::Timer) => (Idle, &["End(Unanswered)"]),
        (Incoming | Accepting, Kind::Mismatch) => (Ended, &["SendDecline", "End(Security)"]),
        // The device that accepted has no answer to verify: the server's word is about its own.
        (Accepting, Kind::Accepted) => (Connecting, &["Connect"]),
        (Accepting | Connecting, Kind::Timer) => (Ended, &["SendHangUp", "End(Failed)"]),
        (Reconnecting, Kind::Connected) if at.held => (Held, &["ShowHold"]),
        (Connecting | Reconnecting, Kind::Connected) => (Live, &["GoLive"]),
        (Live | Held, Kind::Broken) => (Reconnecting, &["Reconnect"]),
        (Reconnecting, Kind::Timer) => (Ended, &["SendHangUp", "End(Failed)"]),
        (Connecting | Live | Reconnecting | Held, Kind::Mismatch) => (Ended, &["SendHangUp", "End(Security)"]),
        (Connecting | Live | Reconnecting | Held, Kind::Lost) => (Ended, &["SendHangUp", "End(Failed)"]),
        (Accepting | Connecting | Live | Reconnecting | Held, Kind::HangUp) => (Idle, &["SendHangUp", "End(HungUp)"]),
        (Connecting | Live | Reconnecting, Kind::CameraOff) => (state, &["SwitchOff(Video)"]),
        (Connecting | Live | Reconnecting, Kind::CameraOn) => (state, &["SwitchOn(Video)"]),
        (Connecting | Live | Reconnecting, Kind::Mute) => (state, &["SwitchOff(Audio)"]),
        (Connecting | Live | Reconnecting, Kind::Unmute) => (state, &["SwitchOn(Audio)"]),
        (Live, Kind::Hold) => (Held, &["Hold", "TellHold"]),
        (Held, Kind::Resume) if at.held_by_peer => (Held, &["ShowHold", "TellResume"]),
        (Held, Kind::Resume) => (Live, &["Resume", "TellResume"]),
        // What the peer says: it stops what is sent, it opens nothing.
        (Live, Kind::PeerHold) => (Held, &["Hold"]),
        (Held, Kind::PeerHold | Kind::PeerResume) => (Held, &["ShowHold"]),
        (Live, Kind::Update) => (Live, &["ShowRequest"]),
        (Idle | Ended, Kind::EndedByServer) => return None,
        (_, Kind::EndedByServer) => (Idle, &["End(PeerHungUp)"]),
        // The first two rows took the states without a call.
        (_, Kind::Ring | Kind::CrossingRing | Kind::StaleRing | Kind::Asked) if !matches!(state, Idle | Ended) => {
            (state, &["SendBusy"])
        }
        _ => return None,
    })
}

fn call(n: u8) -> CallId {
    CallId([n; 16])
}

/// The call that a history is about; another one for `Other…` and for rings during a call.
const OWN: u8 = 1;
const OTHER: u8 = 2;

fn event(kind: Kind, current: Option<CallId>) -> Event {
    let own = current.unwrap_or(call(OWN));
    let other = if own == call(OWN) { call(OTHER) } else { call(OWN) };
    let ring = |peer: &str, age| {
        let call = if current.is_some() { other } else { own };
        Event::Server(ServerEvent::Ring { call, peer: peer.into(), video: true, age })
    };
    match kind {
        Kind::Call => Event::User(UserEvent::Call { call: own, peer: "bob".into(), video: true }),
        Kind::Accept => Event::User(UserEvent::Accept { video: true }),
        Kind::Decline => Event::User(UserEvent::Decline),
        Kind::Cancel => Event::User(UserEvent::Cancel),
        Kind::HangUp => Event::User(UserEvent::HangUp),
        Kind::CameraOff => Event::User(UserEvent::SwitchOff(Track::Video)),
        Kind::CameraOn => Event::User(UserEvent::SwitchOn(Track::Video)),
        Kind::Mute => Event::User(UserEvent::SwitchOff(Track::Audio)),
        Kind::Unmute => Event::User(UserEvent::SwitchOn(Track::Audio)),
        Kind::Hold => Event::User(UserEvent::Hold),
        Kind::Resume => Event::User(UserEvent::Resume),
        Kind::HandOver => Event::User(UserEvent::HandOver { to: "bob-laptop".into() }),
        Kind::Taken => Event::Server(ServerEvent::Taken { call: own, by: "bob-laptop".into() }),
        Kind::TakenUnasked => Event::Server(ServerEvent::Taken { call: own, by: "bob-tablet".into() }),
        Kind::Asked => {
            let call = if current.is_some() { other } else { own };
            Event::Server(ServerEvent::HandOver { call, peer: "alice".into(), outgoing: false, video: true })
        }
        Kind::Moved => Event::Server(ServerEvent::Moved { call: own }),
        Kind::OtherMoved => Event::Server(ServerEvent::Moved { call: other }),
        Kind::Ring => ring("alice", Micros::ZERO),
        Kind::CrossingRing => ring("bob", Micros::ZERO),
        Kind::StaleRing => ring("alice", Micros(RING_LIMIT.0 + 1)),
        Kind::Glare => Event::Server(ServerEvent::Glare { call: own, other }),
        Kind::Accepted => Event::Server(ServerEvent::Accepted { call: own, verified: true }),
        Kind::AcceptedForged => Event::Server(ServerEvent::Accepted { call: own, verified: false }),
        Kind::Elsewhere => Event::Server(ServerEvent::Elsewhere { call: own }),
        Kind::Rejected => Event::Server(ServerEvent::Rejected { call: own }),
        Kind::EndedByServer => Event::Server(ServerEvent::Ended { call: own, reason: CallEnd::HungUp }),
        Kind::ClaimAccepted => Event::Peer(PeerEvent::ClaimAccepted),
        Kind::Update => Event::Peer(PeerEvent::Update),
        Kind::PeerHold => Event::Peer(PeerEvent::Hold),
        Kind::PeerResume => Event::Peer(PeerEvent::Resume),
        Kind::Connected => Event::Path(PathEvent::Connected),
        Kind::Broken => Event::Path(PathEvent::Broken),
        Kind::Mismatch => Event::Path(PathEvent::Mismatch),
        Kind::Lost => Event::Path(PathEvent::Lost),
        Kind::Timer | Kind::EarlyTimer => Event::Timer,
        Kind::OtherAccepted => Event::Server(ServerEvent::Accepted { call: other, verified: true }),
        Kind::OtherElsewhere => Event::Server(ServerEvent::Elsewhere { call: other }),
        Kind::OtherRejected => Event::Server(ServerEvent::Rejected { call: other }),
        Kind::OtherEnded => Event::Server(ServerEvent::Ended { call: other, reason: CallEnd::HungUp }),
    }
}

fn limit(state: CallStateName) -> Option<Micros> {
    match state {
        Outgoing => Some(ANSWER_LIMIT),
        Incoming => Some(RING_LIMIT),
        Accepting | Connecting => Some(CONNECTING_LIMIT),
        Reconnecting => Some(RECONNECTING_LIMIT),
        Idle | Live | Held | Ended => None,
    }
}

fn effect_name(effect: &Effect) -> String {
    match effect {
        Effect::SendBusy(_) => "SendBusy".to_owned(),
        Effect::GiveUp(_) => "GiveUp".to_owned(),
        Effect::AskHandOver(to) if to.as_str() == "bob-laptop" => "AskHandOver".to_owned(),
        Effect::Yield(to) if to.as_str() == "bob-laptop" => "Yield".to_owned(),
        effect => format!("{effect:?}"),
    }
}

/// Gives an event to a machine at the time that its kind asks for.
fn give(machine: &mut Machine, kind: Kind, now: &mut SimTime) -> Option<Transition> {
    *now += Micros(1);
    match (kind, machine.next_wake()) {
        (Kind::Timer, Some(due)) => *now = due,
        (Kind::EarlyTimer, Some(due)) => *now = SimTime(due.0 - 1),
        _ => {}
    }
    let current = machine.dialog().map(|dialog| dialog.call);
    machine.handle(event(kind, current), *now)
}

/// Checks one step against the table, and says where the machine is then.
fn check(machine: &mut Machine, at: At, kind: Kind, now: &mut SimTime) -> At {
    let before = machine.state();
    assert_eq!(before, at.state);
    let ignored = machine.ignored();
    let transition = give(machine, kind, now);
    match (row(at, kind), transition) {
        (Some((next, effects)), Some(transition)) => {
            assert_eq!((transition.from, transition.to), (before, next), "{kind:?}");
            assert_eq!(machine.state(), next);
            assert_eq!(transition.effects.iter().map(effect_name).collect::<Vec<_>>(), effects, "{before:?} {kind:?}");
            // A call that rings after a glare has what is left of its own minute.
            if next != before && kind != Kind::Glare {
                assert_eq!(machine.next_wake(), limit(next).map(|limit| *now + limit), "{before:?} {kind:?}");
            }
        }
        (None, None) => {
            assert_eq!((machine.state(), machine.ignored()), (before, ignored + 1), "{before:?} {kind:?}");
        }
        (expected, got) => panic!("{before:?} {kind:?}: the table says {expected:?}, the machine did {got:?}"),
    }
    let in_call = !matches!(machine.state(), Idle | Ended);
    assert_eq!(machine.dialog().is_some(), in_call);
    let after = at.after(kind);
    let crossing = machine.crossing().is_some();
    assert_eq!((crossing, machine.is_held_by_peer()), (after.crossing, after.held_by_peer), "{before:?} {kind:?}");
    after
}

fn machine_in(state: CallStateName) -> (Machine, At, SimTime) {
    let (mut machine, mut now) = (Machine::new(), SimTime(1_000_000));
    let history: &[Kind] = match state {
        Idle => &[],
        Outgoing => &[Kind::Call],
        Incoming => &[Kind::Ring],
        Accepting => &[Kind::Ring, Kind::Accept],
        Connecting => &[Kind::Ring, Kind::Accept, Kind::Accepted],
        Live => &[Kind::Ring, Kind::Accept, Kind::Accepted, Kind::Connected],
        Reconnecting => &[Kind::Ring, Kind::Accept, Kind::Accepted, Kind::Connected, Kind::Broken],
        Held => &[Kind::Ring, Kind::Accept, Kind::Accepted, Kind::Connected, Kind::Hold],
        Ended => &[Kind::Ring, Kind::Accept, Kind::Accepted, Kind::Mismatch],
    };
    let at = history.iter().fold(At::new(Idle), |at, kind| check(&mut machine, at, *kind, &mut now));
    assert_eq!(machine.state(), state);
    (machine, at, now)
}

#[test]
fn every_event_in_every_state_does_what_the_table_says() {
    for state in STATES {
        for kind in KINDS {
            let (mut machine, at, mut now) = machine_in(state);
            check(&mut machine, at, kind, &mut now);
        }
    }
}

#[test]
fn no_peer_event_opens_a_track_or_moves_a_call_but_to_hold() {
    for state in STATES {
        for kind in [Kind::ClaimAccepted, Kind::Update, Kind::PeerHold, Kind::PeerResume] {
            let (mut machine, _, mut now) = machine_in(state);
            let Some(transition) = give(&mut machine, kind, &mut now) else { continue };
            assert!(transition.to == state || (state, transition.to) == (Live, Held), "{transition:?}");
            let opens = |effect: &Effect| matches!(effect, Effect::SwitchOn(_) | Effect::Resume | Effect::Connect);
            assert!(!transition.effects.iter().any(opens), "{transition:?}");
        }
    }
}

/// The machine of a device that lets calls wait, in a call with alice.
fn waits_beside(peers: &[&str]) -> (Machine, Vec<Vec<String>>) {
    let mut machine = machine_in(Live).0.with_call_waiting(true);
    let mut ring = |n: usize, peer: &&str| {
        let call = call(10 + n as u8);
        let (video, age) = (true, Micros::from_secs(50));
        let ring = Event::Server(ServerEvent::Ring { call, peer: (*peer).into(), video, age });
        machine.handle(ring, SimTime(2_000_000)).unwrap().effects.iter().map(effect_name).collect()
    };
    let effects = peers.iter().enumerate().map(|(n, peer)| ring(n, peer)).collect();
    (machine, effects)
}

#[test]
fn one_call_waits_beside_another_and_whoever_calls_then_hears_that_it_is_busy() {
    let (mut machine, effects) = waits_beside(&["carol", "dave"]);
    assert_eq!(effects, [["RingBeside"], ["SendBusy"]]);
    assert_eq!((machine.state(), machine.dialog().unwrap().call), (Live, call(OWN)));
    assert!(machine.ring_on().is_none(), "the other call goes on");
    // What is left of its minute.
    assert_eq!(machine.next_wake(), Some(SimTime(12_000_000)));
    let timed_out = machine.handle(Event::Timer, SimTime(12_000_000)).unwrap();
    assert_eq!((timed_out.call, timed_out.to), (call(10), Live));
    assert_eq!(timed_out.effects, [Effect::EndWaiting(EndReason::Unanswered)]);
    assert_eq!(machine.next_wake(), None);
}

#[test]
fn a_call_that_waits_ends_by_its_caller_by_the_user_or_on_another_device_and_the_other_goes_on() {
    let reason = CallEnd::Cancelled;
    for (event, effects) in [
        (Event::Server(ServerEvent::Ended { call: call(10), reason }), vec![Effect::EndWaiting(EndReason::Cancelled)]),
        (Event::Server(ServerEvent::Elsewhere { call: call(10) }), vec![Effect::EndWaiting(EndReason::Elsewhere)]),
        (Event::User(UserEvent::DeclineWaiting), vec![Effect::DeclineWaiting, Effect::EndWaiting(EndReason::Declined)]),
    ] {
        let (mut machine, _) = waits_beside(&["carol"]);
        let transition = machine.handle(event.clone(), SimTime(3_000_000)).unwrap();
        assert_eq!((transition.call, transition.from, transition.to), (call(10), Live, Live));
        assert_eq!(transition.effects, effects);
        assert!(machine.waiting().is_none() && machine.handle(event, SimTime(3_000_001)).is_none());
    }
}

#[test]
fn a_call_that_waited_rings_when_the_other_is_over_and_opens_nothing_by_itself() {
    for (event, ends) in [
        (Event::User(UserEvent::AcceptWaiting), Idle),
        (Event::User(UserEvent::HangUp), Idle),
        (Event::Server(ServerEvent::Ended { call: call(OWN), reason: CallEnd::HungUp }), Idle),
        (Event::Path(PathEvent::Lost), Ended),
    ] {
        let (mut machine, _) = waits_beside(&["carol"]);
        let over = machine.handle(event, SimTime(3_000_000)).unwrap();
        assert_eq!((over.call, over.to), (call(OWN), ends));
        let rings = machine.ring_on().unwrap();
        assert_eq!((rings.call, rings.from, rings.to), (call(10), ends, Incoming));
        assert_eq!(rings.effects, [Effect::ShowRing]);
        let dialog = machine.dialog().unwrap();
        assert!(!dialog.video && !dialog.outgoing && dialog.peer.as_str() == "carol");
        assert_eq!(machine.next_wake(), Some(SimTime(12_000_000)));
    }
}

/// The story of a glare: bob's call crosses, the server has it, and it rings here with what is left of its minute.
#[test]
fn glare_makes_the_caller_ring_for_the_other_call() {
    let (mut machine, at, mut now) = machine_in(Outgoing);
    let at = check(&mut machine, at, Kind::CrossingRing, &mut now);
    let rang = now;
    let at = check(&mut machine, at, Kind::Glare, &mut now);
    let dialog = machine.dialog().unwrap().clone();
    assert_eq!((dialog.call, dialog.outgoing, dialog.video), (call(OTHER), false, false), "nothing is consented to");
    assert_eq!(machine.next_wake(), Some(rang + RING_LIMIT));
    check(&mut machine, at, Kind::Accept, &mut now);
}

#[test]
fn a_hold_of_both_ends_when_each_user_took_the_call_up() {
    let (mut machine, at, mut now) = machine_in(Held);
    let at = check(&mut machine, at, Kind::PeerHold, &mut now);
    let at = check(&mut machine, at, Kind::Resume, &mut now);
    let at = check(&mut machine, at, Kind::PeerResume, &mut now);
    assert_eq!(machine.state(), Held, "the peer starts nothing");
    let at = check(&mut machine, at, Kind::Broken, &mut now);
    let at = check(&mut machine, at, Kind::Connected, &mut now);
    assert_eq!(machine.state(), Held, "a new path takes nothing up");
    check(&mut machine, at, Kind::Resume, &mut now);
    assert_eq!(machine.state(), Live);
}

#[test]
fn a_ring_lasts_what_is_left_of_its_minute() {
    let mut machine = Machine::new();
    let age = Micros::from_secs(45);
    let ring = ServerEvent::Ring { call: call(OWN), peer: "alice".into(), video: false, age };
    machine.handle(Event::Server(ring), SimTime(7)).unwrap();
    assert_eq!(machine.next_wake(), Some(SimTime(7) + Micros::from_secs(15)));
}

#[test]
fn a_reason_of_the_server_is_shown_as_it_is() {
    for (said, shown) in [
        (CallEnd::Declined, EndReason::Declined),
        (CallEnd::Cancelled, EndReason::Cancelled),
        (CallEnd::Unanswered, EndReason::Unanswered),
        (CallEnd::Busy, EndReason::Busy),
        (CallEnd::HungUp, EndReason::PeerHungUp),
        (CallEnd::Unfriended, EndReason::Unfriended),
    ] {
        let (mut machine, _, now) = machine_in(Outgoing);
        let ended = ServerEvent::Ended { call: call(OWN), reason: said };
        assert_eq!(machine.handle(Event::Server(ended), now).unwrap().effects, [Effect::End(shown)]);
    }
}

/// The table as a reference model.
#[derive(Clone, Debug)]
struct Table(
    /// Before the last event.
    At,
    /// After it.
    At,
);

impl ReferenceStateMachine for Table {
    type State = Table;
    type Transition = Kind;

    fn init_state() -> BoxedStrategy<Table> {
        Just(Table(At::new(Idle), At::new(Idle))).boxed()
    }

    fn transitions(_: &Table) -> BoxedStrategy<Kind> {
        proptest::sample::select(KINDS.to_vec()).boxed()
    }

    fn apply(Table(_, at): Table, kind: &Kind) -> Table {
        Table(at, at.after(*kind))
    }
}

struct MachineTest {
    machine: Machine,
    now: SimTime,
}

impl StateMachineTest for MachineTest {
    type SystemUnderTest = MachineTest;
    type Reference = Table;

    fn init_test(_: &Table) -> MachineTest {
        MachineTest { machine: Machine::new(), now: SimTime(1_000_000) }
    }

    fn apply(mut test: MachineTest, Table(before, after): &Table, kind: Kind) -> MachineTest {
        assert_eq!(check(&mut test.machine, *before, kind, &mut test.now), *after);
        assert_eq!(test.machine.state(), after.state);
        test
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_follows_its_table_along_any_history(sequential 1..60 => MachineTest);
}

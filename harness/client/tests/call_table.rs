//! The call machine against its table: once exhaustively, once along random histories.

use client::machine::{
    ANSWER_LIMIT, CONNECTING_LIMIT, Effect, Event, Machine, PathEvent, PeerEvent, RECONNECTING_LIMIT, RING_LIMIT,
    ServerEvent, Transition, UserEvent,
};
use kernel::{
    CallId, Micros, SimTime, Track,
    event::{
        CallStateName::{self, Accepting, Connecting, Ended, Idle, Incoming, Live, Outgoing, Reconnecting},
        EndReason,
    },
};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use protocol::CallEnd;

const STATES: [CallStateName; 8] = [Idle, Outgoing, Incoming, Accepting, Connecting, Live, Reconnecting, Ended];

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
    Ring,
    StaleRing,
    Accepted,
    AcceptedForged,
    Elsewhere,
    Rejected,
    EndedByServer,
    ClaimAccepted,
    Update,
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

const KINDS: [Kind; 28] = [
    Kind::Call,
    Kind::Accept,
    Kind::Decline,
    Kind::Cancel,
    Kind::HangUp,
    Kind::CameraOff,
    Kind::CameraOn,
    Kind::Mute,
    Kind::Unmute,
    Kind::Ring,
    Kind::StaleRing,
    Kind::Accepted,
    Kind::AcceptedForged,
    Kind::Elsewhere,
    Kind::Rejected,
    Kind::EndedByServer,
    Kind::ClaimAccepted,
    Kind::Update,
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

/// The table of call-machine.md, rows of a call of two: (state, event) -> (next, what the server is told, why it ended).
/// The names of effects are those of the machine; whatever is not here is ignored.
fn row(state: CallStateName, kind: Kind) -> Option<(CallStateName, &'static [&'static str])> {
    Some(match (state, kind) {
        (Idle | Ended, Kind::Call) => (Outgoing, &["Invite"]),
        (Idle | Ended, Kind::Ring) => (Incoming, &["Ring"]),
        (Outgoing, Kind::Rejected) => (Idle, &["End(Unavailable)"]),
        (Outgoing, Kind::Accepted) => (Connecting, &["Connect"]),
        (Outgoing, Kind::AcceptedForged) => (Ended, &["SendHangUp", "End(Security)"]),
        (Outgoing, Kind::Cancel | Kind::HangUp) => (Idle, &["SendCancel", "End(Cancelled)"]),
        (Outgoing, Kind::Timer) => (Idle, &["SendCancel", "End(Unanswered)"]),
        (Outgoing, Kind::Mismatch) => (Ended, &["SendCancel", "End(Security)"]),
        (Incoming, Kind::Accept) => (Accepting, &["Answer"]),
        (Incoming, Kind::Decline | Kind::HangUp) => (Idle, &["SendDecline", "End(Declined)"]),
        (Incoming | Accepting, Kind::Elsewhere) => (Idle, &["End(Elsewhere)"]),
        (Incoming, Kind::Timer) => (Idle, &["End(Unanswered)"]),
        (Incoming | Accepting, Kind::Mismatch) => (Ended, &["SendDecline", "End(Security)"]),
        // The device that accepted has no answer to verify: the server's word is about its own.
        (Accepting, Kind::Accepted) => (Connecting, &["Connect"]),
        (Accepting | Connecting, Kind::Timer) => (Ended, &["SendHangUp", "End(Failed)"]),
        (Connecting | Reconnecting, Kind::Connected) => (Live, &["GoLive"]),
        (Live, Kind::Broken) => (Reconnecting, &["Reconnect"]),
        (Reconnecting, Kind::Timer) => (Ended, &["SendHangUp", "End(Failed)"]),
        (Connecting | Live | Reconnecting, Kind::Mismatch) => (Ended, &["SendHangUp", "End(Security)"]),
        (Connecting | Live | Reconnecting, Kind::Lost) => (Ended, &["SendHangUp", "End(Failed)"]),
        (Accepting | Connecting | Live | Reconnecting, Kind::HangUp) => (Idle, &["SendHangUp", "End(HungUp)"]),
        (Connecting | Live | Reconnecting, Kind::CameraOff) => (state, &["SwitchOff(Video)"]),
        (Connecting | Live | Reconnecting, Kind::CameraOn) => (state, &["SwitchOn(Video)"]),
        (Connecting | Live | Reconnecting, Kind::Mute) => (state, &["SwitchOff(Audio)"]),
        (Connecting | Live | Reconnecting, Kind::Unmute) => (state, &["SwitchOn(Audio)"]),
        (Idle | Ended, Kind::EndedByServer) => return None,
        (_, Kind::EndedByServer) => (Idle, &["End(PeerHungUp)"]),
        // The first two rows took the states without a call.
        (_, Kind::Ring | Kind::StaleRing) if !matches!(state, Idle | Ended) => (state, &["SendBusy"]),
        _ => return None,
    })
}

fn call(n: u8) -> CallId {
    CallId([n; 16])
}

/// The call that a history is about; another one for `Other…` and for rings during a call.
const OWN: u8 = 1;
const OTHER: u8 = 2;

fn event(kind: Kind, in_call: bool) -> Event {
    let (own, other) = (call(OWN), call(OTHER));
    let ring = |age| {
        let call = if in_call { other } else { own };
        Event::Server(ServerEvent::Ring { call, peer: "alice".into(), video: true, age })
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
        Kind::Ring => ring(Micros::ZERO),
        Kind::StaleRing => ring(Micros(RING_LIMIT.0 + 1)),
        Kind::Accepted => Event::Server(ServerEvent::Accepted { call: own, verified: true }),
        Kind::AcceptedForged => Event::Server(ServerEvent::Accepted { call: own, verified: false }),
        Kind::Elsewhere => Event::Server(ServerEvent::Elsewhere { call: own }),
        Kind::Rejected => Event::Server(ServerEvent::Rejected { call: own }),
        Kind::EndedByServer => Event::Server(ServerEvent::Ended { call: own, reason: CallEnd::HungUp }),
        Kind::ClaimAccepted => Event::Peer(PeerEvent::ClaimAccepted),
        Kind::Update => Event::Peer(PeerEvent::Update),
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
        Idle | Live | Ended => None,
    }
}

fn effect_name(effect: &Effect) -> String {
    match effect {
        Effect::SendBusy(_) => "SendBusy".to_owned(),
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
    let in_call = machine.dialog().is_some();
    machine.handle(event(kind, in_call), *now)
}

/// Checks one step against the table.
fn check(machine: &mut Machine, kind: Kind, now: &mut SimTime) {
    let before = machine.state();
    let ignored = machine.ignored();
    let transition = give(machine, kind, now);
    match (row(before, kind), transition) {
        (Some((next, effects)), Some(transition)) => {
            assert_eq!((transition.from, transition.to), (before, next), "{kind:?}");
            assert_eq!(machine.state(), next);
            assert_eq!(transition.effects.iter().map(effect_name).collect::<Vec<_>>(), effects, "{before:?} {kind:?}");
            if next != before {
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
}

fn machine_in(state: CallStateName) -> (Machine, SimTime) {
    let (mut machine, mut now) = (Machine::new(), SimTime(1_000_000));
    let history: &[Kind] = match state {
        Idle => &[],
        Outgoing => &[Kind::Call],
        Incoming => &[Kind::Ring],
        Accepting => &[Kind::Ring, Kind::Accept],
        Connecting => &[Kind::Ring, Kind::Accept, Kind::Accepted],
        Live => &[Kind::Ring, Kind::Accept, Kind::Accepted, Kind::Connected],
        Reconnecting => &[Kind::Ring, Kind::Accept, Kind::Accepted, Kind::Connected, Kind::Broken],
        Ended => &[Kind::Ring, Kind::Accept, Kind::Accepted, Kind::Mismatch],
    };
    history.iter().for_each(|kind| check(&mut machine, *kind, &mut now));
    assert_eq!(machine.state(), state);
    (machine, now)
}

#[test]
fn every_event_in_every_state_does_what_the_table_says() {
    for state in STATES {
        for kind in KINDS {
            let (mut machine, mut now) = machine_in(state);
            check(&mut machine, kind, &mut now);
        }
    }
}

#[test]
fn no_peer_event_is_a_transition() {
    for state in STATES {
        for kind in [Kind::ClaimAccepted, Kind::Update] {
            let (mut machine, mut now) = machine_in(state);
            assert_eq!(give(&mut machine, kind, &mut now), None);
        }
    }
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
        let (mut machine, now) = machine_in(Outgoing);
        let ended = ServerEvent::Ended { call: call(OWN), reason: said };
        assert_eq!(machine.handle(Event::Server(ended), now).unwrap().effects, [Effect::End(shown)]);
    }
}

/// The table as a reference model: a state is all that it has.
#[derive(Clone, Debug)]
struct Table(CallStateName);

impl ReferenceStateMachine for Table {
    type State = Table;
    type Transition = Kind;

    fn init_state() -> BoxedStrategy<Table> {
        Just(Table(Idle)).boxed()
    }

    fn transitions(_: &Table) -> BoxedStrategy<Kind> {
        proptest::sample::select(KINDS.to_vec()).boxed()
    }

    fn apply(Table(state): Table, kind: &Kind) -> Table {
        Table(row(state, *kind).map_or(state, |(next, _)| next))
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

    fn apply(mut test: MachineTest, Table(state): &Table, kind: Kind) -> MachineTest {
        check(&mut test.machine, kind, &mut test.now);
        assert_eq!(test.machine.state(), *state);
        test
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_follows_its_table_along_any_history(sequential 1..60 => MachineTest);
}

//! What could happen next.

use crate::cast;
use client::machine::PeerEvent;
use kernel::CallId;

/// How often users and the attacker may still act. What follows from an act costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Alice calls.
    pub calls_of_alice: u8,
    /// Bob calls, from his phone.
    pub calls_of_bob: u8,
    /// Somebody accepts or declines.
    pub answers: u8,
    /// Somebody cancels or hangs up.
    pub ends: u8,
    /// Bob ends the friendship.
    pub unfriends: u8,
    /// Bob hands a live call over to his other device.
    pub handovers: u8,
    /// Alice's client, or whoever carries peer messages, forges something.
    pub attacks: u8,
    /// A timer fires while messages are on the way. When none are it always may: it is slow against any message.
    pub hasty_timers: u8,
}

impl Budget {
    /// In the order of the fields.
    pub const fn new(of: [u8; 8]) -> Budget {
        let [calls_of_alice, calls_of_bob, answers, ends, unfriends, handovers, attacks, hasty_timers] = of;
        Budget { calls_of_alice, calls_of_bob, answers, ends, unfriends, handovers, attacks, hasty_timers }
    }

    /// The numbers, in the order of the fields.
    pub fn numbers(&self) -> [u8; 8] {
        let Budget { calls_of_alice, calls_of_bob, answers, ends, unfriends, handovers, attacks, hasty_timers } = *self;
        [calls_of_alice, calls_of_bob, answers, ends, unfriends, handovers, attacks, hasty_timers]
    }
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The oldest message of a device reaches the server.
    ToServer(usize),
    /// The oldest message to a device reaches it.
    ToDevice(usize),
    /// A user calls.
    Call(usize),
    /// A user accepts.
    Accept(usize),
    /// A user declines.
    Decline(usize),
    /// A user cancels.
    Cancel(usize),
    /// A user hangs up.
    HangUp(usize),
    /// Bob hands the call that a device of his is in over to his other one.
    HandOver(usize),
    /// The path of a device is up: ICE, DTLS and keys.
    Connect(usize),
    /// The timer of a device fires.
    Timer(usize),
    /// The server's timer of the call that rings fires.
    ServerTimer,
    /// Bob ends the friendship; the store has it at once.
    Unfriend,
    /// Alice's client says that she accepts, whatever the call is.
    ForgeAccept(CallId),
    /// Something comes to bob's phone that alice's client would say over the sealed channel.
    ForgePeer(PeerEvent),
}

impl Step {
    /// For people. `carried` is the message of a delivery.
    pub(crate) fn words(self, carried: &str) -> String {
        match self {
            Step::ToServer(device) => format!("{} -> server: {carried}", cast::name(device)),
            Step::ToDevice(device) => format!("server -> {}: {carried}", cast::name(device)),
            Step::Call(device) => format!("{} calls on {}", cast::user(device), cast::name(device)),
            Step::Accept(device) => format!("{} accepts on {}", cast::user(device), cast::name(device)),
            Step::Decline(device) => format!("{} declines on {}", cast::user(device), cast::name(device)),
            Step::Cancel(device) => format!("{} cancels on {}", cast::user(device), cast::name(device)),
            Step::HangUp(device) => format!("{} hangs up on {}", cast::user(device), cast::name(device)),
            Step::HandOver(device) => format!("{} hands the call over on {}", cast::user(device), cast::name(device)),
            Step::Connect(device) => format!("the path of {} is up", cast::name(device)),
            Step::Timer(device) => format!("the timer of {} fires", cast::name(device)),
            Step::ServerTimer => "the server's ring timer fires".into(),
            Step::Unfriend => "bob ends the friendship".into(),
            Step::ForgeAccept(call) => format!("ATTACK: alice's client accepts {}", cast::call_name(call)),
            Step::ForgePeer(event) => format!("ATTACK: {event:?} on the way to bob-phone"),
        }
    }
}

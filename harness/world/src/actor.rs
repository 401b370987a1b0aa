//! What the stage drives: anything with datagrams in, datagrams out, and a next wake.

use client::{Saved, Work};
use kernel::{
    Micros, SimTime, UserName,
    event::{Act, Screen},
    packet::{Datagram, Interface},
};
use protocol::PushRequest;
use signaling::{Commit, TxId};

/// What happens to an actor.
#[derive(Clone, Debug)]
pub enum ActorInput {
    /// A datagram reached one of its sockets.
    Datagram(Datagram),
    /// The time that it asked for has come.
    Timeout,
    /// Its user did something.
    Act(Act),
    /// Its operating system says which interfaces are up from now on, the preferred first.
    Interfaces(Vec<Interface>),
    /// The turn of work has come that it queued.
    Work(Work),
    /// Its user reads a one-time code in the mailbox, with it in hand.
    Mail(String),
    /// Its operating system wakes its app: a push came.
    Push,
    /// Its store made a transaction durable.
    Committed(TxId),
    /// Signaling allows a credential at this relay.
    Grant {
        /// TURN user name.
        username: String,
        /// TURN password.
        password: String,
        /// How long it is good for.
        lifetime: Micros,
    },
    /// Signaling withdraws a credential at this relay.
    Revoke {
        /// TURN user name.
        username: String,
    },
}

/// What an actor wants done.
#[derive(Clone, Debug)]
pub enum ActorOutput {
    /// Send this.
    Transmit(Datagram),
    /// The user sees another screen.
    Screen(Screen),
    /// The device is signed in.
    SignedIn,
    /// Give this back, at this instant, when its turn comes.
    Queue(Work),
    /// The user sees a friend request.
    FriendRequest(UserName),
    /// The user sees that a friendship began.
    FriendAdded(UserName),
    /// The user sees that a new device signed in to the account.
    NewDevice(kernel::ActorName),
    /// Make this transaction durable, in order.
    Commit(Commit),
    /// Send a one-time code to the mailbox of a user.
    Mail {
        /// Whose.
        user: UserName,
        /// The code.
        code: String,
    },
    /// Allow a credential at a relay.
    GrantRelay {
        /// The relay.
        relay: kernel::ActorName,
        /// TURN user name.
        username: String,
        /// TURN password.
        password: String,
        /// How long it is good for.
        lifetime: Micros,
    },
    /// Ask the push service to wake a device.
    Push(PushRequest),
    /// Withdraw a credential at a relay.
    RevokeRelay {
        /// The relay.
        relay: kernel::ActorName,
        /// TURN user name.
        username: String,
    },
}

/// A device or server of the system under test, sans-IO.
pub trait Actor {
    /// Takes an input at an instant; outputs wait in [`Actor::poll`].
    fn handle(&mut self, input: ActorInput, now: SimTime);

    /// The next output; call until none.
    fn poll(&mut self, now: SimTime) -> Option<ActorOutput>;

    /// When it wants a [`ActorInput::Timeout`]; never in the past once its outputs are drained.
    fn next_wake(&mut self) -> Option<SimTime>;

    /// What its device keeps if it crashes now; none for what keeps nothing, or has a store.
    fn saved(&self) -> Option<Saved> {
        None
    }

    /// Everything that it holds, for the oracle's view `server`; none for devices.
    fn snapshot(&self) -> Option<(&'static str, Vec<u8>)> {
        None
    }
}

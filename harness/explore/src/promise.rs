//! What is promised, judged in each state. Where the oracle judges the same of runs, the name is the oracle's.

use crate::{
    cast::{self, ALICE, DEVICES},
    state::{Broken, State},
};
use kernel::{ActorName, CallId, event::CallStateName};
use std::fmt;

/// A promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// FG-1: the server rings for friends only.
    OnlyFriendsRing,
    /// CON-1: camera and microphone are open only after the device's own user called or accepted.
    NothingBeforeAccept,
    /// SM-1, SM-2: machines move as their table lists.
    OnlyListedTransitions,
    /// SM-4: at most one device of a user is in one call.
    OneDeviceOfAUser,
    /// SM-6: two users have at most one call with each other.
    OneCallOfTwo,
    /// FG-3, FG-4: when everything arrived, no call outlives its friendship.
    UnfriendingEndsTheCall,
    /// SM-7: when everything arrived, no device rings for a call that another one answered.
    OthersStopRinging,
    /// SM-5: when everything arrived, devices and server agree; nothing rings with no caller behind it.
    ServerAndDevicesAgree,
    /// SM-10: when every timer fired, each device is live or idle.
    EveryCallEnds,
}

impl Promise {
    /// Every promise, in the order in which a state is judged.
    pub const ALL: [Promise; 9] = [
        Promise::OnlyFriendsRing,
        Promise::NothingBeforeAccept,
        Promise::OnlyListedTransitions,
        Promise::OneDeviceOfAUser,
        Promise::OneCallOfTwo,
        Promise::UnfriendingEndsTheCall,
        Promise::OthersStopRinging,
        Promise::ServerAndDevicesAgree,
        Promise::EveryCallEnds,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Promise::OnlyFriendsRing => "only_friends_ring",
            Promise::NothingBeforeAccept => "nothing_before_accept",
            Promise::OnlyListedTransitions => "only_listed_transitions",
            Promise::OneDeviceOfAUser => "one_device_of_a_user_is_live",
            Promise::OneCallOfTwo => "one_call_of_two_at_a_time",
            Promise::UnfriendingEndsTheCall => "unfriending_ends_the_call",
            Promise::OthersStopRinging => "others_stop_ringing",
            Promise::ServerAndDevicesAgree => "server_and_devices_agree",
            Promise::EveryCallEnds => "every_call_ends",
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How often each promise was judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts(pub(crate) [u64; Promise::ALL.len()]);

impl Counts {
    fn add(&mut self, promise: Promise) {
        self.0[promise as usize] += 1;
    }
}

/// Says how a state breaks a promise, if it does.
type Judge = fn(&State) -> Option<String>;

/// The first promise that a state breaks.
pub(crate) fn judge(state: &State, counts: &mut Counts) -> Option<Broken> {
    // Events judge these two as they happen.
    counts.add(Promise::OnlyFriendsRing);
    counts.add(Promise::OnlyListedTransitions);
    let mut judges: Vec<(Promise, Judge)> = vec![
        (Promise::NothingBeforeAccept, captures_without_consent),
        (Promise::OneDeviceOfAUser, two_devices_in_one_call),
        (Promise::OneCallOfTwo, two_calls),
        (Promise::ServerAndDevicesAgree, accepted_by_its_caller),
    ];
    if state.is_quiet() {
        judges.extend([
            (Promise::UnfriendingEndsTheCall, outlives_the_friendship as Judge),
            (Promise::OthersStopRinging, rings_though_answered),
            (Promise::ServerAndDevicesAgree, disagrees),
        ]);
    }
    if state.is_at_rest() {
        judges.push((Promise::EveryCallEnds, waits_for_ever));
    }
    judges.into_iter().find_map(|(promise, judge)| {
        counts.add(promise);
        judge(state).map(|sentence| (promise, sentence))
    })
}

/// The devices whose own state is judged: an attacker's client does what it likes.
fn honest(state: &State) -> impl Iterator<Item = usize> {
    (usize::from(state.evil)..DEVICES).inspect(|device| debug_assert!(!state.evil || *device != ALICE))
}

/// The call that a device is in, with its state.
fn place(state: &State, device: usize) -> Option<(CallStateName, CallId)> {
    let machine = &state.devices[device].machine;
    machine.dialog().map(|dialog| (machine.state(), dialog.call))
}

fn is_answered(state: CallStateName) -> bool {
    use CallStateName::{Connecting, Held, Live, Reconnecting};
    matches!(state, Connecting | Live | Reconnecting | Held)
}

fn captures_without_consent(state: &State) -> Option<String> {
    let device = honest(state).find(|device| state.devices[*device].captures && !state.devices[*device].consents)?;
    Some(format!("{} captures, and its user neither called nor accepted", cast::name(device)))
}

fn two_devices_in_one_call(state: &State) -> Option<String> {
    let answered = |device: usize| place(state, device).filter(|(at, _)| is_answered(*at)).map(|(_, call)| call);
    let (one, other) = (answered(1)?, answered(2)?);
    (one == other).then(|| format!("both devices of bob are in {}", cast::call_name(one)))
}

fn two_calls(state: &State) -> Option<String> {
    let calls = state.calls();
    (calls.len() > 1).then(|| format!("the server has {} calls of the same two", calls.len()))
}

fn accepted_by_its_caller(state: &State) -> Option<String> {
    let user = |device: &ActorName| cast::number(device).map(cast::user);
    let calls = state.calls();
    let own =
        calls.iter().find(|call| call.callee_device.as_ref().is_some_and(|end| user(end) == user(&call.caller_device)));
    own.map(|call| format!("{} was accepted by its caller", cast::call_name(call.id)))
}

fn outlives_the_friendship(state: &State) -> Option<String> {
    if state.friends {
        return None;
    }
    if let Some(call) = state.calls().first() {
        return Some(format!("{} goes on at the server, and the friendship is over", cast::call_name(call.id)));
    }
    let device = honest(state).find(|device| place(state, *device).is_some_and(|(at, _)| is_answered(at)))?;
    Some(format!("{} is in a call with who is no friend any more", cast::name(device)))
}

fn rings_though_answered(state: &State) -> Option<String> {
    let calls = state.calls();
    let answered = calls.iter().find(|call| call.callee_device.is_some())?;
    // Who is asked to take an answered call over does not ring for it.
    let rings = |device: &usize| {
        let takes_over = state.devices[*device].machine.dialog().is_some_and(|dialog| dialog.takes_over);
        !takes_over && place(state, *device) == Some((CallStateName::Incoming, answered.id))
    };
    honest(state).find(rings).map(|device| format!("{} rings, and another device answered", cast::name(device)))
}

fn disagrees(state: &State) -> Option<String> {
    let calls = state.calls();
    for device in honest(state) {
        let Some((at, id)) = place(state, device) else { continue };
        let name = cast::name(device);
        let call = calls.iter().find(|call| call.id == id);
        let takes_over = state.devices[device].machine.dialog().is_some_and(|dialog| dialog.takes_over);
        let fits = call.is_some_and(|call| match at {
            CallStateName::Incoming if takes_over => call.callee_device.is_some(),
            CallStateName::Incoming => call.callee_device.is_none() && call.caller_device != name,
            CallStateName::Outgoing => call.callee_device.is_none() && call.caller_device == name,
            _ => {
                call.callee_device.is_some() && (call.caller_device == name || call.callee_device == Some(name.clone()))
            }
        });
        if !fits {
            return Some(format!("{name} is {at:?} in {}, and the server does not have it so", cast::call_name(id)));
        }
    }
    for call in &calls {
        let ends = call.callee_device.iter().flat_map(|callee| [&call.caller_device, callee]);
        for end in ends {
            let Some(device) = cast::number(end).filter(|device| honest(state).any(|honest| honest == *device)) else {
                continue;
            };
            if place(state, device).is_none_or(|(at, id)| id != call.id || !is_answered(at)) {
                return Some(format!("{} is live at the server, and {end} is not in it", cast::call_name(call.id)));
            }
        }
    }
    None
}

fn waits_for_ever(state: &State) -> Option<String> {
    let waits = |device: &usize| place(state, *device).is_some_and(|(at, _)| at != CallStateName::Live);
    let device = honest(state).find(waits)?;
    let (at, id) = place(state, device)?;
    Some(format!(
        "{} is {at:?} in {} for ever: no message is on the way and no timer runs",
        cast::name(device),
        cast::call_name(id)
    ))
}

//! Messages of a call that must arrive are said again until something shows that they did.
//!
//! QUIC repeats lost packets, but a connection can be lost with what was said over it, and so can a server's memory. Every
//! message that is repeated here is idempotent at the server, which answers it again.

use super::Client;
use crate::call::Call;
use kernel::{CallId, Micros, SimTime, event::CallStateName};
use protocol::{ClientMessage, PeerMessage};
use std::collections::VecDeque;

/// How soon what got no answer is said again.
const SOON: Micros = Micros::from_millis(1_000);
/// How soon it is while all is well and somebody rings. Also the most that the pause grows to: on a slow uplink every
/// repetition stands in the way of what it repeats.
const RARELY: Micros = Micros::from_secs(5);
/// The most that the pause grows to while a call comes here from another device: the peer hears and sees nobody meanwhile.
const WHILE_IT_MOVES: Micros = Micros::from_secs(2);
/// Calls that are over and whose end the server has not confirmed; older ones are left to its own time limits.
const MAX_FAREWELLS: usize = 4;
/// How often a farewell is said.
const MOST_FAREWELLS: u32 = 10;
/// Calls that are remembered as over, so that a ring that comes late does not ring again.
const MAX_PAST: usize = 16;

/// What is to be said again.
#[derive(Default)]
pub(super) struct Insistence {
    at: Option<SimTime>,
    /// How often it was said again in this state and over this connection.
    said: u32,
    /// The other side is known to ring.
    pub(super) rings: bool,
    farewells: VecDeque<(ClientMessage, CallId, u32)>,
    past: VecDeque<CallId>,
}

impl Insistence {
    /// When [`Client::insist`] is wanted.
    pub(super) fn next_wake(&self) -> Option<SimTime> {
        self.at
    }

    /// The machine entered a state: what it says may have to be said again.
    pub(super) fn entered(&mut self, state: CallStateName, now: SimTime) {
        use CallStateName::{Accepting, Connecting, Incoming, Outgoing};
        if state == Outgoing {
            self.rings = false;
        }
        self.said = 0;
        let waits = matches!(state, Outgoing | Incoming | Accepting | Connecting) || !self.farewells.is_empty();
        self.at = waits.then_some(now + SOON);
    }

    /// The connection is another: what was said over the old one may be lost.
    pub(super) fn resumed(&mut self) {
        self.said = 0;
    }

    /// The pause until it is said once more: one second twice, then twice as long each time.
    fn pause(&mut self) -> Micros {
        let pause = Micros(SOON.0 << self.said.saturating_sub(1).min(8)).min(RARELY);
        self.said += 1;
        pause
    }

    /// The own end of a call was told to the server.
    pub(super) fn farewell(&mut self, message: ClientMessage, call: CallId, now: SimTime) {
        if self.farewells.len() == MAX_FAREWELLS {
            self.farewells.pop_front();
        }
        self.farewells.push_back((message, call, 0));
        self.at.get_or_insert(now + SOON);
    }

    /// Ends that the server has not confirmed.
    pub(super) fn farewells(&self) -> Vec<(ClientMessage, CallId)> {
        self.farewells.iter().map(|(message, call, _)| (message.clone(), *call)).collect()
    }

    /// The server says that a call is over.
    pub(super) fn confirmed(&mut self, call: CallId) {
        self.farewells.retain(|(_, said, _)| *said != call);
    }

    /// A call is over here.
    pub(super) fn passed(&mut self, call: CallId) {
        if self.past.len() == MAX_PAST {
            self.past.pop_front();
        }
        self.past.push_back(call);
    }

    /// Whether a call was over already.
    pub(super) fn is_past(&self, call: CallId) -> bool {
        self.past.contains(&call)
    }

    /// The farewells that are due once more.
    fn due(&mut self) -> Vec<ClientMessage> {
        self.farewells.retain(|(.., said)| *said < MOST_FAREWELLS);
        self.farewells.iter_mut().for_each(|(.., said)| *said += 1);
        self.farewells.iter().map(|(message, ..)| message.clone()).collect()
    }
}

impl Client {
    /// Says again what has no answer yet. Without a connection it waits for the next sign-in.
    pub(super) fn insist(&mut self, now: SimTime) {
        let state = self.machine.state();
        self.insistence.at = None;
        if !self.account.is_signed_in() {
            return;
        }
        let mut again = self.insistence.due();
        let call = self.machine.dialog().map(|dialog| dialog.call);
        let mut wait = self.insistence.pause();
        match (state, &self.call, call) {
            (CallStateName::Outgoing, Some(own), _) => {
                again.extend(own.invite.clone());
                if self.insistence.rings {
                    wait = RARELY;
                }
            }
            (CallStateName::Incoming, Some(own), Some(call)) if own.asked_by.is_none() => {
                again.push(ClientMessage::Ringing { call });
                wait = RARELY;
            }
            (CallStateName::Accepting, Some(own), Some(call)) => {
                let answer = own.answer().map(|answer| ClientMessage::Accept { call, answer });
                again.extend(answer.or_else(|| own.invite.clone()));
                if own.asked_by.is_some() {
                    wait = wait.min(WHILE_IT_MOVES);
                }
            }
            (CallStateName::Connecting, Some(_), _) => self.repeat_candidates(now),
            _ if again.is_empty() => return,
            _ => {}
        }
        again.into_iter().for_each(|message| self.tell_server(message, now));
        self.insistence.at = Some(now + wait);
    }

    fn repeat_candidates(&mut self, now: SimTime) {
        let transport = self.call.as_ref().and_then(|call| call.transport.as_ref());
        for line in transport.map(|transport| transport.own_lines()).unwrap_or_default() {
            self.tell_peer(&PeerMessage::Candidate(line), now);
        }
    }

    /// A ring of a call that rings here already: the server has not heard so.
    pub(super) fn rung_again(&mut self, call: CallId, now: SimTime) -> bool {
        let waits = self.waiting.as_ref().is_some_and(|own| own.id == call);
        let known = waits || self.call.as_ref().is_some_and(|own: &Call| own.id == call);
        if waits || known && self.machine.state() == CallStateName::Incoming {
            self.tell_server(ClientMessage::Ringing { call }, now);
        }
        known || self.insistence.is_past(call)
    }

    /// Tells the server of the own end of a call, until it confirms it.
    pub(super) fn say_farewell(&mut self, message: ClientMessage, call: CallId, now: SimTime) {
        self.insistence.farewell(message.clone(), call, now);
        self.tell_server(message, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(n: u8) -> CallId {
        CallId([n; 16])
    }

    #[test]
    fn a_farewell_is_said_until_it_is_confirmed_or_nobody_listens() {
        let mut insistence = Insistence::default();
        let hang_up = ClientMessage::HangUp { call: call(1) };
        insistence.farewell(hang_up.clone(), call(1), SimTime(0));
        insistence.farewell(ClientMessage::HangUp { call: call(2) }, call(2), SimTime(0));
        assert_eq!(insistence.next_wake(), Some(SimTime::ZERO + SOON));
        insistence.confirmed(call(2));
        let said = std::iter::from_fn(|| insistence.due().pop()).inspect(|said| assert_eq!(*said, hang_up)).count();
        assert_eq!(said, MOST_FAREWELLS as usize);
    }

    #[test]
    fn pauses_grow_until_there_is_another_state_or_connection() {
        let mut insistence = Insistence::default();
        let seconds = |insistence: &mut Insistence| [(); 6].map(|()| insistence.pause().0 / 1_000_000);
        assert_eq!(seconds(&mut insistence), [1, 1, 2, 4, 5, 5]);
        insistence.resumed();
        assert_eq!(seconds(&mut insistence), [1, 1, 2, 4, 5, 5]);
        insistence.entered(CallStateName::Accepting, SimTime(0));
        assert_eq!(insistence.pause(), SOON);
    }

    #[test]
    fn past_calls_and_farewells_are_bounded() {
        let mut insistence = Insistence::default();
        for n in 0..100 {
            insistence.passed(call(n));
            insistence.farewell(ClientMessage::HangUp { call: call(n) }, call(n), SimTime(0));
        }
        assert!(insistence.is_past(call(99)) && !insistence.is_past(call(0)));
        assert_eq!((insistence.past.len(), insistence.farewells.len()), (MAX_PAST, MAX_FAREWELLS));
    }
}

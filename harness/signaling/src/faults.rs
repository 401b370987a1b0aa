//! Faults of messages: lost, said twice, late, out of order. Between service and channel, where packet loss cannot reach:
//! what a crash between store and send, a lost connection or a bad proxy does to a protocol.

use kernel::{
    Micros, SimTime,
    names::ActorName,
    trouble::{MessageFault, SignalingFault},
};
use protocol::{ClientMessage, ConnectionId, ServerMessage};
use std::collections::{BTreeMap, VecDeque};

/// Messages that are held back; further ones pass at once.
const MAX_HELD: usize = 1_024;
/// The longest that a message waits for the next one of its kind, behind which it is to come.
const OVERTAKING: Micros = Micros::from_millis(500);

/// A message on its way through the server.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    /// From a device.
    In(ConnectionId, ClientMessage, Vec<u8>),
    /// To a device.
    Out(ConnectionId, ActorName, ServerMessage),
}

/// The faults of a run.
#[derive(Default)]
pub(crate) struct MessageFaults {
    rules: Vec<Rule>,
    held: BTreeMap<(SimTime, u64), Held>,
    next: u64,
}

struct Rule {
    fault: SignalingFault,
    /// Messages of its kind so far.
    seen: u32,
    /// How often it struck.
    struck: u32,
    /// A message that the next one of its kind is to overtake.
    overtaken: VecDeque<(SimTime, u64)>,
}

impl MessageFaults {
    pub(crate) fn new(faults: Vec<SignalingFault>) -> MessageFaults {
        let rule = |fault| Rule { fault, seen: 0, struck: 0, overtaken: VecDeque::new() };
        MessageFaults { rules: faults.into_iter().map(rule).collect(), held: BTreeMap::new(), next: 0 }
    }

    /// A message comes by. Gives what passes now, in order; the rest is held or lost.
    pub(crate) fn pass(&mut self, kind: &str, message: Held, now: SimTime) -> Vec<Held> {
        let Some(rule) = self.rules.iter_mut().find(|rule| rule.fault.message == kind) else { return vec![message] };
        rule.seen += 1;
        let overtaken = rule.overtaken.pop_front();
        let spent = rule.fault.times.is_some_and(|times| rule.struck >= times);
        if let Some(key) = overtaken {
            return std::iter::once(message).chain(self.held.remove(&key)).collect();
        }
        if spent || rule.seen % rule.fault.every != 0 || self.held.len() >= MAX_HELD {
            return vec![message];
        }
        rule.struck += 1;
        let key = |at| (at, self.next);
        match rule.fault.does {
            MessageFault::Drop => return Vec::new(),
            MessageFault::Duplicate => return vec![message.clone(), message],
            MessageFault::Delay { by } => self.held.insert(key(now + by), message),
            MessageFault::Reorder => {
                rule.overtaken.push_back(key(now + OVERTAKING));
                self.held.insert(key(now + OVERTAKING), message)
            }
        };
        self.next += 1;
        Vec::new()
    }

    /// The next message that was held until now.
    pub(crate) fn due(&mut self, now: SimTime) -> Option<Held> {
        let entry = self.held.first_entry().filter(|entry| entry.key().0 <= now)?;
        let (key, message) = entry.remove_entry();
        self.rules.iter_mut().for_each(|rule| rule.overtaken.retain(|overtaken| *overtaken != key));
        Some(message)
    }

    pub(crate) fn next_wake(&self) -> Option<SimTime> {
        self.held.first_key_value().map(|((at, _), _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::CallId;

    fn message(n: u8) -> Held {
        Held::In(ConnectionId(0), ClientMessage::Ringing { call: CallId([n; 16]) }, Vec::new())
    }

    fn numbers(held: &[Held]) -> Vec<u8> {
        let number = |held: &Held| match held {
            Held::In(_, ClientMessage::Ringing { call }, _) => call.0[0],
            other => panic!("{other:?}"),
        };
        held.iter().map(number).collect()
    }

    fn faults(does: MessageFault, every: u32, times: Option<u32>) -> MessageFaults {
        MessageFaults::new(vec![SignalingFault { message: "ringing".into(), does, every, times }])
    }

    fn passing(faults: &mut MessageFaults, kind: &str, count: u8) -> Vec<u8> {
        (1..=count).flat_map(|n| numbers(&faults.pass(kind, message(n), SimTime(u64::from(n))))).collect()
    }

    #[test]
    fn each_third_message_of_the_kind_is_lost_twice_at_most() {
        let mut lossy = faults(MessageFault::Drop, 3, Some(2));
        assert_eq!(passing(&mut lossy, "ringing", 9), [1, 2, 4, 5, 7, 8, 9]);
        assert_eq!(passing(&mut lossy, "invite", 3), [1, 2, 3]);
    }

    #[test]
    fn a_message_is_said_twice() {
        assert_eq!(passing(&mut faults(MessageFault::Duplicate, 2, None), "ringing", 3), [1, 2, 2, 3]);
    }

    #[test]
    fn a_message_is_late() {
        let mut late = faults(MessageFault::Delay { by: Micros(100) }, 1, Some(1));
        assert_eq!(passing(&mut late, "ringing", 2), [2]);
        assert_eq!(late.next_wake(), Some(SimTime(101)));
        assert!(late.due(SimTime(100)).is_none());
        assert_eq!(numbers(&[late.due(SimTime(101)).unwrap()]), [1]);
        assert_eq!(late.next_wake(), None);
    }

    #[test]
    fn a_message_comes_behind_the_next_one_or_alone_in_the_end() {
        let mut reordered = faults(MessageFault::Reorder, 2, None);
        assert_eq!(passing(&mut reordered, "ringing", 4), [1, 3, 2]);
        let at = reordered.next_wake().unwrap();
        assert_eq!(numbers(&[reordered.due(at).unwrap()]), [4]);
    }
}

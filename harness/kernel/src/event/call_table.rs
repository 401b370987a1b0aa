//! The device table of a call between two, as the log shows it: from where, because of what, to where. The machine does not
//! read it; who judges machines does.

use super::CallStateName::{self, Accepting, Connecting, Ended, Held, Idle, Incoming, Live, Outgoing, Reconnecting};

/// A row: any of the states before, the event, the state after.
type Row = (&'static [CallStateName], &'static str, CallStateName);

/// Every row that moves a machine. What a peer says (`peer.…`) moves it to hold, and nowhere else.
const ROWS: &[Row] = &[
    (&[Idle, Ended], "user.call", Outgoing),
    (&[Idle, Ended], "srv.ring", Incoming),
    (&[Idle, Ended], "srv.hand-over", Incoming),
    (&[Idle, Ended], "waiting.ring", Incoming),
    (&[Outgoing], "srv.rejected", Idle),
    (&[Outgoing, Accepting], "srv.accepted", Connecting),
    (&[Outgoing, Accepting], "srv.accepted", Ended),
    (&[Outgoing], "srv.glare", Incoming),
    (&[Outgoing], "user.cancel", Idle),
    (&[Outgoing, Incoming], "timer.ring", Idle),
    (&[Incoming], "user.accept", Accepting),
    (&[Incoming], "user.decline", Idle),
    (&[Incoming, Accepting], "srv.elsewhere", Idle),
    (&[Connecting, Reconnecting], "path.connected", Live),
    (&[Reconnecting], "path.connected", Held),
    (&[Outgoing, Incoming, Accepting, Connecting, Live, Reconnecting, Held], "path.mismatch", Ended),
    (&[Connecting, Live, Reconnecting, Held], "path.lost", Ended),
    (&[Live, Held], "path.broken", Reconnecting),
    (&[Accepting, Connecting], "timer.connecting", Ended),
    (&[Reconnecting], "timer.reconnecting", Ended),
    (&[Live], "user.hold", Held),
    (&[Live], "peer.hold", Held),
    (&[Held], "user.resume", Live),
    (&[Live, Reconnecting, Held], "srv.taken", Idle),
    (&[Connecting, Live, Held], "srv.moved", Reconnecting),
    (&[Live, Reconnecting, Held], "user.accept-waiting", Idle),
    (&[Outgoing, Incoming, Accepting, Connecting, Live, Reconnecting, Held], "srv.ended", Idle),
    (&[Outgoing, Incoming, Accepting, Connecting, Live, Reconnecting, Held], "user.hangup", Idle),
];

/// Whether the table has the move of a machine from one state to another because of an event.
pub fn is_listed(from: CallStateName, because: &str, to: CallStateName) -> bool {
    ROWS.iter().any(|(before, event, after)| before.contains(&from) && *event == because && *after == to)
}

/// An event that moves a machine from one state to another; none when no row does.
pub fn listed_event(from: CallStateName, to: CallStateName) -> Option<&'static str> {
    ROWS.iter().find(|(before, _, after)| before.contains(&from) && *after == to).map(|(_, event, _)| *event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_peer_says_moves_a_machine_but_to_hold() {
        let peers = ROWS.iter().filter(|(_, event, _)| event.starts_with("peer."));
        assert_eq!(peers.map(|(before, _, after)| (*before, *after)).collect::<Vec<_>>(), [(&[Live][..], Held)]);
        assert!(!is_listed(Incoming, "peer.claim", Accepting) && !is_listed(Idle, "peer.answer", Live));
    }

    #[test]
    fn every_call_begins_by_a_call_or_a_ring() {
        let begin = |row: &&Row| row.0.contains(&Idle);
        assert_eq!(
            ROWS.iter().filter(begin).map(|row| row.1).collect::<Vec<_>>(),
            ["user.call", "srv.ring", "srv.hand-over", "waiting.ring"]
        );
        assert_eq!(listed_event(Outgoing, Idle), Some("srv.rejected"));
        assert_eq!(listed_event(Idle, Live), None);
    }
}

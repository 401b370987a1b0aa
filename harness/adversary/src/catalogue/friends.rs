//! Friends, blocks and groups: planted bugs V20 and on.

use super::KnownAttack;
use kernel::Mutant;

pub(super) const FRIENDS: &[KnownAttack] = &[
    KnownAttack {
        mutant: Mutant::V20,
        sentence: "Blocked users could still ring where only the client checked: here the server's friend gate is \
                   missing at the invite",
        invariant: "only_friends_ring",
        scenario: "canary/stranger-rings",
    },
    KnownAttack {
        mutant: Mutant::V21,
        sentence: "Shards that cached who is whose friend let the blocked ring until the cache ran out (class): here the \
                   gate remembers its answer for half a minute",
        invariant: "only_friends_ring",
        scenario: "canary/friends-for-half-a-minute",
    },
    KnownAttack {
        mutant: Mutant::V22,
        sentence: "Calls went on after their friendship ended where only the invite checked it: here unfriending and \
                   blocking tear no call down",
        invariant: "unfriending_ends_the_call",
        scenario: "canary/unfriending-changes-nothing",
    },
    KnownAttack {
        mutant: Mutant::V23,
        sentence: "Followers passed for friends where one-sided edges were taken for both (class): here the gate lets a caller who \
                   only follows the callee",
        invariant: "only_friends_ring",
        scenario: "canary/followers-ring",
    },
    KnownAttack {
        mutant: Mutant::V34,
        sentence: "Remote control of a microphone may mute, and must never unmute (RingRTC's RemoteMuteRequest): here a peer who \
                   takes a held call up opens the other side's tracks",
        invariant: "no_peer_starts_a_track",
        scenario: "canary/peer-resumes-for-both",
    },
];

//! Consent and the call machine: planted bugs V01 and on.

use super::KnownAttack;
use kernel::Mutant;

pub(super) const CONSENT: &[KnownAttack] = &[
    KnownAttack {
        mutant: Mutant::V02,
        sentence: "Signal for Android took the caller's \"connected\" for the callee's own answer (CVE-2019-17191): \
                   here a peer's claim that the call was accepted counts as the user's accept",
        invariant: "nothing_before_accept",
        scenario: "canary/peer-claims-accepted",
    },
    KnownAttack {
        mutant: Mutant::V03,
        sentence: "Facebook Messenger sent sound from a ringing device after an SDP update (2020): here a peer's update \
                   starts capture while it rings",
        invariant: "nothing_before_accept",
        scenario: "canary/peer-update-starts-capture",
    },
    KnownAttack {
        mutant: Mutant::V04,
        sentence: "JioChat and Mocha connected as soon as candidates arrived (2020): here the callee opens the offer, \
                   uses the candidates inside and starts ICE while it rings",
        invariant: "nothing_parsed_or_sent_before_accept",
        scenario: "canary/candidates-inside-the-offer",
    },
    KnownAttack {
        mutant: Mutant::V05,
        sentence: "Duo disabled the camera by a task of its own, which raced with the set-up, so that video of calls that nobody had \
                   answered with it leaked (Project Zero, 2021): here the camera is kept off by work that is queued",
        invariant: "nothing_before_accept",
        scenario: "canary/camera-off-is-queued",
    },
    KnownAttack {
        mutant: Mutant::V06,
        sentence: "A web link joined a Zoom meeting with the camera on (CVE-2019-13450): here a link that asks for it calls at once",
        invariant: "links_only_ask",
        scenario: "canary/link-calls-by-itself",
    },
    KnownAttack {
        mutant: Mutant::V07,
        sentence: "Mute was a mark on the screen only while apps went on sampling (PoPETs 2022, \"Are You Really \
                   Muted?\"): here what the user switches off stays open",
        invariant: "nothing_captured_while_off",
        scenario: "canary/mute-is-only-shown",
    },
    KnownAttack {
        mutant: Mutant::V09,
        sentence: "Answering on the lock screen let whoever held the phone see more than the call (class of Skype for Android's bypass): here a \
                   call on a locked device opens its thread",
        invariant: "a_locked_device_shows_the_caller_only",
        scenario: "canary/lock-screen-shows-the-thread",
    },
    KnownAttack {
        mutant: Mutant::V10,
        sentence: "A late accept brings back a call that its cancel ended on the way (the race of RFC 3261's CANCEL and 200): here \
                   the server takes an accept for a call that is over",
        invariant: "server_and_devices_agree",
        scenario: "canary/late-accept-revives",
    },
    KnownAttack {
        mutant: Mutant::V11,
        sentence: "Intercom and auto-answer features let the caller decide (class of CVE-2019-17191): here a device that rings \
                   answers by itself",
        invariant: "nothing_before_accept",
        scenario: "canary/answers-by-itself",
    },
    KnownAttack {
        mutant: Mutant::V12,
        sentence: "A re-offer turned a voice call into one with the callee's camera (mirrored sendrecv in WebRTC): here the peer's \
                   update opens the camera",
        invariant: "nothing_before_accept",
        scenario: "canary/update-opens-the-camera",
    },
    KnownAttack {
        mutant: Mutant::V13,
        sentence: "Two who call each other at once ring for ever, or get two calls (RingRTC's GlareWinner and GlareLoser): here \
                   nobody decides which call goes on",
        invariant: "one_call_of_two_at_a_time",
        scenario: "canary/glare-without-a-tie-break",
    },
    KnownAttack {
        mutant: Mutant::V14,
        sentence: "Devices of one user went on ringing, or answered too, after another had answered, until hang-up messages \
                   said why (RingRTC): here the server tells nobody that it was answered elsewhere, and takes two answers",
        invariant: "one_device_answers",
        scenario: "canary/answered-twice",
    },
    KnownAttack {
        mutant: Mutant::V15,
        sentence: "A phone rings on with no caller behind it when the cancel is lost: here the server drops a cancelled call \
                   without a word",
        invariant: "server_and_devices_agree",
        scenario: "canary/cancel-tells-nobody",
    },
    KnownAttack {
        mutant: Mutant::V16,
        sentence: "An offer rings long after it was sent when a push was late (RingRTC's MAX_MESSAGE_AGE): here nobody looks at the \
                   age of a ring",
        invariant: "no_ring_older_than_a_minute",
        scenario: "canary/rings-whatever-its-age",
    },
    KnownAttack {
        mutant: Mutant::V17,
        sentence: "A service that says busy before it asks who calls tells strangers when somebody is in a call (class): here \
                   an invite is answered with busy before the friend gate",
        invariant: "strangers_learn_nothing",
        scenario: "canary/busy-for-strangers",
    },
];

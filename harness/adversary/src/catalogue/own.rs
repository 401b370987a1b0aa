//! Those that this harness adds: planted bugs V137 and on.

use super::KnownAttack;
use kernel::Mutant;

pub(super) const OWN: &[KnownAttack] = &[
    KnownAttack {
        mutant: Mutant::V137,
        sentence: "Operators carry traffic between two of their own customers over another country, and ICE prefers the \
                   direct path unmeasured (class of V132): here the core takes 40 ms more from home to home",
        invariant: "direct_is_not_slower_than_relayed",
        scenario: "canary/direct-goes-round",
    },
    KnownAttack {
        mutant: Mutant::V138,
        sentence: "Servers that check on one replica and act on another race with themselves (TOCTOU, CWE-367): here the \
                   store takes a transaction although what it read has changed",
        invariant: "unfriending_ends_the_call",
        scenario: "canary/checked-on-a-stale-replica",
    },
    KnownAttack {
        mutant: Mutant::V150,
        sentence: "Whoever checks that a call rings, and not for whom, lets the caller answer it (server side of CVE-2019-17191): \
                   here the server takes an accept from any device",
        invariant: "server_and_devices_agree",
        scenario: "canary/caller-accepts",
    },
    KnownAttack {
        mutant: Mutant::V151,
        sentence: "A setting that only the caller's client obeys protects from nobody who changes his (class): here the gate does not \
                   ask whom the callee lets call",
        invariant: "settings_are_obeyed",
        scenario: "canary/setting-is-only-shown",
    },
    KnownAttack {
        mutant: Mutant::V152,
        sentence: "Last seen leaked past its setting wherever another route gave it (class of presence leaks): here it is told to \
                   every friend",
        invariant: "settings_are_obeyed",
        scenario: "canary/last-seen-is-told",
    },
    KnownAttack {
        mutant: Mutant::V155,
        sentence: "Messengers kept the mark of a verified contact when a device was linked to it later (class of V102): here who was verified \
                   once stays so, whatever is added",
        invariant: "changed_identities_are_shown",
        scenario: "canary/verified-for-good",
    },
    KnownAttack {
        mutant: Mutant::V156,
        sentence: "Applications take the grant of a permission for the wish to use it at once (class): here a camera that may be used again \
                   opens by itself",
        invariant: "no_peer_starts_a_track",
        scenario: "canary/permission-opens-the-camera",
    },
    KnownAttack {
        mutant: Mutant::V157,
        sentence: "Who is no friend any more writes all the same where only the app asks first (class of V20): here the \
                   server takes what anybody writes who has keys",
        invariant: "strangers_ask_before_they_write",
        scenario: "canary/strangers-write",
    },
    KnownAttack {
        mutant: Mutant::V158,
        sentence: "What was said while a device was away never came to it (class): here the server tells a device \
                   that comes back of what follows only",
        invariant: "threads_read_alike",
        scenario: "canary/away-is-forgotten",
    },
    KnownAttack {
        mutant: Mutant::V159,
        sentence: "A service that wants to search what people write gets a copy of it (class of V41): here the text \
                   goes beside the sealed bodies",
        invariant: "message_texts_are_sealed",
        scenario: "canary/server-searches-texts",
    },
    KnownAttack {
        mutant: Mutant::V160,
        sentence: "Read receipts went out although their user had switched them off (class): here the setting is \
                   only shown",
        invariant: "receipts_are_the_readers_choice",
        scenario: "canary/read-receipts-anyway",
    },
    KnownAttack {
        mutant: Mutant::V161,
        sentence: "Calls that were moved between devices went on at both (class): here the device that hands a call over says \
                   who goes on, and goes on too",
        invariant: "one_device_answers",
        scenario: "canary/handed-over-and-kept",
    },
    KnownAttack {
        mutant: Mutant::V162,
        sentence: "What a user accepted on one device was taken for consent on all (class of V11): here the device that is asked \
                   to take a call over does so at once",
        invariant: "nothing_before_accept",
        scenario: "canary/handed-over-before-it-is-accepted",
    },
    KnownAttack {
        mutant: Mutant::V163,
        sentence: "Consent to one call was taken for the next (class of V05): here camera and microphone stay on for the call \
                   that waited when the other one ends",
        invariant: "nothing_before_accept",
        scenario: "canary/waiting-call-gets-the-camera",
    },
    KnownAttack {
        mutant: Mutant::V164,
        sentence: "A session went to whichever device of the account the server named (class of SIM swap and device-linking \
                   attacks): here the peer's device does not ask for the word of the one that has the call",
        invariant: "one_device_answers",
        scenario: "canary/call-is-stolen",
    },
    KnownAttack {
        mutant: Mutant::V170,
        sentence: "Signal for Android checked the seal of the first part of an attachment only (Aumasson and Verschoor, 2016): here a \
                   device looks at neither hash nor seal of a picture",
        invariant: "pictures_arrive_as_they_left",
        scenario: "canary/altered-picture-is-shown",
    },
    KnownAttack {
        mutant: Mutant::V171,
        sentence: "LINE sealed texts and places end to end, and for years no pictures (class): here a picture goes to the \
                   server as it is",
        invariant: "message_texts_are_sealed",
        scenario: "canary/picture-goes-unsealed",
    },
    KnownAttack {
        mutant: Mutant::V172,
        sentence: "Avatars were shown to whoever had an account, and were collected (class): here the server shows them to everybody",
        invariant: "avatars_are_for_friends",
        scenario: "canary/avatar-for-everybody",
    },
];

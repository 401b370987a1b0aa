//! Accounts, phishing, privacy and what was found in the field beside it: planted bugs V100 and on.

use super::KnownAttack;
use kernel::Mutant;

pub(super) const ACCOUNTS: &[KnownAttack] = &[
    KnownAttack {
        mutant: Mutant::V100,
        sentence: "A code of six digits fell to guesses from many addresses at once, each within its own limit (Instagram, \
                   2019): here wrong passwords are not counted for the account",
        invariant: "guesses_are_throttled",
        scenario: "canary/guesses-are-not-counted",
    },
    KnownAttack {
        mutant: Mutant::V101,
        sentence: "\"View As\" gave whoever looked at a profile a token of whom the page was about (Facebook, 2018): here the \
                   server acts for the account that a request names instead of that of its session",
        invariant: "tokens_act_for_their_subject",
        scenario: "canary/named-account-acts",
    },
    KnownAttack {
        mutant: Mutant::V102,
        sentence: "A linked device needed no more than a scanned code (Signal under UNC5792, 2025): here a device that signs \
                   in counts at once, signs for itself and is announced to nobody",
        invariant: "new_devices_are_confirmed",
        scenario: "canary/device-confirms-itself",
    },
    KnownAttack {
        mutant: Mutant::V103,
        sentence: "Logging a device out changed a cache and left its live socket and its tokens (class of ASVS V7): here a \
                   device that is taken out of the list keeps its session and its calls",
        invariant: "revoked_devices_are_out",
        scenario: "canary/logged-out-device-goes-on",
    },
    KnownAttack {
        mutant: Mutant::V105,
        sentence: "3.5 billion accounts were enumerated by looking numbers up without limit (WhatsApp, 2025): here lookups have no \
                   quota",
        invariant: "lookups_are_limited",
        scenario: "canary/handles-are-enumerated",
    },
    KnownAttack {
        mutant: Mutant::V107,
        sentence: "Key packages for anybody let strangers watch and exhaust a device (Prekey Pogo, 2025): here keys are given to who is \
                   no friend",
        invariant: "only_friends_get_keys",
        scenario: "canary/keys-for-strangers",
    },
    KnownAttack {
        mutant: Mutant::V108,
        sentence: "Names with look-alike or invisible letters passed for others (UTS 39, CVE-2022-28345): here the ring \
                   screen compares names by their code points",
        invariant: "look_alikes_are_marked",
        scenario: "canary/look-alikes-pass",
    },
    KnownAttack {
        mutant: Mutant::V109,
        sentence: "Links that say one host and lead to another, by a name before an @, a look-alike letter, an \
                   address in decimal, were shown as they were typed (WHATWG URL; CVE-2020-20093): here a link is \
                   shown as it was written, and opens whatever it is",
        invariant: "links_show_their_host",
        scenario: "canary/links-as-typed",
    },
    KnownAttack {
        mutant: Mutant::V110,
        sentence: "Previews of links were fetched by who got them, and told the sender where the reader is (class \
                   of CVE-2026-23866): here the reader's device fetches what a message links to",
        invariant: "nothing_is_fetched_on_receipt",
        scenario: "canary/previews-are-fetched",
    },
    KnownAttack {
        mutant: Mutant::V111,
        sentence: "Callers choose the name that telephones show (FaceTime, SIP From): here the ring screen takes the name from the offer",
        invariant: "ring_screen_shows_the_roster",
        scenario: "canary/caller-names-itself",
    },
    KnownAttack {
        mutant: Mutant::V112,
        sentence: "Governments asked Apple and Google for what push notifications had told them (Senator Wyden's letter, December 2023): here \
                   a push says who calls, and in which call",
        invariant: "pushes_name_nobody",
        scenario: "canary/push-names-the-caller",
    },
    KnownAttack {
        mutant: Mutant::V113,
        sentence: "Ringing and cancelling in a loop bombs a phone with calls where a cancelled call does not count (class): here a \
                   cancel gives the ring back",
        invariant: "rings_are_limited",
        scenario: "canary/cancel-refunds-the-ring",
    },
    KnownAttack {
        mutant: Mutant::V115,
        sentence: "A place that was sent inside an end-to-end encrypted chat was drawn with a map tile from \
                   somebody else, in clear (Telegram): here a location is shown on a third party's map",
        invariant: "nothing_is_fetched_on_receipt",
        scenario: "canary/map-is-fetched",
    },
    KnownAttack {
        mutant: Mutant::V116,
        sentence: "Photographs told where and when they were taken to whoever got them (class): here a picture \
                   leaves as the camera filed it",
        invariant: "pictures_carry_no_metadata",
        scenario: "canary/picture-tells-its-place",
    },
    KnownAttack {
        mutant: Mutant::V117,
        sentence: "Block lists were gone after a crash where the answer did not wait for the disk (class): here the \
                   server says that it is done before the transaction is durable",
        invariant: "acknowledged_changes_survive_a_crash",
        scenario: "canary/done-before-durable",
    },
    KnownAttack {
        mutant: Mutant::V118,
        sentence: "Who puts an old copy of a store back makes revoked sessions good again (class): here a device does not \
                   compare how far the server is with how far it was",
        invariant: "server_rollback_is_noticed",
        scenario: "canary/old-copy-goes-unnoticed",
    },
    KnownAttack {
        mutant: Mutant::V120,
        sentence: "The number of a card goes out in a message like any other word (promise R14): here nobody is \
                   asked once more before it does",
        invariant: "card_numbers_are_warned_of",
        scenario: "canary/card-number-goes-out",
    },
    KnownAttack {
        mutant: Mutant::V121,
        sentence: "The rule for passwords held at sign-up and not where one was reset (class of ASVS V6): here whoever has a \
                   one-time code may set any password",
        invariant: "passwords_are_strong",
        scenario: "canary/weak-password-by-reset",
    },
    KnownAttack {
        mutant: Mutant::V122,
        sentence: "A friendship has two directions, and whoever writes them one after the other leaves one of them in a \
                   crash (class): here each row is a transaction of its own",
        invariant: "recovered_graph_is_a_prefix",
        scenario: "canary/half-a-friendship",
    },
    KnownAttack {
        mutant: Mutant::V124,
        sentence: "One transition that no table lists was enough in five messengers (Project Zero, 2021): here a peer's claim takes \
                   a call from connecting to live",
        invariant: "only_listed_transitions",
        scenario: "canary/claim-makes-it-live",
    },
    KnownAttack {
        mutant: Mutant::V125,
        sentence: "Both sides wait for ever after a lost message: here neither the server nor a device has a ring timer",
        invariant: "every_call_ends",
        scenario: "canary/nobody-gives-up",
    },
    KnownAttack {
        mutant: Mutant::V126,
        sentence: "Services told the blocked from strangers by an error, a size or a delay of their own (class of account \
                   enumeration): here the server looks once more at the store where somebody blocks",
        invariant: "refusals_are_alike",
        scenario: "canary/blocked-takes-longer",
    },
    KnownAttack {
        mutant: Mutant::V128,
        sentence: "Relay credentials that are handed out early make a free relay and let addresses be probed (class \
                   of CVE-2020-5753): here the ring message carries one",
        invariant: "relay_credentials_follow_accept",
        scenario: "canary/credential-in-the-ring",
    },
    KnownAttack {
        mutant: Mutant::V129,
        sentence: "Cameras kept sending after the hang-up where a later timer stopped them: here capture goes on for \
                   seconds",
        invariant: "media_stops_after_hangup",
        scenario: "canary/camera-runs-on-after-hangup",
    },
    KnownAttack {
        mutant: Mutant::V130,
        sentence: "Credentials are found in logs again and again (CWE-532): here the server logs session tokens and relay \
                   passwords at debug level",
        invariant: "no_credential_in_foreign_views",
        scenario: "canary/token-in-the-log",
    },
    KnownAttack {
        mutant: Mutant::V132,
        sentence: "Services relay calls that could be direct, so that the relay learns both addresses: here a relayed \
                   pair has the highest priority",
        invariant: "direct_path_used_when_open",
        scenario: "canary/relay-preferred",
    },
    KnownAttack {
        mutant: Mutant::V133,
        sentence: "Measurements hide a delay that nobody accounts for: here a link adds 7 ms without reporting it",
        invariant: "legs_sum_to_glass_to_glass",
        scenario: "canary/link-hides-delay",
    },
    KnownAttack {
        mutant: Mutant::V135,
        sentence: "A frame of one track or sender is shown as another's where the relay's mapping is believed: here the \
                   receiver maps frames by their arrival",
        invariant: "frames_come_from_their_sender",
        scenario: "canary/frames-by-arrival-order",
    },
    KnownAttack {
        mutant: Mutant::V136,
        sentence: "Cameras and calls sent in clear under an \"encrypted\" badge (connectedhomeip 42367, GetStream flutter \
                   1312): here the frame transform is missing on one track",
        invariant: "media_unreadable",
        scenario: "canary/frame-encryption-off",
    },
];

//! The catalogue of planted bugs: each is a known attack, killed by one named invariant in one scenario.

use kernel::Mutant;

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownAttack {
    /// Its id in the code: `mutant!(V20)`.
    pub mutant: Mutant,
    /// What really happened to somebody, and what is planted here.
    pub sentence: &'static str,
    /// The invariant that must fail, by name.
    pub invariant: &'static str,
    /// The scenario in which it must, by path and stem below `scenarios/`.
    pub scenario: &'static str,
}

/// Every planted bug, in the order of [`Mutant::ALL`].
pub const MUTANTS: &[KnownAttack] = &[
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
    KnownAttack {
        mutant: Mutant::V41,
        sentence: "Zoom's servers made the meeting keys and early Jitsi put them into the URL (2020): here the client \
                   hands a frame key to signaling",
        invariant: "relay_and_server_hold_no_key",
        scenario: "canary/keys-escrowed-to-signaling",
    },
    KnownAttack {
        mutant: Mutant::V42,
        sentence: "Whoever relays unsigned SDP can swap the DTLS fingerprint and sit in the middle (RFC 8827): here the \
                   signature of an envelope is not checked",
        invariant: "fingerprint_swap_ends_the_call",
        scenario: "canary/offer-signature-unchecked",
    },
    KnownAttack {
        mutant: Mutant::V48,
        sentence: "Encryptors with one key and counters of their own used nonces twice (gbp-sframe 1.9.0): here the \
                   frame counter starts again",
        invariant: "no_nonce_twice",
        scenario: "canary/frame-counter-restarts",
    },
    KnownAttack {
        mutant: Mutant::V52,
        sentence: "RingRTC's group frames have no replay window of their own and rely on the hop that the SFU ends: here \
                   the receiver keeps none",
        invariant: "replayed_frames_are_rejected",
        scenario: "canary/no-replay-window",
    },
    KnownAttack {
        mutant: Mutant::V59,
        sentence: "aes-gcm left the plaintext in the buffer when the tag was wrong (RUSTSEC-2023-0096): here a frame \
                   reaches the decoder although its tag does not verify",
        invariant: "tampering_is_rejected",
        scenario: "canary/forged-frames-reach-the-decoder",
    },
    KnownAttack {
        mutant: Mutant::V68,
        sentence: "baresip and others put user@host into CNAME, which each party and each relay that ends SRTP can read (RFC 7022): \
                   here the CNAME is user@device",
        invariant: "no_name_in_clear",
        scenario: "canary/source-has-a-name",
    },
    KnownAttack {
        mutant: Mutant::V70,
        sentence: "Ringing alone made Signal resolve names that the caller chose, which told whoever answered where the callee was \
                   (CVE-2020-5753): here host names in an offer are resolved while it rings",
        invariant: "nothing_parsed_or_sent_before_accept",
        scenario: "canary/names-resolved-while-ringing",
    },
    KnownAttack {
        mutant: Mutant::V71,
        sentence: "Telegram Desktop made calls peer to peer whatever the user wished (CVE-2018-17780): here the \
                   setting that hides addresses is ignored",
        invariant: "relay_only_hides_addresses",
        scenario: "canary/every-candidate-by-default",
    },
    KnownAttack {
        mutant: Mutant::V72,
        sentence: "Calls to Skype users that were dropped before anything showed gave away where they are (Le Blond et al., \
                   2011): here a call that its caller cancels leaves no row, so that nobody learns of it",
        invariant: "every_ring_leaves_a_row",
        scenario: "canary/ring-leaves-no-trace",
    },
    KnownAttack {
        mutant: Mutant::V73,
        sentence: "Relay-only settings leaked addresses through raddr and SDP lines (RFC 8828): here relay-only still \
                   lets the peer learn an own address",
        invariant: "relay_only_hides_addresses",
        scenario: "canary/relay-only-leaks-address",
    },
    KnownAttack {
        mutant: Mutant::V74,
        sentence: "Webex' lobby gave names, e-mail and addresses of those inside away (CVE-2020-3441): here \
                   signaling tells the caller from where the callee accepts",
        invariant: "no_address_to_others",
        scenario: "canary/accept-tells-the-address",
    },
    KnownAttack {
        mutant: Mutant::V75,
        sentence: "Slack's relay was a proxy into its own network (Enable Security, 2020): here the relay filters \
                   no peer addresses",
        invariant: "relay_refuses_special_use_peers",
        scenario: "canary/relay-without-peer-filter",
    },
    KnownAttack {
        mutant: Mutant::V76,
        sentence: "coturn's filter of loopback addresses was passed with 0.0.0.0 and [::1] (CVE-2020-26262): here \
                   only 127.0.0.0/8 is filtered",
        invariant: "relay_refuses_special_use_peers",
        scenario: "canary/relay-filters-loopback-only",
    },
    KnownAttack {
        mutant: Mutant::V77,
        sentence: "A relay without quotas is a free proxy and runs out of ports (OWASP ASVS 5.0, V17.1): here a \
                   user may have any number of allocations",
        invariant: "quotas_hold",
        scenario: "canary/allocations-without-limit",
    },
    KnownAttack {
        mutant: Mutant::V78,
        sentence: "A ClientHello from another address ended calls at Asterisk and FreeSWITCH (CVE-2023-49786, \
                   CVE-2023-51443): here DTLS counts from a source that passed no check of ICE",
        invariant: "off_path_attackers_cannot_disturb",
        scenario: "canary/hello-from-anywhere",
    },
    KnownAttack {
        mutant: Mutant::V79,
        sentence: "Media relays that latch on to whoever speaks last let strangers listen (RTP bleed, CVE-2017-14099): here the relay \
                   sends a client's next packet to whoever spoke last on its port",
        invariant: "relay_sends_to_who_authenticated",
        scenario: "canary/relay-latches",
    },
    KnownAttack {
        mutant: Mutant::V81,
        sentence: "Senders without consent freshness flood an address whose owner is gone (RFC 7675): here the \
                   client goes on sending whoever answers",
        invariant: "unanswered_addresses_are_spared",
        scenario: "canary/consent-never-lapses",
    },
    KnownAttack {
        mutant: Mutant::V82,
        sentence: "ICE makes a device scan ports and amplify floods (RFC 8445, section 19.5.1): here the client \
                   takes any number of candidates, checks each as it comes and keeps no limit of pairs",
        invariant: "unanswered_addresses_are_spared",
        scenario: "canary/candidates-without-limit",
    },
    KnownAttack {
        mutant: Mutant::V83,
        sentence: "ICE agents that took unsigned binding requests let anybody redirect media (RFC 8445): here \
                   an agent answers any request and, as with ICE lite, obeys it: whoever asks to be used gets the media",
        invariant: "off_path_attackers_cannot_disturb",
        scenario: "canary/unsigned-bindings-count",
    },
    KnownAttack {
        mutant: Mutant::V84,
        sentence: "WhatsApp parsed what a caller sent before anybody answered, and overflowed (CVE-2019-3568): here the description is parsed \
                   while it rings",
        invariant: "nothing_parsed_or_sent_before_accept",
        scenario: "canary/offer-parsed-while-ringing",
    },
    KnownAttack {
        mutant: Mutant::V88,
        sentence: "FreeSWITCH ended calls at invalid SRTP packets (CVE-2021-41105): here the first packet that \
                   SRTP does not verify ends the call",
        invariant: "off_path_attackers_cannot_disturb",
        scenario: "canary/garbage-ends-the-call",
    },
    KnownAttack {
        mutant: Mutant::V92,
        sentence: "Floods of key frame requests cost an encoder and its uplink dearly (OWASP ASVS 5.0, V17.2.5): \
                   here every request is fulfilled",
        invariant: "quotas_hold",
        scenario: "canary/key-frames-on-demand",
    },
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
];

/// What the catalogue says about a mutant.
pub fn known_attack(mutant: Mutant) -> &'static KnownAttack {
    &MUTANTS[mutant as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, path::Path};

    #[test]
    fn every_mutant_of_the_code_has_one_entry_in_the_same_order() {
        let listed: Vec<Mutant> = MUTANTS.iter().map(|attack| attack.mutant).collect();
        assert_eq!(listed, Mutant::ALL);
        assert!(Mutant::ALL.iter().all(|mutant| known_attack(*mutant).mutant == *mutant));
    }

    #[test]
    fn every_mutant_has_a_scenario_of_its_own() {
        let scenarios: BTreeSet<&str> = MUTANTS.iter().map(|attack| attack.scenario).collect();
        assert_eq!(scenarios.len(), MUTANTS.len());
    }

    #[test]
    fn the_scenario_plants_the_mutant_and_expects_its_invariant_to_fail() {
        let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
        for attack in MUTANTS {
            let path = scenarios.join(attack.scenario).with_extension("toml");
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(text.contains(&format!("mutant = \"{}\"", attack.mutant)), "{}", attack.scenario);
            assert!(text.contains(&format!("fails = \"{}\"", attack.invariant)), "{}", attack.scenario);
        }
    }

    #[test]
    fn every_sentence_says_what_happened_and_what_is_planted() {
        for attack in MUTANTS {
            let planted = attack.sentence.split_once(": here ").map(|(_, planted)| planted.trim());
            assert!(planted.is_some_and(|planted| !planted.is_empty()), "{}", attack.mutant);
            assert!(!attack.sentence.contains("  "), "{}", attack.mutant);
        }
    }
}

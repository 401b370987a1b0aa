//! Network, relays and ICE: planted bugs V70 and on.

use super::KnownAttack;
use kernel::Mutant;

pub(super) const NETWORK: &[KnownAttack] = &[
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
];

//! Confidentiality and keys: planted bugs V40 and on.

use super::KnownAttack;
use kernel::Mutant;

pub(super) const SECRECY: &[KnownAttack] = &[
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
];

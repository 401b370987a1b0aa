use super::*;
use crate::agreement::{CallShare, Transcript};
use aes_gcm::{
    Aes128Gcm, KeyInit,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use kernel::{Mutant, mutant::plant, names::from_hex, random::SeedTree};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// The keys of both sides of a call.
fn call(seed: u64) -> (FrameKeys, FrameKeys) {
    let tree = SeedTree::root(seed);
    let (caller, callee) =
        (CallShare::generate(&mut tree.stream("caller")), CallShare::generate(&mut tree.stream("callee")));
    let (of_caller, of_callee) = (caller.public(), callee.public());
    let transcript = Transcript::new(b"offer", b"answer");
    (
        FrameKeys::derive(&caller.agree(&of_callee, &transcript).unwrap(), Role::Caller),
        FrameKeys::derive(&callee.agree(&of_caller, &transcript).unwrap(), Role::Callee),
    )
}

fn vp8(frame: &[u8]) -> usize {
    clear_bytes(Track::Video, VideoCodec::Vp8, frame)
}

fn seal_vp8(keys: &mut FrameKeys, frame: &[u8]) -> SealedFrame {
    keys.seal(Track::Video, vp8(frame), frame).unwrap()
}

fn key_frame() -> Vec<u8> {
    [&[0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01][..], b"pixels"].concat()
}

fn inter_frame() -> Vec<u8> {
    [&[0x31][..], b"pixels"].concat()
}

fn hex<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    from_hex(text, &mut bytes).unwrap();
    bytes
}

#[test]
fn the_vector_of_rfc_9605_holds() {
    // RFC 9605 appendix C.3, AES_128_GCM_SHA256_128.
    let key = EncryptionKey::derive_from(SUITE, 0x123_u64, hex::<16>("000102030405060708090a0b0c0d0e0f")).unwrap();
    let sealed = seal_at(&key, 0x4567, b"IETF SFrame WG", b"draft-ietf-sframe-enc");
    let expected = "9901234567b7412c2513a1b66dbb48841bbaf17f598751176ad847681a69c6d0b091c07018ce4adb34eb";
    assert_eq!(to_hex(&sealed), expected);
}

#[test]
fn clear_bytes_follow_the_codec() {
    assert_eq!(vp8(&key_frame()), 10);
    assert_eq!(vp8(&key_frame()[..9]), 0, "too short");
    assert_eq!(vp8(&[0x10; 20]), 0, "no start code");
    assert_eq!(vp8(&inter_frame()), 1);
    assert_eq!(vp8(&[]), 0);
    assert_eq!(clear_bytes(Track::Audio, VideoCodec::Vp8, &key_frame()), 0);
}

#[test]
fn frames_pass_both_ways_and_only_the_codec_header_is_readable() {
    let (mut caller, mut callee) = call(1);
    for frame in [key_frame(), inter_frame()] {
        let sealed = seal_vp8(&mut caller, &frame);
        let clear = vp8(&frame);
        assert_eq!(sealed.bytes[..clear], frame[..clear]);
        assert!(!sealed.bytes.windows(6).any(|part| part == b"pixels"));
        let opened = callee.open(Track::Video, vp8, &sealed.bytes).unwrap();
        assert_eq!(opened, OpenedFrame { counter: sealed.counter, bytes: frame.clone() });
        let sealed = seal_vp8(&mut callee, &frame);
        assert_eq!(caller.open(Track::Video, vp8, &sealed.bytes).unwrap().bytes, frame);
    }
}

#[test]
fn counters_count_a_track_and_the_overhead_is_17_to_19_bytes() {
    let (mut caller, _) = call(1);
    for counter in 0..1_000 {
        let sealed = caller.seal(Track::Audio, 0, b"").unwrap();
        assert_eq!((sealed.counter, sealed.kid), (counter, 0));
        assert!((17..=19).contains(&sealed.bytes.len()));
    }
    assert_eq!(caller.seal(Track::Video, 0, b"").unwrap().counter, 0);
    let lane = caller.lane_mut(Track::Audio).unwrap();
    lane.next_counter = 65_535;
    assert_eq!(caller.seal(Track::Audio, 0, b"").unwrap().bytes.len(), 19);
}

#[test]
fn every_changed_bit_of_a_frame_is_noticed() {
    let (mut caller, mut callee) = call(1);
    for _ in 0..9 {
        caller.seal(Track::Video, 0, b"").unwrap();
    }
    for frame in [key_frame(), inter_frame()] {
        let sealed = seal_vp8(&mut caller, &frame);
        for bit in 0..8 * sealed.bytes.len() {
            let mut changed = sealed.bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let refused = callee.open(Track::Video, vp8, &changed).unwrap_err();
            assert!(matches!(refused, OpenError::Forged { .. } | OpenError::UnknownKey { .. }), "bit {bit}: {refused}");
        }
        for len in 0..sealed.bytes.len() {
            assert!(callee.open(Track::Video, vp8, &sealed.bytes[..len]).is_err());
        }
        // None of them moved the replay window.
        assert_eq!(callee.open(Track::Video, vp8, &sealed.bytes).unwrap().bytes, frame);
    }
}

#[test]
fn the_number_of_clear_bytes_is_bound() {
    let (mut caller, mut callee) = call(1);
    let sealed = caller.seal(Track::Video, 1, &inter_frame()).unwrap();
    let moved = [&sealed.bytes[..1], &sealed.bytes[..]].concat();
    assert!(callee.open(Track::Video, |_| 2, &moved).is_err());
    assert!(callee.open(Track::Video, |_| 1, &sealed.bytes).is_ok());
}

#[test]
fn a_frame_opens_only_with_the_peers_key_of_its_track_and_call() {
    let (mut caller, mut callee) = call(1);
    let sealed = caller.seal(Track::Audio, 0, b"sound").unwrap();
    let counter = Some(sealed.counter);
    let unknown = Err(OpenError::UnknownKey { counter });
    assert_eq!(callee.open(Track::Video, |_| 0, &sealed.bytes), unknown, "another track");
    assert_eq!(caller.open(Track::Audio, |_| 0, &sealed.bytes), unknown, "reflected");
    let forged = Err(OpenError::Forged { counter });
    assert_eq!(call(2).1.open(Track::Audio, |_| 0, &sealed.bytes), forged, "another call");
    assert!(callee.open(Track::Audio, |_| 0, &sealed.bytes).is_ok());
}

#[test]
fn a_frame_opens_once() {
    let (mut caller, mut callee) = call(1);
    let frames: Vec<SealedFrame> = (0..200).map(|n| caller.seal(Track::Audio, 0, &[n]).unwrap()).collect();
    let mut open = |n: usize| callee.open(Track::Audio, |_| 0, &frames[n].bytes).map(|opened| opened.bytes);
    assert_eq!(open(3), Ok(vec![3]));
    assert_eq!(open(1), Ok(vec![1]), "out of order");
    assert_eq!(open(3), Err(OpenError::Replayed { counter: 3 }));
    assert_eq!(open(199), Ok(vec![199]));
    assert_eq!(open(71), Err(OpenError::Replayed { counter: 71 }), "128 behind");
    assert_eq!(open(72), Ok(vec![72]), "127 behind");
}

#[test]
fn an_encoder_restart_reuses_no_nonce() {
    let (mut caller, _) = call(1);
    caller.seal(Track::Video, 0, b"one").unwrap();
    caller.encoder_restarted(Track::Video);
    assert_eq!(caller.seal(Track::Video, 0, b"two").unwrap().counter, 1);
}

#[test]
fn planted_bugs_show() {
    let (mut caller, mut callee) = call(1);
    let sealed = seal_vp8(&mut caller, &inter_frame());
    callee.open(Track::Video, vp8, &sealed.bytes).unwrap();
    plant(&[Mutant::V52]);
    assert!(callee.open(Track::Video, vp8, &sealed.bytes).is_ok(), "V52 opens a frame twice");
    plant(&[Mutant::V59]);
    let mut changed = sealed.bytes.clone();
    changed[4] ^= 1;
    let opened = callee.open(Track::Video, vp8, &changed).unwrap().bytes;
    let mut expected = inter_frame();
    expected[3] ^= 1;
    assert_eq!(opened, expected, "V59 gives the plaintext although the tag is wrong");
    plant(&[Mutant::V48]);
    caller.encoder_restarted(Track::Video);
    assert_eq!(seal_vp8(&mut caller, &inter_frame()).counter, sealed.counter, "V48 uses a nonce twice");
    plant(&[]);
}

#[test]
fn erased_keys_neither_seal_nor_open() {
    let (mut caller, mut callee) = call(1);
    let sealed = caller.seal(Track::Audio, 0, b"sound").unwrap();
    assert_eq!((callee.fingerprints().len(), callee.secrets().len()), (4, 4));
    callee.erase();
    assert_eq!(callee.seal(Track::Audio, 0, b"sound"), Err(SealError::Erased));
    assert!(callee.open(Track::Audio, |_| 0, &sealed.bytes).is_err());
    assert!(callee.fingerprints().is_empty() && callee.secrets().is_empty());
}

#[test]
fn all_keys_differ_and_both_sides_name_them_alike() {
    let (caller, callee) = call(1);
    let all: BTreeSet<String> = caller.fingerprints().into_iter().collect();
    assert_eq!(all.len(), 4);
    assert_eq!(all, callee.fingerprints().into_iter().collect());
    assert!(all.iter().all(|fingerprint| fingerprint.len() == 16));
    for track in TRACKS {
        assert_eq!(caller.sealing_fingerprint(track), callee.opening_fingerprint(track));
        assert_eq!(callee.sealing_fingerprint(track), caller.opening_fingerprint(track));
    }
    let kids: BTreeSet<u64> = caller.secrets().iter().map(|secret| secret.kid).collect();
    assert_eq!(kids, BTreeSet::from([0, 1, 2, 3]));
}

#[test]
fn what_cannot_be_sealed_uses_no_counter() {
    let (mut caller, _) = call(1);
    assert_eq!(caller.seal(Track::Video, 3, b"ab"), Err(SealError::TooLong));
    assert_eq!(caller.seal(Track::Video, 256, &[0; 300]), Err(SealError::TooLong));
    assert_eq!(caller.seal(Track::Video, 0, &vec![0; MAX_FRAME_BYTES + 1]), Err(SealError::TooLong));
    assert_eq!(caller.seal(Track::Video, 0, b"").unwrap().counter, 0);
    caller.lane_mut(Track::Video).unwrap().next_counter = u64::MAX;
    assert_eq!(caller.seal(Track::Video, 0, b""), Err(SealError::Exhausted));
}

/// Opens a frame as the module's documentation tells an outsider to, without the SFrame crate.
fn open_by_the_book(secret: &FrameSecret, clear: usize, bytes: &[u8]) -> Vec<u8> {
    let (clear, sealed) = bytes.split_at(clear);
    let config = sealed[0];
    assert_eq!(config >> 7, 0, "key ids are below 8");
    assert_eq!(u64::from(config >> 4), secret.kid);
    let extra = if config & 8 == 0 { 0 } else { usize::from(config & 7) + 1 };
    let (header, ciphertext) = sealed.split_at(1 + extra);
    let counter = if extra == 0 {
        u64::from(config & 7)
    } else {
        header[1..].iter().fold(0, |counter, byte| counter << 8 | u64::from(*byte))
    };
    let expand = |label: &[u8], material: &mut [u8]| {
        let info = [label, &secret.kid.to_be_bytes(), &[0, 4]].concat();
        Hkdf::<Sha256>::new(Some(b""), &hex::<16>(&secret.value)).expand(&info, material).unwrap();
    };
    let (mut key, mut nonce) = ([0; 16], [0; 12]);
    expand(b"SFrame 1.0 Secret key ", &mut key);
    expand(b"SFrame 1.0 Secret salt ", &mut nonce);
    nonce[4..].iter_mut().zip(counter.to_be_bytes()).for_each(|(byte, counter)| *byte ^= counter);
    let aad = [header, &[clear.len() as u8], clear].concat();
    let plaintext = Aes128Gcm::new(&key.into()).decrypt(&nonce.into(), Payload { msg: ciphertext, aad: &aad }).unwrap();
    [clear, &plaintext].concat()
}

#[test]
fn an_outsider_with_the_published_secret_opens_frames() {
    let (mut caller, _) = call(1);
    let secrets = caller.secrets();
    let secret = |track| secrets.iter().find(|secret| secret.track == track && secret.role == Role::Caller).unwrap();
    for _ in 0..300 {
        let frame = key_frame();
        let sealed = seal_vp8(&mut caller, &frame);
        assert_eq!(open_by_the_book(secret(Track::Video), 10, &sealed.bytes), frame);
        let sealed = caller.seal(Track::Audio, 0, b"sound").unwrap();
        assert_eq!(open_by_the_book(secret(Track::Audio), 0, &sealed.bytes), b"sound");
    }
}

proptest! {
    #[test]
    fn any_frame_comes_back_unchanged(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..30),
        is_key in any::<u64>(),
    ) {
        let (mut caller, mut callee) = call(1);
        for (n, mut frame) in frames.into_iter().enumerate() {
            if is_key >> n & 1 == 1 && frame.len() >= 10 {
                frame[..10].copy_from_slice(&key_frame()[..10]);
            }
            let sealed = seal_vp8(&mut caller, &frame);
            prop_assert_eq!(callee.open(Track::Video, vp8, &sealed.bytes).unwrap().bytes, frame);
        }
    }

    #[test]
    fn hostile_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let (_, mut callee) = call(1);
        prop_assert!(callee.open(Track::Video, vp8, &bytes).is_err());
        prop_assert!(callee.open(Track::Audio, |_| 0, &bytes).is_err());
        prop_assert!(callee.open(Track::Audio, |_| usize::MAX, &bytes).is_err());
    }
}

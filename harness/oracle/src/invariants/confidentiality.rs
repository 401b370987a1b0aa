//! CNF: nobody but the two devices can read the media or holds what opens it; credentials stay with their owners.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Run, Seen},
    views::Exhibit,
};
use kernel::{
    ActorName,
    event::{Secret, SecretKind},
};

/// CNF-1. A check is a frame whose windows were searched for; a violation is a frame that was found, whatever the number
/// of views.
pub(crate) fn media_unreadable(evidence: &Evidence) -> Checks {
    let (run, search) = (evidence.run, evidence.search);
    let mut checks = Checks::default();
    let mut found: Vec<usize> = search.frames.iter().map(|exposure| exposure.what).collect();
    found.sort_unstable();
    found.dedup();
    checks.held(search.frames_searched - found.len() as u64);
    for frame in found {
        let places = search.frames.iter().filter(|exposure| exposure.what == frame);
        let Some(first) = places.min_by_key(|exposure| exposure.exhibit.record()) else { continue };
        let exhibit = first.exhibit;
        checks.fail(exhibit.at(), exhibit.record(), || {
            let sent = &run.frames.sent[frame];
            let (device, track, number) = (run.cast.name(sent.device), sent.track, sent.number);
            format!("{track} frame {number} of {device} can be read in view {}, {}", exhibit.view(), exhibit.place())
        });
    }
    checks
}

/// CNF-2. The registered keys are searched for in every spelling; then every window of what servers saw was tried as a
/// base key (see [`crate::trial`]), so that a key is found that nobody registered.
pub(crate) fn relay_and_server_hold_no_key(evidence: &Evidence) -> Checks {
    let (run, search) = (evidence.run, evidence.search);
    let mut checks = Checks::default();
    let exposed = search.keys.len() as u64;
    checks.held(search.keys_searched.saturating_sub(exposed));
    for exposure in &search.keys {
        let exhibit = exposure.exhibit;
        checks.fail(exhibit.at(), exhibit.record(), || {
            let holders = holders(&exposure.what);
            format!("a {} of {holders} lies in view {}, {}", kind(exposure.what.kind), exhibit.view(), exhibit.place())
        });
    }
    checks.held(evidence.trial.windows);
    for (exhibit, sender) in &evidence.trial.opened {
        checks.fail(exhibit.at(), exhibit.record(), || {
            let device = run.cast.name(*sender);
            format!("a frame of {device} opens with bytes {}, view {}", exhibit.place(), exhibit.view())
        });
    }
    checks
}

/// CNF-7.
pub(crate) fn no_credential_in_foreign_views(evidence: &Evidence) -> Checks {
    let (run, search) = (evidence.run, evidence.search);
    let mut checks = Checks::default();
    checks.held(search.credentials_searched);
    for exposure in search.credentials.iter().filter(|exposure| !may_hold(run, &exposure.what, &exposure.exhibit)) {
        let exhibit = exposure.exhibit;
        checks.fail(exhibit.at(), exhibit.record(), || {
            let holders = holders(&exposure.what);
            format!(
                "the {} of {holders} lies in view {}, {}",
                kind(exposure.what.kind),
                exhibit.view(),
                exhibit.place()
            )
        });
    }
    checks
}

/// CNF-1 of what is written: a text, or a picture with it, is nowhere but on the devices of the two users, at no server and on
/// no wire.
pub(crate) fn message_texts_are_sealed(evidence: &Evidence) -> Checks {
    let search = evidence.search;
    let mut checks = Checks::default();
    checks.held(search.texts_searched);
    for exposure in &search.texts {
        let exhibit = exposure.exhibit;
        checks.fail(exhibit.at(), exhibit.record(), || {
            let writer = exposure.what.holders.first().map(ActorName::as_str).unwrap_or_default();
            format!("what {writer} wrote can be read in view {}, {}", exhibit.view(), exhibit.place())
        });
    }
    checks.held(search.pictures_searched);
    for exposure in &search.pictures {
        let (exhibit, sender) = (exposure.exhibit, &exposure.what.device);
        checks.fail(exhibit.at(), exhibit.record(), || {
            format!("a picture that {sender} sent can be seen in view {}, {}", exhibit.view(), exhibit.place())
        });
    }
    checks
}

/// Whether a credential belongs where it was found: in a message between its owner and signaling, which is inside TLS;
/// a relay password also in what its issuer and its relay hold. Passwords and tokens are stored as hashes only.
fn may_hold(run: &Run, secret: &Seen<Secret>, exhibit: &Exhibit) -> bool {
    match exhibit {
        Exhibit::Signal(signal) => {
            let knows = |end: &ActorName| is_held_by(run, secret, end) || *end == run.plan.signaling.name;
            // Who presents a token that counts no more has no name there.
            knows(&signal.to) && (knows(&signal.from) || signal.from == "unknown")
        }
        Exhibit::Snapshot(snapshot) => {
            secret.kind == SecretKind::RelayPassword && secret.holders.contains(&snapshot.node)
        }
        Exhibit::Packet(_) | Exhibit::Sealed(_) | Exhibit::Reassembled(_) | Exhibit::Push(_) | Exhibit::LogLine(_) => {
            false
        }
    }
}

/// Whether anybody said that the secret is an actor's too: each device of a user says so of the password.
fn is_held_by(run: &Run, secret: &Secret, actor: &ActorName) -> bool {
    let same = |other: &&Seen<Secret>| other.kind == secret.kind && other.value == secret.value;
    run.events.secrets.iter().filter(same).any(|other| other.holders.contains(actor))
}

fn holders(secret: &Secret) -> String {
    let names: Vec<&str> = secret.holders.iter().map(ActorName::as_str).collect();
    names.join(" and ")
}

fn kind(kind: SecretKind) -> &'static str {
    match kind {
        SecretKind::FrameKey => "frame key",
        SecretKind::PrivateKey => "private key",
        SecretKind::Password => "password",
        SecretKind::OneTimeCode => "one-time code",
        SecretKind::SessionToken => "session token",
        SecretKind::RelayPassword => "relay password",
        SecretKind::MessageText => "text of a message",
        SecretKind::PictureKey => "key of a picture",
    }
}

#[cfg(test)]
mod tests {
    use crate::story::{Story, address_of, noise};
    use kernel::{
        event::{self, Event, SecretKind, WireProtocol},
        names::from_hex,
    };

    const MEDIA: &str = "media_unreadable";
    const KEYS: &str = "relay_and_server_hold_no_key";
    const TEXTS: &str = "message_texts_are_sealed";
    const CREDENTIALS: &str = "no_credential_in_foreign_views";
    const TOKEN: &str = "5f1d9a3c77e0b2468ace13579bdf02468ace13579bdf5f1d9a3c77e0b2468ac0";

    fn call() -> Story {
        let mut story = Story::new();
        story.live().secret(SecretKind::FrameKey, &["alice-phone", "bob-phone"], &Story::frame_key());
        for number in 0..5 {
            story.frame("alice-phone", number);
        }
        story
    }

    #[test]
    fn sealed_frames_are_unreadable() {
        assert_eq!(call().holds(MEDIA), 5);
        assert_eq!(call().judge().metrics.iter().find(|metric| metric.name == "frames_searched").unwrap().value, 5);
    }

    #[test]
    fn a_frame_that_was_not_sealed_is_found_at_the_hop() {
        let mut story = call();
        let plain = noise("alice-phone 5", 120);
        let in_clear = story.store(&[plain, vec![0; 8]].concat());
        story.changed_frame("alice-phone", 5, |way| {
            for (_, event) in way {
                match event {
                    Event::Sealed(sealed) => sealed.bytes = in_clear,
                    Event::Reassembled(reassembled) => reassembled.bytes = in_clear,
                    _ => {}
                }
            }
        });
        let judgement = story.judge();
        let found = |name: &str| judgement.metrics.iter().find(|metric| metric.name == name).unwrap().value;
        assert_eq!((found("frames_found_at_hop"), found("frames_found_on_wire")), (1, 0));
        let report = judgement.invariants.iter().find(|report| report.name == MEDIA).unwrap();
        assert_eq!((report.checks, report.violations), (6, 1));
        let sentence = &report.first_violation.as_ref().unwrap().message;
        assert_eq!(sentence, "video frame 5 of alice-phone can be read in view hop, in what alice-phone hands to RTP");
    }

    #[test]
    fn a_frame_is_found_wherever_it_is_written() {
        let plain = noise("alice-phone 3", 120);
        let mut story = call();
        let path = (address_of("alice-phone"), address_of("bob-phone"));
        story.packet(("alice-phone", "bob-phone"), path, WireProtocol::Rtp, &[&[1; 13], &plain[..]].concat());
        assert!(story.fails_only(MEDIA).contains("in view wire"));
        let mut story = call();
        story.signal("alice-phone", "signaling", "to_peer", &[&[1; 3], &plain[..], &[2; 9]].concat());
        assert!(story.fails_only(MEDIA).contains("in view server"));
    }

    #[test]
    fn clear_bytes_and_short_frames_are_not_searched_for() {
        let mut story = call();
        story.signal("alice-phone", "signaling", "to_peer", &noise("alice-phone 0", 120)[..10]);
        let short = story.store(&noise("short", 23));
        let (device, track, capture, encode) =
            ("alice-phone".into(), kernel::Track::Audio, kernel::Micros(1), kernel::Micros(1));
        let encoded = event::Encoded { device, track, frame: 0, key: false, bytes: short, capture, encode };
        story.tell(Event::Encoded(encoded)).signal("alice-phone", "signaling", "to_peer", &noise("short", 23));
        assert_eq!(story.holds(MEDIA), 5);
    }

    #[test]
    fn the_reference_call_leaks_no_key() {
        let mut story = call();
        story.signal("alice-phone", "signaling", "to_peer", &noise("sealed", 64));
        // One key, and the windows of 16 and 32 bytes.
        assert_eq!(story.holds(KEYS), 1 + 49 + 33);
    }

    #[test]
    fn a_key_is_found_in_every_spelling() {
        let upper = Story::frame_key().to_uppercase();
        for spelling in [Story::frame_key(), upper, "jBGiU9Rl5gcYmarLPO1O/w==".into(), "jBGiU9Rl5gcYmarLPO1O_w".into()]
        {
            let mut story = call();
            story.signal("alice-phone", "signaling", "fetch_keys", format!("user {spelling}").as_bytes());
            let sentence = story.fails_only(KEYS);
            assert_eq!(
                sentence,
                "a frame key of alice-phone and bob-phone lies in view server, in the message fetch_keys from alice-phone \
                 to signaling"
            );
        }
    }

    #[test]
    fn a_key_that_nobody_registered_opens_a_frame() {
        let mut key = [0; 16];
        from_hex(&Story::frame_key(), &mut key).unwrap();
        for spelling in [key.to_vec(), Story::frame_key().into_bytes()] {
            let mut story = Story::new();
            story.live().frame("alice-phone", 0).frame("alice-phone", 1);
            let bytes = story.store(&[b"held: ", &spelling[..], b" for later"].concat());
            let (node, what) = ("relay".into(), "relay".into());
            story.tell(Event::Snapshot(event::Snapshot { node, what, bytes }));
            let sentence = story.fails_only(KEYS);
            assert_eq!(sentence, "a frame of alice-phone opens with bytes in the relay of relay, view server");
        }
    }

    #[test]
    fn a_token_stays_between_its_device_and_the_server() {
        let mut story = call();
        story.secret(SecretKind::SessionToken, &["alice-phone", "signaling"], TOKEN);
        story.signal("signaling", "alice-phone", "signed_in", TOKEN.as_bytes());
        story.signal("alice-phone", "signaling", "attach", TOKEN.as_bytes());
        assert_eq!(story.holds(CREDENTIALS), 1);
    }

    #[test]
    fn who_has_no_name_may_present_a_token_and_is_told_none() {
        let token = |from: &str, to: &str| {
            let mut story = call();
            story.secret(SecretKind::SessionToken, &["bob-phone", "signaling"], "0123456789abcdef");
            story.signal(from, to, "attach", b"0123456789abcdef");
            story
        };
        assert_eq!(token("unknown", "signaling").holds(CREDENTIALS), 1);
        token("signaling", "unknown").fails_only(CREDENTIALS);
    }

    #[test]
    fn a_password_is_known_to_each_device_of_its_user() {
        let sign_in = |holder: &str| {
            let mut story = call();
            story.secret(SecretKind::Password, &["bob-phone", "signaling"], "correct horse");
            story.secret(SecretKind::Password, &[holder, "signaling"], "correct horse");
            story.signal("bob-laptop", "signaling", "sign_in", b"correct horse");
            story
        };
        assert_eq!(sign_in("bob-laptop").holds(CREDENTIALS), 2);
        sign_in("bob-tablet").fails_only(CREDENTIALS);
    }

    #[test]
    fn a_token_goes_to_another_device() {
        let mut story = call();
        story.secret(SecretKind::SessionToken, &["alice-phone", "signaling"], TOKEN);
        story.signal("signaling", "bob-phone", "signed_in", TOKEN.as_bytes());
        story.fails_only(CREDENTIALS);
    }

    #[test]
    fn a_token_is_in_a_log() {
        let mut story = call();
        story.secret(SecretKind::SessionToken, &["alice-phone", "signaling"], TOKEN);
        let (actor, level, line) = ("signaling".into(), "debug".into(), format!("issued {TOKEN}"));
        story.tell(Event::LogLine(event::LogLine { actor, level, line }));
        let sentence = story.fails_only(CREDENTIALS);
        assert_eq!(
            sentence,
            "the session token of alice-phone and signaling lies in view logs, in the log of signaling"
        );
    }

    #[test]
    fn a_password_is_stored_as_a_hash_only() {
        let mut story = call();
        story.secret(SecretKind::Password, &["alice-phone", "signaling"], "p4ss-w0rd");
        story.signal("alice-phone", "signaling", "sign_up", b"user alice p4ss-w0rd");
        let bytes = story.store(b"alice: p4ss-w0rd");
        let (node, what) = ("signaling".into(), "store".into());
        story.tell(Event::Snapshot(event::Snapshot { node, what, bytes }));
        story.fails_only(CREDENTIALS);
    }

    #[test]
    fn a_relay_password_may_be_at_its_relay_and_nowhere_else() {
        let hold = |node: &str| {
            let mut story = call();
            story.secret(SecretKind::RelayPassword, &["bob-phone", "signaling", "relay"], &TOKEN[..32]);
            let bytes = story.store(&TOKEN.as_bytes()[..32]);
            let (node, what) = (node.into(), "relay".into());
            story.tell(Event::Snapshot(event::Snapshot { node, what, bytes }));
            story
        };
        assert_eq!(hold("relay").holds(CREDENTIALS), 1);
        hold("other-relay").fails_only(CREDENTIALS);
    }

    /// Alice's phone sends a picture, and shows an avatar of which the picture's last half is a part.
    fn pictures() -> (Story, Vec<u8>) {
        let mut story = Story::new();
        let noise = noise("picture", 2_000);
        let jpeg = |scan: &[u8]| [&[0xff, 0xd8, 0xff, 0xda, 0, 2], scan, &[0xff, 0xd9]].concat();
        let [picture, avatar] = [jpeg(&noise), jpeg(&noise[1_000..])];
        for (message, file) in [(Some(kernel::MessageId([3; 16])), &picture), (None, &avatar)] {
            let bytes = story.store(file);
            story.tell(Event::PictureSent(event::PictureSent { device: "alice-phone".into(), message, bytes }));
        }
        (story, picture)
    }

    #[test]
    fn a_picture_of_a_message_is_found_at_the_server_and_an_avatar_may_be_there() {
        let (mut story, picture) = pictures();
        story.signal("alice-phone", "signaling", "set_avatar", &picture[1_006..]);
        assert_eq!(story.holds(TEXTS), 1);
        let (mut story, picture) = pictures();
        story.signal("alice-phone", "signaling", "put_part", &picture);
        let sentence = story.fails_only(TEXTS);
        assert!(sentence.starts_with("a picture that alice-phone sent can be seen in view server"), "{sentence}");
    }
}

//! CNF: nobody but the two devices can read the media or holds what opens it; credentials stay with their owners.

use crate::{catalogue::Evidence, checks::Checks, run::Seen, views::Exhibit};
use kernel::event::{Secret, SecretKind};

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
    let search = evidence.search;
    let mut checks = Checks::default();
    checks.held(search.credentials_searched);
    for exposure in search.credentials.iter().filter(|exposure| !may_hold(&exposure.what, &exposure.exhibit)) {
        let exhibit = exposure.exhibit;
        checks.fail(exhibit.at(), exhibit.record(), || {
            let holders = holders(&exposure.what);
            format!("the {} of {holders} lies in view {}, {}", kind(exposure.what.kind), exhibit.view(), exhibit.place())
        });
    }
    checks
}

/// Whether a credential belongs where it was found: in a message between its owner and signaling, which is inside TLS;
/// a relay password also in what its issuer and its relay hold. Passwords and tokens are stored as hashes only.
fn may_hold(secret: &Seen<Secret>, exhibit: &Exhibit) -> bool {
    match exhibit {
        Exhibit::Signal(signal) => secret.holders.contains(&signal.from) || secret.holders.contains(&signal.to),
        Exhibit::Snapshot(snapshot) => {
            secret.kind == SecretKind::RelayPassword && secret.holders.contains(&snapshot.node)
        }
        Exhibit::Packet(_) | Exhibit::Sealed(_) | Exhibit::Reassembled(_) | Exhibit::LogLine(_) => false,
    }
}

fn holders(secret: &Secret) -> String {
    let names: Vec<&str> = secret.holders.iter().map(kernel::ActorName::as_str).collect();
    names.join(" and ")
}

fn kind(kind: SecretKind) -> &'static str {
    match kind {
        SecretKind::FrameKey => "frame key",
        SecretKind::PrivateKey => "private key",
        SecretKind::Password => "password",
        SecretKind::SessionToken => "session token",
        SecretKind::RelayPassword => "relay password",
    }
}

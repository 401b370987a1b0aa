//! Signaling that wants to sit in the middle: it puts its own offer in place of the caller's.

use crate::description::forged_offer;
use e2ee::{CallShare, DeviceIdentity, SealedEnvelope, envelope};
use kernel::{
    event::AttackKind,
    names::{ActorName, CallId, to_hex},
    random::{SeedTree, Stream},
};
use protocol::{ClientMessage, DeviceKeys, PeerMessage, ServerMessage, SessionDescription, wire::canonical_bytes};
use signaling::Interceptor;
use std::collections::BTreeMap;

/// Most devices whose keys it remembers.
const MAX_DEVICES: usize = 10_000;

/// Replaces every offer by an envelope of its own: own identity, own share, a description with another fingerprint,
/// sealed to the callee's device. It cannot read the real one. The keys of the calling device stay as they are, since
/// devices remember them: so the signature does not fit, and that is what the callee must see.
pub struct MaliciousServer {
    identity: DeviceIdentity,
    stream: Stream,
    sealing_keys: BTreeMap<ActorName, [u8; 32]>,
}

impl MaliciousServer {
    /// With an identity of its own from the seed tree.
    pub fn new(seeds: &SeedTree) -> MaliciousServer {
        MaliciousServer {
            identity: DeviceIdentity::generate(&mut seeds.stream("identity")),
            stream: seeds.stream("forgeries"),
            sealing_keys: BTreeMap::new(),
        }
    }

    fn learn(&mut self, keys: &DeviceKeys) {
        if self.sealing_keys.len() < MAX_DEVICES {
            self.sealing_keys.insert(keys.device.clone(), keys.sealing);
        }
    }

    /// An offer of its own in the place of `real`; none when it does not know the callee's device.
    fn forge(&mut self, to: &ActorName, call: CallId, video: bool, real: &SealedEnvelope) -> Option<SealedEnvelope> {
        let recipient = self.sealing_keys.get(to)?;
        let share = CallShare::generate(&mut self.stream).public();
        let sdp = forged_offer(video, &mut self.stream);
        let body = canonical_bytes(&PeerMessage::Offer(SessionDescription { share, sdp, video, name: None }));
        let forged = envelope::seal(real.header.clone(), &body, &self.identity, recipient, &mut self.stream).ok()?;
        let signer = to_hex(&self.identity.public().0[..8]);
        kernel::event!(Attack {
            kind: AttackKind::SwapFingerprint,
            target: to.clone(),
            call: Some(call),
            detail: format!("the offer of {} is replaced by one that {signer} signed", real.header.from),
        });
        Some(forged)
    }
}

impl Interceptor for MaliciousServer {
    fn outgoing(&mut self, to: &ActorName, message: ServerMessage) -> ServerMessage {
        let ServerMessage::Ring { call, from, caller, video, age, offer, relays } = message else { return message };
        let offer = self.forge(to, call, video, &offer).unwrap_or(offer);
        ServerMessage::Ring { call, from, caller, video, age, offer, relays }
    }

    fn incoming(&mut self, _: &ActorName, message: ClientMessage) -> ClientMessage {
        if let ClientMessage::SignUp { keys, .. } | ClientMessage::SignIn { keys, .. } = &message {
            self.learn(keys);
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use e2ee::{EnvelopeHeader, EnvelopeKind, envelope::EnvelopeError};
    use kernel::{
        Micros,
        mutant::{self, Mutant},
    };
    use protocol::{DeviceList, PROTOCOL_VERSION, RequestId, wire::from_canonical_bytes};

    struct Scene {
        alice: DeviceIdentity,
        bob: DeviceIdentity,
        real: SealedEnvelope,
        ring: ServerMessage,
    }

    fn keys(user: &str, identity: &DeviceIdentity) -> DeviceKeys {
        let (signing, sealing) = identity.public();
        DeviceKeys { user: user.into(), device: format!("{user}-phone").into(), signing, sealing }
    }

    fn rung_through(server: &mut MaliciousServer) -> Scene {
        let tree = SeedTree::root(1);
        let identity = |name: &str| DeviceIdentity::generate(&mut tree.stream(name));
        let (alice, bob) = (identity("alice"), identity("bob"));
        let (request, version, password) = (RequestId(0), PROTOCOL_VERSION, String::new());
        let keys_of_bob = keys("bob", &bob);
        let first = Box::new(DeviceList::begin(&keys_of_bob, &bob).links()[0].clone());
        let sign_up = ClientMessage::SignUp { request, version, password, keys: keys_of_bob, first };
        assert_eq!(server.incoming(&"bob-phone".into(), sign_up.clone()), sign_up);
        let header = EnvelopeHeader {
            version,
            kind: EnvelopeKind::Offer,
            call: CallId([7; 16]),
            thread: "alice+bob".into(),
            from: "alice-phone".into(),
            to: "bob-phone".into(),
            sequence: 0,
        };
        let real =
            envelope::seal(header, b"the real offer", &alice, &bob.public().1, &mut tree.stream("seal")).unwrap();
        let (call, from, caller) = (CallId([7; 16]), "alice".into(), keys("alice", &alice));
        let (offer, relays) = (real.clone(), Vec::new());
        let ring = ServerMessage::Ring { call, from, caller, video: true, age: Micros(5), offer, relays };
        let ring = server.outgoing(&"bob-phone".into(), ring);
        Scene { alice, bob, real, ring }
    }

    #[test]
    fn the_callee_can_tell_the_forged_offer_by_its_signature_only() {
        let scene = rung_through(&mut MaliciousServer::new(&SeedTree::root(2)));
        let ServerMessage::Ring { caller, offer, .. } = scene.ring else { panic!("no ring") };
        assert_eq!(caller, keys("alice", &scene.alice));
        assert_eq!(offer.header, scene.real.header);
        assert_ne!(offer.ciphertext, scene.real.ciphertext);
        assert_eq!(envelope::open(&offer, &scene.bob, &caller.signing), Err(EnvelopeError::BadSignature));
        mutant::plant(&[Mutant::V42]);
        let body = envelope::open(&offer, &scene.bob, &caller.signing);
        mutant::plant(&[]);
        let Ok(PeerMessage::Offer(description)) = from_canonical_bytes(&body.unwrap()) else { panic!("no offer") };
        assert!(description.video && description.sdp.contains("m=video"));
    }

    #[test]
    fn other_messages_pass_unchanged() {
        let mut server = MaliciousServer::new(&SeedTree::root(2));
        let message = ServerMessage::Ringing { call: CallId([7; 16]) };
        assert_eq!(server.outgoing(&"alice-phone".into(), message.clone()), message);
    }
}

//! Signaling that steals a live call for another device of one of its users, which is in a thief's hands: a lost laptop that
//! nobody logged out. It says for the device that has the call what that one never said.

use kernel::{
    event::AttackKind,
    names::{ActorName, CallId, UserName},
};
use protocol::{ClientMessage, DeviceKeys, SealedEnvelope, ServerMessage};
use signaling::Interceptor;
use std::collections::{BTreeMap, BTreeSet};

/// Most users whose devices it remembers.
const MAX_USERS: usize = 10_000;

/// Asks the thief's device to take the call over, in the name of the one that has it, and when the thief accepts says in the
/// same name that it leaves. The word that goes with that must be sealed by a key that the server does not have: it gives
/// something else that the device sealed. That is what the peer's device must see.
#[derive(Debug, Default)]
pub struct ThievingServer {
    devices: BTreeMap<UserName, BTreeSet<ActorName>>,
    theft: Option<Theft>,
}

/// A theft that is under way.
#[derive(Debug)]
struct Theft {
    call: CallId,
    victim: ActorName,
    thief: ActorName,
    /// Something that the victim sealed for the peer.
    sealed: SealedEnvelope,
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Asked,
    Taken,
    Done,
}

impl ThievingServer {
    fn learn(&mut self, keys: &DeviceKeys) {
        if self.devices.len() < MAX_USERS {
            self.devices.entry(keys.user.clone()).or_default().insert(keys.device.clone());
        }
    }

    /// Another device of the same user.
    fn thief(&self, victim: &ActorName) -> Option<ActorName> {
        let household = self.devices.values().find(|devices| devices.contains(victim))?;
        household.iter().find(|device| *device != victim).cloned()
    }
}

impl Interceptor for ThievingServer {
    fn outgoing(&mut self, _: &ActorName, message: ServerMessage) -> ServerMessage {
        message
    }

    fn incoming(&mut self, from: &ActorName, message: ClientMessage) -> ClientMessage {
        match (&mut self.theft, message) {
            (_, ClientMessage::SignUp { request, version, password, keys, first }) => {
                self.learn(&keys);
                ClientMessage::SignUp { request, version, password, keys, first }
            }
            (_, ClientMessage::SignIn { request, version, password, keys, consent }) => {
                self.learn(&keys);
                ClientMessage::SignIn { request, version, password, keys, consent }
            }
            (None, ClientMessage::ToPeer { call, body }) => {
                let Some(thief) = self.thief(from) else { return ClientMessage::ToPeer { call, body } };
                let ask = ClientMessage::HandOver { call, to: thief.clone() };
                self.theft = Some(Theft { call, victim: from.clone(), thief, sealed: body, step: Step::Asked });
                ask
            }
            (Some(theft), message) if theft.step == Step::Asked && *from == theft.thief => {
                if matches!(message, ClientMessage::TakeOver { .. }) {
                    theft.step = Step::Taken;
                }
                message
            }
            (Some(theft), _) if theft.step == Step::Taken && *from == theft.victim => {
                theft.step = Step::Done;
                let detail = format!("{} is to take the call of {}, which does not say so", theft.thief, theft.victim);
                let (target, call) = (theft.sealed.header.to.clone(), Some(theft.call));
                kernel::event!(Attack { kind: AttackKind::StealCall, target, call, detail });
                ClientMessage::Yield { call: theft.call, word: theft.sealed.clone() }
            }
            (_, message) => message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use e2ee::{DeviceIdentity, EnvelopeHeader, EnvelopeKind};
    use kernel::random::SeedTree;
    use protocol::{PROTOCOL_VERSION, RequestId};

    const CALL: CallId = CallId([7; 16]);

    fn sign_in(user: &str, device: &str) -> ClientMessage {
        let (signing, sealing) = DeviceIdentity::generate(&mut SeedTree::root(1).stream(device)).public();
        let keys = DeviceKeys { user: user.into(), device: device.into(), signing, sealing };
        let (request, version) = (RequestId(0), PROTOCOL_VERSION);
        ClientMessage::SignIn { request, version, password: String::new(), keys, consent: Vec::new() }
    }

    fn sealed(from: &str, to: &str) -> SealedEnvelope {
        let header = EnvelopeHeader {
            version: PROTOCOL_VERSION,
            kind: EnvelopeKind::Peer,
            subject: CALL.0,
            thread: "alice+bob".into(),
            from: from.into(),
            to: to.into(),
            sequence: 3,
        };
        SealedEnvelope { header, encapsulated: Vec::new(), ciphertext: vec![1] }
    }

    #[test]
    fn it_speaks_for_the_device_that_has_the_call() {
        let mut server = ThievingServer::default();
        let [alice, phone, laptop] = ["alice-phone", "bob-phone", "bob-laptop"].map(ActorName::from);
        for (user, device) in [("alice", &alice), ("bob", &phone), ("bob", &laptop)] {
            server.incoming(device, sign_in(user, device.as_str()));
        }
        // Alice has one device: there is nobody to steal for.
        let hers = ClientMessage::ToPeer { call: CALL, body: sealed("alice-phone", "bob-phone") };
        assert_eq!(server.incoming(&alice, hers.clone()), hers);
        let his = ClientMessage::ToPeer { call: CALL, body: sealed("bob-phone", "alice-phone") };
        let asks = ClientMessage::HandOver { call: CALL, to: laptop.clone() };
        assert_eq!(server.incoming(&phone, his.clone()), asks);
        assert_eq!(server.incoming(&phone, his.clone()), his);
        let takes = ClientMessage::TakeOver { call: CALL, offer: sealed("bob-laptop", "alice-phone") };
        assert_eq!(server.incoming(&laptop, takes.clone()), takes);
        let word = sealed("bob-phone", "alice-phone");
        assert_eq!(server.incoming(&phone, his.clone()), ClientMessage::Yield { call: CALL, word });
        assert_eq!(server.incoming(&phone, his.clone()), his, "once");
    }
}

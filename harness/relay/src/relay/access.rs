//! Who may do what: credentials with an end, requests that are refused before the library sees them.

use super::{REALM, Relay, instant};
use crate::gate::{Request, credentials, names_too_many};
use kernel::{
    mutant,
    names::to_hex,
    random,
    time::{Micros, SimTime},
};
use serde::Serialize;
use std::net::SocketAddr;
use stun_proto::{
    agent::Transmit,
    types::{
        TransportType,
        attribute::{AttributeWrite, ErrorCode, Nonce, Realm, Userhash, Username},
        message::{
            IntegrityAlgorithm, Message, MessageClass, MessageIntegrityCredentials, MessageType, MessageWriteVec,
            TransactionId,
        },
        prelude::{MessageWrite, MessageWriteExt},
    },
};
use turn_server_proto::{
    api::TurnServerApi,
    types::{
        attribute::Lifetime,
        message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH},
    },
};

/// How long a permission lives (RFC 8656 section 9).
const PERMISSION_LIFETIME: Micros = Micros::from_secs(300);
/// How long a channel lives (RFC 8656 section 12).
const CHANNEL_LIFETIME: Micros = Micros::from_secs(600);

/// A granted user name.
#[derive(Clone, Debug, Serialize)]
pub(super) struct User {
    password: String,
    /// From then on it is refused.
    expires: SimTime,
}

/// What becomes of a request.
pub(super) enum Vetted {
    /// The library has it.
    Passes,
    /// It is refused with this answer.
    Answered(Vec<u8>),
    /// The library has this one in its place: unsigned, so that it answers with 401.
    Anonymous(Vec<u8>),
}

impl Relay {
    /// Lets a user in for a time. Granting a name again changes its password and its time.
    pub fn grant(&mut self, username: &str, password: &str, lifetime: Micros, now: SimTime) {
        let _scope = random::scope("turn");
        self.users.insert(username.into(), User { password: password.into(), expires: now + lifetime });
        self.turn.add_user(username.into(), password.into());
    }

    /// Shuts a user out at once: requests are refused from now on, and what the user allocated is gone.
    pub fn revoke(&mut self, username: &str, now: SimTime) {
        let _scope = random::scope("turn");
        let Some(user) = self.users.remove(username) else { return };
        let own = self.allocations.values().filter(|allocation| allocation.username == username);
        let clients: Vec<SocketAddr> = own.map(|allocation| allocation.client).collect();
        for client in clients {
            self.close_allocations(client, username, &user.password, now);
        }
        self.advance(None, now);
        // The library cannot forget a user. A password that nobody knows does the same.
        self.turn.add_user(username.into(), to_hex(&self.replacements.bytes::<32>()));
    }

    /// Revokes whoever's time is up.
    pub(super) fn expire_users(&mut self, now: SimTime) {
        let over = self.users.iter().filter(|(_, user)| user.expires <= now);
        let over: Vec<String> = over.map(|(name, _)| name.clone()).collect();
        over.iter().for_each(|name| self.revoke(name, now));
    }

    /// When the next user with an allocation is to be revoked.
    pub(super) fn next_expiry(&self) -> Option<SimTime> {
        let users = self.allocations.values().filter_map(|allocation| self.users.get(&allocation.username));
        users.map(|user| user.expires).min()
    }

    /// Looks at a request before the library. What is refused is refused to a user who proved to be one; anybody else
    /// gets what a stranger gets.
    pub(super) fn vet(&mut self, request: &Request<'_>, from: SocketAddr, now: SimTime) -> Vetted {
        let known = self.user(&request.claim).and_then(|name| {
            let user = self.users.get(&name)?;
            Some((credentials(&name, &user.password, REALM), name))
        });
        let signed = known.filter(|(credentials, _)| request.is_signed_by(credentials));
        match signed {
            Some((credentials, name)) => match self.refusal(request, &name, from, now) {
                Some(code) => Vetted::Answered(request.refuse(code, &credentials)),
                None => Vetted::Passes,
            },
            None if request.peers.iter().any(|peer| self.is_forbidden(*peer)) => Vetted::Anonymous(request.anonymous()),
            None => Vetted::Passes,
        }
    }

    /// Why a signed request is refused; notes what it takes of the quotas otherwise.
    fn refusal(&mut self, request: &Request<'_>, user: &str, from: SocketAddr, now: SimTime) -> Option<u16> {
        if request.method() == ALLOCATE {
            let is_client = self.allocations.values().any(|allocation| allocation.client == from);
            let taken = self.allocations.values().filter(|allocation| allocation.username == user).count();
            // The library refuses a second allocation of one client by itself.
            let exceeds = !is_client && taken >= self.config.quotas.allocations_per_user && !mutant!(V77);
            return exceeds.then_some(ErrorCode::ALLOCATION_QUOTA_REACHED);
        }
        if ![CREATE_PERMISSION, CHANNEL_BIND].contains(&request.method()) {
            return None;
        }
        if names_too_many(&request.peers) {
            return Some(ErrorCode::BAD_REQUEST);
        }
        // Without an allocation, or with somebody else's, the library refuses by itself.
        if !self.allocations.values().any(|allocation| allocation.client == from && allocation.username == user) {
            return None;
        }
        if request.peers.iter().any(|peer| self.is_forbidden(*peer)) {
            return Some(ErrorCode::FORBIDDEN);
        }
        self.take(request, from, now).err()
    }

    /// Takes permissions and channels of the quotas.
    fn take(&mut self, request: &Request<'_>, from: SocketAddr, now: SimTime) -> Result<(), u16> {
        let quotas = self.config.quotas;
        for (relayed, allocation) in self.allocations.iter_mut().filter(|(_, allocation)| allocation.client == from) {
            let peers = || request.peers.iter().filter(|peer| peer.is_ipv4() == relayed.is_ipv4());
            let mut permissions = allocation.permissions.clone();
            permissions.retain(|_, end| *end > now);
            permissions.extend(peers().map(|peer| (peer.ip(), now + PERMISSION_LIFETIME)));
            let mut channels = allocation.channels.clone();
            channels.retain(|_, (_, end)| *end > now);
            if let (CHANNEL_BIND, Some(number), Some(peer)) = (request.method(), request.channel, peers().next()) {
                // A number belongs to one peer until it expires (RFC 8656 section 12): the library does not look.
                if channels.get(&number).is_some_and(|(bound, _)| bound != peer) {
                    return Err(ErrorCode::BAD_REQUEST);
                }
                channels.insert(number, (*peer, now + CHANNEL_LIFETIME));
            }
            if permissions.len() > quotas.permissions || channels.len() > quotas.channels {
                return Err(ErrorCode::INSUFFICIENT_CAPACITY);
            }
            (allocation.permissions, allocation.channels) = (permissions, channels);
        }
        Ok(())
    }

    /// Makes the library close what a client has: by the client's own request for a lifetime of zero, which is made here
    /// and whose answer stays here.
    fn close_allocations(&mut self, client: SocketAddr, username: &str, password: &str, now: SimTime) {
        let credentials = credentials(username, password, REALM);
        // The first answer says that the nonce is stale (438) and brings a fresh one.
        let stale = self.refresh_to_zero("stale", Username::new(username).ok(), &credentials);
        let Some(answer) = self.ask_library(stale, client, now) else { return };
        let nonce = Message::from_bytes(&answer)
            .ok()
            .and_then(|answer| answer.attribute::<Nonce>().ok().map(|nonce| nonce.nonce().to_owned()));
        let Some(nonce) = nonce else { return };
        // The library wants the name as the client gave it with the Allocate request; to the other it answers 441.
        let plain = self.refresh_to_zero(&nonce, Username::new(username).ok(), &credentials);
        self.ask_library(plain, client, now);
        let hash = Userhash::compute(username, REALM);
        let hashed = self.refresh_to_zero(&nonce, Some(Userhash::new(hash)), &credentials);
        self.ask_library(hashed, client, now);
    }

    fn refresh_to_zero<Name: AttributeWrite>(
        &mut self,
        nonce: &str,
        name: Option<Name>,
        credentials: &MessageIntegrityCredentials,
    ) -> Vec<u8> {
        let transaction = TransactionId::from(u128::from_be_bytes(self.replacements.bytes()));
        let kind = MessageType::from_class_method(MessageClass::Request, REFRESH);
        let mut request = Message::builder(kind, transaction, MessageWriteVec::new());
        let (Some(name), Ok(realm), Ok(nonce)) = (name, Realm::new(REALM), Nonce::new(nonce)) else {
            return request.finish();
        };
        let added = [
            request.add_attribute(&name),
            request.add_attribute(&realm),
            request.add_attribute(&nonce),
            request.add_attribute(&Lifetime::new(0)),
            request.add_message_integrity(credentials, IntegrityAlgorithm::Sha1),
        ];
        assert!(added.iter().all(Result::is_ok), "each attribute is added once, the signature last");
        request.finish()
    }

    fn ask_library(&mut self, request: Vec<u8>, client: SocketAddr, now: SimTime) -> Option<Vec<u8>> {
        let transmit = Transmit::new(request, TransportType::Udp, client, self.address);
        self.turn.recv(transmit, instant(now)).map(|answer| answer.build().data)
    }
}

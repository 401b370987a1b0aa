//! TLS 1.3 for the channel: the server proves an Ed25519 key that clients pin.
//!
//! The key travels as a raw public key (RFC 7250): there is no name, date or issuer to check, so there is no X.509.
//! All randomness is drawn through the kernel in the scope `tls`; aws-lc only does AEADs, hashes and the verification
//! of signatures, none of which draw. Sessions are never resumed.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use kernel::random::{self, Stream};
use quinn_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, NamedGroup, SignatureAlgorithm, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{
        ActiveKeyExchange, CryptoProvider, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup,
        WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature_with_raw_key,
    },
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage},
    sign::{CertifiedKey, Signer},
    version::TLS13,
};
use std::{fmt, sync::Arc};
use x25519_dalek::{PublicKey, StaticSecret};

/// The application protocol (RFC 7301): the channel's framing and the messages of version 1.
const ALPN: &[u8] = b"callproof/1";

/// The public key by which clients know the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerIdentityPublic(pub [u8; 32]);

impl ServerIdentityPublic {
    /// Whether the server signed `statement`.
    pub(crate) fn signed(self, statement: &[u8], signature: &[u8]) -> bool {
        let signature = Signature::from_slice(signature);
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| signature.is_ok_and(|signature| key.verify_strict(statement, &signature).is_ok()))
    }

    /// The key as SubjectPublicKeyInfo (RFC 8410 section 4).
    fn subject_public_key_info(self) -> Vec<u8> {
        const ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        [&ED25519[..], &self.0].concat()
    }
}

/// The server's private key. Clones share it: a server that starts again is the same server.
#[derive(Clone)]
pub struct ServerIdentity(Arc<SigningKey>);

impl ServerIdentity {
    /// A fresh key from a seeded stream.
    pub fn generate(stream: &mut Stream) -> ServerIdentity {
        ServerIdentity(Arc::new(SigningKey::from_bytes(&stream.bytes::<32>())))
    }

    /// The key that clients pin.
    pub fn public(&self) -> ServerIdentityPublic {
        ServerIdentityPublic(self.0.verifying_key().to_bytes())
    }

    /// Signs a statement that says of itself what it is, so that it is taken for no other.
    pub(crate) fn sign(&self, statement: &[u8]) -> Vec<u8> {
        self.0.sign(statement).to_bytes().to_vec()
    }

    /// The key of stateless resets (RFC 9000 section 10.3.2): it outlives the process, so that a server that starts
    /// again can tell its former clients to connect anew.
    pub(crate) fn reset_key(&self) -> [u8; 32] {
        blake3::derive_key("callproof 2026 stateless reset", self.0.as_bytes())
    }
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerIdentity").field(&self.public()).finish()
    }
}

/// The configuration of a client that talks to exactly this server.
pub(crate) fn client_config(server: ServerIdentityPublic) -> QuicClientConfig {
    QuicClientConfig::try_from(pinning(server, ALPN)).expect("the provider has the suite of initial packets")
}

/// The configuration of the server.
pub(crate) fn server_config(identity: &ServerIdentity) -> QuicServerConfig {
    QuicServerConfig::try_from(proving(identity, ALPN)).expect("the provider has the suite of initial packets")
}

/// The application protocol of TURN inside TLS (RFC 7443).
const TURN_ALPN: &[u8] = b"stun.turn";

/// The configuration of a client that talks to exactly this server by TCP.
pub(crate) fn stream_client_config(server: ServerIdentityPublic) -> rustls::ClientConfig {
    without_name(pinning(server, ALPN))
}

/// The configuration of the server for TCP.
pub(crate) fn stream_server_config(identity: &ServerIdentity) -> rustls::ServerConfig {
    proving(identity, ALPN)
}

/// The configuration of a client of a relay's TURN over TLS.
pub(crate) fn relay_client_config(relay: ServerIdentityPublic) -> rustls::ClientConfig {
    without_name(pinning(relay, TURN_ALPN))
}

/// The server is known by its key; a name would only tell observers something.
fn without_name(mut config: rustls::ClientConfig) -> rustls::ClientConfig {
    config.enable_sni = false;
    config
}

/// The configuration of a relay's TURN over TLS.
pub(crate) fn relay_server_config(identity: &ServerIdentity) -> rustls::ServerConfig {
    proving(identity, TURN_ALPN)
}

/// A client's side of TLS 1.3 with exactly this server.
fn pinning(server: ServerIdentityPublic, alpn: &[u8]) -> rustls::ClientConfig {
    let provider = Arc::new(provider());
    let pinned =
        PinnedServer { key: server.subject_public_key_info(), algorithms: provider.signature_verification_algorithms };
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has a suite of TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pinned))
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = Resumption::disabled();
    config
}

/// A server's side of TLS 1.3 that proves this identity.
fn proving(identity: &ServerIdentity, alpn: &[u8]) -> rustls::ServerConfig {
    let certificate = CertificateDer::from(identity.public().subject_public_key_info());
    let key = CertifiedKey::new(vec![certificate], Arc::new(identity.clone()));
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has a suite of TLS 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(Arc::new(key))));
    config.alpn_protocols = vec![alpn.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config
}

/// One suite, one group, one signature scheme; randomness from the kernel.
fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![&SeededX25519],
        secure_random: &SeededRandom,
        ..aws_lc_rs::default_provider()
    }
}

fn fill(bytes: &mut [u8]) {
    let _scope = random::scope("tls");
    random::fill(bytes);
}

#[derive(Debug)]
struct SeededRandom;

impl SecureRandom for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        fill(bytes);
        Ok(())
    }
}

/// X25519 (RFC 7748) with a seeded share.
#[derive(Debug)]
struct SeededX25519;

impl SupportedKxGroup for SeededX25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut scalar = [0; 32];
        fill(&mut scalar);
        let secret = StaticSecret::from(scalar);
        Ok(Box::new(Share { public: PublicKey::from(&secret), secret }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct Share {
    secret: StaticSecret,
    public: PublicKey,
}

impl ActiveKeyExchange for Share {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let invalid = || Error::from(rustls::PeerMisbehaved::InvalidKeyShare);
        let peer = <[u8; 32]>::try_from(peer).map_err(|_| invalid())?;
        let shared = self.secret.diffie_hellman(&PublicKey::from(peer));
        if !shared.was_contributory() {
            return Err(invalid());
        }
        Ok(SharedSecret::from(&shared.as_bytes()[..]))
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

impl rustls::sign::SigningKey for ServerIdentity {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&SignatureScheme::ED25519).then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for ServerIdentity {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.0.sign(message).to_bytes().to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

/// Accepts one key and nothing else.
#[derive(Debug)]
struct PinnedServer {
    key: Vec<u8>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for PinnedServer {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if key.as_ref() != self.key {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("only TLS 1.3 is spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

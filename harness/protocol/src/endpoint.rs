//! The configuration of QUIC (RFC 9000): everything random in it comes from a seed tree.

use crate::tls::{self, ServerIdentity, ServerIdentityPublic};
use kernel::{
    random::{SeedTree, Stream},
    time::Micros,
};
use quinn_proto::{
    ClientConfig, ConnectionId, ConnectionIdGenerator, EndpointConfig, IdleTimeout, NoneTokenStore, ServerConfig,
    TransportConfig, VarInt,
    crypto::{AeadKey, CryptoError, HandshakeTokenKey, HmacKey},
};
use std::{sync::Arc, time::Duration};

/// A connection on which nothing arrives for so long is lost.
pub(crate) const IDLE_TIMEOUT: Micros = Micros::from_secs(15);
/// A client sends at least this often.
pub(crate) const KEEP_ALIVE: Micros = Micros::from_secs(5);
/// The round trip that is assumed before one is measured: a lost first packet is sent again after three of these. The 333 ms
/// of RFC 9002 section 6.2.2 cost a second for each lost packet of a handshake; no access network but a satellite's has more.
const INITIAL_RTT: Duration = Duration::from_millis(120);
/// What either side may have in flight before the other has read it, in bytes.
const RECEIVE_WINDOW: u32 = 256 * 1024;

pub(crate) fn endpoint_config(reset_key: [u8; 32], seeds: &SeedTree) -> Arc<EndpointConfig> {
    let mut config = EndpointConfig::new(Arc::new(ResetKey(reset_key)));
    let ids = seeds.stream("connection-ids");
    config.cid_generator(move || Box::new(SeededIds(ids.clone())));
    config.rng_seed(Some(seeds.stream("endpoint").bytes()));
    Arc::new(config)
}

pub(crate) fn client_config(server: ServerIdentityPublic, seeds: &SeedTree) -> ClientConfig {
    let mut config = ClientConfig::new(Arc::new(tls::client_config(server)));
    let first_id = ConnectionId::new(&seeds.stream("first-connection-id").bytes::<16>());
    config.initial_dst_cid_provider(Arc::new(move || first_id));
    config.token_store(Arc::new(NoneTokenStore));
    let mut transport = transport_config();
    transport.keep_alive_interval(Some(KEEP_ALIVE.to_duration()));
    // Only the client opens the stream.
    transport.max_concurrent_bidi_streams(0_u8.into());
    config.transport_config(Arc::new(transport));
    config
}

pub(crate) fn server_config(identity: &ServerIdentity) -> Arc<ServerConfig> {
    let mut config = ServerConfig::new(Arc::new(tls::server_config(identity)), Arc::new(NoTokens));
    config.validation_token.sent(0);
    let mut transport = transport_config();
    transport.max_concurrent_bidi_streams(1_u8.into());
    config.transport_config(Arc::new(transport));
    Arc::new(config)
}

fn transport_config() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .initial_rtt(INITIAL_RTT)
        .max_concurrent_uni_streams(0_u8.into())
        .max_idle_timeout(Some(IdleTimeout::try_from(IDLE_TIMEOUT.to_duration()).expect("15 s is within QUIC's range")))
        .stream_receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .send_window(RECEIVE_WINDOW.into())
        .datagram_receive_buffer_size(None)
        // Packets stay at 1,200 bytes: signaling is small, and every path carries that.
        .mtu_discovery_config(None)
        .enable_segmentation_offload(false);
    transport
}

/// Random connection ids of 8 bytes.
struct SeededIds(Stream);

impl ConnectionIdGenerator for SeededIds {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&self.0.bytes::<8>())
    }

    fn cid_len(&self) -> usize {
        8
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// Makes the tokens of stateless resets (RFC 9000 section 10.3).
struct ResetKey([u8; 32]);

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature: &mut [u8]) {
        signature.copy_from_slice(blake3::keyed_hash(&self.0, data).as_bytes());
    }

    fn signature_len(&self) -> usize {
        blake3::OUT_LEN
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        // blake3's own comparison takes constant time.
        let signature = blake3::Hash::from_slice(signature).map_err(|_| CryptoError)?;
        if blake3::keyed_hash(&self.0, data) == signature { Ok(()) } else { Err(CryptoError) }
    }
}

/// The server neither sends Retry packets nor address validation tokens, so it accepts none.
struct NoTokens;

impl HandshakeTokenKey for NoTokens {
    fn aead_from_hkdf(&self, _random: &[u8]) -> Box<dyn AeadKey> {
        Box::new(NoTokens)
    }
}

impl AeadKey for NoTokens {
    fn seal(&self, _data: &mut Vec<u8>, _associated: &[u8]) -> Result<(), CryptoError> {
        Err(CryptoError)
    }

    fn open<'a>(&self, _data: &'a mut [u8], _associated: &[u8]) -> Result<&'a mut [u8], CryptoError> {
        Err(CryptoError)
    }
}

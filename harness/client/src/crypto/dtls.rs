//! DTLS by dimpl with RustCrypto, whose every draw comes from the simulation's streams.

use super::{certificate, flight::Flight};
use dimpl::crypto::{ActiveKeyExchange, Buf, NamedGroup, SecureRandom, SupportedKxGroup};
use kernel::random;
use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};
use str0m_proto::crypto::{
    CryptoError, DtlsVersion,
    dtls::{DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion},
};
use x25519_dalek::{PublicKey, StaticSecret};

/// First retransmission of a flight; it doubles. RFC 6347 section 4.2.4.1 asks for a second and allows less where more is
/// known: ICE has just measured the pair, and RFC 9147 section 5.8.2 allows 400 ms.
const FLIGHT_TIMER: Duration = Duration::from_millis(400);
/// Retransmissions of a flight: 0.4 + 0.8 + 1.6 + 3.2 + 6.4 s are within the machine's 20 s for connecting.
const FLIGHT_RETRIES: usize = 5;

/// The seeded DTLS provider.
pub(super) static SEEDED: SeededDtls = SeededDtls;

#[derive(Debug)]
pub(super) struct SeededDtls;

impl DtlsProvider for SeededDtls {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        let _scope = random::scope("dtls");
        Some(certificate::generate())
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let _scope = random::scope("dtls");
        let mut seed = [0; 8];
        random::fill(&mut seed);
        let mut config = dimpl::Config::builder()
            // ICE has validated the pair before DTLS begins: the cookie exchange would only cost a round trip.
            .use_server_cookie(false)
            .flight_start_rto(FLIGHT_TIMER)
            .flight_retries(FLIGHT_RETRIES)
            .with_crypto_provider(provider())
            .dangerously_set_rng_seed(u64::from_le_bytes(seed));
        if let Some(mtu) = mtu {
            config = config.mtu(mtu);
        }
        let config = Arc::new(config.build().map_err(|error| CryptoError::Other(error.to_string()))?);
        let certificate = dimpl::DtlsCertificate {
            certificate: certificate.certificate.clone(),
            private_key: certificate.private_key.clone(),
        };
        let dtls = match version {
            DtlsVersion::Dtls13 => dimpl::Dtls::new_13(config, certificate, now),
            DtlsVersion::Auto => dimpl::Dtls::new_auto(config, certificate, now),
            _ => dimpl::Dtls::new_12(config, certificate, now),
        };
        Ok(Box::new(Association { dtls, flight: Flight::default(), now }))
    }

    fn is_test(&self) -> bool {
        // Asked by str0m only to allow providers that are not FIPS-grade.
        true
    }
}

fn provider() -> dimpl::crypto::CryptoProvider {
    dimpl::crypto::CryptoProvider {
        kx_groups: GROUPS,
        secure_random: &SeededRandom,
        ..dimpl::crypto::rust_crypto::default_provider()
    }
}

#[derive(Debug)]
struct SeededRandom;

impl SecureRandom for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), dimpl::CryptoError> {
        let _scope = random::scope("dtls");
        random::fill(bytes);
        Ok(())
    }
}

static GROUPS: &[&dyn SupportedKxGroup] = &[&SeededX25519];

#[derive(Debug)]
struct SeededX25519;

impl SupportedKxGroup for SeededX25519 {
    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }

    fn start_exchange(&self, mut buffer: Buf) -> Result<Box<dyn ActiveKeyExchange>, dimpl::CryptoError> {
        let _scope = random::scope("dtls");
        let mut secret = [0; 32];
        random::fill(&mut secret);
        let secret = StaticSecret::from(secret);
        buffer.clear();
        buffer.extend_from_slice(PublicKey::from(&secret).as_bytes());
        Ok(Box::new(Exchange { secret, public: buffer }))
    }
}

struct Exchange {
    secret: StaticSecret,
    public: Buf,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exchange")
    }
}

impl ActiveKeyExchange for Exchange {
    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn complete(self: Box<Self>, peer: &[u8], out: &mut Buf) -> Result<(), dimpl::CryptoError> {
        let invalid = || dimpl::CryptoError::InvalidPublicKey(NamedGroup::X25519);
        let peer: [u8; 32] = peer.try_into().map_err(|_| invalid())?;
        let shared = self.secret.diffie_hellman(&PublicKey::from(peer));
        // RFC 7748 section 6.1: a share of small order would leave the secret to the peer alone.
        if !shared.was_contributory() {
            return Err(invalid());
        }
        out.clear();
        out.extend_from_slice(shared.as_bytes());
        Ok(())
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct Association {
    dtls: dimpl::Dtls,
    flight: Flight,
    /// When time passed last.
    now: Instant,
}

impl fmt::Debug for Association {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Association")
    }
}

impl DtlsInstance for Association {
    fn set_active(&mut self, active: bool) {
        self.dtls.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.flight.came(packet, self.dtls.is_active());
        self.dtls.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        if let Some(datagram) = self.flight.poll().filter(|datagram| datagram.len() <= buffer.len()) {
            let (copy, _) = buffer.split_at_mut(datagram.len());
            copy.copy_from_slice(&datagram);
            return DtlsOutput::Packet(copy);
        }
        let output = self.dtls.poll_output(buffer);
        match &output {
            DtlsOutput::Packet(datagram) => self.flight.leaves(datagram),
            DtlsOutput::Connected => self.flight.connected(),
            DtlsOutput::Timeout(at) => {
                return DtlsOutput::Timeout(self.flight.next_wake(self.now).map_or(*at, |wake| wake.min(*at)));
            }
            _ => {}
        }
        output
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.now = now;
        self.flight.handle_timeout(now);
        self.dtls.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.dtls.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.dtls.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.dtls.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.dtls.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.dtls.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.dtls.close()
    }
}

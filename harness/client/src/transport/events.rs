//! What str0m says: states of ICE and DTLS, frames, estimates, and packets to send.

use super::{MediaFrame, Transport, TransportOutput, gather::Gathering, turn::Wrapped};
use kernel::{Datagram, Micros, SimTime, Track, event, event::CandidateKind, log, mutant};
use std::net::SocketAddr;
use str0m::{
    Event, IceConnectionState,
    media::{MediaData, MediaKind},
};

/// Requests of the peer for key frames are taken no closer than this.
const KEY_FRAME_INTERVAL: Micros = Micros::from_millis(500);

impl Transport {
    pub(super) fn event(&mut self, event: Event, now: SimTime) {
        match event {
            Event::MediaAdded(added) if added.kind == MediaKind::Audio => self.audio = Some(added.mid),
            Event::MediaAdded(added) => self.video = Some(added.mid),
            Event::IceConnectionStateChange(state) => self.ice_moved(state, now),
            Event::Connected => self.dtls_connected(),
            Event::MediaData(data) => self.frame(data, now),
            Event::KeyframeRequest(_) => self.key_frame_requested(now),
            Event::PeerStats(stats) => self.sample_path(&stats, now),
            Event::Closed => {
                self.over = true;
                self.outputs.push_back(TransportOutput::Lost);
            }
            _ => {}
        }
    }

    fn ice_moved(&mut self, state: IceConnectionState, now: SimTime) {
        let name = match state {
            IceConnectionState::New => "new",
            IceConnectionState::Checking => "checking",
            IceConnectionState::Connected => "connected",
            IceConnectionState::Completed => "completed",
            IceConnectionState::Disconnected => "disconnected",
        };
        event!(IceState { device: self.config.device.clone(), state: name.to_owned() });
        if state.is_connected() && !self.connected {
            self.outputs.push_back(TransportOutput::IceConnected);
        }
        self.health.ice_up = state.is_connected();
        // While connecting more candidates may come; the machine's timer bounds it.
        if state.is_disconnected() && self.connected && !mutant!(V81) && self.health.break_off(now) {
            self.look_after_relay(now);
            self.outputs.push_back(TransportOutput::Broken);
        }
        self.look_after_path(now);
    }

    /// Whether a path that breaks matters. V81: nobody minds a silent peer.
    pub(super) fn minds_path(&self) -> bool {
        self.connected && !self.over && !mutant!(V81)
    }

    /// Says when the path breaks, when it works again, and when to ask for a restart.
    pub(super) fn look_after_path(&mut self, now: SimTime) {
        if !self.minds_path() {
            return;
        }
        if self.health.fell_silent(now) {
            self.look_after_relay(now);
            self.outputs.push_back(TransportOutput::Broken);
        }
        if self.health.healed(now) {
            self.outputs.push_back(TransportOutput::Connected);
        }
        if self.health.must_ask(now) {
            self.outputs.push_back(TransportOutput::AskRestart);
        }
    }

    fn dtls_connected(&mut self) {
        self.connected = true;
        self.desire(self.wanted());
        event!(DtlsConnected { device: self.config.device.clone() });
        self.outputs.push_back(TransportOutput::Connected);
    }

    /// The peer asks for a key frame: a burst, so not in every case where it asks again.
    fn key_frame_requested(&mut self, now: SimTime) {
        if mutant!(V92) || self.key_frame_taken.is_none_or(|taken| now.since(taken) >= KEY_FRAME_INTERVAL) {
            self.key_frame_taken = Some(now);
            self.outputs.push_back(TransportOutput::KeyFrameRequested);
        }
    }

    fn frame(&mut self, data: MediaData, now: SimTime) {
        let track = if Some(data.mid) == self.video { Track::Video } else { Track::Audio };
        let rtp_timestamp = data.time.numer();
        let completed =
            self.received.completed(track, rtp_timestamp, **data.seq_range.start()..=**data.seq_range.end());
        event!(Reassembled {
            device: self.config.device.clone(),
            sender: self.config.peer.clone(),
            track,
            rtp_timestamp,
            completed_by: completed.map(|(_, packet)| packet),
            bytes: log::store(&data.data),
            reassembly: completed.map_or(Micros::ZERO, |(arrived, _)| now.since(arrived)),
        });
        let frame = MediaFrame { track, rtp_timestamp, contiguous: data.contiguous, bytes: data.data.to_vec() };
        self.outputs.push_back(TransportOutput::Frame(frame));
        self.health.heard(now);
        self.look_after_path(now);
    }

    pub(super) fn transmit(&mut self, source: SocketAddr, destination: SocketAddr, bytes: &[u8], now: SimTime) {
        let is_check = matches!(bytes.first(), Some(0..=3));
        // It left the pacer, also when there is no way to send it.
        let departure = self.sent.packet_left(&self.types, bytes, now);
        let goes_on = if is_check { mutant!(V82) } else { mutant!(V81) };
        let (source, destination) =
            if is_check { (source, destination) } else { self.living_pair(source, destination, now) };
        if !self.limits.admit((source, destination), bytes, now) && !goes_on {
            return;
        }
        let destination = self.misled.filter(|_| !is_check).unwrap_or(destination);
        let relayed = self.gathering.as_ref().and_then(Gathering::relayed);
        let through_relay = relayed == Some(source);
        if !through_relay && !self.config.locals.contains(&source) {
            // The pair belonged to a relay that is given up, or to an interface that is gone.
            return;
        }
        if !is_check {
            self.note_pair(source, destination, through_relay);
        }
        let Wrapped { packets, carrier } = if through_relay {
            let Some(gathering) = &mut self.gathering else { return };
            // Before the permission exists the relay would drop it; ICE and DTLS repeat.
            let Some(wrapped) = gathering.wrap(destination, bytes, now) else { return };
            wrapped
        } else {
            let datagram = Datagram::new(source, destination, bytes.to_vec());
            Wrapped { carrier: Some(datagram.packet), packets: vec![datagram] }
        };
        if let Some(departure) = departure {
            event!(RtpSent {
                device: self.config.device.clone(),
                // What waits in a stream is in no packet yet: its legs are not known.
                packet: carrier.unwrap_or_default(),
                track: departure.track,
                frame: departure.frame,
                sequence: departure.sequence,
                pacer: departure.pacer,
                repair: departure.repair,
                repair_wait: departure.repair_wait,
            });
        }
        self.outputs.extend(packets.into_iter().map(TransportOutput::Transmit));
    }

    fn note_pair(&mut self, local: SocketAddr, remote: SocketAddr, through_relay: bool) {
        if self.selected.replace((local, remote)) == Some((local, remote)) {
            return;
        }
        let remote_kind = self.remote_kinds.get(&remote).copied();
        let mapped = self.gathering.as_ref().and_then(|gathering| gathering.mapped(local));
        let (local, local_kind) = match mapped {
            _ if through_relay => (local, CandidateKind::Relayed),
            // Towards an address outside the own network the NAT's mapping is what the peer sees.
            Some(mapped) if remote_kind != Some(CandidateKind::Host) && mapped != local => {
                (mapped, CandidateKind::ServerReflexive)
            }
            _ => (local, CandidateKind::Host),
        };
        let relayed = through_relay || remote_kind == Some(CandidateKind::Relayed);
        event!(PairSelected { device: self.config.device.clone(), local, remote, local_kind, relayed });
    }
}

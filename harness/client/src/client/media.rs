//! Between transport and engine: frames both ways, candidates out, requests and estimates.

use super::Client;
use crate::{
    call::Call,
    config::Output,
    engine::{EngineOutput, ReceivedFrame},
    machine::{Event, PathEvent},
    transport::{MediaFrame, Transport, TransportOutput},
};
use kernel::{SimTime, Track, event};
use protocol::PeerMessage;

impl Client {
    /// Moves what transport, engine and hop have to say. True when anything moved.
    pub(super) fn pump_media(&mut self, now: SimTime) -> bool {
        self.pump_ended(now) | self.pump_transport(now) | self.pump_hop(now) | self.pump_engine(now)
    }

    /// Drops what is left of a call: the relay gets its allocation back, everything else is erased with it.
    pub(super) fn drop_call(&mut self, call: Call, now: SimTime) {
        if let Some(transport) = call.transport {
            self.release(transport, now);
        }
    }

    /// Gives up a path.
    pub(super) fn release(&mut self, mut transport: Transport, now: SimTime) {
        transport.release(now);
        while let Some(output) = transport.poll() {
            if let TransportOutput::Transmit(datagram) = output {
                self.outputs.push_back(Output::Transmit(datagram));
            }
        }
    }

    fn pump_transport(&mut self, now: SimTime) -> bool {
        let mut moved = false;
        while let Some(output) = self.call.as_mut().and_then(|call| call.transport.as_mut()?.poll()) {
            moved = true;
            self.transport_output(output, now);
        }
        moved
    }

    fn transport_output(&mut self, output: TransportOutput, now: SimTime) {
        match output {
            TransportOutput::Transmit(datagram) => self.outputs.push_back(Output::Transmit(datagram)),
            TransportOutput::Candidate(line) => self.tell_peer(&PeerMessage::Candidate(line), now),
            TransportOutput::IceConnected => self.await_dtls(now),
            TransportOutput::Connected => self.step(Event::Path(PathEvent::Connected), now),
            TransportOutput::Mismatch => self.step(Event::Path(PathEvent::Mismatch), now),
            TransportOutput::Broken => self.step(Event::Path(PathEvent::Broken), now),
            TransportOutput::AskRestart => self.ask_restart(now),
            TransportOutput::Lost => self.step(Event::Path(PathEvent::Lost), now),
            TransportOutput::KeyFrameRequested => {
                if let Some(engine) = self.call.as_mut().and_then(|call| call.engine.as_mut()) {
                    engine.key_frame_requested(now);
                }
            }
            TransportOutput::Path(path) => {
                if let Some(engine) = self.call.as_mut().and_then(|call| call.engine.as_mut()) {
                    engine.set_path(path, now);
                }
            }
            TransportOutput::Frame(frame) => self.frame(frame, now),
        }
    }

    fn await_dtls(&mut self, now: SimTime) {
        if let (Some(dialog), Some(deadline)) = (self.machine.dialog(), self.machine.next_wake()) {
            self.await_for(dialog.call, "dtls", deadline.since(now));
        }
    }

    /// A frame came out of SRTP: past whoever holds the hop, to SFrame.
    fn frame(&mut self, frame: MediaFrame, now: SimTime) {
        let MediaFrame { track, rtp_timestamp, bytes, contiguous } = frame;
        let Some(call) = &mut self.call else { return };
        call.last_timestamps[track as usize] = rtp_timestamp;
        if !self.misbehaviour.is_empty() {
            self.misbehave(now);
        }
        let Some(call) = &mut self.call else { return };
        let frames = match &mut self.hop {
            Some(hop) => hop.incoming(track, bytes, now),
            None => vec![bytes],
        };
        for bytes in frames {
            if let Some(engine) = &mut call.engine {
                engine.receive(ReceivedFrame { track, rtp_timestamp, bytes, contiguous }, now);
            }
        }
    }

    fn pump_hop(&mut self, now: SimTime) -> bool {
        let mut moved = false;
        while let Some(call) = &mut self.call
            && let Some((track, bytes)) = self.hop.as_mut().and_then(|hop| hop.poll(now))
        {
            moved = true;
            let rtp_timestamp = call.last_timestamps[track as usize];
            if let Some(engine) = &mut call.engine {
                engine.receive(ReceivedFrame { track, rtp_timestamp, bytes, contiguous: true }, now);
            }
        }
        moved
    }

    fn pump_engine(&mut self, now: SimTime) -> bool {
        let mut moved = false;
        let Some(call) = &mut self.call else { return false };
        while let Some(output) = call.engine.as_mut().and_then(|engine| engine.poll()) {
            moved = true;
            let sent = carry_out(call, output, now);
            if let Err(track) = sent {
                let (device, reason) = (self.device.clone(), "no_path".to_owned());
                event!(FrameDropped { device, track, frame: None, reason });
            }
        }
        moved
    }

    /// Lets an engine that goes on after the end of its call do so: only a planted bug does.
    fn pump_ended(&mut self, now: SimTime) -> bool {
        let Some(mut call) = self.ended.take() else { return false };
        let mut moved = false;
        while let Some(output) = call.engine.as_mut().and_then(|engine| engine.poll()) {
            moved = true;
            let _ = carry_out(&mut call, output, now);
        }
        while let Some(output) = call.transport.as_mut().and_then(|transport| transport.poll()) {
            moved = true;
            if let TransportOutput::Transmit(datagram) = output {
                self.outputs.push_back(Output::Transmit(datagram));
            }
        }
        if call.engine.as_ref().is_some_and(|engine| engine.next_wake().is_some()) {
            self.ended = Some(call);
        } else {
            self.drop_call(call, now);
        }
        moved
    }
}

/// Does what an engine wants done. An error names the track of a frame for which there is no path yet.
fn carry_out(call: &mut Call, output: EngineOutput, now: SimTime) -> Result<(), Track> {
    match (output, &mut call.transport) {
        (EngineOutput::SendFrame { track, frame, rtp_timestamp, bytes }, Some(transport)) => {
            if transport.send_frame(track, frame, rtp_timestamp, bytes, now) { Ok(()) } else { Err(track) }
        }
        (EngineOutput::SendFrame { track, .. }, None) => Err(track),
        (EngineOutput::RequestKeyFrame { .. }, Some(transport)) => {
            transport.request_key_frame(now);
            Ok(())
        }
        (EngineOutput::RequestKeyFrame { .. }, None) => Ok(()),
    }
}

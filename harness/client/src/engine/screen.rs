//! The screen: jitter buffer, decoder, refresh, and the probe that compares what is shown with what was captured.

use super::{Local, frames::OpenedFrame, incoming::dropped};
use kernel::{Micros, SimTime, Track, artifact, event, mutant, plan::VideoCodec};
use media::{
    Lane, Picture, Scene, Shown, Ticket, VideoDecoder, mark,
    playout::{RefusedFrame, VideoBuffer, VideoFrame},
    probe,
};
use std::sync::Arc;

/// An intact frame gave no picture, or frames pile up: what was fed is lost, and a key frame is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trouble;

struct Decoding {
    counter: u64,
    hash: String,
    opened_at: SimTime,
    began: SimTime,
    due: SimTime,
    ticket: Ticket,
}

/// A picture that waits for the screen's next refresh.
struct Decoded {
    counter: u64,
    picture: Shown,
    at: SimTime,
    refresh: SimTime,
}

/// The tile of the peer.
pub(super) struct Screen {
    first_refresh: Micros,
    decode_cost: Micros,
    buffer: VideoBuffer<OpenedFrame>,
    decoder: Option<Lane<VideoDecoder>>,
    decoding: Option<Decoding>,
    decoded: Option<Decoded>,
    rendered: u64,
    probe: Probe,
}

impl Screen {
    pub(super) fn new(local: &Local, first_refresh: Micros) -> Screen {
        Screen {
            first_refresh,
            decode_cost: local.costs.decode_picture(local.size),
            buffer: VideoBuffer::default(),
            decoder: None,
            decoding: None,
            decoded: None,
            rendered: 0,
            probe: Probe::default(),
        }
    }

    /// Takes an authentic frame whose references were all taken.
    pub(super) fn take(
        &mut self,
        local: &Local,
        frame: OpenedFrame,
        rtp_timestamp: u64,
        now: SimTime,
    ) -> Result<(), Trouble> {
        let counter = frame.counter;
        let frame = VideoFrame { order: counter, timestamp: rtp_timestamp, arrived: now, content: frame };
        match self.buffer.insert(frame) {
            Ok(()) => {}
            Err(RefusedFrame::Late) => dropped(local, Track::Video, counter, "late"),
            Err(RefusedFrame::Full) => {
                self.give_up_waiting(local);
                dropped(local, Track::Video, counter, "late");
                return Err(Trouble);
            }
        }
        self.begin_decoding(local, now);
        Ok(())
    }

    /// When the display was refreshed first: its phase stays what it is.
    pub(super) fn first_refresh(&self) -> Micros {
        self.first_refresh
    }

    pub(super) fn next_wake(&self) -> Option<SimTime> {
        let decode = match &self.decoding {
            Some(decoding) => Some(decoding.due),
            None => self.buffer.next_decode(),
        };
        [decode, self.decoded.as_ref().map(|decoded| decoded.refresh)].into_iter().flatten().min()
    }

    /// Does what is due: a picture that is decoded at the very refresh is shown by it.
    pub(super) fn handle_timeout(
        &mut self,
        local: &Local,
        own_picture: Option<u32>,
        now: SimTime,
    ) -> Result<(), Trouble> {
        let mut result = Ok(());
        if let Some(decoding) = self.decoding.take_if(|decoding| decoding.due <= now) {
            result = self.finish_decoding(local, decoding, now);
        }
        if let Some(decoded) = self.decoded.take_if(|decoded| decoded.refresh <= now) {
            self.render(local, decoded, own_picture, now);
        }
        self.begin_decoding(local, now);
        result
    }

    /// Takes the picture from the tile: the peer's camera is off. What waits would be shown too late.
    pub(super) fn clear(&mut self, local: &Local) {
        self.buffer.clear().for_each(|frame| dropped(local, Track::Video, frame.order, "switched_off"));
        let decoding = self.decoding.take().map(|decoding| decoding.counter);
        let decoded = self.decoded.take().map(|decoded| decoded.counter);
        decoding.into_iter().chain(decoded).for_each(|counter| dropped(local, Track::Video, counter, "switched_off"));
        self.decoder = None;
    }

    /// Drops everything that waits and shows nothing any more.
    pub(super) fn switch_off(&mut self) {
        self.buffer.clear().for_each(drop);
        self.decoding = None;
        self.decoded = None;
        self.decoder = None;
    }

    fn begin_decoding(&mut self, local: &Local, now: SimTime) {
        if self.decoding.is_some() {
            return;
        }
        let Some(frame) = self.buffer.take(now) else { return };
        let OpenedFrame { counter, bytes, hash } = frame.content;
        let decoder = self.decoder.get_or_insert_with(|| {
            let decoder = VideoDecoder::new(&local.media, local.size);
            Lane::new(decoder.expect("media::initialize found the video decoder"))
        });
        let ticket = decoder.submit(bytes);
        let due = now + self.decode_cost;
        self.decoding = Some(Decoding { counter, hash, opened_at: frame.arrived, began: now, due, ticket });
    }

    fn finish_decoding(&mut self, local: &Local, decoding: Decoding, now: SimTime) -> Result<(), Trouble> {
        let Decoding { counter, hash, opened_at, began, ticket, .. } = decoding;
        let picture = self.decoder.as_mut().and_then(|decoder| decoder.collect(ticket));
        event!(Decoded {
            device: local.device.clone(),
            sender: local.peer.clone(),
            track: Track::Video,
            counter,
            hash,
            output: picture.is_some(),
            buffer: began - opened_at,
            decode: now - began,
        });
        let Some(picture) = picture else {
            self.give_up_waiting(local);
            return Err(Trouble);
        };
        let refresh = local.costs.next_refresh(self.first_refresh, now);
        if let Some(older) = self.decoded.replace(Decoded { counter, picture, at: now, refresh }) {
            dropped(local, Track::Video, older.counter, "late");
        }
        Ok(())
    }

    /// What waits refers to what is lost.
    fn give_up_waiting(&mut self, local: &Local) {
        self.buffer.clear().for_each(|frame| dropped(local, Track::Video, frame.order, "missing_reference"));
    }

    fn render(&mut self, local: &Local, decoded: Decoded, own_picture: Option<u32>, now: SimTime) {
        let Decoded { counter, picture, at, .. } = decoded;
        // The tile shows what its own track's key opened, whatever else there is to show.
        let shown = match own_picture {
            Some(frame) if mutant!(V135) => self.probe.own_mark(local, frame),
            _ => picture.mark(),
        };
        event!(Rendered {
            device: local.device.clone(),
            tile: local.tile.clone(),
            sender: local.peer.clone(),
            track: Track::Video,
            counter,
            mark: shown,
            render_wait: now - at,
        });
        self.look_closely(local, picture.picture(), now);
        self.rendered += 1;
    }

    /// Hands a rendered picture to the probes, where there is one.
    fn look_closely(&mut self, local: &Local, picture: Option<&Picture>, now: SimTime) {
        let Some(picture) = picture else { return };
        if local.media.quality_every > 0 && self.rendered.is_multiple_of(local.media.quality_every.into()) {
            self.probe.compare(local, picture);
        }
        if artifact::wants_picture(&local.device) {
            self.probe.keep(local, picture, now);
        }
    }
}

/// Compares rendered pictures with the captured ones, which it makes again from the scene of the peer's camera.
#[derive(Default)]
struct Probe {
    scene: Option<Arc<Scene>>,
    luma: Vec<u8>,
}

impl Probe {
    fn compare(&mut self, local: &Local, picture: &Picture) {
        let Some(mark) = self.peer_mark(local, picture) else { return };
        let scene = self.scene(local);
        let likeness = probe::compare(self.captured(&scene, mark.frame), picture.luma(), local.size);
        event!(PictureQuality {
            device: local.device.clone(),
            sender: local.peer.clone(),
            frame: mark.frame,
            psnr_y_mdb: likeness.psnr_y_mdb(),
            ssim_y_ppm: likeness.ssim_y_ppm(),
        });
    }

    /// Hands a picture to the report, beside what the camera saw.
    fn keep(&mut self, local: &Local, picture: &Picture, at: SimTime) {
        let Some(mark) = self.peer_mark(local, picture) else { return };
        let scene = self.scene(local);
        let mut sent = vec![0; local.size.bytes()];
        scene.fill(mark.frame, &mut sent);
        artifact::keep(artifact::Picture {
            at,
            device: local.device.clone(),
            sender: local.peer.clone(),
            frame: mark.frame,
            width: local.size.width() as u32,
            height: local.size.height() as u32,
            received: picture.planes().to_vec(),
            sent,
        });
    }

    /// The mark of the own camera's picture, as somebody reads it who looks at the own tile.
    fn own_mark(&mut self, local: &Local, frame: u32) -> Option<event::Mark> {
        match local.media.video_codec {
            VideoCodec::Vp8 => {
                let scene = Scene::shared(local.size, local.index);
                mark::read(self.captured(&scene, frame), local.size)
            }
            VideoCodec::Modelled => Some(event::Mark { sender: local.index, frame: frame & mark::FRAME_MASK }),
        }
    }

    fn peer_mark(&self, local: &Local, picture: &Picture) -> Option<event::Mark> {
        mark::read(picture.luma(), local.size).filter(|mark| mark.sender == local.peer_index)
    }

    fn scene(&mut self, local: &Local) -> Arc<Scene> {
        self.scene.get_or_insert_with(|| Scene::shared(local.size, local.peer_index)).clone()
    }

    /// The luma of a camera's picture.
    fn captured(&mut self, scene: &Scene, frame: u32) -> &[u8] {
        self.luma.resize(scene.size().pixels(), 0);
        scene.fill_luma(frame, &mut self.luma);
        &self.luma
    }
}

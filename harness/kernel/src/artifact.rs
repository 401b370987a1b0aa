//! The artifact sink: pictures that probes keep for the report. They never enter the log or its digest.

use crate::{
    names::ActorName,
    time::{self, SimTime},
};
use std::cell::RefCell;

/// A picture on its way from probe to report.
#[derive(Clone, Debug)]
pub struct Picture {
    /// When it was rendered.
    pub at: SimTime,
    /// The device that shows it.
    pub device: ActorName,
    /// The device whose camera took it.
    pub sender: ActorName,
    /// The camera's frame number.
    pub frame: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// What was rendered, I420.
    pub received: Vec<u8>,
    /// What the camera saw, I420.
    pub sent: Vec<u8>,
}

#[derive(Default)]
struct Sink {
    limit: usize,
    pictures: Vec<Picture>,
}

thread_local! { static SINK: RefCell<Sink> = RefCell::new(Sink::default()) }

/// Keeps at most `limit` pictures of this thread's run from now on; 0 keeps none.
pub fn start(limit: usize) {
    SINK.set(Sink { limit, pictures: Vec::new() });
}

/// Whether a picture of this device would be kept now: at most one a second and device, up to the limit. Probes ask
/// first, so that nothing is copied in vain.
pub fn wants_picture(device: &ActorName) -> bool {
    SINK.with_borrow(|sink| {
        let last = sink.pictures.iter().rev().find(|picture| picture.device == *device);
        sink.pictures.len() < sink.limit && last.is_none_or(|picture| time::now().since(picture.at).0 >= 1_000_000)
    })
}

/// Keeps a picture.
pub fn keep(picture: Picture) {
    SINK.with_borrow_mut(|sink| {
        if sink.pictures.len() < sink.limit {
            sink.pictures.push(picture);
        }
    });
}

/// The pictures kept so far, which are forgotten here.
pub fn take() -> Vec<Picture> {
    SINK.with_borrow_mut(|sink| std::mem::take(&mut sink.pictures))
}

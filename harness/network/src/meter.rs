//! What a core link did in the last span of 200 ms.

use kernel::{LinkName, Micros, SimTime, event};

/// RFC 8867 samples every 200 ms.
const SPAN: Micros = Micros::from_millis(200);

/// Counts until the end of the span.
#[derive(Default)]
pub(crate) struct Meter {
    ends: Option<SimTime>,
    packets: u64,
    bytes: u64,
    dropped: u64,
    marked: u64,
    waited: Micros,
    longest_wait: Micros,
    most_queued: u64,
}

impl Meter {
    /// When the sample is due that the link's activity at `now` began, if it began one.
    pub(crate) fn begin(&mut self, now: SimTime) -> Option<SimTime> {
        if self.ends.is_some() {
            return None;
        }
        self.ends = Some(SimTime((now.0 / SPAN.0 + 1) * SPAN.0));
        self.ends
    }

    pub(crate) fn queued(&mut self, bytes: u64) {
        self.most_queued = self.most_queued.max(bytes);
    }

    pub(crate) fn passed(&mut self, bytes: u64, waited: Micros) {
        self.packets += 1;
        self.bytes += bytes;
        self.waited += waited;
        self.longest_wait = self.longest_wait.max(waited);
    }

    pub(crate) fn rejected(&mut self, dropped: u64, marked: u64) {
        self.dropped += dropped;
        self.marked += marked;
    }

    /// Tells the sample and begins again; `queued` bytes wait now.
    pub(crate) fn tell(&mut self, link: &LinkName, queued: u64) {
        // What waits now waits in the next span too.
        let told = std::mem::replace(self, Meter { most_queued: queued, ..Meter::default() });
        if told.packets + told.dropped + told.most_queued == 0 {
            return;
        }
        event!(LinkSampled {
            link: link.clone(),
            span: SPAN,
            packets: told.packets,
            bytes: told.bytes,
            dropped: told.dropped,
            marked: told.marked,
            waited: told.waited,
            longest_wait: told.longest_wait,
            most_queued: told.most_queued,
        });
    }
}

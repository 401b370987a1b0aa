//! Camera and microphone belong to the operating system. What it denies stays closed, whatever the user of the app does; what
//! it gives back opens when the user switches it on.

use super::Client;
use kernel::{SimTime, Track, event::CallStateName, mutant};

impl Client {
    /// The permission for a track is taken away. A call goes on without it, and its peer learns that it is off.
    pub(super) fn deny(&mut self, track: Track, now: SimTime) {
        self.denied.insert(track);
        self.switch(track, false, now);
        if let Some(call) = &mut self.call {
            call.held.retain(|held| *held != track);
        }
    }

    /// The permission is given. It is no wish.
    pub(super) fn allow(&mut self, track: Track, now: SimTime) {
        self.denied.remove(&track);
        if mutant!(V156) && self.machine.state() == CallStateName::Live {
            self.switch(track, true, now);
        }
    }

    pub(super) fn is_denied(&self, track: Track) -> bool {
        self.denied.contains(&track)
    }
}

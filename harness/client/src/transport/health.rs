//! Whether the path works: the peer's media, which should never stop, and the state of ICE.
//!
//! str0m takes a path that dies silently for good for 31 to 42 s. The peer's sound comes every 20 ms: a second without any
//! frame that opened under SRTP is a broken path, and ICE restarts.

use kernel::{Micros, SimTime};

/// So long without the peer's media is a broken path.
pub(super) const SILENCE: Micros = Micros::from_secs(1);
/// How soon a question for a restart that got no answer is asked again.
const REPEAT: Micros = Micros::from_secs(1);
/// How long the checks of one restart may take: a relay that only now gets its permissions is found in that.
pub(super) const ATTEMPT: Micros = Micros::from_secs(4);

/// What is known of the path of a call.
#[derive(Debug, Default)]
pub(super) struct PathHealth {
    /// When the peer's last media came.
    heard: Option<SimTime>,
    /// Since when the path counts as broken.
    broken: Option<SimTime>,
    /// Whether ICE has a valid pair.
    pub(super) ice_up: bool,
    /// When the question of a restart is to be asked, or asked again.
    ask_at: Option<SimTime>,
    /// Until when the checks of a restart may go on.
    trying_until: Option<SimTime>,
}

impl PathHealth {
    /// The peer's media came.
    pub(super) fn heard(&mut self, now: SimTime) {
        self.heard = Some(now);
    }

    /// Whether the path counts as broken.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Whether the checks of a restart are still under way.
    pub(super) fn is_trying(&self, now: SimTime) -> bool {
        self.trying_until.is_some_and(|until| now < until)
    }

    /// The question of a restart was put.
    pub(super) fn asked(&mut self, now: SimTime) {
        self.ask_at = Some(now + REPEAT);
    }

    /// The question is to be put at once, whatever is under way.
    pub(super) fn ask_now(&mut self, now: SimTime) {
        (self.ask_at, self.trying_until) = (Some(now), None);
    }

    /// Both sides have new credentials.
    pub(super) fn restarted(&mut self, now: SimTime) {
        self.broken.get_or_insert(now);
        self.trying_until = Some(now + ATTEMPT);
        self.ask_at = Some(now + ATTEMPT);
    }

    /// Takes the path for broken, when it was not. True when that is new.
    pub(super) fn break_off(&mut self, now: SimTime) -> bool {
        let new = self.broken.is_none();
        self.broken.get_or_insert(now);
        new
    }

    /// Whether the peer has been silent for too long just now. Before its first media there is nothing to miss.
    pub(super) fn fell_silent(&mut self, now: SimTime) -> bool {
        let silent = self.heard.is_some_and(|heard| now.since(heard) >= SILENCE);
        silent && self.break_off(now)
    }

    /// Whether a broken path works again: ICE has a pair and the peer's media comes.
    pub(super) fn healed(&mut self, now: SimTime) -> bool {
        let Some(broken) = self.broken else { return false };
        let flows = self.heard.is_some_and(|heard| heard > broken && now.since(heard) < SILENCE);
        if !flows || !self.ice_up {
            return false;
        }
        (self.broken, self.ask_at, self.trying_until) = (None, None, None);
        true
    }

    /// Whether the question is to be put now.
    pub(super) fn must_ask(&mut self, now: SimTime) -> bool {
        self.is_broken() && self.ask_at.take_if(|at| *at <= now).is_some()
    }

    /// When it is to be looked at again.
    pub(super) fn next_wake(&self) -> Option<SimTime> {
        match self.broken {
            Some(_) => self.ask_at,
            None => self.heard.map(|heard| heard + SILENCE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000;

    #[test]
    fn a_second_of_silence_breaks_a_path_once() {
        let mut health = PathHealth::default();
        assert!(!health.fell_silent(SimTime(90_000 * MS)), "before the first media nothing is missed");
        health.heard(SimTime(100 * MS));
        assert_eq!(health.next_wake(), Some(SimTime(1_100 * MS)));
        assert!(!health.fell_silent(SimTime(1_099 * MS)));
        assert!(health.fell_silent(SimTime(1_100 * MS)));
        assert!(!health.fell_silent(SimTime(1_200 * MS)), "it is broken already");
    }

    #[test]
    fn a_path_heals_with_a_pair_and_the_peers_media() {
        let mut health = PathHealth { ice_up: true, ..PathHealth::default() };
        health.heard(SimTime(0));
        assert!(health.fell_silent(SimTime(1_000 * MS)));
        assert!(!health.healed(SimTime(1_000 * MS)));
        health.restarted(SimTime(1_100 * MS));
        health.ice_up = false;
        health.heard(SimTime(1_200 * MS));
        assert!(!health.healed(SimTime(1_200 * MS)), "no pair is valid yet");
        health.ice_up = true;
        assert!(health.healed(SimTime(1_210 * MS)));
        assert!(!health.is_broken() && !health.healed(SimTime(1_220 * MS)));
    }

    #[test]
    fn a_question_is_repeated_until_the_path_heals() {
        let mut health = PathHealth { ice_up: true, ..PathHealth::default() };
        health.heard(SimTime(0));
        health.fell_silent(SimTime(1_000 * MS));
        health.asked(SimTime(1_000 * MS));
        assert!(!health.must_ask(SimTime(1_999 * MS)));
        assert!(health.must_ask(SimTime(2_000 * MS)));
        health.asked(SimTime(2_000 * MS));
        health.heard(SimTime(2_500 * MS));
        assert!(health.healed(SimTime(2_500 * MS)));
        assert!(!health.must_ask(SimTime(3_000 * MS)));
    }
}

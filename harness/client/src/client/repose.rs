//! The app in the hands of its operating system. Put away it sleeps as soon as nothing keeps it: suspended, with its
//! connection closed. Its user wakes it, or a push, which gives it a while in the background.

use super::Client;
use crate::config::{Input, Output};
use kernel::{
    Micros, SimTime, event,
    event::{Act, CallStateName},
};

/// How long an app that a push woke may go on behind a screen that shows something else: about what phones give.
const BACKGROUND: Micros = Micros::from_secs(30);

/// Whether the app sleeps, or will.
#[derive(Default)]
pub(super) struct Repose {
    asleep: bool,
    /// From when on it sleeps, unless something keeps it.
    due: Option<SimTime>,
}

impl Client {
    /// The user puts the app away.
    pub(super) fn put_away(&mut self, now: SimTime) {
        self.repose.due = Some(now);
    }

    /// The user has the app before them, unless what they do is the operating system's business.
    pub(super) fn come_to_the_front(&mut self, act: &Act, now: SimTime) {
        let is_elsewhere =
            matches!(act, Act::Sleep | Act::Lock | Act::Unlock | Act::DenyAccess { .. } | Act::AllowAccess { .. });
        if !is_elsewhere {
            self.repose.due = None;
            self.wake(now);
        }
    }

    /// A push came.
    pub(super) fn pushed(&mut self, now: SimTime) {
        if self.repose.asleep {
            self.repose.due = Some(now + BACKGROUND);
            self.wake(now);
        }
    }

    /// Whether an input passes an app by that sleeps: it has no timers and no sockets.
    pub(super) fn sleeps_through(&self, input: &Input) -> bool {
        self.repose.asleep && matches!(input, Input::Datagram(_) | Input::Timeout | Input::Work(_))
    }

    /// When the app falls asleep by itself.
    pub(super) fn next_repose(&self) -> Option<SimTime> {
        self.repose.due.filter(|_| self.is_at_rest())
    }

    pub(super) fn is_asleep(&self) -> bool {
        self.repose.asleep
    }

    /// Sleeps if it is time to and nothing keeps the app: a call goes on in the background.
    pub(super) fn fall_asleep(&mut self, now: SimTime) {
        if self.repose.asleep || !self.is_at_rest() || self.repose.due.is_none_or(|due| due > now) {
            return;
        }
        self.repose = Repose { asleep: true, due: None };
        self.account.suspend(now);
        self.outputs.extend(std::iter::from_fn(|| self.account.poll_transmit()).map(Output::Transmit));
        event!(AppSlept { device: self.device.clone(), asleep: true });
    }

    fn wake(&mut self, now: SimTime) {
        if std::mem::take(&mut self.repose.asleep) {
            event!(AppSlept { device: self.device.clone(), asleep: false });
            self.account.resume(now);
        }
    }

    fn is_at_rest(&self) -> bool {
        let is_idle = matches!(self.machine.state(), CallStateName::Idle | CallStateName::Ended);
        let is_through = self.call.is_none() && self.ended.is_none() && self.unknown.is_none();
        is_idle && is_through && self.insistence.next_wake().is_none()
    }
}

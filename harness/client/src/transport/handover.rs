//! Interfaces that come and go in mid-call.
//!
//! What is gathered on an interface that comes is offered at once, so that there are pairs in reserve. When the one of the
//! path in use goes, its candidates are withdrawn, media goes on over a pair in reserve where there is one, and ICE restarts
//! without waiting for silence. The restart names the candidates that are left, which tells the peer what is gone.

use super::{Transport, TransportOutput, gather::same_version};
use kernel::{SimTime, random};
use std::net::SocketAddr;
use str0m::Input;

impl Transport {
    /// The sockets of the interfaces that are up from now on, the preferred first.
    pub fn move_to(&mut self, locals: Vec<SocketAddr>, now: SimTime) {
        let before = std::mem::replace(&mut self.config.locals, locals);
        let new: Vec<SocketAddr> = self.config.locals.iter().copied().filter(|own| !before.contains(own)).collect();
        let is_lost = self.leave_gone_sockets();
        self.gather_on(&new, now);
        if is_lost && self.health.break_off(now) {
            self.outputs.push_back(TransportOutput::Broken);
        } else if (is_lost || before.is_empty()) && self.has_socket() {
            // It broke before, and what was asked then reached nobody or named what is gone.
            self.health.ask_now(now);
        }
        self.choose_pair(now);
        self.look_after_path(now);
    }

    /// Whether any interface is up.
    pub(super) fn has_socket(&self) -> bool {
        !self.config.locals.is_empty()
    }

    /// Lets ICE look for another pair now and not at its next wake.
    fn choose_pair(&mut self, now: SimTime) {
        if self.gathering.is_some() && !self.over {
            let _scope = random::scope("str0m");
            let result = self.rtc.handle_input(Input::Timeout(now.to_instant()));
            self.judge(result);
        }
        self.drive(now);
    }

    /// Takes back what was gathered on sockets that are gone. True when the path in use was on one.
    fn leave_gone_sockets(&mut self) -> bool {
        let locals = self.config.locals.clone();
        let is_gone = |socket: SocketAddr| !locals.contains(&socket);
        let Some(gathering) = &mut self.gathering else { return false };
        gathering.forget(is_gone);
        let is_leg_gone = gathering.relays.leg_local().is_some_and(is_gone);
        let (used, relayed) = (self.selected.map(|(source, _)| source), gathering.relayed());
        let is_lost = used.is_some_and(|used| if relayed == Some(used) { is_leg_gone } else { is_gone(used) });
        self.withdraw(|candidate| is_gone(candidate.local()));
        is_lost && self.minds_path()
    }

    fn gather_on(&mut self, new: &[SocketAddr], now: SimTime) {
        let locals = &self.config.locals;
        let Some(gathering) = &mut self.gathering else { return };
        gathering.query(new, now);
        if let Some(preferred) = same_version(locals, gathering.local) {
            gathering.local = preferred;
            if gathering.relays.leg_local().is_some_and(|local| !locals.contains(&local)) {
                gathering.relays.move_to(preferred, now);
            }
        }
        if !self.hides_addresses() {
            self.offer_hosts(new);
        }
    }
}

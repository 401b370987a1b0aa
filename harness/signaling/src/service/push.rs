//! Waking a device without a connection: a push service, which belongs to somebody else, is asked to. It is told whom, by a
//! random token, and nothing else; what there is to say the device hears when it has attached.

use super::{Service, ServiceOutput, store::Stage};
use kernel::{
    mutant,
    names::{ActorName, CallId},
    time::{Micros, SimTime},
};
use protocol::{ConnectionId, PUSH_PAYLOAD, PushRequest, PushToken};
use std::collections::BTreeMap;

/// How long a push counts as under way when the device does not attach: then it is asked for again.
pub(super) const PATIENCE: Micros = Micros::from_secs(10);

/// When each device was last asked to be woken, until it attaches.
#[derive(Clone, Default)]
pub(super) struct Pushes(BTreeMap<ActorName, SimTime>);

impl Pushes {
    /// Whether to ask now: one push a device is under way at a time.
    fn may_ask(&mut self, device: &ActorName, now: SimTime) -> bool {
        let is_free = self.0.get(device).is_none_or(|asked| now.since(*asked) >= PATIENCE);
        if is_free {
            self.0.insert(device.clone(), now);
        }
        is_free
    }
}

impl Service {
    /// A device says what the push service knows it by.
    pub(super) fn register_push(&mut self, connection: ConnectionId, token: PushToken) {
        if let Some(device) = self.device_of(connection) {
            self.store.set_push_token(&device, token);
        }
    }

    /// The device is there: what was asked for has come about.
    pub(super) fn is_awake(&mut self, device: &ActorName) {
        self.pushes.0.remove(device);
    }

    /// There is something for a device that has no connection here or at another core. `about` is the call, if it is one.
    pub(super) fn nudge(&mut self, device: &ActorName, about: Option<CallId>, now: SimTime) {
        if self.is_elsewhere(device) {
            return;
        }
        let Some(token) = self.store.push_token(device) else { return };
        if self.pushes.may_ask(device, now) {
            let payload = if mutant!(V112) { self.telling(about) } else { PUSH_PAYLOAD.to_vec() };
            self.outputs.push_back(ServiceOutput::Push(PushRequest { token, payload }));
        }
    }

    /// A device went without a word. Where it rings it may not have heard it.
    pub(super) fn nudge_if_rung(&mut self, device: &ActorName, now: SimTime) {
        let rings = |call: &&super::store::Call| call.stage == Stage::Ringing && call.offers.contains_key(device);
        let call = self.store.calls().find(rings).map(|call| call.id);
        if call.is_some() {
            self.nudge(device, call, now);
        }
    }

    /// A call that another core placed rings devices that have no connection.
    pub(super) fn nudge_rung(&mut self, call: CallId, now: SimTime) {
        let found = self.store.calls().find(|found| found.id == call && found.stage == Stage::Ringing && !found.rings);
        let rung: Vec<ActorName> = found.map(|found| found.offers.keys().cloned().collect()).unwrap_or_default();
        for device in rung.iter().filter(|device| !self.online.contains_key(*device)).cloned().collect::<Vec<_>>() {
            self.nudge(&device, Some(call), now);
        }
    }

    /// The planted bug V112: the push says who calls, and in which call.
    fn telling(&self, about: Option<CallId>) -> Vec<u8> {
        let call = about.and_then(|id| self.store.calls().find(|call| call.id == id));
        let text = call.map(|call| format!("{} is calling you ({})", call.caller, call.id));
        text.unwrap_or_else(|| "something is new".to_owned()).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_push_of_a_device_is_under_way_at_a_time() {
        let mut pushes = Pushes::default();
        let (phone, tablet): (ActorName, ActorName) = ("phone".into(), "tablet".into());
        assert!(pushes.may_ask(&phone, SimTime(0)) && !pushes.may_ask(&phone, SimTime(1)));
        assert!(pushes.may_ask(&tablet, SimTime(1)));
        assert!(!pushes.may_ask(&phone, SimTime(PATIENCE.0 - 1)) && pushes.may_ask(&phone, SimTime(PATIENCE.0)));
        pushes.0.remove(&phone);
        assert!(pushes.may_ask(&phone, SimTime(PATIENCE.0 + 1)));
    }
}

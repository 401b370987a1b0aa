//! The push service of the makers of phones, which belongs to none of the parties of a call. It gives each device a token and
//! keeps a connection of the operating system to it, which is not simulated as packets; whoever shows it the token may have
//! the device's app woken. What it is told it can keep, and so is in the log.

use kernel::{
    ActorName, Micros, Plan, SimTime, event, log,
    random::{SeedTree, Stream},
};
use protocol::{PushRequest, PushToken};
use std::collections::BTreeMap;

/// Its name in events.
const NAME: &str = "push";
/// The least that a push takes to its device, and how much more it may be.
const DELAY: (Micros, Micros) = (Micros::from_millis(200), Micros::from_millis(800));
/// How soon it tries again to reach a device without a network ...
const AGAIN: Micros = Micros::from_secs(1);
/// ... and for how long.
const LIFETIME: Micros = Micros::from_secs(60);

/// The push service of a run.
pub(crate) struct PushService {
    devices: BTreeMap<PushToken, ActorName>,
    delays: Stream,
    /// The push that is under way to each device, and when it is given up. Further ones are the same.
    under_way: BTreeMap<ActorName, SimTime>,
}

/// What becomes of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The device's app is woken.
    Wake,
    /// The device has no network: at another time.
    Again(SimTime),
    /// It had none for too long.
    Lost,
}

impl PushService {
    /// The service for the devices of a plan. Where nobody sleeps it is asked for nothing.
    pub(crate) fn of(plan: &Plan) -> PushService {
        let devices = plan.participants.iter().map(|one| (token(plan.seed, &one.device), one.device.clone()));
        let delays = SeedTree::root(plan.seed).child(NAME).stream("delays");
        PushService { devices: devices.collect(), delays, under_way: BTreeMap::new() }
    }

    /// Takes a request; gives whom it is for and when to try, unless it is nobody, or is being tried already.
    pub(crate) fn ask(&mut self, request: &PushRequest, now: SimTime) -> Option<(ActorName, SimTime)> {
        let device = self.devices.get(&request.token).cloned();
        event!(PushAsked {
            service: NAME.into(),
            device: device.clone(),
            token: log::store(&request.token),
            payload: log::store(&request.payload),
        });
        let device = device.filter(|device| !self.under_way.contains_key(device))?;
        self.under_way.insert(device.clone(), now + LIFETIME);
        Some((device, now + DELAY.0 + Micros(self.delays.below(DELAY.1.0))))
    }

    /// Tries to reach a device.
    pub(crate) fn deliver(&mut self, device: &ActorName, is_reachable: bool, now: SimTime) -> Delivery {
        let until = self.under_way.get(device).copied().unwrap_or(now);
        if !is_reachable && now + AGAIN <= until {
            return Delivery::Again(now + AGAIN);
        }
        self.under_way.remove(device);
        if is_reachable { Delivery::Wake } else { Delivery::Lost }
    }
}

/// What the service knows a device by: random, and nothing of the device's name or user's.
pub(crate) fn token(seed: u64, device: &ActorName) -> PushToken {
    SeedTree::root(seed).child(NAME).child(device.as_str()).stream("token").bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> (PushService, PushRequest) {
        let devices = ["alice-phone", "bob-phone"].map(|device| (token(1, &device.into()), device.into()));
        let delays = SeedTree::root(1).stream("delays");
        let service = PushService { devices: devices.into(), delays, under_way: BTreeMap::new() };
        (service, PushRequest { token: token(1, &"bob-phone".into()), payload: Vec::new() })
    }

    #[test]
    fn a_push_wakes_the_device_of_its_token_once() {
        let (mut service, request) = service();
        let (device, at) = service.ask(&request, SimTime(0)).unwrap();
        assert!(device == *"bob-phone" && at >= SimTime(0) + DELAY.0 && at < SimTime(0) + DELAY.0 + DELAY.1);
        assert_eq!(service.ask(&request, SimTime(5)), None, "it is under way");
        assert_eq!(service.deliver(&device, true, at), Delivery::Wake);
        assert!(service.ask(&request, at).is_some());
        assert_eq!(service.ask(&PushRequest { token: [0; 16], ..request }, at), None, "nobody has this token");
    }

    #[test]
    fn a_device_without_a_network_is_tried_for_a_minute() {
        let (mut service, request) = service();
        let (device, mut at) = service.ask(&request, SimTime(0)).unwrap();
        let mut tries = 0;
        while let Delivery::Again(next) = service.deliver(&device, false, at) {
            (at, tries) = (next, tries + 1);
        }
        assert!((58..=60).contains(&tries) && at <= SimTime(0) + LIFETIME, "{tries}");
        assert_eq!(service.deliver(&device, false, at), Delivery::Lost);
    }
}

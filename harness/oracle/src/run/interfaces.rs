//! Which interfaces of a device are up, and when.

use super::{Cast, events::Events};
use kernel::{SimTime, plan::AccessPlan};
use std::net::IpAddr;

/// The interfaces of all devices over time.
pub(crate) struct Interfaces {
    /// By device: from when on which are up, by their places among the participant's.
    steps: Vec<Vec<(SimTime, Vec<usize>)>>,
}

/// A span in which the interfaces of two devices stay what they are.
pub(crate) struct Period {
    pub(crate) from: SimTime,
    /// Not in it any more.
    pub(crate) until: SimTime,
    pub(crate) up: [Vec<usize>; 2],
}

impl Interfaces {
    pub(super) fn of(events: &Events, cast: &Cast) -> Interfaces {
        let steps = |device: usize| {
            let participant = cast.participant(device);
            let starts_down = |place: usize| place > 0 && participant.interfaces[place - 1].starts_down;
            let mut up: Vec<usize> =
                (0..participant.interfaces().count()).filter(|place| !starts_down(*place)).collect();
            let mut steps = vec![(SimTime::ZERO, up.clone())];
            for change in events.interfaces.iter().filter(|change| change.device == participant.device) {
                let Some(place) = participant.interfaces().position(|(name, ..)| *name == change.interface) else {
                    continue;
                };
                up.retain(|known| *known != place);
                up.extend(change.up.then_some(place));
                up.sort_unstable();
                steps.push((change.at, up.clone()));
            }
            steps
        };
        Interfaces { steps: (0..cast.len()).map(steps).collect() }
    }

    /// The spans in which a device has no interface at all; the last may go on to `end`.
    pub(super) fn outages(&self, device: usize, end: SimTime) -> Vec<(SimTime, SimTime)> {
        let steps = &self.steps[device];
        let next = |n: usize| steps.get(n + 1).map_or(end, |(at, _)| *at);
        let none = steps.iter().enumerate().filter(|(_, (_, up))| up.is_empty());
        none.map(|(n, (at, _))| (*at, next(n))).filter(|(from, until)| from < until).collect()
    }

    /// The spans in which the interfaces of two devices stay the same, in order.
    pub(crate) fn periods(&self, devices: [usize; 2]) -> Vec<Period> {
        let mut times: Vec<SimTime> =
            devices.iter().flat_map(|device| self.steps[*device].iter().map(|(at, _)| *at)).collect();
        times.sort_unstable();
        times.dedup();
        let up_at = |device: usize, at: SimTime| {
            let steps = &self.steps[device];
            steps[steps.partition_point(|(from, _)| *from <= at) - 1].1.clone()
        };
        let until = |n: usize| times.get(n + 1).copied().unwrap_or(SimTime::NEVER);
        let period = |(n, from): (usize, &SimTime)| Period {
            from: *from,
            until: until(n),
            up: devices.map(|device| up_at(device, *from)),
        };
        times.iter().enumerate().map(period).collect()
    }
}

/// The address and the access of an interface of a device.
pub(crate) fn access<'a>(cast: &Cast<'a>, device: usize, place: usize) -> (IpAddr, &'a AccessPlan) {
    let (_, address, access) = cast.participant(device).interfaces().nth(place).expect("it is one of the device's");
    (address, access)
}

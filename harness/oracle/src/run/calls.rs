//! Calls as the server stored them, and each device's part in them: states, consent, end.

use super::{
    Cast,
    events::{Events, Seen},
};
use kernel::{
    CallId, SimTime, Track, UserName,
    event::{Act, CallState, CallStateName, Ended, Fact, Ring, Screen, Signal, Store, UserAct},
};
use std::collections::{BTreeMap, BTreeSet};

/// A place in the log.
pub(crate) type Moment = (SimTime, u64);

/// A call as signaling saw it.
#[derive(Clone, Default)]
pub(crate) struct Call<'a> {
    pub(crate) caller: Option<UserName>,
    pub(crate) callee: Option<UserName>,
    /// Both ends, once it was accepted: caller, callee.
    pub(crate) devices: Option<(usize, usize)>,
    pub(crate) invited: Option<Seen<'a, Signal>>,
    pub(crate) ringing: Option<Seen<'a, Store>>,
    pub(crate) live: Option<Seen<'a, Store>>,
    /// Times at which it went from one device of a user to another.
    pub(crate) moves: Vec<Move<'a>>,
    pub(crate) over: Option<Seen<'a, Store>>,
    /// Rings that the server sent.
    pub(crate) rings: Vec<Seen<'a, Signal>>,
    /// Messages of the server that say that the call was accepted.
    pub(crate) accepted: Vec<Seen<'a, Signal>>,
    /// Relay credentials for it.
    pub(crate) credentials: Vec<Seen<'a, Store>>,
}

/// A call went from one device of a user to another.
#[derive(Clone, Copy)]
pub(crate) struct Move<'a> {
    pub(crate) stored: Seen<'a, Store>,
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// Two devices between which a call was live: from a record on, up to another.
#[derive(Clone, Copy)]
pub(crate) struct Leg {
    pub(crate) ends: (usize, usize),
    pub(crate) from: Moment,
    pub(crate) until: Moment,
}

impl Call<'_> {
    /// The devices between which it was live, one pair after the other: caller's, callee's.
    pub(crate) fn legs(&self) -> Vec<Leg> {
        let (Some(ends), Some(live)) = (self.devices, self.live) else { return Vec::new() };
        let until = (SimTime::NEVER, u64::MAX);
        // From the invite on: what is wrong before the accept is of the first pair, too.
        let begun = self.ringing.unwrap_or(live);
        let mut legs = vec![Leg { ends, from: (begun.at, begun.index), until }];
        for Move { stored, from, to } in &self.moves {
            let at = (stored.at, stored.index);
            let Some(last) = legs.last_mut() else { break };
            last.until = at;
            let other = |end: usize| if end == *from { *to } else { end };
            let ends = (other(last.ends.0), other(last.ends.1));
            legs.push(Leg { ends, from: at, until });
        }
        legs
    }

    /// Every pair of devices between which it was live.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let of_moves = self.legs().into_iter().map(|leg| leg.ends);
        self.devices.into_iter().filter(|_| self.live.is_none()).chain(of_moves)
    }

    /// The record from which on the call counts as accepted: the server stored or said so.
    pub(crate) fn accepted_from(&self) -> Option<u64> {
        let told = self.accepted.first().map(|seen| seen.index);
        told.into_iter().chain(self.live.map(|seen| seen.index)).min()
    }
}

/// What the user of a device agreed to.
#[derive(Clone, Copy)]
pub(crate) struct Consent {
    pub(crate) given: Moment,
    pub(crate) tracks: &'static [Track],
}

/// The user of a device switched a track off during a call, or on again.
#[derive(Clone, Copy)]
pub(crate) struct Switch {
    pub(crate) given: Moment,
    pub(crate) track: Track,
    pub(crate) on: bool,
}

/// A device's part in a call.
pub(crate) struct Part<'a> {
    pub(crate) device: usize,
    pub(crate) call: CallId,
    /// When the device was asked to take the call over from another one of its user.
    pub(crate) asked: Option<Moment>,
    /// When it began to ring beside another call, and when it rang alone: never, if it was over before.
    pub(crate) waited: Option<(Moment, Moment)>,
    /// When the device first had to do with it.
    pub(crate) began: Moment,
    pub(crate) states: Vec<Seen<'a, CallState>>,
    pub(crate) ring: Option<Seen<'a, Ring>>,
    pub(crate) ended: Option<Seen<'a, Ended>>,
    pub(crate) consents: Vec<Consent>,
    pub(crate) switches: Vec<Switch>,
    /// When the user hung up, cancelled or declined.
    pub(crate) hung_up: Option<Moment>,
    /// When the device's app crashed in it.
    pub(crate) crashed: Option<Moment>,
}

/// All calls of a run.
pub(crate) struct Calls<'a> {
    pub(crate) by_id: BTreeMap<CallId, Call<'a>>,
    /// By device, call, and the how-many-th time that the device had to do with it: a call that rang and was answered
    /// elsewhere can come to it all the same.
    pub(crate) parts: BTreeMap<(usize, CallId, u8), Part<'a>>,
}

impl<'a> Part<'a> {
    /// When the device took the call as over: its end was told, or its machine left it.
    pub(crate) fn over(&self) -> Option<Moment> {
        let left = self
            .states
            .iter()
            .find(|state| matches!(state.to, CallStateName::Idle | CallStateName::Ended))
            .map(|state| (state.at, state.index));
        let ended = self.ended.map(|ended| (ended.at, ended.index));
        // A call that rings again for the app that started again is not over by the crash.
        let crashed = self.crashed.filter(|crash| self.states.iter().all(|state| state.index <= crash.1));
        left.into_iter().chain(ended).chain(crashed).min_by_key(|moment| moment.1)
    }

    /// When the device first was in a state.
    pub(crate) fn first(&self, to: CallStateName) -> Option<Moment> {
        self.states.iter().find(|state| state.to == to).map(|state| (state.at, state.index))
    }

    /// When the device showed the call to a user who has not consented to it.
    pub(crate) fn shown(&self) -> Option<Moment> {
        self.ring.map(|ring| (ring.at, ring.index)).or(self.asked)
    }

    /// Whether it only rang beside another call at a record.
    pub(crate) fn waits(&self, index: u64) -> bool {
        self.waited.is_some_and(|(from, until)| from.1 <= index && index < until.1)
    }

    /// When it became the call that the device is in or rings for; never for one that only waited beside another.
    pub(crate) fn alone(&self) -> Moment {
        self.waited.map_or(self.began, |(_, until)| until)
    }

    /// When the device began to accept: by its user's act, or as its machine moved.
    pub(crate) fn accepting(&self) -> Option<Moment> {
        let act = self.consents.iter().filter(|_| self.shown().is_some()).map(|consent| consent.given).min();
        act.into_iter().chain(self.first(CallStateName::Accepting)).min()
    }

    /// Whether an act ends the call in the state that the device is in: a cancel that crosses the accept does not.
    fn ends_with(&self, act: &Act) -> bool {
        let state = self.states.last().map(|state| state.to);
        match act {
            Act::Cancel => state.is_none_or(|state| state == CallStateName::Outgoing),
            Act::Decline => state.is_none_or(|state| state == CallStateName::Incoming),
            _ => true,
        }
    }

    /// From when to when the user wanted a track off; the last time until the call was over, if not for less.
    pub(crate) fn times_off(&self, track: Track) -> Vec<(Moment, Moment)> {
        let mut times: Vec<(Moment, Moment)> = Vec::new();
        let mut since = None;
        for switch in self.switches.iter().filter(|switch| switch.track == track) {
            match since {
                None if !switch.on => since = Some(switch.given),
                Some(off) if switch.on => {
                    times.push((off, switch.given));
                    since = None;
                }
                _ => {}
            }
        }
        let over = self.over().unwrap_or((SimTime::NEVER, u64::MAX));
        times.extend(since.map(|off| (off, over)));
        times
    }

    /// Whether the machine is where the act switches tracks.
    fn can_switch(&self, act: &Act) -> bool {
        use CallStateName::{Connecting, Held, Live, Reconnecting};
        self.states.last().is_some_and(|state| match act {
            Act::Hold => state.to == Live,
            Act::Resume => state.to == Held,
            _ => matches!(state.to, Connecting | Live | Reconnecting),
        })
    }

    /// Whether the user had agreed to a track before a record.
    pub(crate) fn consented(&self, track: Track, index: u64) -> bool {
        self.consents.iter().any(|consent| consent.given.1 < index && consent.tracks.contains(&track))
    }
}

impl<'a> Calls<'a> {
    /// `crashes` are those of apps: by device.
    pub(crate) fn of(events: &Events<'a>, cast: &Cast<'a>, crashes: &[(usize, Moment)]) -> Calls<'a> {
        let mut calls = Calls { by_id: BTreeMap::new(), parts: BTreeMap::new() };
        calls.read_facts(events, cast);
        calls.read_signals(events, cast);
        calls.read_devices(events, cast, crashes);
        calls
    }

    fn read_facts(&mut self, events: &Events<'a>, cast: &Cast<'a>) {
        for seen in &events.facts {
            match &seen.get().fact {
                Fact::CallRinging { call, caller, callee } => {
                    let call = self.by_id.entry(*call).or_default();
                    call.caller = Some(caller.clone());
                    call.callee = Some(callee.clone());
                    call.ringing = call.ringing.or(Some(*seen));
                }
                Fact::CallLive { call, caller_device, callee_device } => {
                    let call = self.by_id.entry(*call).or_default();
                    call.live = call.live.or(Some(*seen));
                    call.devices = call.devices.or(cast.pair(caller_device, callee_device));
                }
                Fact::CallMoved { call, from, to } => {
                    let (Some(from), Some(to)) = (cast.device(from), cast.device(to)) else { continue };
                    self.by_id.entry(*call).or_default().moves.push(Move { stored: *seen, from, to });
                }
                Fact::CallOver { call, .. } => {
                    let call = self.by_id.entry(*call).or_default();
                    call.over = call.over.or(Some(*seen));
                }
                Fact::RelayCredentialIssued { call, .. } => {
                    self.by_id.entry(*call).or_default().credentials.push(*seen);
                }
                _ => {}
            }
        }
    }

    fn read_signals(&mut self, events: &Events<'a>, cast: &Cast<'a>) {
        for seen in &events.signals {
            let Some(id) = seen.call else { continue };
            match seen.get().message.as_str() {
                "invite" => {
                    let call = self.by_id.entry(id).or_default();
                    call.invited = call.invited.or(Some(*seen));
                    let caller = cast.device(&seen.from).map(|device| cast.user(device).clone());
                    call.caller = call.caller.take().or(caller);
                }
                "ring" => self.by_id.entry(id).or_default().rings.push(*seen),
                "accepted" => self.by_id.entry(id).or_default().accepted.push(*seen),
                _ => {}
            }
        }
    }

    /// Walks what devices did and showed in the order of the log, so that each act finds the call that it was about.
    fn read_devices(&mut self, events: &Events<'a>, cast: &Cast<'a>, crashes: &[(usize, Moment)]) {
        let mut steps: Vec<Step<'a>> = Vec::new();
        steps.extend(events.user_acts.iter().map(|seen| Step::Act(*seen)));
        steps.extend(events.rings.iter().map(|seen| Step::Ring(*seen)));
        steps.extend(events.call_states.iter().map(|seen| Step::State(*seen)));
        steps.extend(events.ended.iter().map(|seen| Step::Ended(*seen)));
        for seen in &events.screens {
            let Some(device) = cast.device(&seen.device) else { continue };
            match seen.screen {
                Screen::Incoming { call, waits, .. } => {
                    let how = if waits { How::Waits } else { How::Rings };
                    steps.push(Step::Shown { device, call, at: (seen.at, seen.index), how })
                }
                Screen::Outgoing { call, .. } => {
                    steps.push(Step::Shown { device, call, at: (seen.at, seen.index), how: How::Calls })
                }
                _ => {}
            }
        }
        // Last: each comes behind what the record before it says.
        steps.extend(crashes.iter().map(|(device, at)| Step::Crashed { device: *device, at: *at }));
        steps.sort_by_key(Step::index);
        let mut hands: Vec<Hand> = (0..cast.len()).map(|_| Hand::default()).collect();
        for step in steps {
            self.walk(step, cast, &mut hands);
        }
    }

    fn walk(&mut self, step: Step<'a>, cast: &Cast<'a>, hands: &mut [Hand]) {
        match step {
            Step::Act(act) => {
                let Some(device) = cast.device(&act.device) else { return };
                self.act(act, device, &mut hands[device]);
            }
            Step::Ring(ring) => {
                let Some(device) = cast.device(&ring.device) else { return };
                hands[device].ringing = Some(ring.call);
                let part = self.part(device, ring.call, (ring.at, ring.index));
                part.ring = part.ring.or(Some(ring));
            }
            Step::State(state) => {
                let (Some(device), Some(call)) = (cast.device(&state.device), state.call) else { return };
                let at = (state.at, state.index);
                if state.because == "srv.hand-over" {
                    self.come_again(device, call, at);
                }
                if state.because == "waiting.ring"
                    && let Some((_, until)) = &mut self.part(device, call, at).waited
                {
                    *until = at;
                }
                match state.to {
                    CallStateName::Incoming => hands[device].ringing = Some(call),
                    CallStateName::Outgoing => self.bind(device, call, at, &mut hands[device]),
                    _ => {}
                }
                self.part(device, call, at).states.push(state);
            }
            Step::Ended(ended) => {
                let Some(device) = cast.device(&ended.device) else { return };
                hands[device].ringing.take_if(|ringing| *ringing == ended.call);
                let part = self.part(device, ended.call, (ended.at, ended.index));
                part.ended = part.ended.or(Some(ended));
            }
            Step::Crashed { device, at } => {
                hands[device].ringing = None;
                if let Some(part) = self.current(device).filter(|part| part.over().is_none()) {
                    part.crashed = Some(at);
                }
            }
            Step::Shown { device, call, at, how: How::Rings } => {
                hands[device].ringing = Some(call);
                self.part(device, call, at);
            }
            Step::Shown { device, call, at, how: How::Waits } => {
                hands[device].ringing = Some(call);
                let part = self.part(device, call, at);
                // Its ring is the record before.
                part.waited = Some((part.began, (SimTime::NEVER, u64::MAX)));
            }
            Step::Shown { device, call, at, how: How::Calls } => self.bind(device, call, at, &mut hands[device]),
        }
    }

    fn act(&mut self, act: Seen<'a, UserAct>, device: usize, hand: &mut Hand) {
        let given = (act.at, act.index);
        match act.what {
            Act::DenyAccess { track } => drop(hand.denied.insert(track)),
            Act::AllowAccess { track } => drop(hand.denied.remove(&track)),
            _ => {}
        }
        let switches = act.what.switches().iter().filter(|(track, on)| !on || !hand.denied.contains(track));
        let switches = switches.map(|(track, on)| Switch { given, track: *track, on: *on });
        if let Some(part) = self.current(device).filter(|part| part.over().is_none() && part.can_switch(&act.what)) {
            part.switches.extend(switches);
        }
        let tracks = act.what.consents_to();
        match &act.what {
            // The call has no id yet: the next outgoing one is it.
            Act::Call { .. } => hand.calling = Some(Consent { given, tracks }),
            Act::Accept { .. } | Act::AcceptWaiting { .. } => {
                if matches!(act.what, Act::AcceptWaiting { .. })
                    && let Some(part) = self.current(device).filter(|part| part.over().is_none())
                {
                    part.hung_up = part.hung_up.or(Some(given));
                }
                if let Some(call) = hand.ringing {
                    self.part(device, call, given).consents.push(Consent { given, tracks });
                }
            }
            Act::Decline | Act::Cancel | Act::HangUp => {
                if let Some(part) = self.current(device)
                    && part.over().is_none()
                    && part.ends_with(&act.what)
                {
                    part.hung_up = part.hung_up.or(Some(given));
                }
            }
            _ => {}
        }
    }

    fn bind(&mut self, device: usize, call: CallId, at: Moment, hand: &mut Hand) {
        let part = self.part(device, call, at);
        part.consents.extend(hand.calling.take());
    }

    /// The part that a device has in the call that it came to last.
    fn current(&mut self, device: usize) -> Option<&mut Part<'a>> {
        let is_in = |part: &&mut Part| part.device == device && part.alone().1 != u64::MAX;
        self.parts.values_mut().filter(is_in).max_by_key(|part| part.began.1)
    }

    /// Another device of the user asks this one to take the call over, which it may have had to do with before.
    fn come_again(&mut self, device: usize, call: CallId, at: Moment) {
        let visit = self.visits(device, call);
        self.parts.insert((device, call, visit), Part { asked: Some(at), ..Part::new(device, call, at) });
    }

    fn visits(&self, device: usize, call: CallId) -> u8 {
        self.parts.range((device, call, 0)..=(device, call, u8::MAX)).count() as u8
    }

    fn part(&mut self, device: usize, call: CallId, began: Moment) -> &mut Part<'a> {
        let visit = self.visits(device, call).saturating_sub(1);
        self.parts.entry((device, call, visit)).or_insert_with(|| Part::new(device, call, began))
    }
}

impl Part<'_> {
    fn new(device: usize, call: CallId, began: Moment) -> Self {
        Part {
            device,
            call,
            asked: None,
            waited: None,
            began,
            states: Vec::new(),
            ring: None,
            ended: None,
            consents: Vec::new(),
            switches: Vec::new(),
            hung_up: None,
            crashed: None,
        }
    }
}

/// What a device has before it while the log is walked.
#[derive(Default)]
struct Hand {
    ringing: Option<CallId>,
    calling: Option<Consent>,
    /// The tracks that the operating system denies.
    denied: BTreeSet<Track>,
}

enum Step<'a> {
    Act(Seen<'a, UserAct>),
    Ring(Seen<'a, Ring>),
    State(Seen<'a, CallState>),
    Ended(Seen<'a, Ended>),
    Crashed { device: usize, at: Moment },
    Shown { device: usize, call: CallId, at: Moment, how: How },
}

/// How a device shows a call that it is not in yet.
enum How {
    Calls,
    Rings,
    Waits,
}

impl Step<'_> {
    fn index(&self) -> u64 {
        match self {
            Step::Act(seen) => seen.index,
            Step::Ring(seen) => seen.index,
            Step::State(seen) => seen.index,
            Step::Ended(seen) => seen.index,
            Step::Crashed { at, .. } | Step::Shown { at, .. } => at.1,
        }
    }
}

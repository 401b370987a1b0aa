//! A state: devices, server, and what is on the way.

use crate::{
    cast::{self, ALICE, BOB, DEVICES, LAPTOP},
    link::{Said, Told},
    promise::Promise,
    step::{Budget, Step},
};
use client::machine::{Effect, Event, Machine, PeerEvent, Transition, UserEvent};
use kernel::{
    CallId, SimTime,
    event::{CallStateName, is_listed},
};
use protocol::{ClientMessage, RequestId};
use signaling::{Service, ServiceInput, ServiceOutput};
use std::{collections::VecDeque, rc::Rc};

/// Most messages on the way on one link: more cannot come of the budgets, and a planted bug might.
const MAX_ON_THE_WAY: usize = 32;

/// A device as its user and its peer know it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Device {
    pub(crate) machine: Machine,
    /// The user called or accepted, and the call is not over.
    pub(crate) consents: bool,
    /// Camera and microphone are open.
    pub(crate) captures: bool,
    calls_made: u8,
    /// The device of the peer's that it is told to go on with.
    goes_on_with: usize,
    up: VecDeque<Said>,
    down: VecDeque<Told>,
}

/// Everything that decides what can happen next.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) devices: [Device; DEVICES],
    /// Shared between states until it changes: most events concern a device only.
    service: Rc<Service>,
    pub(crate) friends: bool,
    /// Alice's client attacked: her own state is not judged any more.
    pub(crate) evil: bool,
    budget: Budget,
}

/// A promise that an event broke by itself, with a sentence.
pub(crate) type Broken = (Promise, String);

impl State {
    /// Accounts and the friendship exist; nothing is on the way.
    pub(crate) fn new(budget: Budget) -> State {
        let service = Rc::new(Service::new(&cast::server()));
        let mut state = State { devices: Default::default(), service, friends: true, evil: false, budget };
        for device in [ALICE, BOB] {
            state.tell_server(device, cast::sign_up(device));
        }
        state.tell_server(LAPTOP, cast::sign_in(LAPTOP));
        state.tell_server(BOB, cast::confirm(LAPTOP, BOB));
        let request = RequestId(2);
        state.tell_server(ALICE, ClientMessage::RequestFriend { request, user: cast::user(BOB) });
        state.tell_server(BOB, ClientMessage::AnswerFriend { request, user: cast::user(ALICE), accept: true });
        debug_assert!(state.is_quiet());
        state
    }

    /// Nothing is on the way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.devices.iter().all(|device| device.up.is_empty() && device.down.is_empty())
    }

    /// Nothing is on the way, and no timer runs: without a user nothing will happen any more.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.is_quiet()
            && self.service.next_wake().is_none()
            && (0..DEVICES)
                .all(|device| self.devices[device].machine.next_wake().is_none() && !self.can_connect(device))
    }

    /// The calls that the server has.
    pub(crate) fn calls(&self) -> Vec<signaling::ActiveCall> {
        self.service.active_calls()
    }

    /// Every event that could be next.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (number, device) in self.devices.iter().enumerate() {
            steps.extend((!device.up.is_empty()).then_some(Step::ToServer(number)));
            steps.extend((!device.down.is_empty()).then_some(Step::ToDevice(number)));
            self.acts_of(number, &mut steps);
            steps.extend(self.can_connect(number).then_some(Step::Connect(number)));
        }
        self.timers(&mut steps);
        if self.budget.unfriends > 0 && self.friends {
            steps.push(Step::Unfriend);
        }
        self.attacks(&mut steps);
        steps
    }

    fn acts_of(&self, number: usize, steps: &mut Vec<Step>) {
        use CallStateName::{Ended, Idle, Incoming, Live, Outgoing};
        match self.devices[number].machine.state() {
            Idle | Ended if self.calls_left(number) > 0 => steps.push(Step::Call(number)),
            Incoming if self.budget.answers > 0 => steps.extend([Step::Accept(number), Step::Decline(number)]),
            Outgoing if self.budget.ends > 0 => steps.push(Step::Cancel(number)),
            CallStateName::Connecting | Live if self.budget.ends > 0 => steps.push(Step::HangUp(number)),
            _ => {}
        }
        if self.budget.handovers > 0 && self.devices[number].machine.state() == Live {
            steps.extend(cast::own_other(number).map(|_| Step::HandOver(number)));
        }
    }

    fn calls_left(&self, number: usize) -> u8 {
        match number {
            ALICE => self.budget.calls_of_alice,
            BOB => self.budget.calls_of_bob,
            _ => 0,
        }
    }

    /// Whether the path of a device can come up: a peer of it connects too, or has. A malicious peer can do what it likes.
    fn can_connect(&self, number: usize) -> bool {
        use CallStateName::{Connecting, Live, Reconnecting};
        let machine = &self.devices[number].machine;
        let is_in = |other: usize, call| {
            let other = &self.devices[other].machine;
            matches!(other.state(), Connecting | Live | Reconnecting)
                && other.dialog().is_some_and(|dialog| dialog.call == call)
        };
        matches!(machine.state(), Connecting | Reconnecting)
            && machine.dialog().is_some_and(|dialog| cast::peers(number).any(|other| is_in(other, dialog.call)))
    }

    fn timers(&self, steps: &mut Vec<Step>) {
        if !self.is_quiet() && self.budget.hasty_timers == 0 {
            return;
        }
        let armed = |number: &usize| self.devices[*number].machine.next_wake().is_some();
        steps.extend((0..DEVICES).filter(armed).map(Step::Timer));
        steps.extend(self.service.next_wake().map(|_| Step::ServerTimer));
    }

    /// What alice's client could forge, once there is a call.
    fn attacks(&self, steps: &mut Vec<Step>) {
        let calls = || {
            [ALICE, BOB]
                .into_iter()
                .flat_map(|device| (1..=self.devices[device].calls_made).map(move |nth| cast::call(device, nth)))
        };
        if self.budget.attacks == 0 || calls().next().is_none() {
            return;
        }
        steps.extend(calls().map(Step::ForgeAccept));
        steps.extend([PeerEvent::ClaimAccepted, PeerEvent::Update].map(Step::ForgePeer));
    }

    /// What a delivery carries, for people.
    pub(crate) fn carried(&self, step: Step) -> String {
        match step {
            Step::ToServer(device) => self.devices[device].up.front().map_or(String::new(), |said| said.words()),
            Step::ToDevice(device) => self.devices[device].down.front().map_or(String::new(), |told| told.words()),
            _ => String::new(),
        }
    }

    /// Lets an event happen. Gives the promise that the event itself broke.
    pub(crate) fn take(&mut self, step: Step) -> Option<Broken> {
        match step {
            Step::ToServer(device) => {
                let said = self.devices[device].up.pop_front()?;
                self.tell_server(device, said.message(device))
            }
            Step::ToDevice(device) => {
                let told = self.devices[device].down.pop_front()?;
                if let Told::Moved { to, .. } = told {
                    self.devices[device].goes_on_with = to;
                }
                self.tell_machine(device, told.event(device))
            }
            Step::Call(device) => self.call(device),
            Step::Accept(device) => {
                self.budget.answers -= 1;
                self.devices[device].consents = true;
                self.tell_machine(device, Event::User(UserEvent::Accept { video: true }))
            }
            Step::Decline(device) => {
                self.budget.answers -= 1;
                self.tell_machine(device, Event::User(UserEvent::Decline))
            }
            Step::Cancel(device) => {
                self.budget.ends -= 1;
                self.tell_machine(device, Event::User(UserEvent::Cancel))
            }
            Step::HangUp(device) => {
                self.budget.ends -= 1;
                self.tell_machine(device, Event::User(UserEvent::HangUp))
            }
            Step::HandOver(device) => {
                self.budget.handovers -= 1;
                let to = cast::name(cast::own_other(device)?);
                self.tell_machine(device, Event::User(UserEvent::HandOver { to }))
            }
            Step::Connect(device) => self.tell_machine(device, Event::Path(client::machine::PathEvent::Connected)),
            Step::Timer(device) => {
                self.spend_haste();
                let at = self.devices[device].machine.next_wake()?;
                self.tell_machine_at(device, Event::Timer, at)
            }
            Step::ServerTimer => {
                self.spend_haste();
                let at = self.service.next_wake()?;
                self.work(ServiceInput::Timeout, at)
            }
            Step::Unfriend => {
                self.budget.unfriends -= 1;
                self.friends = false;
                let message = ClientMessage::Unfriend { request: RequestId(3), user: cast::user(ALICE) };
                self.tell_server(BOB, message)
            }
            Step::ForgeAccept(call) => {
                self.attack();
                self.devices[ALICE].up.push_back(Said::Accept(call));
                None
            }
            Step::ForgePeer(event) => {
                self.attack();
                self.devices[BOB].down.push_back(Told::Peer(event));
                None
            }
        }
    }

    fn spend_haste(&mut self) {
        if !self.is_quiet() {
            self.budget.hasty_timers -= 1;
        }
    }

    fn attack(&mut self) {
        self.budget.attacks -= 1;
        self.evil = true;
    }

    fn call(&mut self, number: usize) -> Option<Broken> {
        match number {
            ALICE => self.budget.calls_of_alice -= 1,
            _ => self.budget.calls_of_bob -= 1,
        }
        let device = &mut self.devices[number];
        device.calls_made += 1;
        device.consents = true;
        let call = cast::call(number, device.calls_made);
        self.tell_machine(number, Event::User(UserEvent::Call { call, peer: cast::peer(number), video: true }))
    }

    fn tell_machine(&mut self, number: usize, event: Event) -> Option<Broken> {
        self.tell_machine_at(number, event, SimTime::ZERO)
    }

    fn tell_machine_at(&mut self, number: usize, event: Event, at: SimTime) -> Option<Broken> {
        let device = &mut self.devices[number];
        let Transition { call, from, to, because, effects } = device.machine.handle(event, at)?;
        for effect in effects {
            device.apply(effect, call);
        }
        let is_judged = number != ALICE || !self.evil;
        (is_judged && from != to && !is_listed(from, because, to)).then(|| {
            let sentence = format!("{} goes from {from:?} to {to:?} because of {because}", cast::name(number));
            (Promise::OnlyListedTransitions, sentence)
        })
    }

    fn tell_server(&mut self, device: usize, message: ClientMessage) -> Option<Broken> {
        self.work(ServiceInput::Message(cast::connection(device), message), SimTime::ZERO)
    }

    /// The server works on something until it is done; commits are immediate.
    fn work(&mut self, input: ServiceInput, now: SimTime) -> Option<Broken> {
        let service = Rc::make_mut(&mut self.service);
        service.handle(input, now);
        let mut broken = None;
        while let Some(output) = service.poll() {
            match output {
                ServiceOutput::Commit(commit) => service.handle(ServiceInput::Committed(commit.tx), now),
                ServiceOutput::Send { connection, message, .. } => {
                    let Some(to) = cast::device_of(connection) else { continue };
                    let Some(told) = Told::of(&message, to) else { continue };
                    if matches!(told, Told::Ring(_)) && !self.friends {
                        let sentence = format!("the server rings {} for who is no friend", cast::name(to));
                        broken = Some((Promise::OnlyFriendsRing, sentence));
                    }
                    let down = &mut self.devices[to].down;
                    assert!(down.len() < MAX_ON_THE_WAY, "messages pile up on the way to {}", cast::name(to));
                    down.push_back(told);
                }
                ServiceOutput::GrantRelay { .. }
                | ServiceOutput::RevokeRelay { .. }
                | ServiceOutput::Mail { .. }
                | ServiceOutput::Close(_)
                | ServiceOutput::Push(_) => {}
            }
        }
        broken
    }

    /// What makes two states the same, in few bytes.
    pub(crate) fn digest(&self) -> u128 {
        let mut hasher = blake3::Hasher::new();
        for device in &self.devices {
            device.write(&mut hasher);
        }
        hasher.update(&[u8::from(self.friends), u8::from(self.evil)]).update(&self.budget.numbers());
        hasher.update(&self.service.essence());
        let bytes: [u8; 16] = *hasher.finalize().as_bytes().first_chunk().expect("a digest has 32 bytes");
        u128::from_le_bytes(bytes)
    }
}

impl Device {
    /// Does what the client around the machine does.
    fn apply(&mut self, effect: Effect, call: CallId) {
        let said = match effect {
            Effect::Invite => Said::Invite(call),
            Effect::Answer => Said::Accept(call),
            Effect::SendBusy(other) => Said::Busy(other),
            Effect::SendDecline => Said::Decline(call),
            Effect::SendCancel => Said::Cancel(call),
            Effect::SendHangUp => Said::HangUp(call),
            Effect::AskHandOver(to) => {
                let Some(to) = cast::number(&to) else { return };
                Said::HandOver(call, to)
            }
            Effect::TakeOver => Said::TakeOver(call),
            Effect::Yield(_) => Said::Yield(call),
            Effect::Rejoin => Said::Rejoin(call, self.goes_on_with),
            Effect::Connect | Effect::CaptureUnasked => {
                self.captures = true;
                return;
            }
            Effect::End(_) | Effect::GiveUp(_) => {
                (self.captures, self.consents) = (false, false);
                return;
            }
            _ => return,
        };
        assert!(self.up.len() < MAX_ON_THE_WAY, "messages pile up on the way to the server");
        self.up.push_back(said);
    }

    fn write(&self, hasher: &mut blake3::Hasher) {
        let machine = &self.machine;
        let dialog = machine.dialog();
        let call = |call: Option<CallId>| call.map_or(0, |call| call.0[0] + 1);
        hasher.update(&[
            machine.state() as u8,
            call(dialog.map(|dialog| dialog.call)),
            u8::from(dialog.is_some_and(|dialog| dialog.outgoing)),
            u8::from(dialog.is_some_and(|dialog| dialog.takes_over)),
            machine.asked().and_then(cast::number).map_or(0, |asked| asked as u8 + 1),
            call(machine.crossing()),
            u8::from(machine.next_wake().is_some()),
            u8::from(self.consents),
            u8::from(self.captures),
            self.calls_made,
            self.up.len() as u8,
            self.down.len() as u8,
        ]);
        for said in &self.up {
            hasher.update(&said.code());
        }
        for told in &self.down {
            hasher.update(&told.code());
        }
    }
}

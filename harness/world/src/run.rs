//! One run: a fresh thread, the seam, turmoil, the stage, and the log at the end.

use crate::{
    actor::Actor,
    bystanders,
    machine::thread_cpu_time,
    people::{People, next_look},
    push::PushService,
    schedule::{Schedule, Trail},
    stack::Stack,
    stage::Stage,
    trace::{self, LogFilter},
    traffic,
};
use kernel::{
    ActorName, Log, Micros, Mutant, Plan, SimTime, artifact,
    artifact::Picture,
    bystander::Bystander,
    event::Event,
    log, mutant,
    plan::{AccessPlan, Ipv6Plan, LinkPlan, ServerPlan},
    random::{self, Draws, SeedTree},
    seam,
    trouble::{Fault, FaultKind},
};
use network::{Fabric, NodePlan};
use std::{
    cell::RefCell,
    collections::VecDeque,
    net::IpAddr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

/// turmoil's tick. Its hosts wait for the end of their lives and nothing else, so that no event depends on it; a short one
/// would cost more than all calls.
const TICK: Micros = Micros::from_millis(100);
/// How often the servers show what they hold.
const SNAPSHOT_EVERY: Micros = Micros::from_secs(2);
/// A set-up that is not over by then fails the run. Each try doubles the time, so that a run that needs no more than
/// [`Plan::TIMELINE_START`] knows nothing of it.
const LATEST_TIMELINE_START: SimTime = SimTime(80_000_000);
/// codec and crypto libraries use more stack than Rust's default for threads.
const STACK_BYTES: usize = 16 << 20;

/// What a run may be asked for besides its plan. None of it changes a byte of the log.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// What to print while it runs.
    pub log: Option<LogFilter>,
    /// How many pictures to keep for the report.
    pub pictures: usize,
    /// Where the run tells how far it is, in simulated microseconds.
    pub progress: Option<Arc<AtomicU64>>,
}

/// What a run leaves.
#[derive(Debug)]
pub struct Outcome {
    /// The log.
    pub log: Log,
    /// What was drawn through libc.
    pub draws: Draws,
    /// Pictures for the report.
    pub pictures: Vec<Picture>,
    /// Processor time of the simulation's thread.
    pub cpu: Duration,
    /// Steps at which the plan's schedule chose between several who could act; 0 without one.
    pub choices: u64,
    /// What it chose; empty without one.
    pub trail: Trail,
}

/// Why a run could not be made. Not a verdict on the system under test.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WorldError {
    /// The plan cannot be staged.
    #[error("the plan cannot be staged: {0}")]
    Plan(String),
    /// The machine lacks something.
    #[error("{0}; `cargo xtask doctor` says more")]
    Environment(String),
    /// Accounts or friendships of the scenario are not there when its timeline begins.
    #[error("the set-up is not over at {limit}: {what}; the network of the scenario is too bad for it")]
    SetUp {
        /// What is missing.
        what: String,
        /// When the timeline begins.
        limit: SimTime,
    },
    /// An actor wakes again and again without letting time pass.
    #[error("at {at} time stands still: {who} wakes again and again")]
    Stuck {
        /// When.
        at: SimTime,
        /// Who.
        who: String,
    },
    /// An actor lets so little time pass between its wakes that the run would not come to its end.
    #[error("at {at} {who} has woken more than 250 times in each of the last 100 milliseconds: it spins")]
    Restless {
        /// When.
        at: SimTime,
        /// Who.
        who: ActorName,
    },
    /// The store of a server cannot be read or written.
    #[error("a server's store: {0}")]
    Store(String),
    /// turmoil failed.
    #[error("turmoil: {0}")]
    Turmoil(String),
    /// A thread or library drew randomness outside every scope: the run cannot be repeated.
    #[error("nondeterminism: {0}")]
    StrayDraw(String),
    /// The simulation's thread panicked: a bug.
    #[error("the simulation panicked: {0}")]
    Panicked(String),
}

/// Runs a plan with a stack, on a thread of its own, and returns when it is over.
///
/// # Errors
/// See [`WorldError`].
pub fn run(plan: &Plan, stack: Arc<dyn Stack>, options: &RunOptions) -> Result<Outcome, WorldError> {
    // Process-wide initialization happens outside the seam: it must not depend on which simulation comes first.
    media::initialize().map_err(|error| WorldError::Environment(error.to_string()))?;
    let mut plan = plan.clone();
    loop {
        match run_once(plan.clone(), stack.clone(), options.clone()) {
            // Accounts and friendships are not what is on trial. The run begins anew, with a longer set-up.
            Err(WorldError::SetUp { .. }) if plan.timeline_start < LATEST_TIMELINE_START => {
                plan.timeline_start = SimTime(plan.timeline_start.0 * 2);
            }
            outcome => return outcome,
        }
    }
}

/// Runs a plan on a fresh thread.
fn run_once(plan: Plan, stack: Arc<dyn Stack>, options: RunOptions) -> Result<Outcome, WorldError> {
    let thread = thread::Builder::new().name(format!("{}-{}", plan.scenario, plan.seed)).stack_size(STACK_BYTES);
    let handle =
        thread.spawn(move || simulate(&plan, stack, &options)).map_err(|error| WorldError::Plan(error.to_string()))?;
    handle.join().unwrap_or_else(|panic| Err(WorldError::Panicked(panic_message(panic.as_ref()))))
}

fn simulate(plan: &Plan, stack: Arc<dyn Stack>, options: &RunOptions) -> Result<Outcome, WorldError> {
    let simulation = seam::enter(plan.seed);
    artifact::start(options.pictures);
    mutant::plant(&planted(plan));
    // str0m takes user fragments, SSRCs and first sequence numbers from this thread-wide generator.
    fastrand::seed(SeedTree::root(plan.seed).stream("fastrand").next_u64());
    let tracing = trace::install(options.log.as_ref());
    log::emit(Event::Plan(Box::new(plan.clone())));
    let played = play(plan, stack, options);
    drop(tracing);
    let (pictures, cpu) = (artifact::take(), thread_cpu_time());
    let (log, draws) = simulation.leave();
    let (choices, trail) = played?;
    if let Some(stray) = draws.strays.first() {
        return Err(WorldError::StrayDraw(stray.clone()));
    }
    Ok(Outcome { log, draws, pictures, cpu, choices, trail })
}

/// The host software of one actor: booted with the host, halted when turmoil crashes it.
struct Running {
    stage: Rc<RefCell<Stage>>,
    name: ActorName,
}

impl Running {
    fn boot(stage: &Rc<RefCell<Stage>>, name: &ActorName, build: impl FnOnce() -> Box<dyn Actor>) -> Running {
        let _wall = random::wall();
        random::act_as(name.as_str());
        // Building may ask the stage for what was left on a disk.
        let actor = build();
        stage.borrow_mut().boot(name, actor);
        random::act_as("world");
        Running { stage: stage.clone(), name: name.clone() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The stage itself may be going down with the simulation.
        if let Ok(mut stage) = self.stage.try_borrow_mut() {
            stage.halt(&self.name);
        }
    }
}

/// Gives the number of choices that the schedule made, and its trail.
fn play(plan: &Plan, stack: Arc<dyn Stack>, options: &RunOptions) -> Result<(u64, Trail), WorldError> {
    let seeds = SeedTree::root(plan.seed);
    let (people, planned) = People::of(plan);
    let order = plan.schedule.map(|plan| Schedule::new(plan, &seeds));
    let (push, disks) = (PushService::of(plan), seeds.child("disks"));
    let stage = Rc::new(RefCell::new(Stage::new(fabric(plan, seeds)?, people, push, disks, order)));
    let end = next_look(plan.timeline_start + plan.duration);
    schedule(plan, end, &mut stage.borrow_mut());
    traffic::seat_all(plan, &seeds, &mut stage.borrow_mut());

    let turmoil_scope = random::scope("turmoil");
    let mut sim = turmoil::Builder::new()
        .rng_seed(seeds.stream("turmoil").next_u64())
        .epoch(SystemTime::UNIX_EPOCH + Duration::from_nanos(seam::REALTIME_BASE_NS))
        .tick_duration(TICK.to_duration())
        .simulation_duration(Duration::MAX)
        .build();
    for server in std::iter::once(&plan.signaling).chain(&plan.relays) {
        host(&mut sim, &stage, plan, &server.name, {
            let (stack, stage) = (stack.clone(), stage.clone());
            move |plan, name| {
                let found = stage.borrow_mut().mount(name);
                match &found {
                    Some(found) => stack.restarted(plan, name, found, kernel::time::now()),
                    None => stack.server(plan, name, kernel::time::now()),
                }
            }
        });
    }
    for participant in &plan.participants {
        host(&mut sim, &stage, plan, &participant.device, {
            let (stack, stage) = (stack.clone(), stage.clone());
            move |plan, name| {
                let left = stage.borrow_mut().take_left(name);
                match left {
                    Some(left) => stack.device_restarted(plan, name, left, kernel::time::now()),
                    None => stack.device(plan, name, kernel::time::now()),
                }
            }
        });
    }
    planned.into_iter().for_each(|intent| stage.borrow_mut().intend(intent));
    drop(turmoil_scope);
    for bystander in Bystander::of(&plan.adversary) {
        stage.borrow_mut().boot(&bystander.name(), bystanders::actor(plan, bystander));
    }

    let mut faults: VecDeque<&Fault> = plan.trouble.faults.iter().collect();
    let mut now = SimTime::ZERO;
    while now < end {
        while let Some(fault) = faults.pop_front_if(|fault| plan.timeline_start + fault.at <= now) {
            strike(&mut sim, &stage, &fault.kind);
        }
        if now.0.is_multiple_of(TICK.0) {
            // Actors open scopes of their own: a draw of theirs outside any is a leak.
            let _turmoil_scope = random::scope("turmoil");
            sim.step().map_err(|error| WorldError::Turmoil(error.to_string()))?;
        }
        let next_fault = faults.front().map(|fault| next_look(plan.timeline_start + fault.at));
        let next_tick = SimTime((now.0 + 1).next_multiple_of(TICK.0));
        now = next_tick.min(end).min(next_fault.unwrap_or(SimTime::NEVER));
        while let Some(node) = { stage.borrow_mut().run_until(now)? } {
            strike(&mut sim, &stage, &FaultKind::Crash { node });
        }
        if now == plan.timeline_start {
            check_set_up(plan, &stage.borrow())?;
        }
        if let Some(progress) = &options.progress {
            progress.store(now.0, Ordering::Relaxed);
        }
    }
    let choices = stage.borrow().choices();
    drop(sim);
    Ok(choices)
}

/// A host of turmoil whose software is one actor on the stage.
fn host(
    sim: &mut turmoil::Sim<'_>,
    stage: &Rc<RefCell<Stage>>,
    plan: &Plan,
    name: &ActorName,
    build: impl Fn(&Plan, &ActorName) -> Box<dyn Actor> + 'static,
) {
    let (stage, plan, name) = (stage.clone(), plan.clone(), name.clone());
    let host = name.clone();
    sim.host(host.as_str(), move || {
        let running = Running::boot(&stage, &name, || build(&plan, &name));
        async move {
            let _running = running;
            std::future::pending::<turmoil::Result>().await
        }
    });
}

/// Something fails, or works again, at the beginning of a tick.
fn strike(sim: &mut turmoil::Sim<'_>, stage: &RefCell<Stage>, fault: &FaultKind) {
    let _turmoil_scope = random::scope("turmoil");
    match fault {
        FaultKind::Crash { node } => sim.crash(node.as_str()),
        FaultKind::Restart { node } => {
            sim.crash(node.as_str());
            sim.bounce(node.as_str());
        }
        FaultKind::CopyStore { node } => stage.borrow_mut().copy_store(node),
        FaultKind::RestoreStore { node } => {
            sim.crash(node.as_str());
            stage.borrow_mut().restore_store(node);
            sim.bounce(node.as_str());
        }
        FaultKind::CrashInCommit { node, of, after } => stage.borrow_mut().crash_in_commit(node, of, *after),
        FaultKind::Cut { between: (one, other) } => stage.borrow_mut().set_cut(one, other, true),
        FaultKind::Mend { between: (one, other) } => stage.borrow_mut().set_cut(one, other, false),
        FaultKind::InterfaceDown { interface } => stage.borrow_mut().set_interface(interface, false),
        FaultKind::InterfaceUp { interface } => stage.borrow_mut().set_interface(interface, true),
    }
}

fn fabric(plan: &Plan, seeds: SeedTree) -> Result<Fabric, WorldError> {
    let mut fabric = Fabric::new(seeds.child("network"));
    for trace in &plan.traces {
        fabric.add_trace(trace.clone(), plan.timeline_start);
    }
    for link in &plan.core_links {
        fabric.add_core_link(link.clone()).map_err(|error| WorldError::Plan(error.to_string()))?;
    }
    for ServerPlan { name, address, address_v6, up, down } in std::iter::once(&plan.signaling).chain(&plan.relays) {
        let ipv6 = address_v6.map(|address| Ipv6Plan { address, works: true });
        add(&mut fabric, NodePlan { ipv6, ..NodePlan::public(name.clone(), *address, up.clone(), down.clone()) })?;
    }
    let devices = plan.participants.iter().map(|one| (&one.device, one.address, &one.access));
    let ends = plan.traffic.iter().flat_map(|flow| [&flow.source, &flow.sink]);
    let hosts = ends.filter_map(|end| Some((&end.host, end.address.ip(), end.access.as_ref()?)));
    for (name, address, access) in devices.chain(hosts) {
        add(&mut fabric, node(name, address, access))?;
    }
    for participant in &plan.participants {
        for further in &participant.interfaces {
            let interface = node(&further.name, further.address, &further.access);
            let added = fabric.add_interface(&participant.device, interface);
            added.map_err(|error| WorldError::Plan(error.to_string()))?;
            if further.starts_down {
                fabric.set_interface(&further.name, false);
            }
        }
    }
    add_bystanders(plan, &mut fabric)?;
    Ok(fabric)
}

fn node(name: &ActorName, address: IpAddr, access: &AccessPlan) -> NodePlan {
    let AccessPlan { up, down, nat, public_address, carrier, firewall, via, ipv6, .. } = access.clone();
    NodePlan { name: name.clone(), address, up, down, nat, public_address, carrier, firewall, via, ipv6 }
}

/// Adds the hosts that the adversary needs: fast links of 10 ms to the core, or none but to the relay.
fn add_bystanders(plan: &Plan, fabric: &mut Fabric) -> Result<(), WorldError> {
    let link = LinkPlan { propagation: Micros::from_millis(10), ..LinkPlan::IDEAL };
    for bystander in Bystander::of(&plan.adversary) {
        let name = bystander.name();
        let node = NodePlan::public(name.clone(), bystander.address(), link.clone(), link.clone());
        match bystander {
            Bystander::OffPath => {
                add(fabric, node)?;
                fabric.let_spoof(&name);
            }
            Bystander::Guesser => add(fabric, node)?,
            Bystander::Internal => {
                if let Some(relay) = plan.relays.first() {
                    fabric.add_internal(node, &relay.name).map_err(|error| WorldError::Plan(error.to_string()))?;
                }
            }
        }
    }
    Ok(())
}

/// The timeline must not begin before what it takes for granted: accounts and friendships.
fn check_set_up(plan: &Plan, stage: &Stage) -> Result<(), WorldError> {
    let missing = |what: String| Err(WorldError::SetUp { what, limit: plan.timeline_start });
    let is_early = |device: &ActorName| plan.participant(device.as_str()).is_some_and(|one| one.signs_in.is_none());
    for participant in plan.participants.iter().filter(|participant| is_early(&participant.device)) {
        if !stage.is_signed_in(&participant.device) {
            return missing(format!("{} is not signed in", participant.device));
        }
    }
    for (one, other) in plan.friends.iter().flat_map(|(a, b)| [(a, b), (b, a)]) {
        if !plan
            .devices_of(one.as_str())
            .filter(|device| is_early(device))
            .all(|device| stage.has_friend(device, other))
        {
            return missing(format!("{one} does not know that {other} is a friend"));
        }
    }
    Ok(())
}

/// The scenario's planted bug, and those that its adversary needs.
fn planted(plan: &Plan) -> Vec<Mutant> {
    let adversary = adversary::arm(&plan.adversary, SeedTree::root(plan.seed)).mutants;
    plan.mutant.into_iter().chain(adversary).collect()
}

fn add(fabric: &mut Fabric, node: NodePlan) -> Result<(), WorldError> {
    fabric.add_node(node).map_err(|error| WorldError::Plan(error.to_string()))
}

fn schedule(plan: &Plan, end: SimTime, stage: &mut Stage) {
    for step in &plan.link_schedule {
        let mut at = plan.timeline_start + step.at;
        stage.change_link_at(at, &step.link, &step.change);
        // The room that resolves plans refuses a period of nothing.
        while let Some(every) = step.every.filter(|every| *every > Micros::ZERO && at + *every <= end) {
            at += every;
            stage.change_link_at(at, &step.link, &step.change);
        }
    }
    for step in &plan.nat_schedule {
        stage.change_nat_at(plan.timeline_start + step.at, step.clone());
    }
    let mut at = plan.timeline_start;
    while at <= end {
        stage.snapshot_at(at);
        at += SNAPSHOT_EVERY;
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_owned()
}

//! The seam over libc: while a thread is entered, `clock_gettime`, `gettimeofday`, `getrandom` and `getentropy` of
//! this process answer from the simulation's clock and seed tree. Other threads keep the real ones.
//!
//! This is how `Instant::now` inside str0m, the hash keys of `std::collections::HashMap` and the nonces of foreign
//! crates become functions of the seed. The symbols of the executable win over libc's when it is linked.

use crate::{
    artifact, log, mutant, packet,
    random::{self, Draws, SeedTree},
    time,
};
use std::cell::Cell;

/// What `CLOCK_MONOTONIC` reads at simulated time zero: ten days of uptime.
const MONOTONIC_BASE_NS: u64 = 10 * 86_400 * 1_000_000_000;
/// What `CLOCK_REALTIME` reads at simulated time zero: 2026-01-01T00:00:00Z.
pub const REALTIME_BASE_NS: u64 = 1_767_225_600 * 1_000_000_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Outside,
    Entered,
    Forbidden,
}

thread_local! {
    static STATE: Cell<State> = const { Cell::new(State::Outside) };
}

/// A simulation on this thread, from [`enter`] until it is dropped or [`Simulation::leave`] is called.
pub struct Simulation(());

/// Begins a simulation on this thread: time zero, empty log, the streams of `seed`, no bug planted.
///
/// # Panics
/// When this thread was entered before: thread-local state that an earlier run left behind would leak into this one,
/// so each simulation has a fresh thread.
pub fn enter(seed: u64) -> Simulation {
    thread_local! { static USED: Cell<bool> = const { Cell::new(false) } }
    assert!(!USED.replace(true), "a simulation needs a fresh thread");
    time::reset();
    packet::reset();
    mutant::plant(&[]);
    log::start();
    artifact::start(0);
    random::enter(SeedTree::root(seed));
    STATE.set(State::Entered);
    {
        // std keeps one pair of hash keys per thread and draws it with the first map: draw it here, at a known place.
        let _scope = random::scope("std-hash-keys");
        std::hint::black_box(std::hash::RandomState::new());
    }
    Simulation(())
}

impl Simulation {
    /// Ends the simulation: its log and what was drawn.
    pub fn leave(self) -> (log::Log, Draws) {
        STATE.set(State::Outside);
        let draws = random::leave();
        (log::take(), draws)
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        STATE.set(State::Outside);
        mutant::plant(&[]);
    }
}

/// Computes something pure with foreign code that reads clocks or makes hash maps on the way: on a thread of its own, whose
/// clock stands still at [`REALTIME_BASE_NS`] and whose hash keys are always the same. The caller's thread notices nothing,
/// whatever it is in, and tables that such code keeps for the whole process are the same whoever asks first.
///
/// # Panics
/// When `compute` does, or draws.
pub fn apart<T: Send>(compute: impl FnOnce() -> T + Send) -> T {
    let work = || {
        let simulation = enter(0);
        let value = compute();
        let (_, draws) = simulation.leave();
        assert!(draws.strays.is_empty(), "what is pure draws nothing: {:?}", draws.strays);
        value
    };
    let done = std::thread::scope(|scope| scope.spawn(work).join());
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Whether this thread is inside a simulation.
pub fn is_entered() -> bool {
    STATE.get() == State::Entered
}

/// Declares this thread a worker that must neither draw nor read a clock: either aborts the process, since its result
/// would depend on real time.
pub fn forbid() {
    STATE.set(State::Forbidden);
}

/// The state of the calling thread; `Outside` while its locals are being destroyed.
fn state() -> State {
    STATE.try_with(Cell::get).unwrap_or(State::Outside)
}

fn refuse(what: &str) -> ! {
    STATE.set(State::Outside);
    eprintln!("callproof: a codec worker called {what}: its output would depend on real time");
    std::process::abort();
}

/// Random bytes of the operating system.
///
/// # Panics
/// When the system has none.
pub(crate) fn system_random(bytes: &mut [u8]) {
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = &mut bytes[filled..];
        // SAFETY: the pointer and the length describe `rest`, which we own exclusively.
        let n = unsafe { libc::syscall(libc::SYS_getrandom, rest.as_mut_ptr(), rest.len(), 0) };
        assert!(n > 0, "the system has no random bytes");
        filled += n as usize;
    }
}

/// # Safety
/// As libc's: `buf` points to `len` writable bytes.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn getrandom(buf: *mut libc::c_void, len: usize, flags: libc::c_uint) -> isize {
    match state() {
        State::Entered => {
            // SAFETY: the caller gives `len` writable bytes.
            let bytes = unsafe { std::slice::from_raw_parts_mut(buf.cast::<u8>(), len) };
            if random::fill_from_scope(bytes) {
                return len as isize;
            }
        }
        State::Forbidden => refuse("getrandom"),
        State::Outside => {}
    }
    // SAFETY: the arguments are passed on as they came.
    unsafe { libc::syscall(libc::SYS_getrandom, buf, len, flags) as isize }
}

/// # Safety
/// As libc's: `buf` points to `len` writable bytes.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn getentropy(buf: *mut libc::c_void, len: usize) -> libc::c_int {
    if len > 256 {
        return -1;
    }
    // SAFETY: the arguments are passed on as they came.
    if unsafe { getrandom(buf, len, 0) } == len as isize { 0 } else { -1 }
}

/// # Safety
/// As libc's: `out` points to a writable `timespec`.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, out: *mut libc::timespec) -> libc::c_int {
    match state() {
        // CPU clocks measure work, not time: they stay real (the bench verb reads them).
        State::Entered if clock != libc::CLOCK_THREAD_CPUTIME_ID && clock != libc::CLOCK_PROCESS_CPUTIME_ID => {
            let base = match clock {
                libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE => REALTIME_BASE_NS,
                _ => MONOTONIC_BASE_NS,
            };
            let ns = base + time::now().0 * 1_000;
            // SAFETY: the caller gives a writable timespec.
            unsafe {
                out.write(libc::timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as i64 })
            };
            0
        }
        State::Forbidden => refuse("clock_gettime"),
        // SAFETY: the arguments are passed on as they came.
        _ => unsafe { libc::syscall(libc::SYS_clock_gettime, clock, out) as libc::c_int },
    }
}

/// libvpx times itself with this one.
///
/// # Safety
/// As libc's: `out` is null or points to a writable `timeval`.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn gettimeofday(out: *mut libc::timeval, _zone: *mut libc::c_void) -> libc::c_int {
    let mut at = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `at` is ours.
    let result = unsafe { clock_gettime(libc::CLOCK_REALTIME, &mut at) };
    if !out.is_null() {
        // SAFETY: the caller gives a writable timeval.
        unsafe { out.write(libc::timeval { tv_sec: at.tv_sec, tv_usec: at.tv_nsec / 1_000 }) };
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Micros, SimTime, set_now};

    fn in_simulation<T: Send + 'static>(seed: u64, body: impl FnOnce() -> T + Send + 'static) -> (T, Draws) {
        std::thread::Builder::new()
            .spawn(move || {
                let simulation = enter(seed);
                let value = body();
                (value, simulation.leave().1)
            })
            .unwrap()
            .join()
            .unwrap()
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the override itself is under test")]
    fn instants_follow_simulated_time() {
        let (elapsed, _) = in_simulation(1, || {
            let before = std::time::Instant::now();
            set_now(SimTime::ZERO + Micros(1_234));
            assert_eq!(SimTime(1_234).to_instant(), std::time::Instant::now());
            assert_eq!(SimTime::from_instant(std::time::Instant::now()), SimTime(1_234));
            before.elapsed()
        });
        assert_eq!(elapsed.as_micros(), 1_234);
    }

    #[test]
    fn hash_keys_are_a_function_of_the_seed() {
        use std::hash::BuildHasher;
        let keys = |seed| in_simulation(seed, || std::hash::RandomState::new().hash_one(1)).0;
        assert_eq!(keys(1), keys(1));
        assert_ne!(keys(1), keys(2));
    }

    #[test]
    fn what_is_computed_apart_leaves_no_trace_on_the_thread() {
        use std::hash::BuildHasher;
        let hash = || std::hash::RandomState::new().hash_one(1);
        let (plain, _) = in_simulation(5, hash);
        let ((apart, then), draws) = in_simulation(5, move || {
            set_now(SimTime(7_000_000));
            (super::apart(|| (hash(), hash(), crate::time::now())), hash())
        });
        assert_eq!((then, draws.count), (plain, 1), "the keys of the thread's next map are what they were");
        assert_eq!(apart, super::apart(|| (hash(), hash(), SimTime::ZERO)), "inside a run and outside of any");
    }

    #[test]
    fn a_draw_outside_any_scope_is_a_stray() {
        let draw = || {
            let mut bytes = [0; 8];
            random::fill(&mut bytes);
            bytes
        };
        let (_, draws) = in_simulation(1, draw);
        assert_eq!(draws.strays.len(), 1);
        let (_, draws) = in_simulation(1, move || {
            let _scope = random::scope("test");
            draw()
        });
        assert_eq!(draws.strays.len(), 0);
    }
}

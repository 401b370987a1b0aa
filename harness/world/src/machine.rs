//! What a run takes of the machine that it runs on. Told to people, never to the simulation.

use std::time::Duration;

/// Processor time of this thread so far: it counts work, whoever else is on the machine.
pub fn thread_cpu_time() -> Duration {
    let mut at = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `at` is a writable timespec of ours.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut at) };
    Duration::new(at.tv_sec as u64, at.tv_nsec as u32)
}

/// The most memory that this process has held at once so far, in bytes.
pub fn peak_memory() -> u64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` is writable and all its bytes are set, by the zeroes if not by the call.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    // Linux counts kilobytes.
    u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1_024
}

//! Progress on standard error, where it is a terminal: runs done, simulated time of the one under way, speed.

use campaign::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kernel::Plan;
use std::{
    io::IsTerminal,
    sync::{Condvar, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

/// How often the bar is drawn.
const REFRESH: Duration = Duration::from_millis(200);

/// A progress bar over a batch.
pub(crate) struct Bar<'a> {
    progress: &'a Progress,
    bar: ProgressBar,
    finished: Mutex<bool>,
    changed: Condvar,
}

impl<'a> Bar<'a> {
    /// Does `work` while a bar for these plans is drawn; hidden where standard error is no terminal.
    pub(crate) fn during<T>(progress: &'a Progress, plans: &[Plan], work: impl FnOnce(&Bar<'a>) -> T) -> T {
        let bar = Bar::start(progress, plans);
        std::thread::scope(|scope| {
            scope.spawn(|| bar.show());
            let result = work(&bar);
            bar.finish();
            result
        })
    }

    fn start(progress: &'a Progress, plans: &[Plan]) -> Bar<'a> {
        let target =
            if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(plans.len() as u64), target);
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len} runs, {msg}, {elapsed} gone, {eta} left");
        bar.set_style(style.expect("the template is right"));
        Bar { progress, bar, finished: Mutex::new(false), changed: Condvar::new() }
    }

    fn show(&self) {
        let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        while !*finished {
            let simulated = self.progress.simulated_us.load(Ordering::Relaxed) as f64 / 1e6;
            let current = self.progress.current_us.load(Ordering::Relaxed) as f64 / 1e6;
            let speed = (simulated + current) / self.bar.elapsed().as_secs_f64().max(1e-3);
            self.bar.set_position(self.progress.done.load(Ordering::Relaxed) as u64);
            self.bar.set_message(format!("at {current:.1} s simulated, {speed:.1} x real time"));
            let waited = self.changed.wait_timeout(finished, REFRESH).unwrap_or_else(PoisonError::into_inner);
            finished = waited.0;
        }
    }

    fn finish(&self) {
        *self.finished.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
        self.bar.finish_and_clear();
    }

    /// A line for people, on standard error.
    pub(crate) fn say(&self, text: &str) {
        self.bar.suspend(|| anstream::eprintln!("{text}"));
    }

    /// A line for machines, on standard output.
    pub(crate) fn print(&self, text: &str) {
        self.bar.suspend(|| println!("{text}"));
    }
}

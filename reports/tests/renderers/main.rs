//! The files of a made-up run, one behaviour a module.

mod baselines;
mod capture;
mod gaps;
mod latency_log;
mod page;
mod sample;
mod saved_log;
mod texts;

//! The binary from outside: what it prints where, and the exit code with which it ends.

mod catalogues;
mod program;
mod saved_logs;
mod simulations;
mod usage;

//! Every order of events between the shipping cores, breadth first.
//!
//! A state is the real `client::machine::Machine` of each device, the real `signaling::Service`, and what is on the way
//! between them in FIFO order. From each state every event that could be next is tried: a message arrives, a user acts, a
//! timer fires, a friendship ends, a malicious caller forges something. States are known again by a 128-bit digest, so that
//! a search with a small [`Budget`] of acts comes to an end and has then seen everything. What is promised is judged in
//! every state; the first violation found has the shortest history.
//!
//! Left out, because no call machine hears of it: `ringing`, call rows, requests of friendship. Commits are immediate, and
//! work costs no time. Time stands still but for the timers, which are events.

mod cast;
mod link;
mod promise;
mod search;
mod state;
mod step;
mod trial;

pub use promise::Promise;
pub use search::{Ending, Found, Limits, Report, search};
pub use step::{Budget, Step};
pub use trial::{BUDGETS, MUTANTS, ModelMutant};

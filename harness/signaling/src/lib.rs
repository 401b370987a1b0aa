//! The signaling server: accounts, friends, threads, calls. Sans-IO.
//!
//! [`Server`] speaks the QUIC channel and can carry an [`Interceptor`], through which an adversary owns it.
//! [`Service`] below it decides: it knows connections by their ids only, and its store is behind inputs and outputs.
//! Transactions are serialized: one request is worked on at a time, and what it says leaves only after
//! `Committed`. Simulated time is charged per store access and per password hash.

mod cluster;
mod config;
mod faults;
mod interceptor;
mod naming;
mod password;
mod server;
mod service;

pub use config::{Argon2Cost, BelowFloor, RelayEndpoint, ServerConfig, ServiceCosts};
pub use interceptor::Interceptor;
pub use naming::{call_of_client_message, call_of_server_message, kind_of_client_message, kind_of_server_message};
pub use password::{PasswordHash, PasswordRefused, check_password};
pub use server::{Input, Output, Server};
pub use service::{
    ActiveCall, BrokenRow, Change, Commit, DISCONNECTED_CALLER_GRACE, DISCONNECTED_LIVE_GRACE, RING_TIME_OUT, RowId,
    Service, ServiceInput, ServiceOutput, TableName, TxId,
};

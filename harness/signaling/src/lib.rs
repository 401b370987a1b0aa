//! The signaling server's core: accounts, friends, threads, calls.

//! The fabric from outside: what its crate documentation promises, and the paths of packets through it.

mod driver;
mod laws;
mod paths;

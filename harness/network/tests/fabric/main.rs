//! The fabric from outside: what its crate documentation promises, and the paths of packets through it.

mod bystanders;
mod driver;
mod laws;
mod paths;

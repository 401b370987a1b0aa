//! The fabric from outside: what its crate documentation promises, and the paths of packets through it.

mod bystanders;
mod closed_forms;
mod configurations;
mod core_links;
mod driver;
mod laws;
mod paths;
mod reference;

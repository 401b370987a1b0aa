//! The only door: starts cargo and the callproof binary.
fn main() {}

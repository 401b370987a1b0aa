//! The binary that xtask starts.
fn main() {}

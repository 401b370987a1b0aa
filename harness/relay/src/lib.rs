//! The TURN relay's core.

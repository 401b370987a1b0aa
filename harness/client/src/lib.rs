//! The virtual client: call machine, transport, media engine.

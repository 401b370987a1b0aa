//! The packet fabric: links, queues, loss, NAT, presets.

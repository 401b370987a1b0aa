//! Seeds, shards, double runs, replay.

//! Scenario to turmoil hosts, stores and drivers.

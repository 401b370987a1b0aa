//! Scenario files: schema, errors with spans, resolution to a plan.

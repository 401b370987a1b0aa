//! Exit codes, a documented type: what CI and scripts rely on.

use campaign::{CampaignError, WorldError};
use std::process::ExitCode;

/// How a verb ended. The number is the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All held.
    Held = 0,
    /// An invariant or threshold failed.
    Broken = 1,
    /// Wrong usage, or an invalid scenario.
    Usage = 2,
    /// The environment lacks something; `cargo xtask doctor` says what.
    Environment = 3,
    /// Everything held, but a metric is worse than its baseline.
    Regressed = 4,
    /// The second run differed from the first.
    Nondeterministic = 5,
    /// The harness itself failed.
    Harness = 6,
}

impl Exit {
    /// The worse of two: 6 > 5 > 3 > 2 > 1 > 4 > 0.
    pub(crate) fn and(self, other: Exit) -> Exit {
        if self.rank() >= other.rank() { self } else { other }
    }

    fn rank(self) -> u8 {
        match self {
            Exit::Held => 0,
            Exit::Regressed => 1,
            Exit::Broken => 2,
            Exit::Usage => 3,
            Exit::Environment => 4,
            Exit::Nondeterministic => 5,
            Exit::Harness => 6,
        }
    }

    /// The exit code of an error: who has to act.
    pub(crate) fn of(error: &miette::Report) -> Exit {
        match error.downcast_ref::<Failure>() {
            Some(Failure::Campaign(error)) => Exit::of_campaign(error),
            Some(Failure::Usage(_)) => Exit::Usage,
            Some(Failure::Files { .. } | Failure::Report(_)) => Exit::Harness,
            // Everything else that is reported comes from reading scenarios.
            None => Exit::Usage,
        }
    }

    pub(crate) fn of_campaign(error: &CampaignError) -> Exit {
        match error {
            CampaignError::World(WorldError::StrayDraw(_)) => Exit::Nondeterministic,
            CampaignError::World(WorldError::Environment(_)) => Exit::Environment,
            _ => Exit::Harness,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a verb could not do its work.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(crate) enum Failure {
    /// A run could not be made.
    #[error(transparent)]
    Campaign(#[from] CampaignError),
    /// The command line asks for something that is not there.
    #[error("{0}")]
    Usage(String),
    /// A report could not be written.
    #[error("{0}")]
    Report(String),
    /// A file could not be read or written.
    #[error("{path}: {error}")]
    Files {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_harness_own_failure_hides_every_other() {
        let all = [
            Exit::Held,
            Exit::Regressed,
            Exit::Broken,
            Exit::Usage,
            Exit::Environment,
            Exit::Nondeterministic,
            Exit::Harness,
        ];
        for pair in all.windows(2) {
            assert_eq!(pair[0].and(pair[1]), pair[1]);
            assert_eq!(pair[1].and(pair[0]), pair[1]);
        }
    }
}

//! Exit codes, as a documented type: scripts and CI rely on them. The `callproof` binary ends with the same ones.

use std::process::{ExitCode, ExitStatus};

/// How a verb ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: everything held.
    Held,
    /// 1: an invariant, a threshold, a test or a check failed.
    Failed,
    /// 2: the command line or a scenario file is wrong.
    Usage,
    /// 3: the environment lacks something; `cargo xtask doctor` says what.
    Environment,
    /// 4: everything held, but a metric is worse than its baseline.
    Regressed,
    /// 5: two runs of one seed differed.
    Nondeterministic,
    /// 6: the harness itself failed, or does not build.
    Harness,
    /// 101: the harness panicked.
    Panicked,
}

impl Exit {
    /// The code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Held => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Environment => 3,
            Exit::Regressed => 4,
            Exit::Nondeterministic => 5,
            Exit::Harness => 6,
            Exit::Panicked => 101,
        }
    }

    /// How the `callproof` binary ended; a signal or an unknown code is the harness's own failure.
    pub(crate) fn of_binary(status: ExitStatus) -> Exit {
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        let known = BY_PRECEDENCE.into_iter().find(|exit| Some(exit.code()) == code);
        known.unwrap_or(Exit::Harness)
    }

    /// How a tool that only knows success and failure ended.
    pub(crate) fn of_tool(status: ExitStatus) -> Exit {
        if status.success() { Exit::Held } else { Exit::Failed }
    }

    /// The one of two that matters more.
    pub(crate) fn or_worse(self, other: Exit) -> Exit {
        let rank = |exit: Exit| BY_PRECEDENCE.iter().position(|known| *known == exit);
        if rank(self) <= rank(other) { self } else { other }
    }
}

/// What matters more comes first: a panic hides everything, and a regression only counts when all else held.
const BY_PRECEDENCE: [Exit; 8] = [
    Exit::Panicked,
    Exit::Harness,
    Exit::Nondeterministic,
    Exit::Environment,
    Exit::Usage,
    Exit::Failed,
    Exit::Regressed,
    Exit::Held,
];

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_of_two_ends_is_kept_whatever_the_order() {
        for (i, worse) in BY_PRECEDENCE.into_iter().enumerate() {
            for better in BY_PRECEDENCE.into_iter().skip(i) {
                assert_eq!(worse.or_worse(better), worse);
                assert_eq!(better.or_worse(worse), worse);
            }
        }
    }
}

//! Rates that follow a recording: what a link could deliver, and when.

use crate::time::{BitRate, Micros, SimTime};
use serde::{Deserialize, Serialize};

/// At most this many lines of a trace are read.
pub const MAX_TRACE_LINES: usize = 1_000_000;
/// Bytes of one delivery opportunity of a Mahimahi trace.
pub const OPPORTUNITY_BYTES: u64 = 1_500;

/// A rate over time that begins with the timeline and repeats for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateTrace {
    /// Its name: a fixture's, or the path that a scenario gave.
    pub name: String,
    /// After this span it begins again.
    pub period: Micros,
    /// What it says.
    pub shape: TraceShape,
}

/// What a trace says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TraceShape {
    /// Opportunities to deliver 1500 bytes (Mahimahi): instants within `1..=period` and how many there are at each,
    /// ascending. An opportunity that finds nothing to send is lost.
    Opportunities {
        /// Instants and counts.
        at: Vec<(Micros, u32)>,
    },
    /// Rates from an instant on, ascending, the first at zero. A rate of zero sends nothing.
    Steps {
        /// Instants and rates.
        from: Vec<(Micros, BitRate)>,
    },
}

/// Why a text is no trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// A line is not of the format.
    #[error("line {line}: {problem}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// There is nothing that ever sends.
    #[error("the trace never sends anything")]
    Silent,
    /// More lines than [`MAX_TRACE_LINES`].
    #[error("the trace has more than {MAX_TRACE_LINES} lines")]
    TooLong,
}

impl RateTrace {
    /// Reads a trace: `time_ms,bps` lines when the first line that is no comment has a comma, else Mahimahi's one
    /// millisecond timestamp a line. Empty lines and lines that begin with `#` are skipped, a CSV's header line too.
    ///
    /// A Mahimahi trace repeats after its last timestamp. A CSV repeats at its last line, whose rate says nothing.
    ///
    /// # Errors
    /// When a line is not of the format, times do not ascend, or nothing is ever sent.
    pub fn parse(name: &str, text: &str) -> Result<RateTrace, TraceError> {
        let lines = || {
            let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
            numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        };
        if lines().nth(MAX_TRACE_LINES).is_some() {
            return Err(TraceError::TooLong);
        }
        let is_csv = lines().next().is_some_and(|(_, line)| line.contains(','));
        let (period, shape) = if is_csv { steps(lines())? } else { opportunities(lines())? };
        Ok(RateTrace { name: name.into(), period, shape })
    }

    /// Bits that it could deliver in `from..to`, when its time zero is `origin`.
    pub fn capacity(&self, origin: SimTime, from: SimTime, to: SimTime) -> u64 {
        let until = |at: SimTime| {
            let since = i128::from(at.0) - i128::from(origin.0);
            let period = i128::from(self.period.0);
            let (rounds, rest) = (since.div_euclid(period), since.rem_euclid(period));
            rounds * i128::from(self.microbits(self.period)) + i128::from(self.microbits(Micros(rest as u64)))
        };
        u64::try_from((until(to) - until(from)).max(0) / 1_000_000).unwrap_or(u64::MAX)
    }

    /// Millionths of bits that it delivers in the first `span` of a period.
    fn microbits(&self, span: Micros) -> u64 {
        match &self.shape {
            TraceShape::Opportunities { at } => {
                let count: u64 = at.iter().take_while(|(at, _)| *at <= span).map(|(_, count)| u64::from(*count)).sum();
                count * OPPORTUNITY_BYTES * 8_000_000
            }
            TraceShape::Steps { from } => {
                let ends = from.iter().skip(1).map(|(at, _)| *at).chain([self.period]);
                let parts = from.iter().zip(ends).map(|((begin, rate), end)| {
                    let within = end.0.min(span.0).saturating_sub(begin.0);
                    within * rate.0
                });
                parts.sum()
            }
        }
    }
}

fn opportunities<'a>(lines: impl Iterator<Item = (usize, &'a str)>) -> Result<(Micros, TraceShape), TraceError> {
    let mut at: Vec<(Micros, u32)> = Vec::new();
    for (line, text) in lines {
        let problem = |problem| TraceError::Line { line, problem };
        let ms: u64 = text.parse().map_err(|_| problem("not a whole number of milliseconds"))?;
        if ms > MOST_MS {
            return Err(problem("a trace is at most 24 hours long"));
        }
        // Mahimahi plays an opportunity at 0 ms at once; here the period is half open at its beginning.
        let ms = Micros::from_millis(ms.max(1));
        match at.last_mut() {
            Some((last, count)) if *last == ms => *count += 1,
            Some((last, _)) if *last > ms => return Err(problem("the times do not ascend")),
            _ => at.push((ms, 1)),
        }
    }
    let period = at.last().map(|(at, _)| *at).ok_or(TraceError::Silent)?;
    Ok((period, TraceShape::Opportunities { at }))
}

fn steps<'a>(lines: impl Iterator<Item = (usize, &'a str)>) -> Result<(Micros, TraceShape), TraceError> {
    let mut from: Vec<(Micros, BitRate)> = Vec::new();
    for (line, text) in lines {
        let problem = |problem| TraceError::Line { line, problem };
        if text.replace(' ', "") == "time_ms,bps" && from.is_empty() {
            continue;
        }
        let (ms, bps) = text.split_once(',').ok_or(problem("not `time_ms,bps`"))?;
        let ms: u64 = ms.trim().parse().map_err(|_| problem("the time is not a whole number of milliseconds"))?;
        let bps: u64 = bps.trim().parse().map_err(|_| problem("the rate is not a whole number of bits per second"))?;
        if ms > MOST_MS || bps > MOST_BPS {
            return Err(problem("a trace is at most 24 hours long and 10 Gbit/s fast"));
        }
        let ms = Micros::from_millis(ms);
        match from.last() {
            None if ms != Micros::ZERO => return Err(problem("the first time is not 0")),
            Some((last, _)) if *last >= ms => return Err(problem("the times do not ascend")),
            _ => from.push((ms, BitRate(bps))),
        }
    }
    let (period, _) = from.pop().ok_or(TraceError::Silent)?;
    if from.iter().all(|(_, rate)| rate.0 == 0) {
        return Err(TraceError::Silent);
    }
    Ok((period, TraceShape::Steps { from }))
}

const MOST_MS: u64 = 24 * 3_600 * 1_000;
const MOST_BPS: u64 = 10_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mahimahi_is_a_timestamp_for_each_opportunity() {
        let trace = RateTrace::parse("t", "0\n2\n2\n# a comment\n\n5\n").unwrap();
        let at = vec![(Micros(1_000), 1), (Micros(2_000), 2), (Micros(5_000), 1)];
        assert_eq!((trace.period, &trace.shape), (Micros(5_000), &TraceShape::Opportunities { at }));
        assert_eq!(trace.capacity(SimTime(7), SimTime(7), SimTime(5_007)), 4 * 12_000);
        assert_eq!(trace.capacity(SimTime(7), SimTime(1_007), SimTime(7_007)), (3 + 3) * 12_000);
    }

    #[test]
    fn a_csv_is_rates_from_instants_on() {
        let trace = RateTrace::parse("t", "time_ms, bps\n0,1000000\n10, 0\n30,0\n").unwrap();
        let from = vec![(Micros::ZERO, BitRate(1_000_000)), (Micros(10_000), BitRate(0))];
        assert_eq!((trace.period, &trace.shape), (Micros(30_000), &TraceShape::Steps { from }));
        assert_eq!(trace.capacity(SimTime::ZERO, SimTime::ZERO, SimTime(30_000)), 10_000);
        assert_eq!(trace.capacity(SimTime(20_000), SimTime::ZERO, SimTime(20_000)), 0, "before its origin it repeats");
        assert_eq!(trace.capacity(SimTime(20_000), SimTime::ZERO, SimTime(25_000)), 5_000);
    }

    #[test]
    fn what_is_no_trace_is_refused_at_its_line() {
        let refused = |text: &str| RateTrace::parse("t", text).unwrap_err().to_string();
        assert_eq!(refused(""), "the trace never sends anything");
        assert_eq!(refused("0,0\n10,5\n"), "the trace never sends anything");
        assert_eq!(refused("1\nx\n"), "line 2: not a whole number of milliseconds");
        assert_eq!(refused("3\n2\n"), "line 2: the times do not ascend");
        assert_eq!(refused("5,1\n9,1"), "line 1: the first time is not 0");
        assert_eq!(refused("0,1\n0,1"), "line 2: the times do not ascend");
        assert_eq!(refused("0,1\n99999999999,1"), "line 2: a trace is at most 24 hours long and 10 Gbit/s fast");
    }
}

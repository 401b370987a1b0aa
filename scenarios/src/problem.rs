//! What is wrong with a scenario, and where.

use crate::located::Span;
use miette::{Diagnostic, NamedSource, SourceSpan};
use std::sync::Arc;
use thiserror::Error;

/// One mistake in a scenario.
#[derive(Clone, Debug, Error, Diagnostic)]
#[error("{message}")]
pub struct Problem {
    message: String,
    label: String,
    #[label("{label}")]
    span: SourceSpan,
    #[help]
    help: Option<String>,
}

impl Problem {
    /// What is wrong, in a sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What would be right, where that is known.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Offset of the first byte of the place.
    pub fn offset(&self) -> usize {
        self.span.offset()
    }
}

/// Mistakes that are shown; further ones are counted.
const MAX_SHOWN: usize = 50;

/// A scenario with mistakes: the first 50 of them, in the order of the file.
#[derive(Debug, Error, Diagnostic)]
#[error("{name}: {}", count(*found))]
pub struct InvalidScenario {
    name: String,
    /// How many there are in all.
    found: usize,
    #[source_code]
    source_text: NamedSource<Arc<String>>,
    #[related]
    problems: Vec<Problem>,
}

impl InvalidScenario {
    pub(crate) fn new(name: &str, text: String, mut problems: Vec<Problem>) -> InvalidScenario {
        problems.sort_by_key(Problem::offset);
        // One value can be read in many places: a preset from the command line is everybody's.
        problems.dedup_by(|one, other| one.offset() == other.offset() && one.message == other.message);
        let found = problems.len();
        problems.truncate(MAX_SHOWN);
        let source_text = NamedSource::new(name, Arc::new(text)).with_language("TOML");
        InvalidScenario { name: name.into(), found, source_text, problems }
    }

    /// The mistakes that are shown, in the order of the file.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

fn count(problems: usize) -> String {
    match problems {
        1 => "1 mistake".into(),
        2..=MAX_SHOWN => format!("{problems} mistakes"),
        _ => format!("{problems} mistakes, of which the first {MAX_SHOWN} follow"),
    }
}

/// Collects mistakes while the reading goes on.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    /// Notes a mistake: a sentence about it, and what the caret says.
    pub(crate) fn note(&mut self, span: Span, message: impl Into<String>, label: impl Into<String>) -> &mut Problem {
        let span = SourceSpan::from((span.start, span.end.saturating_sub(span.start)));
        self.0.push(Problem { message: message.into(), label: label.into(), span, help: None });
        self.0.last_mut().expect("one was just pushed")
    }

    /// All of them.
    pub(crate) fn into_inner(self) -> Vec<Problem> {
        self.0
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Problem {
    /// Says what would be right.
    pub(crate) fn with_help(&mut self, help: impl Into<String>) {
        self.help = Some(help.into());
    }

    /// Offers the known name that is nearest to the wrong one, or lists them when none is near.
    pub(crate) fn did_you_mean<'a>(&mut self, wrong: &str, known: impl IntoIterator<Item = &'a str>) {
        let known: Vec<&str> = known.into_iter().collect();
        self.help = match nearest(wrong, known.iter().copied()) {
            Some(name) => Some(format!("did you mean `{name}`?")),
            None if known.is_empty() => None,
            None => Some(format!("known are {}", known.join(", "))),
        };
    }
}

/// The known name that a slip of the pen could have turned into the wrong one.
pub(crate) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (wrong.chars().count() / 3).max(2);
    let distance = |name: &str| strsim::damerau_levenshtein(&wrong.to_lowercase(), &name.to_lowercase());
    known.into_iter().map(|name| (distance(name), name)).filter(|(far, _)| *far <= most).min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_and_a_far_one_is_not() {
        assert_eq!(nearest("bbo", ["alice", "bob"]), Some("bob"));
        assert_eq!(nearest("home-wfi", ["home-wifi", "lossy-wifi"]), Some("home-wifi"));
        assert_eq!(nearest("zebra", ["alice", "bob"]), None);
    }
}

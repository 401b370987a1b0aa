//! `tracing` on simulated time: for people on standard error (`--log`), and into the log as the view `logs`.

use kernel::event;
use std::{fmt, fmt::Write as _, io};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, FilterFn, LevelFilter, Targets},
    fmt::{format::Writer, time::FormatTime},
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

/// What people want to read on standard error while a run goes on: a `tracing` filter such as `info,str0m=debug`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// Reads a filter.
    ///
    /// # Errors
    /// When it is no filter of `tracing_subscriber::EnvFilter`; the text names the part.
    pub fn parse(text: &str) -> Result<LogFilter, String> {
        EnvFilter::builder().parse(text).map_err(|error| format!("`{text}` is no log filter: {error}"))?;
        Ok(LogFilter(text.to_owned()))
    }
}

/// Targets that log every return of a function at `info`: no release build of an app would keep that.
const CHATTY: [(&str, LevelFilter); 1] = [("turn_client_proto", LevelFilter::WARN)];

/// Until it is dropped, everything that code on this thread logs at `info` and above becomes a [`event::LogLine`] of
/// the actor at work, and what the filter lets through is printed with its simulated time.
pub(crate) fn install(filter: Option<&LogFilter>) -> DefaultGuard {
    let Some(filter) = filter else {
        return tracing::subscriber::set_default(tracing_subscriber::registry().with(view()));
    };
    let people = tracing_subscriber::fmt::layer()
        .with_timer(SimulatedTime)
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_filter(EnvFilter::new(&filter.0));
    tracing::subscriber::set_default(tracing_subscriber::registry().with(people).with(view()))
}

/// The view has no use for spans, and where no people read along nobody has: to keep them costs a twentieth of a run.
fn view<S: Subscriber + for<'span> LookupSpan<'span>>() -> impl Layer<S> {
    let events = FilterFn::new(|record: &Metadata<'_>| record.is_event()).with_max_level_hint(LevelFilter::INFO);
    LogView.with_filter(Targets::new().with_default(LevelFilter::INFO).with_targets(CHATTY).and(events))
}

struct SimulatedTime;

impl FormatTime for SimulatedTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{} {}", kernel::time::now(), kernel::random::actor())
    }
}

struct LogView;

impl<S: Subscriber> Layer<S> for LogView {
    fn on_event(&self, record: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(format!("{}:", record.metadata().target()));
        record.record(&mut line);
        let level = match *record.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        event!(LogLine { actor: kernel::random::actor().as_str().into(), level: level.into(), line: line.0 });
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

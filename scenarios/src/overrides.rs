//! Changes to a scenario from the command line: `--set participant.alice.network.up.propagation=35ms`.

use crate::{located::Span, problem::Problems};
use serde_spanned::Spanned;
use std::{borrow::Cow, str::FromStr};
use toml::de::{DeTable, DeValue};

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    path: Vec<String>,
    value: String,
}

/// The text is no `key=value`.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not of the form key=value, such as duration=5s or participant.alice.nat=symmetric")]
pub struct OverrideSyntax(String);

impl FromStr for Override {
    type Err = OverrideSyntax;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, value) = text.split_once('=').ok_or_else(|| OverrideSyntax(text.into()))?;
        let path = self::path(path);
        if path.iter().any(String::is_empty) {
            return Err(OverrideSyntax(text.into()));
        }
        Ok(Override { path, value: value.trim().into() })
    }
}

/// Changes to a scenario, made before it is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Keys that change, in order.
    pub set: Vec<Override>,
    /// The preset that replaces every participant's network. NATs that the file names stay.
    pub network: Option<String>,
    /// The video codec that replaces the file's.
    pub codec: Option<String>,
}

impl Overrides {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.network.is_none() && self.codec.is_none()
    }

    /// Whether the story may be cut: whoever asks for another duration does not mean every step in it.
    pub(crate) fn shorten(&self) -> bool {
        self.set.iter().any(|change| change.path == ["duration"])
    }

    /// The file's text followed by the overrides as lines, so that mistakes in them can be pointed at, and the place of each.
    pub(crate) fn append_to(&self, text: &str) -> (String, Vec<Span>) {
        let mut whole = text.to_owned();
        let mut spans = Vec::new();
        if self.is_empty() {
            return (whole, spans);
        }
        whole.push_str("\n# from the command line:\n");
        let network = self.network.iter().map(|preset| ("--network ".to_owned(), preset));
        let codec = self.codec.iter().map(|codec| ("--codec ".to_owned(), codec));
        let set = self.set.iter().map(|change| (format!("--set {}=", change.path.join(".")), &change.value));
        for (prefix, value) in network.chain(codec).chain(set) {
            whole.push_str(&prefix);
            spans.push(whole.len()..whole.len() + value.len());
            whole.push_str(value);
            whole.push('\n');
        }
        (whole, spans)
    }

    /// Changes the document. `spans` are those of [`Overrides::append_to`].
    pub(crate) fn apply<'t>(
        &self,
        document: &mut DeTable<'t>,
        whole: &'t str,
        spans: &[Span],
        problems: &mut Problems,
    ) {
        let mut spans = spans.iter().cloned();
        if self.network.is_some() {
            let span = spans.next().expect("each override has a span");
            let preset = Spanned::new(span.clone(), DeValue::String(Cow::Borrowed(&whole[span])));
            set_every_network(document, &preset);
        }
        if self.codec.is_some() {
            let span = spans.next().expect("each override has a span");
            let codec = Spanned::new(span.clone(), DeValue::String(Cow::Borrowed(&whole[span])));
            set_codec(document, codec);
        }
        for (change, span) in self.set.iter().zip(spans) {
            put(document, &change.path, parse_value(whole, span), problems);
        }
    }
}

/// Puts a value under a path of keys, or notes that the path leads nowhere.
pub(crate) fn put<'t>(
    document: &mut DeTable<'t>,
    path: &[String],
    value: Spanned<DeValue<'t>>,
    problems: &mut Problems,
) {
    let span = value.span();
    if let Err(Missing { key, known }) = set(document, path, value) {
        let message = format!("nothing is called `{key}` in {}", path.join("."));
        problems.note(span, message, "for this").did_you_mean(&key, known.iter().map(String::as_str));
    }
}

/// The keys of a path such as `participant.alice.nat`.
pub(crate) fn path(text: &str) -> Vec<String> {
    text.split('.').map(|key| key.trim().to_owned()).collect()
}

fn set_every_network<'t>(document: &mut DeTable<'t>, preset: &Spanned<DeValue<'t>>) {
    let Some(DeValue::Array(participants)) = document.get_mut("participant").map(Spanned::get_mut) else { return };
    for participant in participants.iter_mut() {
        if let DeValue::Table(table) = participant.get_mut() {
            insert(table, "network", preset.clone());
        }
    }
}

fn set_codec<'t>(document: &mut DeTable<'t>, codec: Spanned<DeValue<'t>>) {
    // A file whose `media` is no table is refused for that.
    let _ = set(document, &["media".to_owned(), "video_codec".to_owned()], codec);
}

/// A value as TOML, or as text when it is none: `5s` needs no quotes.
fn parse_value(whole: &str, span: Span) -> Spanned<DeValue<'_>> {
    let raw = &whole[span.clone()];
    match DeValue::parse(raw) {
        Ok(value) => shift(value, span.start),
        Err(_) => Spanned::new(span, DeValue::String(Cow::Borrowed(raw))),
    }
}

/// Moves all spans of a value that was parsed out of the middle of a text.
fn shift(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let moved = |span: Span| span.start + by..span.end + by;
    let span = moved(value.span());
    let value = match value.into_inner() {
        DeValue::Array(items) => DeValue::Array(items.into_iter().map(|item| shift(item, by)).collect()),
        DeValue::Table(table) => DeValue::Table(
            table
                .into_iter()
                .map(|(key, value)| (Spanned::new(moved(key.span()), key.into_inner()), shift(value, by)))
                .collect(),
        ),
        plain => plain,
    };
    Spanned::new(span, value)
}

struct Missing {
    key: String,
    known: Vec<String>,
}

fn set<'t>(table: &mut DeTable<'t>, path: &[String], value: Spanned<DeValue<'t>>) -> Result<(), Missing> {
    let [key, rest @ ..] = path else { return Ok(()) };
    if rest.is_empty() {
        insert(table, key, value);
        return Ok(());
    }
    if table.get(key.as_str()).is_none() {
        insert(table, key, Spanned::new(value.span(), DeValue::Table(DeTable::new())));
    }
    let inner = table.get_mut(key.as_str()).expect("it was just put there");
    into_value(inner, key, rest, value)
}

fn into_value<'t>(
    inner: &mut Spanned<DeValue<'t>>,
    key: &str,
    rest: &[String],
    value: Spanned<DeValue<'t>>,
) -> Result<(), Missing> {
    let span = inner.span();
    match inner.get_mut() {
        DeValue::Table(table) => set(table, rest, value),
        DeValue::Array(items) => {
            let names: Vec<String> = items.iter().filter_map(name_of).collect();
            let index =
                rest[0].parse().ok().or_else(|| items.iter().position(|item| name_of(item).as_ref() == Some(&rest[0])));
            match index.and_then(|index: usize| items.get_mut(index)) {
                Some(item) if rest.len() > 1 => into_value(item, &rest[0], &rest[1..], value),
                Some(item) => {
                    *item = value;
                    Ok(())
                }
                None => Err(Missing { key: rest[0].clone(), known: names }),
            }
        }
        // A preset's name stands for a table that names the preset.
        DeValue::String(preset) if key == "network" => {
            let mut table = DeTable::new();
            let preset = DeValue::String(std::mem::take(preset));
            insert(&mut table, "preset", Spanned::new(span.clone(), preset));
            set(&mut table, rest, value)?;
            *inner = Spanned::new(span, DeValue::Table(table));
            Ok(())
        }
        _ => Err(Missing { key: rest[0].clone(), known: Vec::new() }),
    }
}

/// What an item of a list is called by: participants by their user.
fn name_of(item: &Spanned<DeValue<'_>>) -> Option<String> {
    let DeValue::Table(table) = item.get_ref() else { return None };
    match table.get("user").map(Spanned::get_ref) {
        Some(DeValue::String(name)) => Some(name.to_string()),
        _ => None,
    }
}

/// Inserts under a key that stands where the value stands. The old key would keep its old place, so it goes first.
fn insert<'t>(table: &mut DeTable<'t>, key: &str, value: Spanned<DeValue<'t>>) {
    table.remove(key);
    table.insert(Spanned::new(value.span(), Cow::Owned(key.to_owned())), value);
}

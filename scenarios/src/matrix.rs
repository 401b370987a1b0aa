//! Scenarios that are many: `[matrix]` names keys with several values each, and every combination is a run of its own.
//!
//! A matrix is taken out of the document before anything else reads it. Each cell is the document with the values of
//! the cell put in, as `--set` would, and then what the rules in `[[cell]]` say of it.

use crate::{located::Span, overrides, problem::Problems};
use serde_json::{Value, json};
use serde_spanned::Spanned;
use std::collections::BTreeMap;
use toml::de::{DeArray, DeTable, DeValue};

/// More cells than anybody waits for.
const MOST_CELLS: usize = 1_024;

/// A matrix, taken out of a document.
pub(crate) struct Matrix<'t> {
    axes: Vec<Axis<'t>>,
    rules: Vec<Rule<'t>>,
}

/// A key and its values.
struct Axis<'t> {
    path: Vec<String>,
    label: String,
    values: Vec<(String, Spanned<DeValue<'t>>)>,
}

/// What is different in some cells.
struct Rule<'t> {
    /// The values that each named axis must have one of.
    cells: BTreeMap<String, Vec<String>>,
    set: Vec<(Vec<String>, Spanned<DeValue<'t>>)>,
}

/// A cell: what is appended to the scenario's name, and its document.
pub(crate) struct Cell<'t> {
    pub(crate) suffix: String,
    pub(crate) document: Spanned<DeTable<'t>>,
}

impl<'t> Matrix<'t> {
    /// Takes the matrix out of a document; without one there is one cell.
    pub(crate) fn take(document: &mut DeTable<'t>, problems: &mut Problems) -> Matrix<'t> {
        let axes = match document.remove("matrix") {
            Some(matrix) => axes(matrix, problems),
            None => Vec::new(),
        };
        let rules = match document.remove("cell") {
            Some(rules) => items(rules, "`cell` is a list of tables", problems)
                .into_iter()
                .filter_map(|entry| rule(entry, &axes, problems))
                .collect(),
            None => Vec::new(),
        };
        Matrix { axes, rules }
    }

    /// Every cell, the last axis running fastest.
    pub(crate) fn cells(&self, document: &Spanned<DeTable<'t>>, problems: &mut Problems) -> Vec<Cell<'t>> {
        let count: usize = self.axes.iter().map(|axis| axis.values.len()).product();
        (0..count).map(|index| self.cell(index, document, problems)).collect()
    }

    fn cell(&self, mut index: usize, document: &Spanned<DeTable<'t>>, problems: &mut Problems) -> Cell<'t> {
        let mut document = document.clone();
        let mut chosen: Vec<(&Axis<'t>, &(String, Spanned<DeValue<'t>>))> = Vec::new();
        for axis in self.axes.iter().rev() {
            chosen.push((axis, &axis.values[index % axis.values.len()]));
            index /= axis.values.len();
        }
        chosen.reverse();
        for (axis, (_, value)) in &chosen {
            overrides::put(document.get_mut(), &axis.path, value.clone(), problems);
        }
        let named: BTreeMap<&str, &str> =
            chosen.iter().map(|(axis, (name, _))| (axis.label.as_str(), name.as_str())).collect();
        for rule in &self.rules {
            if rule.cells.iter().all(|(label, names)| names.iter().any(|name| named[label.as_str()] == name)) {
                for (path, value) in &rule.set {
                    overrides::put(document.get_mut(), path, value.clone(), problems);
                }
            }
        }
        let pairs: Vec<String> = chosen.iter().map(|(axis, (name, _))| format!("{}={name}", axis.label)).collect();
        let suffix = if pairs.is_empty() { String::new() } else { format!("[{}]", pairs.join(",")) };
        Cell { suffix, document }
    }
}

fn axes<'t>(matrix: Spanned<DeValue<'t>>, problems: &mut Problems) -> Vec<Axis<'t>> {
    let span = matrix.span();
    let DeValue::Table(table) = matrix.into_inner() else {
        problems.note(span, "`matrix` must be a table", "of keys with lists of values");
        return Vec::new();
    };
    let mut axes = Vec::new();
    for (key, values) in table {
        let place = values.span();
        let path = overrides::path(key.get_ref());
        let listed = items(values, "an axis of the matrix is a list of values", problems);
        let values: Vec<_> = listed.into_iter().filter_map(|value| named(value, problems)).collect();
        if values.is_empty() {
            problems.note(place.clone(), "an axis of the matrix has at least one value", "this has none");
            continue;
        }
        if let Some((name, value)) =
            values.iter().enumerate().find_map(|(i, value)| values[..i].iter().any(|v| v.0 == value.0).then_some(value))
        {
            problems.note(value.span(), format!("two values of an axis are called `{name}`"), "the second one");
        }
        axes.push(Axis { path, label: String::new(), values });
    }
    let cells = axes.iter().fold(1_usize, |cells, axis| cells.saturating_mul(axis.values.len()));
    if cells > MOST_CELLS {
        problems.note(span, format!("a matrix has at most {MOST_CELLS} cells"), format!("this has {cells}"));
        axes.clear();
    }
    label(&mut axes);
    axes
}

/// Names each axis by its key, without what all of them share: `participant.alice.nat` and `participant.bob.nat` are
/// `alice` and `bob`.
fn label(axes: &mut [Axis<'_>]) {
    let plain = |path: &[String]| match path {
        [first, rest @ ..] if first == "participant" && !rest.is_empty() => rest.to_vec(),
        all => all.to_vec(),
    };
    let mut paths: Vec<Vec<String>> = axes.iter().map(|axis| plain(&axis.path)).collect();
    while paths.len() > 1 && paths.iter().all(|path| path.len() > 1 && path.last() == paths[0].last()) {
        paths.iter_mut().for_each(|path| drop(path.pop()));
    }
    for (axis, path) in axes.iter_mut().zip(paths) {
        axis.label = path.join(".");
    }
}

/// A value with its name: itself where it is a word or a number, else `{ name = "…", value = … }`.
fn named<'t>(value: Spanned<DeValue<'t>>, problems: &mut Problems) -> Option<(String, Spanned<DeValue<'t>>)> {
    let span = value.span();
    let name = match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Table(table) => {
            let word = |name: &Spanned<DeValue<'_>>| match name.get_ref() {
                DeValue::String(text) => Some(text.to_string()),
                _ => None,
            };
            let inner = table.get("value").filter(|_| table.len() == 2);
            match (table.get("name").and_then(word), inner) {
                (Some(name), Some(inner)) => return checked(name, inner.clone(), span, problems),
                _ => None,
            }
        }
        _ => None,
    };
    match name {
        Some(name) => checked(name, value, span, problems),
        None => {
            let message = "a value of an axis is a word, a number, or a table with a `name` and a `value`";
            problems.note(span, message, "the cells of this have no name");
            None
        }
    }
}

fn checked<'t>(
    name: String,
    value: Spanned<DeValue<'t>>,
    span: Span,
    problems: &mut Problems,
) -> Option<(String, Spanned<DeValue<'t>>)> {
    let letters = |c: char| c.is_ascii_alphanumeric() || "-_.%".contains(c);
    if name.is_empty() || !name.chars().all(letters) {
        problems.note(span, format!("no cell can be called `{name}`"), "letters, digits, `-`, `_`, `.` and `%`");
        return None;
    }
    Some((name, value))
}

fn rule<'t>(entry: Spanned<DeValue<'t>>, axes: &[Axis<'t>], problems: &mut Problems) -> Option<Rule<'t>> {
    let span = entry.span();
    let DeValue::Table(mut table) = entry.into_inner() else {
        problems.note(span, "an item of `cell` must be a table", "with `where` and `set`");
        return None;
    };
    let mut part = |key: &str| match table.remove(key).map(Spanned::into_inner) {
        Some(DeValue::Table(inner)) => Some(inner),
        _ => {
            problems.note(
                span.clone(),
                format!("an item of `cell` has a table `{key}`"),
                format!("`{key}` is missing"),
            );
            None
        }
    };
    let (cells, set) = (part("where")?, part("set")?);
    for (key, _) in &table {
        let note =
            problems.note(key.span(), format!("an item of `cell` has no key `{}`", key.get_ref()), "unknown key");
        note.did_you_mean(key.get_ref(), ["where", "set"]);
    }
    let mut rule = Rule { cells: BTreeMap::new(), set: Vec::new() };
    for (label, names) in cells {
        let Some(axis) = axes.iter().find(|axis| axis.label == *label.get_ref()) else {
            let note = problems.note(label.span(), format!("no axis is called `{}`", label.get_ref()), "unknown axis");
            note.did_you_mean(label.get_ref(), axes.iter().map(|axis| axis.label.as_str()));
            continue;
        };
        rule.cells.insert(axis.label.clone(), wanted(names, axis, problems));
    }
    rule.set.extend(set.into_iter().map(|(key, value)| (overrides::path(key.get_ref()), value)));
    Some(rule)
}

/// The values of an axis that a rule names: one, or a list.
fn wanted(names: Spanned<DeValue<'_>>, axis: &Axis<'_>, problems: &mut Problems) -> Vec<String> {
    let listed = match names.get_ref() {
        DeValue::Array(_) => items(names, "", problems),
        _ => vec![names],
    };
    let mut wanted = Vec::new();
    for name in listed {
        match name.get_ref() {
            DeValue::String(text) if axis.values.iter().any(|(known, _)| known == text) => {
                wanted.push(text.to_string())
            }
            DeValue::String(text) => {
                let message = format!("the axis `{}` has no value `{text}`", axis.label);
                let note = problems.note(name.span(), message, "unknown value");
                note.did_you_mean(text, axis.values.iter().map(|(known, _)| known.as_str()));
            }
            _ => drop(problems.note(name.span(), "a rule names values by their names", "this is no text")),
        }
    }
    wanted
}

fn items<'t>(list: Spanned<DeValue<'t>>, otherwise: &str, problems: &mut Problems) -> Vec<Spanned<DeValue<'t>>> {
    let span = list.span();
    match list.into_inner() {
        DeValue::Array(items) => <DeArray<'_> as IntoIterator>::into_iter(items).collect(),
        _ => {
            problems.note(span, otherwise, "this is no list");
            Vec::new()
        }
    }
}

/// Adds what a matrix is to the schema of a scenario: its values may be anything that its keys take.
pub(crate) fn describe(schema: &mut Value) {
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    properties.insert(
        "matrix".into(),
        json!({
            "description": "Keys that vary, as `--set` names them, each with its values: every combination is a run. A value \
                            that is no word or number is written { name = \"…\", value = … }.",
            "type": "object",
            "additionalProperties": { "type": "array", "minItems": 1 },
        }),
    );
    properties.insert(
        "cell".into(),
        json!({
            "description": "What is different in some cells of the matrix; a later item has the last word.",
            "type": "array",
            "items": {
                "type": "object",
                "required": ["where", "set"],
                "additionalProperties": false,
                "properties": {
                    "where": {
                        "description": "For which values: each axis with one or a list of its values.",
                        "type": "object",
                    },
                    "set": { "description": "Keys, as `--set` names them, with their values.", "type": "object" },
                },
            },
        }),
    );
}

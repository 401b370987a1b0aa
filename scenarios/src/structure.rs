//! Holds a parsed file against the schema: unknown keys, missing keys, wrong types, unknown words, numbers out of
//! range. What is wrong is noted and taken out, so that the rest can be read and judged too.

use crate::{
    located::Span,
    problem::Problems,
    scalar,
    seeds::{self, Seeds},
};
use serde_json::Value as Schema;
use serde_spanned::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// Notes every place where the document is not what the schema says, and takes it out.
pub(crate) fn check(schema: &Schema, document: &mut Spanned<DeTable<'_>>, problems: &mut Problems) {
    let start = document.span().start;
    Walker { root: schema, problems }.table(schema, document.get_mut(), start..start, "the scenario");
}

struct Walker<'a> {
    root: &'a Schema,
    problems: &'a mut Problems,
}

impl<'a> Walker<'a> {
    /// Whether the value may stay. `name` says what it is, for messages: "`duration`", "an item of `friends`".
    fn value(&mut self, schema: &'a Schema, value: &mut Spanned<DeValue<'_>>, name: &str) -> bool {
        let span = value.span();
        let Some(schema) = self.branch(schema, value, name) else { return false };
        match value.get_mut() {
            DeValue::Table(table) => {
                self.table(schema, table, span, name);
                true
            }
            DeValue::Array(items) => {
                let item = schema.get("items").unwrap_or(&Schema::Null);
                let singular = if name.starts_with("an item") { name.into() } else { format!("an item of {name}") };
                let before = items.len();
                // An array forgets the items that are wrong; one of fixed length is then wrong as a whole.
                let mut kept = DeArray::new();
                for mut entry in std::mem::replace(items, DeArray::new()) {
                    if item.is_null() || self.value(item, &mut entry, &singular) {
                        kept.push(entry);
                    }
                }
                *items = kept;
                let fixed = schema.get("maxItems").is_some();
                self.length(schema, before, span, name) && !(fixed && items.len() != before)
            }
            DeValue::String(text) => self.text(schema, text, span, name),
            DeValue::Integer(number) => {
                let number = i64::from_str_radix(number.as_str(), number.radix());
                self.number(schema, number.ok(), span, name)
            }
            _ => true,
        }
    }

    fn table(&mut self, schema: &'a Schema, table: &mut DeTable<'_>, span: Span, name: &str) {
        let schema = self.resolve(schema);
        let properties = schema.get("properties").and_then(Schema::as_object);
        let known = || properties.into_iter().flatten().map(|(key, _)| key.as_str());
        let mut wrong = Vec::new();
        let missing: Vec<&str> = required(schema).filter(|key| !table.contains_key(*key)).collect();
        for (key, value) in table.iter_mut() {
            let inner = match properties.and_then(|all| all.get(key.get_ref().as_ref())) {
                Some(inner) => inner,
                None => match schema.get("additionalProperties") {
                    Some(inner) if inner.is_object() => inner,
                    _ => {
                        let message = format!("{name} has no key `{}`", key.get_ref());
                        self.problems.note(key.span(), message, "unknown key").did_you_mean(key.get_ref(), known());
                        wrong.push(key.clone());
                        continue;
                    }
                },
            };
            if !self.value(inner, value, &format!("`{}`", key.get_ref())) {
                wrong.push(key.clone());
            }
        }
        // A misspelt key is one mistake, not also a missing one.
        let misspelt = |key: &str| wrong.iter().any(|w| crate::problem::nearest(w.get_ref(), [key]).is_some());
        for key in missing.into_iter().filter(|key| !misspelt(key)) {
            let note =
                self.problems.note(span.clone(), format!("{name} has no `{key}`"), format!("`{key}` is missing"));
            if let Some(text) = properties.and_then(|all| all.get(key)?.get("description")?.as_str()) {
                note.with_help(format!("`{key}`: {text}"));
            }
        }
        wrong.iter().for_each(|key| drop(table.remove(key.get_ref().as_ref())));
    }

    /// The part of the schema that speaks of values like this one; notes the mistake when there is none.
    fn branch(&mut self, schema: &'a Schema, value: &Spanned<DeValue<'_>>, name: &str) -> Option<&'a Schema> {
        let schema = self.resolve(schema);
        let branches = branches(self.root, schema);
        if let DeValue::String(text) = value.get_ref() {
            let words: Vec<&str> = branches.iter().flat_map(|branch| words(self.root, branch)).collect();
            if !words.is_empty() {
                if words.contains(&text.as_ref()) {
                    return Some(&Schema::Null);
                }
                let message = format!("{name} cannot be `{text}`");
                self.problems.note(value.span(), message, "unknown word").did_you_mean(text, words);
                return None;
            }
        }
        let found = type_name(value.get_ref());
        if let Some(branch) = branches.iter().find(|branch| accepts(branch, found)) {
            return Some(branch);
        }
        let wanted: Vec<String> = branches.iter().flat_map(|branch| wanted(self.root, branch)).collect();
        let label = format!("this is {}", article(found));
        self.problems.note(value.span(), format!("{name} must be {}", wanted.join(" or ")), label);
        None
    }

    fn text(&mut self, schema: &Schema, text: &str, span: Span, name: &str) -> bool {
        let format = schema.get("format").and_then(Schema::as_str).unwrap_or_default();
        if format == seeds::FORMAT {
            let Err(invalid) = text.parse::<Seeds>() else { return true };
            self.problems.note(span, invalid.to_string(), "no seeds");
            return false;
        }
        let Err(refusal) = scalar::check(format, text) else { return true };
        self.problems.note(span, format!("{name} cannot be `{text}`"), refusal.message).with_help(refusal.help);
        false
    }

    fn number(&mut self, schema: &Schema, number: Option<i64>, span: Span, name: &str) -> bool {
        let bound = |key: &str| schema.get(key).and_then(Schema::as_i64);
        let complaint = match number {
            None => "too large to count with".into(),
            Some(n) if bound("minimum").is_some_and(|least| n < least) => {
                format!("at least {}", bound("minimum").unwrap_or_default())
            }
            Some(n) if bound("maximum").is_some_and(|most| n > most) => {
                format!("at most {}", bound("maximum").unwrap_or_default())
            }
            Some(n) if bound("multipleOf").is_some_and(|step| n % step != 0) => {
                format!("a multiple of {}", bound("multipleOf").unwrap_or_default())
            }
            Some(_) => return true,
        };
        let written = number.map_or_else(|| "this".into(), |n| format!("`{n}`"));
        self.problems.note(span, format!("{name} cannot be {written}"), complaint);
        false
    }

    fn length(&mut self, schema: &Schema, length: usize, span: Span, name: &str) -> bool {
        let bound = |key: &str| schema.get(key).and_then(Schema::as_u64).map(|bound| bound as usize);
        let (least, most) = (bound("minItems").unwrap_or(0), bound("maxItems").unwrap_or(usize::MAX));
        if (least..=most).contains(&length) {
            return true;
        }
        let wanted = if least == most { format!("exactly {least}") } else { format!("at least {least}") };
        self.problems.note(span, format!("{name} must hold {wanted}"), format!("this holds {length}"));
        false
    }

    fn resolve(&self, schema: &'a Schema) -> &'a Schema {
        resolve(self.root, schema)
    }
}

fn resolve<'a>(root: &'a Schema, schema: &'a Schema) -> &'a Schema {
    let target =
        schema.get("$ref").and_then(Schema::as_str).and_then(|path| root.pointer(path.trim_start_matches('#')));
    target.unwrap_or(schema)
}

/// The alternatives of a schema, each resolved; itself when it has none.
fn branches<'a>(root: &'a Schema, schema: &'a Schema) -> Vec<&'a Schema> {
    match schema.get("anyOf").and_then(Schema::as_array) {
        Some(all) => all.iter().map(|branch| resolve(root, branch)).collect(),
        None => vec![schema],
    }
}

/// The words that a schema of an enumeration allows.
fn words<'a>(root: &'a Schema, schema: &'a Schema) -> Vec<&'a str> {
    let constants = schema.get("oneOf").and_then(Schema::as_array).into_iter().flatten();
    let constants = constants.filter_map(|branch| resolve(root, branch).get("const")?.as_str());
    let listed = schema.get("enum").and_then(Schema::as_array).into_iter().flatten().filter_map(Schema::as_str);
    constants.chain(listed).collect()
}

fn required(schema: &Schema) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Schema::as_array).into_iter().flatten().filter_map(Schema::as_str)
}

/// Whether a schema without alternatives is of values of this type.
fn accepts(schema: &Schema, found: &str) -> bool {
    schema.get("type").is_none_or(|wanted| wanted == found) && schema.get("oneOf").is_none()
}

/// What a schema without alternatives wants, for a sentence.
fn wanted(root: &Schema, schema: &Schema) -> Vec<String> {
    let words = words(root, schema);
    if !words.is_empty() {
        return words.iter().map(|word| format!("\"{word}\"")).collect();
    }
    let described = schema.get("format").and_then(Schema::as_str).and_then(scalar::describe);
    if let Some((noun, example)) = described {
        return vec![format!("{noun} with its unit, such as \"{example}\"")];
    }
    vec![article(schema.get("type").and_then(Schema::as_str).unwrap_or("something else")).into()]
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "string",
        DeValue::Integer(_) => "integer",
        DeValue::Float(_) => "number",
        DeValue::Boolean(_) => "boolean",
        DeValue::Datetime(_) => "date",
        DeValue::Array(_) => "array",
        DeValue::Table(_) => "object",
    }
}

fn article(type_name: &str) -> &str {
    match type_name {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number with a fraction",
        "boolean" => "true or false",
        "date" => "a date",
        "array" => "a list",
        "object" => "a table",
        other => other,
    }
}

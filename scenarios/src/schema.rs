//! The JSON schema of scenario files, made from the types that read them.

use crate::{file, matrix};
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// Name of the exported schema in this room's folder.
pub const SCHEMA_FILE: &str = "scenario.schema.json";

/// The first line of every scenario file: editors find the schema by it.
pub const SCHEMA_LINE: &str = "#:schema ../scenario.schema.json";

/// The schema of a scenario file (JSON Schema, draft 2020-12).
pub fn schema() -> Value {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<file::Scenario>();
    let mut schema = Value::from(schema);
    forbid_null(&mut schema);
    matrix::describe(&mut schema);
    schema
}

/// The text of the exported schema file: indented, one newline at its end.
pub fn schema_text() -> String {
    format!("{:#}\n", schema())
}

/// TOML has no null: what serde reads as an `Option` is there or it is not.
fn forbid_null(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_mut_slice() {
                    let only = only.take();
                    fields.insert("type".into(), only);
                }
            }
            fields.values_mut().for_each(forbid_null);
            if let Some(Value::Array(branches)) = fields.get_mut("anyOf") {
                branches.retain(|branch| branch.get("type").is_none_or(|name| name != "null"));
                if let [Value::Object(only)] = branches.as_mut_slice() {
                    let only = std::mem::take(only);
                    fields.remove("anyOf");
                    fields.extend(only.into_iter().filter(|(key, _)| key != "description"));
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(forbid_null),
        _ => {}
    }
}

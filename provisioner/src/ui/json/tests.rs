//! The lines, their schema, and the page about them.
//!
//! `UPDATE_SCHEMA=1` writes `schema.json` and `docs/json.md`.

use std::fmt::Write as _;
use std::path::PathBuf;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Serialize;

use super::*;
use crate::core::error_code::Code;

#[test]
fn every_line_has_a_version_and_a_type() {
    let event = Event::Result { ok: false, exit_code: 3 };
    assert_eq!(line(None, &event), r#"{"v":1,"type":"result","ok":false,"exit_code":3}"#);
    assert_eq!(
        line(Some("eu-west-1"), &Event::NoChanges { stack: "s".into() }),
        r#"{"v":1,"region":"eu-west-1","type":"no_changes","stack":"s"}"#
    );
}

/// One line of the output.
#[derive(Serialize, JsonSchema)]
struct Line {
    /// The version of the format.
    #[schemars(schema_with = "version")]
    v: u8,
    /// The region, if the run has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(flatten)]
    event: Event,
}

fn version(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({ "const": 1 })
}

fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<Line>().to_value();
    schema["$id"] = "urn:provisioner:output:1".into();
    schema["title"] = "A line of `provisioner --output json`".into();
    schema
}

/// Compares a generated file with the one in the repository.
#[track_caller]
fn check(path: &str, expected: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, expected).expect("a file");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{} is out of date; `UPDATE_SCHEMA=1 cargo test --lib` writes it", path.display());
}

#[test]
fn the_schema_is_that_of_the_events() {
    let text = format!("{}\n", serde_json::to_string_pretty(&schema()).expect("JSON"));
    check("src/ui/json/schema.json", &text);
}

#[test]
fn the_page_about_json_is_that_of_the_schema() {
    check("docs/json.md", &page(&schema()));
}

fn page(schema: &Value) -> String {
    let mut page = String::from(
        "# JSON output\n\n\
         <!-- A test generates this page from the types of the events. -->\n\n\
         With `--output json`, every line of standard output is one JSON object. The last line is always of type \
         `result`, also\n\
         after an error or Ctrl-C. `provisioner schema` prints the JSON schema.\n\n\
         Each line has `v`, the version of the format, and `type`. With several regions, it also has `region`. `v` \
         changes only if\n\
         the meaning of a field changes. Fields and types may be added at any time, so ignore those that you do not \
         know.\n\n\
         Times are in milliseconds since the Unix epoch, unless a field says otherwise.\n\n\
         ## Types of lines\n",
    );
    for event in schema["oneOf"].as_array().expect("the events") {
        let name = event["properties"]["type"]["const"].as_str().expect("a name");
        let _ = write!(page, "\n### `{name}`\n\n{}\n", about(event));
        fields(&mut page, event);
    }
    page.push_str("\n## Objects\n");
    for (name, definition) in schema["$defs"].as_object().expect("definitions") {
        let _ = write!(page, "\n### {name}\n\n{}\n", about(definition));
        fields(&mut page, definition);
        for variant in definition["oneOf"].as_array().into_iter().flatten() {
            match (variant["const"].as_str(), variant["properties"].as_object()) {
                (Some(value), _) => {
                    let _ = writeln!(page, "- `{value}`: {}", about(variant).replace('\n', " "));
                }
                (None, Some(properties)) => {
                    let named: Vec<String> = properties
                        .iter()
                        .map(|(name, value)| match value["const"].as_str() {
                            Some(value) => format!("`{name}` = `{value}`"),
                            None => format!("`{name}` ({})", kind(value)),
                        })
                        .collect();
                    let _ = writeln!(page, "- {}: {}", named.join(", "), about(variant).replace('\n', " "));
                }
                (None, None) => {
                    let values = variant["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
                    for value in values {
                        let _ = writeln!(page, "- `{value}`");
                    }
                }
            }
        }
    }
    page
}

fn about(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().to_owned()
}

fn fields(page: &mut String, schema: &Value) {
    let is_field =
        |(name, _): &(&String, &Value)| name.as_str() != "type" || schema["properties"]["type"]["const"].is_null();
    let properties: Vec<_> = schema["properties"].as_object().into_iter().flatten().filter(is_field).collect();
    if properties.is_empty() {
        return;
    }
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    page.push_str("\n| field | type | meaning |\n|---|---|---|\n");
    for (name, property) in properties {
        let optional = if required.contains(&Value::from(name.as_str())) { "" } else { ", optional" };
        let _ = writeln!(page, "| `{name}` | {}{optional} | {} |", kind(property), about(property).replace('\n', " "));
    }
}

/// The type of a field in words.
fn kind(schema: &Value) -> String {
    let link = |reference: &str| {
        let name = reference.rsplit('/').next().unwrap_or_default();
        format!("[{name}](#{})", name.to_lowercase())
    };
    if let Some(reference) = schema["$ref"].as_str() {
        return link(reference);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        return any.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    let named = |name: &Value| match name.as_str().unwrap_or_default() {
        "array" => format!("array of {}", kind(&schema["items"])),
        "object" if schema["additionalProperties"].is_object() => {
            format!("object of {}", kind(&schema["additionalProperties"]))
        }
        other => other.to_owned(),
    };
    match &schema["type"] {
        Value::Array(names) => names.iter().map(named).collect::<Vec<_>>().join(" or "),
        Value::Null => "any".to_owned(),
        name => named(name),
    }
}

#[test]
fn errors_have_a_code_and_a_subject() {
    use crate::error::{Error, Exit, Problem};
    let check = |error: Error, code: Code, subject: Option<&str>| {
        assert_eq!((error.stable_code(), error.subject()), (code, subject));
    };
    check(Error::new("cannot read `a b.jpg`"), Code::Failed, Some("a b.jpg"));
    check(Error::new("no region is configured").exit(Exit::Usage), Code::Usage, None);
    let denied = Error { problem: Some(Problem::Denied), ..Error::new("cannot list bucket `b` of stack `s`") };
    check(denied.clone(), Code::AccessDenied, Some("b"));
    check(denied.code(Code::Throttled), Code::Throttled, Some("b"));
}

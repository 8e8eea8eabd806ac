//! Validates lines of JSON output with the schema that `provisioner schema` prints.

use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::Value;

/// Checks one line.
#[track_caller]
pub(crate) fn validate(line: &Value) {
    static VALIDATOR: OnceLock<Validator> = OnceLock::new();
    let validator = VALIDATOR.get_or_init(|| {
        let schema = serde_json::from_str(provisioner::ui::JSON_SCHEMA).expect("the schema is JSON");
        jsonschema::validator_for(&schema).expect("the schema is valid")
    });
    if let Err(error) = validator.validate(line) {
        panic!("{line} does not match the schema: {error} at {}", error.instance_path());
    }
}

//! Reads a parameter file in YAML or JSON: a map, or CloudFormation's list of `ParameterKey` and `ParameterValue`.
//!
//! Pure. Scalars become text, as in CloudFormation's own parameter files.

use serde_yaml::Value;

use super::template::scalar;

/// Why a file is not a valid parameter file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is neither YAML nor JSON.
    #[error("it is not valid YAML or JSON")]
    Syntax(#[source] serde_yaml::Error),
    /// It has a different structure.
    #[error("expected a map of names and values, or a list of `ParameterKey` and `ParameterValue`")]
    Form,
    /// A value is not a scalar.
    #[error("the value of `{0}` must be a string, a number, or a boolean")]
    NotScalar(String),
    /// An entry of the list has both `ParameterValue` and `UsePreviousValue`, or neither.
    #[error("`{0}` needs either `ParameterValue` or `UsePreviousValue: true`")]
    NoValue(String),
    /// A name occurs more than once.
    #[error("`{0}` occurs more than once")]
    Twice(String),
}

/// Reads the parameters in their order, without entries with `UsePreviousValue: true`, because deployed values are kept
/// anyway.
///
/// # Errors
/// See [`Error`].
pub fn read(text: &str) -> Result<Vec<(String, String)>, Error> {
    let document: Value = serde_yaml::from_str(text).map_err(Error::Syntax)?;
    let entries: Vec<Option<(String, String)>> = match &document {
        Value::Null => Vec::new(),
        Value::Mapping(map) => map
            .iter()
            .map(|(name, value)| {
                let name = scalar(name).ok_or(Error::Form)?;
                let value = scalar(value).ok_or_else(|| Error::NotScalar(name.clone()))?;
                Ok(Some((name, value)))
            })
            .collect::<Result<_, _>>()?,
        Value::Sequence(list) => list.iter().map(entry).collect::<Result<_, _>>()?,
        _ => return Err(Error::Form),
    };
    let mut found: Vec<(String, String)> = Vec::new();
    for (name, value) in entries.into_iter().flatten() {
        if found.iter().any(|(other, _)| *other == name) {
            return Err(Error::Twice(name));
        }
        found.push((name, value));
    }
    Ok(found)
}

fn entry(item: &Value) -> Result<Option<(String, String)>, Error> {
    let name = item.get("ParameterKey").and_then(scalar).ok_or(Error::Form)?;
    let previous = item.get("UsePreviousValue").and_then(Value::as_bool).unwrap_or(false);
    match item.get("ParameterValue") {
        None if previous => Ok(None),
        Some(value) if !previous => match scalar(value) {
            Some(value) => Ok(Some((name, value))),
            None => Err(Error::NotScalar(name)),
        },
        _ => Err(Error::NoValue(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_and_lists_are_read_from_yaml_and_json() {
        let expected = vec![("Timeout".to_owned(), "20".to_owned()), ("TlsOnly".to_owned(), "no".to_owned())];
        for text in [
            "Timeout: 20\nTlsOnly: 'no'\n",
            r#"{"Timeout": 20, "TlsOnly": "no"}"#,
            r#"[{"ParameterKey": "Timeout", "ParameterValue": "20"}, {"ParameterKey": "TlsOnly", "ParameterValue": "no"}]"#,
            "- {ParameterKey: Timeout, ParameterValue: 20}\n- {ParameterKey: KeyPrefix, UsePreviousValue: true}\n- {ParameterKey: TlsOnly, ParameterValue: 'no'}\n",
        ] {
            assert_eq!(read(text).expect(text), expected, "{text}");
        }
        assert!(read("").expect("an empty file").is_empty());
    }

    #[test]
    fn other_structures_are_refused() {
        for (text, said) in [
            ("Timeout: [1]", "the value of `Timeout`"),
            ("- Timeout", "expected a map"),
            ("just text", "expected a map"),
            ("a: b: c", "not valid YAML"),
            ("- {ParameterKey: A}", "`A` needs either"),
            ("- {ParameterKey: A, ParameterValue: x, UsePreviousValue: true}", "`A` needs either"),
            (
                "- {ParameterKey: A, ParameterValue: x}\n- {ParameterKey: A, ParameterValue: y}",
                "`A` occurs more than once",
            ),
        ] {
            let error = read(text).expect_err(text).to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}

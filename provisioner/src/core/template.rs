//! What the deployer must know of a template: that it is one, and its parameters.
//!
//! Pure: takes text. CloudFormation stays the judge of everything else in it.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use serde_yaml::Value;

use super::render::{Scope, Target, json_of};

/// The template that is part of this binary: `templates/stack.yaml`.
pub const BUILT_IN: &str = include_str!("../../../templates/stack.yaml");

/// The key in the template's `Metadata` by which its stacks are recognized, whoever deployed them.
pub const MARK: &str = "Provisioner";

/// The most bytes of a template that CloudFormation accepts in a request.
pub const MAX_BYTES: usize = 51_200;

/// A template that was read and understood as far as needed.
#[derive(Clone, Debug)]
pub struct Template {
    /// The text as it is deployed, unchanged.
    pub body: String,
    /// The declared parameters with their defaults.
    pub parameters: BTreeMap<String, Option<String>>,
    document: Value,
    json: Json,
}

impl Template {
    /// The template as YAML, functions in the form in which they are written.
    pub(super) fn document(&self) -> &Value {
        &self.document
    }

    /// How a parameter is declared.
    #[must_use]
    pub fn declaration(&self, name: &str) -> Option<&Value> {
        self.document.get("Parameters")?.get(name)
    }

    /// Whether it is this program's template, or was derived from it: `up` or another tool may have deployed it.
    #[must_use]
    pub fn is_marked(&self) -> bool {
        self.document.get("Metadata").and_then(|metadata| metadata.get(MARK)?.get("Version")).is_some()
    }

    /// The logical ids of the resources of a type.
    #[must_use]
    pub fn of_type(&self, resource_type: &str) -> Vec<String> {
        let resources = self.json["Resources"].as_object().into_iter().flatten();
        let of_type = resources.filter(|(_, resource)| resource["Type"] == resource_type);
        of_type.map(|(logical_id, _)| logical_id.clone()).collect()
    }

    /// What the template declares for the values of its parameters in a target.
    #[must_use]
    pub fn scope<'a>(&'a self, parameters: &'a BTreeMap<String, String>, target: Target<'a>) -> Scope<'a> {
        Scope { document: &self.json, parameters, target }
    }
}

/// Why a text is no template.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not YAML.
    #[error("it is not valid YAML")]
    Yaml(#[source] serde_yaml::Error),
    /// It has a key that is not a text.
    #[error("it has a key that is not text")]
    Key,
    /// It is YAML without resources.
    #[error("it has no `Resources` section")]
    NoResources,
    /// CloudFormation takes at most 51,200 bytes in a request.
    #[error("it has {0} bytes, and CloudFormation takes 51,200 in a request")]
    TooLarge(usize),
}

/// The built-in template.
#[expect(clippy::missing_panics_doc, reason = "a test reads it")]
#[must_use]
pub fn built_in() -> Template {
    read(BUILT_IN).expect("the built-in template can be read")
}

/// Reads a template's text.
///
/// # Errors
/// See [`Error`].
pub fn read(body: &str) -> Result<Template, Error> {
    if body.len() > MAX_BYTES {
        return Err(Error::TooLarge(body.len()));
    }
    let document: Value = serde_yaml::from_str(body).map_err(Error::Yaml)?;
    if !document.get("Resources").is_some_and(Value::is_mapping) {
        return Err(Error::NoResources);
    }
    let parameters = document
        .get("Parameters")
        .and_then(Value::as_mapping)
        .into_iter()
        .flatten()
        .filter_map(|(name, declaration)| {
            Some((name.as_str()?.to_owned(), declaration.get("Default").and_then(scalar)))
        })
        .collect();
    let json = json_of(&document).ok_or(Error::Key)?;
    Ok(Template { body: body.to_owned(), parameters, document, json })
}

pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_template_is_one() {
        let template = read(BUILT_IN).expect("templates/stack.yaml");
        for name in ["CodeBucket", "CodeKey", "TableName", "Timeout", "MemorySize", "BucketPrefix"] {
            assert!(template.parameters.contains_key(name), "{name}");
        }
        assert_eq!(template.parameters["TableName"].as_deref(), Some("FaceData"));
        assert_eq!(template.parameters["Timeout"].as_deref(), Some("10"));
    }

    #[test]
    fn a_derived_template_keeps_the_mark() {
        let template = read(BUILT_IN).expect("templates/stack.yaml");
        assert!(template.is_marked());
        let json = serde_json::json!({ "Metadata": { MARK: { "Version": 1 } }, "Resources": {} });
        assert!(read(&json.to_string()).expect("a template").is_marked());
        for other in ["Resources: {}", "Metadata: {Provisioner: x}\nResources: {}", "Metadata: []\nResources: {}"] {
            assert!(!read(other).expect(other).is_marked(), "{other}");
        }
    }

    #[test]
    fn what_is_no_template_is_named() {
        for (text, expected) in [
            ("Resources: [", "it is not valid YAML"),
            ("a: 1", "it has no `Resources` section"),
            ("", "it has no `Resources` section"),
            ("Resources: 3", "it has no `Resources` section"),
            ("Resources: {[1]: {}}", "it has a key that is not text"),
        ] {
            assert_eq!(read(text).expect_err(text).to_string(), expected, "{text}");
        }
        assert!(matches!(read(&" ".repeat(51_201)), Err(Error::TooLarge(51_201))));
    }

    #[test]
    fn conditions_see_parameters_and_target() {
        let text = "Conditions:\n  Yes: !Equals [!Ref A, x]\n  No: !Not [!Condition Yes]\n  Both: {'Fn::And': [{Condition: Yes}, !Equals [!Ref 'AWS::Region', r]]}\n  Odd: !Unknown 1\nResources:\n  R1: {Type: T, Condition: Yes}\n  R2: {Type: T, Condition: No}\n  R3: {Type: T, Condition: Both}\n  R4: {Type: T, Condition: Odd}\n  R5: {Type: T}\n";
        let template = read(text).expect("a template");
        let names = |a: &str, region: &str| {
            let parameters = BTreeMap::from([("A".to_owned(), a.to_owned())]);
            let target = Target { region, partition: "aws", account: "123456789012", stack: "s" };
            let resources = template.scope(&parameters, target).resources();
            resources.into_iter().map(|resource| resource.logical_id).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names("x", "r"), "R1 R3 R4 R5");
        assert_eq!(names("y", "r"), "R2 R4 R5");
        assert_eq!(names("x", "s"), "R1 R4 R5");
    }

    #[test]
    fn tags_and_defaults_are_understood() {
        let text = "Parameters:\n  A: {Type: String, Default: x}\n  B: {Type: Number, Default: 10}\n  C: {Type: String}\nResources:\n  R: {Type: 'AWS::SNS::Topic', Properties: {TopicName: !Sub '${A}-x'}}\n";
        let template = read(text).expect("a template");
        assert_eq!(
            template.parameters,
            BTreeMap::from([("A".into(), Some("x".into())), ("B".into(), Some("10".into())), ("C".into(), None)])
        );
    }
}

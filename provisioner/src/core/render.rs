//! What a template declares for given parameters: conditions decided, references and functions replaced by their values.
//!
//! Pure. A call that cannot be evaluated here, for example an attribute of a resource, stays in the result as it is.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use serde_yaml::Value;

/// Where a template is deployed: the values of its pseudo parameters.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// For example `eu-west-1`.
    pub region: &'a str,
    /// For example `aws`.
    pub partition: &'a str,
    /// Twelve digits.
    pub account: &'a str,
    /// The stack's name.
    pub stack: &'a str,
}

/// A template's document with the values that its functions refer to.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The template in its long form, as [`json_of`] returns it.
    pub document: &'a Json,
    /// Every parameter with its value.
    pub parameters: &'a BTreeMap<String, String>,
    /// Where it is deployed.
    pub target: Target<'a>,
}

/// A resource that a deployment would have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its name in the template.
    pub logical_id: String,
    /// Its type.
    pub resource_type: String,
    /// Its properties; those without a value are missing.
    pub properties: Map<String, Json>,
}

impl Scope<'_> {
    /// The resources whose condition holds, in the order of the template.
    ///
    /// A condition that cannot be evaluated counts as true: a preview may show too much, never too little.
    #[must_use]
    pub fn resources(&self) -> Vec<Resource> {
        let declared = self.document["Resources"].as_object().into_iter().flatten();
        declared
            .filter(|(_, resource)| {
                resource["Condition"].as_str().and_then(|name| self.condition(name)).unwrap_or(true)
            })
            .filter_map(|(logical_id, resource)| {
                Some(Resource {
                    logical_id: logical_id.clone(),
                    resource_type: resource["Type"].as_str()?.to_owned(),
                    properties: self.members(resource["Properties"].as_object()),
                })
            })
            .collect()
    }

    /// Whether a condition holds; `None` if it cannot be evaluated.
    #[must_use]
    pub fn condition(&self, name: &str) -> Option<bool> {
        self.truth(self.document["Conditions"].get(name)?)
    }

    fn truth(&self, expression: &Json) -> Option<bool> {
        let (function, argument) = call(expression)?;
        let all = || argument.as_array()?.iter().map(|item| self.truth(item)).collect::<Option<Vec<bool>>>();
        match function {
            "Fn::Equals" => {
                let text = |side: &Json| scalar(&self.value(side)?);
                Some(text(argument.get(0)?)? == text(argument.get(1)?)?)
            }
            "Fn::Not" => self.truth(argument.get(0)?).map(|truth| !truth),
            "Fn::And" => all().map(|truths| truths.into_iter().all(|truth| truth)),
            "Fn::Or" => all().map(|truths| truths.into_iter().any(|truth| truth)),
            "Condition" => self.condition(argument.as_str()?),
            _ => None,
        }
    }

    /// The value of an expression; `None` if it is `AWS::NoValue`, which removes what it is the value of.
    #[must_use]
    pub fn value(&self, expression: &Json) -> Option<Json> {
        if let Some((function, argument)) = call(expression) {
            return match self.result(function, argument) {
                Called::Value(value) => Some(value),
                Called::NoValue => None,
                Called::Unknown => Some(json!({ function: self.value(argument) })),
            };
        }
        Some(match expression {
            Json::Object(members) => Json::Object(self.members(Some(members))),
            Json::Array(items) => Json::Array(items.iter().filter_map(|item| self.value(item)).collect()),
            plain => plain.clone(),
        })
    }

    fn members(&self, members: Option<&Map<String, Json>>) -> Map<String, Json> {
        let members = members.into_iter().flatten();
        members.filter_map(|(name, value)| Some((name.clone(), self.value(value)?))).collect()
    }

    fn result(&self, function: &str, argument: &Json) -> Called {
        let found = match function {
            "Ref" if argument == "AWS::NoValue" => return Called::NoValue,
            "Ref" => argument.as_str().and_then(|name| self.reference(name)),
            "Fn::If" => {
                let branch = || {
                    let holds = self.condition(argument.get(0)?.as_str()?)?;
                    argument.get(if holds { 1 } else { 2 })
                };
                match branch().map(|branch| self.value(branch)) {
                    Some(None) => return Called::NoValue,
                    found => found.flatten(),
                }
            }
            "Fn::Sub" => self.substituted(argument),
            "Fn::Join" => self.joined(argument),
            "Fn::GetAtt" => self.attribute(argument),
            _ => None,
        };
        found.map_or(Called::Unknown, Called::Value)
    }

    /// A parameter or pseudo parameter; `None` for a resource.
    fn reference(&self, name: &str) -> Option<Json> {
        let Target { region, partition, account, stack } = self.target;
        let pseudo = match name {
            "AWS::Region" => Some(region),
            "AWS::Partition" => Some(partition),
            "AWS::AccountId" => Some(account),
            "AWS::StackName" => Some(stack),
            _ => None,
        };
        let text = pseudo.or_else(|| self.parameters.get(name).map(String::as_str))?;
        let declared = self.document["Parameters"][name]["Type"].as_str().unwrap_or_default();
        if declared == "CommaDelimitedList" || declared.starts_with("List<") {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            return Some(items.collect());
        }
        Some(json!(text))
    }

    fn substituted(&self, argument: &Json) -> Option<Json> {
        let none = Map::new();
        let (pattern, own) = match argument {
            Json::Array(pair) => (pair.first()?.as_str()?, pair.get(1)?.as_object()?),
            text => (text.as_str()?, &none),
        };
        let mut parts = pattern.split("${");
        let mut text = parts.next()?.to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}')?;
            match (name.strip_prefix('!'), own.get(name), name.split_once('.')) {
                (Some(literal), ..) => text = text + "${" + literal + "}",
                (_, Some(value), _) => text += &scalar(&self.value(value)?)?,
                (.., Some((resource, attribute))) => {
                    text += &scalar(&self.attribute(&json!([resource, attribute]))?)?;
                }
                _ => text += &scalar(&self.reference(name)?)?,
            }
            text += rest;
        }
        Some(json!(text))
    }

    fn joined(&self, argument: &Json) -> Option<Json> {
        let items = self.value(argument.get(1)?)?;
        let texts: Vec<String> = items.as_array()?.iter().map(scalar).collect::<Option<_>>()?;
        Some(json!(texts.join(argument.get(0)?.as_str()?)))
    }

    /// The ARN of a function, which follows from its name. No other attribute is known before the deployment.
    fn attribute(&self, argument: &Json) -> Option<Json> {
        let (resource, attribute) = (argument.get(0)?.as_str()?, argument.get(1)?.as_str()?);
        let declared = &self.document["Resources"][resource];
        if declared["Type"] != "AWS::Lambda::Function" || attribute != "Arn" {
            return None;
        }
        let name = scalar(&self.value(&declared["Properties"]["FunctionName"])?)?;
        let Target { region, partition, account, .. } = self.target;
        Some(json!(format!("arn:{partition}:lambda:{region}:{account}:function:{name}")))
    }
}

enum Called {
    Value(Json),
    NoValue,
    Unknown,
}

/// A function call: a mapping with one member, which is the function.
fn call(expression: &Json) -> Option<(&str, &Json)> {
    let members = expression.as_object().filter(|members| members.len() == 1)?;
    let (name, argument) = members.iter().next()?;
    let is_function = name.starts_with("Fn::") || matches!(name.as_str(), "Ref" | "Condition");
    is_function.then_some((name.as_str(), argument))
}

/// A text, number or flag as text: CloudFormation does not tell them apart.
#[must_use]
pub fn scalar(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// YAML as JSON, with the short forms of functions (`!Ref x`) in their long ones (`{"Ref": "x"}`). As JSON, no `no` can be mistaken
/// for a flag. `None` if a key is neither text nor a number or flag.
#[must_use]
pub fn json_of(value: &Value) -> Option<Json> {
    Some(match value {
        Value::Tagged(tagged) => {
            let name = tagged.tag.to_string();
            let name = name.trim_start_matches('!');
            let argument = match (name, tagged.value.as_str().and_then(|text| text.split_once('.'))) {
                ("GetAtt", Some((resource, attribute))) => json!([resource, attribute]),
                _ => json_of(&tagged.value)?,
            };
            let name = if matches!(name, "Ref" | "Condition") { name.to_owned() } else { format!("Fn::{name}") };
            json!({ name: argument })
        }
        Value::Mapping(mapping) => {
            let members = mapping.iter().map(|(name, value)| Some((scalar(&json_of(name)?)?, json_of(value)?)));
            Json::Object(members.collect::<Option<_>>()?)
        }
        Value::Sequence(items) => Json::Array(items.iter().map(json_of).collect::<Option<_>>()?),
        plain => serde_json::to_value(plain).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Target<'_> =
        Target { region: "eu-west-1", partition: "aws", account: "123456789012", stack: "faces" };

    const TEMPLATE: &str = "
Parameters:
  Days: {Type: Number}
  Keys: {Type: CommaDelimitedList}
Conditions:
  Expires: !Not [!Equals [!Ref Days, '0']]
  Odd: !Unknown 1
Resources:
  Function: {Type: 'AWS::Lambda::Function', Properties: {FunctionName: !Ref AWS::StackName}}
  Queue: {Type: 'AWS::SQS::Queue', Condition: Expires, Properties: {QueueName: !Sub 'q-${Days}'}}
  Topic: {Type: 'AWS::SNS::Topic', Condition: Odd}
";

    /// The value of one expression for `Days` and `Keys`.
    fn rendered(yaml: &str, days: &str, keys: &str) -> Option<Json> {
        let document = json_of(&serde_yaml::from_str(TEMPLATE).expect("YAML")).expect("JSON");
        let parameters = [("Days", days), ("Keys", keys)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let parameters = BTreeMap::from(parameters);
        let expression = json_of(&serde_yaml::from_str(yaml).expect(yaml)).expect(yaml);
        Scope { document: &document, parameters: &parameters, target: TARGET }.value(&expression)
    }

    #[test]
    fn functions_have_values() {
        for (yaml, expected) in [
            ("7", json!(7)),
            ("!Ref Days", json!("30")),
            ("!Ref AWS::Region", json!("eu-west-1")),
            ("!Ref Keys", json!(["a", "b"])),
            ("!Ref Table", json!({ "Ref": "Table" })),
            ("!Sub '${AWS::StackName}-${AWS::AccountId}-${Days}${!x}'", json!("faces-123456789012-30${x}")),
            (
                "!Sub ['${N}:${Function.Arn}', {N: !Ref Days}]",
                json!("30:arn:aws:lambda:eu-west-1:123456789012:function:faces"),
            ),
            ("!Sub '${Table}'", json!({ "Fn::Sub": "${Table}" })),
            ("!Join ['/', [!Ref Days, x]]", json!("30/x")),
            ("!GetAtt Function.Arn", json!("arn:aws:lambda:eu-west-1:123456789012:function:faces")),
            ("!GetAtt Table.Arn", json!({ "Fn::GetAtt": ["Table", "Arn"] })),
            ("!If [Expires, {A: !Ref Days}, 0]", json!({ "A": "30" })),
            ("!If [Odd, 1, !Ref Days]", json!({ "Fn::If": ["Odd", 1, "30"] })),
            ("{A: !Ref AWS::NoValue, B: [!Ref AWS::NoValue, 1]}", json!({ "B": [1] })),
            ("{A: !If [Expires, !Ref AWS::NoValue, 1]}", json!({})),
        ] {
            assert_eq!(rendered(yaml, "30", "a, b"), Some(expected), "{yaml}");
        }
        assert_eq!(rendered("!Ref AWS::NoValue", "30", ""), None);
    }

    #[test]
    fn only_resources_whose_condition_holds_are_there() {
        let document = json_of(&serde_yaml::from_str(TEMPLATE).expect("YAML")).expect("JSON");
        for (days, expected) in [("30", vec!["Function", "Queue", "Topic"]), ("0", vec!["Function", "Topic"])] {
            let parameters = BTreeMap::from([("Days".to_owned(), days.to_owned())]);
            let resources = Scope { document: &document, parameters: &parameters, target: TARGET }.resources();
            assert_eq!(resources.iter().map(|resource| resource.logical_id.as_str()).collect::<Vec<_>>(), expected);
            if let Some(queue) = resources.iter().find(|resource| resource.logical_id == "Queue") {
                assert_eq!(queue.properties["QueueName"], "q-30");
            }
        }
    }

    #[test]
    fn short_forms_become_long_ones() {
        for (yaml, json) in [
            ("!Ref A", json!({ "Ref": "A" })),
            ("!GetAtt A.B.C", json!({ "Fn::GetAtt": ["A", "B.C"] })),
            ("!GetAtt [A, B]", json!({ "Fn::GetAtt": ["A", "B"] })),
            ("!Not [!Condition C]", json!({ "Fn::Not": [{ "Condition": "C" }] })),
            ("{123456789012: a, yes: b}", json!({ "123456789012": "a", "yes": "b" })),
            ("{Default: \"no\", Max: 10, F: 0.5, T: true}", json!({ "Default": "no", "Max": 10, "F": 0.5, "T": true })),
            ("!Sub ['${N}', {N: !Ref A}]", json!({ "Fn::Sub": ["${N}", { "N": { "Ref": "A" } }] })),
        ] {
            let value: Value = serde_yaml::from_str(yaml).expect(yaml);
            assert_eq!(json_of(&value), Some(json), "{yaml}");
        }
    }
}

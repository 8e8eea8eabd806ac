//! How an existing table and bucket are imported into a stack: which ones can be, and with which template.
//!
//! Pure. CloudFormation imports a resource only under a name that the template states literally, and it does not apply
//! the properties of a resource that it imports. Therefore there are two change sets: the first states the two names
//! and as few other properties as possible; the second has the original template and sets the other properties. The
//! first template is JSON, because a YAML reader could take `no` for a boolean.

use serde_json::{Map, Value as Json, json};
use serde_yaml::Value;

use super::template::Template;

/// The table's key: the name of the attribute and its type.
pub const KEY: (&str, &str) = ("FaceID", "S");

/// The properties of a table that matter for adopting it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The attributes of the key with their types, partition key first.
    pub key: Vec<(String, String)>,
    /// Read and write capacity, unless the table is on demand.
    pub provisioned: Option<(i64, i64)>,
}

impl Table {
    /// Checks that the function can write its rows to the table.
    ///
    /// # Errors
    /// The reason why it cannot, as a clause.
    pub fn check(&self) -> Result<(), String> {
        if let [(name, kind)] = self.key.as_slice()
            && (name.as_str(), kind.as_str()) == KEY
        {
            return Ok(());
        }
        let key: Vec<String> = self.key.iter().map(|(name, kind)| format!("`{name}` ({kind})")).collect();
        Err(format!("its key is {}, but the rows need the key `{}` ({})", key.join(" with "), KEY.0, KEY.1))
    }
}

/// A resource outside the stack that is to be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Existing {
    /// A bucket.
    Bucket {
        /// Its name.
        name: String,
    },
    /// A table.
    Table {
        /// Its name.
        name: String,
        /// Its properties.
        table: Table,
    },
}

impl Existing {
    /// Its type.
    #[must_use]
    pub const fn resource_type(&self) -> &'static str {
        match self {
            Self::Bucket { .. } => "AWS::S3::Bucket",
            Self::Table { .. } => "AWS::DynamoDB::Table",
        }
    }

    /// Its properties in the template that imports it: the name, those that can never change, and those that are
    /// required.
    fn properties(&self, declared: &Map<String, Json>) -> Map<String, Json> {
        let mut properties = Map::new();
        let mut keep = |names: &[&str]| {
            for name in names {
                if let Some(value) = declared.get(*name) {
                    properties.insert((*name).to_owned(), value.clone());
                }
            }
        };
        match self {
            Self::Bucket { name } => {
                keep(&["BucketNamespace"]);
                properties.insert("BucketName".into(), json!(name));
            }
            Self::Table { name, table } => {
                keep(&["AttributeDefinitions", "KeySchema"]);
                properties.insert("TableName".into(), json!(name));
                match table.provisioned {
                    None => properties.insert("BillingMode".into(), json!("PAY_PER_REQUEST")),
                    Some((read, write)) => {
                        let capacity = json!({ "ReadCapacityUnits": read, "WriteCapacityUnits": write });
                        properties.insert("BillingMode".into(), json!("PROVISIONED"));
                        properties.insert("ProvisionedThroughput".into(), capacity)
                    }
                };
            }
        }
        properties
    }
}

/// The first of the two change sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// The template that imports.
    pub body: String,
    /// For each imported resource its logical id and the properties that the second change set sets.
    pub later: Vec<(String, Vec<String>)>,
}

/// Why a template cannot import existing resources.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// It is ambiguous or unknown which resource is meant.
    #[error("it declares {count} resources of type {resource_type}, but exactly one is required")]
    NotOne {
        /// The type.
        resource_type: &'static str,
        /// The number of resources of this type.
        count: usize,
    },
    /// A part of it has no JSON form.
    #[error("a part of it is not valid for CloudFormation: {0}")]
    Form(String),
}

/// The logical id of the template's only resource of a type; of several tables, that of the rows.
///
/// # Errors
/// There is none, or more than one.
pub fn logical_id(template: &Template, resource_type: &'static str) -> Result<String, Error> {
    let mut ids = template.of_type(resource_type);
    let count = ids.len();
    if count > 1 {
        ids.retain(|id| (resource_type, id.as_str()) == ("AWS::DynamoDB::Table", "Table"));
    }
    ids.pop().ok_or(Error::NotOne { resource_type, count })
}

/// Derives the first change set's template.
///
/// # Errors
/// See [`Error`].
pub fn adoption(template: &Template, existing: &[Existing]) -> Result<Adoption, Error> {
    let mut document = json_of(template.document())?;
    let mut later = Vec::new();
    for found in existing {
        let id = logical_id(template, found.resource_type())?;
        let resource = &mut document["Resources"][&id];
        let declared = resource["Properties"].as_object().cloned().unwrap_or_default();
        let reduced = found.properties(&declared);
        let is_later = |(name, value): (&String, &Json)| {
            let is_name = matches!(name.as_str(), "BucketName" | "TableName");
            (!is_name && reduced.get(name) != Some(value)).then(|| name.clone())
        };
        later.push((id, declared.iter().filter_map(is_later).collect()));
        resource["Properties"] = Json::Object(reduced);
    }
    Ok(Adoption { body: document.to_string(), later })
}

/// Converts YAML to JSON, and the short forms of functions (`!Ref x`) to the long ones (`{"Ref": "x"}`).
fn json_of(value: &Value) -> Result<Json, Error> {
    Ok(match value {
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
            let members = mapping.iter().map(|(name, value)| {
                let name = name.as_str().ok_or_else(|| Error::Form("the name of a member is not a string".into()))?;
                Ok((name.to_owned(), json_of(value)?))
            });
            Json::Object(members.collect::<Result<_, Error>>()?)
        }
        Value::Sequence(items) => Json::Array(items.iter().map(json_of).collect::<Result<_, _>>()?),
        plain => serde_json::to_value(plain).map_err(|error| Error::Form(error.to_string()))?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::template::{BUILT_IN, read};
    use super::*;

    fn table(provisioned: Option<(i64, i64)>) -> Existing {
        let key = vec![(KEY.0.to_owned(), KEY.1.to_owned())];
        Existing::Table { name: "Faces".into(), table: Table { key, provisioned } }
    }

    fn bucket() -> Existing {
        Existing::Bucket { name: "my-pictures".into() }
    }

    #[test]
    fn only_existing_resources_are_reduced_to_their_names() {
        let template = read(BUILT_IN).expect("templates/stack.yaml");
        let whole = json_of(template.document()).expect("it has a JSON form");
        for (existing, ids) in [
            (vec![], vec![]),
            (vec![bucket()], vec!["Bucket"]),
            (vec![table(None)], vec!["Table"]),
            (vec![table(None), bucket()], vec!["Table", "Bucket"]),
        ] {
            let adoption = adoption(&template, &existing).expect("an adoption");
            let document: Json = serde_json::from_str(&adoption.body).expect("JSON");
            assert_eq!(adoption.later.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ids);
            for (id, resource) in whole["Resources"].as_object().expect("resources") {
                let derived = &document["Resources"][id];
                assert_eq!(derived == resource, !ids.contains(&id.as_str()), "{id} with {existing:?}");
                assert_eq!(derived["DeletionPolicy"], resource["DeletionPolicy"], "{id}");
            }
            for part in ["Parameters", "Conditions", "Rules", "Outputs"] {
                assert_eq!(document[part], whole[part], "{part}");
            }
        }
    }

    #[test]
    fn an_import_states_names_literally() {
        let template = read(BUILT_IN).expect("templates/stack.yaml");
        let both = adoption(&template, &[table(Some((5, 3))), bucket()]).expect("an adoption");
        let document: Json = serde_json::from_str(&both.body).expect("JSON");
        let bucket = &document["Resources"]["Bucket"]["Properties"];
        assert_eq!(bucket["BucketName"], "my-pictures");
        assert!(bucket.get("NotificationConfiguration").is_none());
        let table = &document["Resources"]["Table"]["Properties"];
        assert_eq!(table["TableName"], "Faces");
        assert_eq!(table["KeySchema"], json!([{ "AttributeName": "FaceID", "KeyType": "HASH" }]));
        assert_eq!(table["BillingMode"], "PROVISIONED");
        assert_eq!(table["ProvisionedThroughput"]["WriteCapacityUnits"], 3);
        let later = &both.later.iter().find(|(id, _)| id == "Bucket").expect("the bucket").1;
        assert!(later.iter().any(|name| name == "NotificationConfiguration"), "{later:?}");
    }

    #[test]
    fn short_forms_become_long_ones() {
        for (yaml, json) in [
            ("!Ref A", json!({ "Ref": "A" })),
            ("!GetAtt A.B.C", json!({ "Fn::GetAtt": ["A", "B.C"] })),
            ("!GetAtt [A, B]", json!({ "Fn::GetAtt": ["A", "B"] })),
            ("!Not [!Condition C]", json!({ "Fn::Not": [{ "Condition": "C" }] })),
            ("{Default: \"no\", Max: 10, F: 0.5, T: true}", json!({ "Default": "no", "Max": 10, "F": 0.5, "T": true })),
            ("!Sub ['${N}', {N: !Ref A}]", json!({ "Fn::Sub": ["${N}", { "N": { "Ref": "A" } }] })),
        ] {
            let value: Value = serde_yaml::from_str(yaml).expect(yaml);
            assert_eq!(json_of(&value).expect(yaml), json, "{yaml}");
        }
    }

    #[test]
    fn a_table_needs_the_key_of_the_rows() {
        for (key, expected) in [
            (vec![("FaceID", "S")], None),
            (vec![("FaceID", "N")], Some("its key is `FaceID` (N), but the rows need the key `FaceID` (S)")),
            (vec![("Id", "S")], Some("its key is `Id` (S), but the rows need the key `FaceID` (S)")),
            (
                vec![("FaceID", "S"), ("At", "N")],
                Some("its key is `FaceID` (S) with `At` (N), but the rows need the key `FaceID` (S)"),
            ),
        ] {
            let key = key.into_iter().map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect();
            assert_eq!(Table { key, provisioned: None }.check().err().as_deref(), expected);
        }
    }

    #[test]
    fn a_template_without_exactly_one_bucket_and_table_is_refused() {
        let template =
            read("Resources:\n  A: {Type: 'AWS::S3::Bucket'}\n  B: {Type: 'AWS::S3::Bucket'}\n").expect("one");
        assert_eq!(
            adoption(&template, &[bucket()]).expect_err("two buckets").to_string(),
            "it declares 2 resources of type AWS::S3::Bucket, but exactly one is required"
        );
        assert_eq!(
            adoption(&template, &[table(None)]).expect_err("no table").to_string(),
            "it declares 0 resources of type AWS::DynamoDB::Table, but exactly one is required"
        );
    }
}

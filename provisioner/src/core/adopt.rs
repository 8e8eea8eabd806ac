//! How an existing table and bucket join a stack: the template of the change set that imports them, and what changes afterwards.
//!
//! Pure. `CloudFormation` imports a resource only if the template contains its name literally, and it applies no property of
//! what it imports. So there are two change sets: the first imports, with the settings that the resource has; the second, with the
//! template itself, sets the rest.

pub mod bucket;
pub mod lifecycle;
mod property;
pub mod table;

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::parameter;
use super::plan::Property;
use super::render::{Resource, Scope};
use super::template::Template;
use property::path;

/// The type of a bucket.
pub const BUCKET: &str = "AWS::S3::Bucket";

/// The type of a table.
pub const TABLE: &str = "AWS::DynamoDB::Table";

/// A resource that exists outside the stack and is to join it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Existing {
    /// Its name in the template.
    pub logical_id: String,
    /// Its name in the account.
    pub name: String,
    /// What it is like.
    pub settings: Settings,
}

/// What a resource that exists is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settings {
    /// A bucket.
    Bucket(Box<bucket::Settings>, bucket::Access),
    /// A table, and the days after which its rows expire, if they tell.
    Table(table::Settings, Option<u32>),
}

/// A table or bucket that a template declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its name in the template.
    pub logical_id: String,
    /// Its type.
    pub resource_type: String,
    /// The name that it has or would get in the account.
    pub name: String,
    /// Its rendered properties.
    pub properties: Map<String, Json>,
}

impl Declared {
    /// What it is, in a word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if self.resource_type == BUCKET { "bucket" } else { "table" }
    }

    /// What it holds.
    #[must_use]
    pub fn contents(&self) -> &'static str {
        if self.resource_type == BUCKET { "pictures" } else { "rows" }
    }

    /// The parameter that names it.
    #[must_use]
    pub fn parameter(&self) -> &'static str {
        if self.resource_type == BUCKET { "BucketName" } else { "TableName" }
    }
}

/// The tables and buckets that a template declares under names that are known beforehand.
#[must_use]
pub fn declared(scope: &Scope<'_>) -> Vec<Declared> {
    let named = |resource: Resource| {
        let property = match resource.resource_type.as_str() {
            BUCKET => "BucketName",
            TABLE => "TableName",
            _ => return None,
        };
        let name = resource.properties.get(property)?.as_str()?.to_owned();
        let Resource { logical_id, resource_type, properties } = resource;
        Some(Declared { logical_id, resource_type, name, properties })
    };
    scope.resources().into_iter().filter_map(named).collect()
}

/// The first of the two change sets, and what the second one changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// The template that imports.
    pub body: String,
    /// For each imported resource its logical id, and what the second change set changes in it.
    pub changes: Vec<(String, Vec<Property>)>,
    /// The buckets whose access control lists must be reset before the second change set: S3 does not switch off a list that
    /// grants anything.
    pub resets_acl_of: Vec<String>,
}

/// The parameters that take their values from existing resources, so that the template does not switch off what is on.
///
/// A value that the user chooses takes precedence, except that `Versioning=no` means `suspended` for a bucket that has had versions.
#[must_use]
pub fn supplied(
    existing: &[Existing],
    template: &Template,
    current: &BTreeMap<String, String>,
    chosen: &[(String, String)],
) -> BTreeMap<String, String> {
    let chosen = |name: &str| chosen.iter().rev().find(|(chosen, _)| chosen == name).map(|(_, value)| value.as_str());
    let mut values = BTreeMap::new();
    let mut supply = |name: &str, value: String| {
        if template.parameters.contains_key(name) && current.get(name) != Some(&value) {
            values.insert(name.to_owned(), value);
        }
    };
    for resource in existing {
        match (&resource.settings, resource.logical_id.as_str()) {
            (Settings::Bucket(bucket, _), "Bucket") => {
                if let (Some(status), Some(declaration)) = (&bucket.versioning, template.declaration("Versioning")) {
                    let (now, kept) = if status == "Enabled" { ("yes", "yes") } else { ("suspended", "no") };
                    let wanted = chosen("Versioning").unwrap_or(kept);
                    supply("Versioning", parameter::versioning(declaration, Some(now), wanted).to_owned());
                }
                let key = bucket.encryption.as_ref().and_then(|encryption| encryption.key.as_ref());
                // An alias is not a resource that a role can be allowed to use.
                let key = key.filter(|key| key.starts_with("arn:") && key.contains(":key/"));
                if let Some(arn) = key.filter(|_| chosen("PictureKeys").is_none()) {
                    let known = current.get("PictureKeys").filter(|known| !known.is_empty());
                    match known {
                        Some(known) if known.split(',').any(|one| one.trim() == arn) => {}
                        Some(known) => supply("PictureKeys", format!("{known},{arn}")),
                        None => supply("PictureKeys", arn.clone()),
                    }
                }
            }
            (Settings::Table(table, days), "Table") => {
                let days = days.filter(|_| table.time_to_live.is_some() && chosen("RetentionDays").is_none());
                if let Some(days) = days {
                    supply("RetentionDays", days.to_string());
                }
                if table.recovery_days.is_some() && chosen("PointInTimeRecovery").is_none() {
                    supply("PointInTimeRecovery", "yes".to_owned());
                }
            }
            _ => {}
        }
    }
    values
}

/// Derives the first change set's template, and what the second one changes.
#[must_use]
pub fn adoption(scope: &Scope<'_>, existing: &[Existing]) -> Adoption {
    let mut document = scope.document.clone();
    let mut adoption = Adoption { body: String::new(), changes: Vec::new(), resets_acl_of: Vec::new() };
    let resources = scope.resources();
    for found in existing {
        let Some(rendered) = resources.iter().find(|resource| resource.logical_id == found.logical_id) else {
            continue;
        };
        let resource = &mut document["Resources"][&found.logical_id];
        let declared = resource["Properties"].as_object().cloned().unwrap_or_default();
        let (import, changes) = match &found.settings {
            Settings::Bucket(bucket, access) => {
                let namespace = declared.get_key_value("BucketNamespace");
                let mut import: Map<_, _> =
                    namespace.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect();
                import.insert("BucketName".into(), json!(found.name));
                let changes = bucket.differences(access, &bucket::Settings::declared(&rendered.properties));
                if changes.iter().any(|change| change.path == path("AccessControl")) {
                    adoption.resets_acl_of.push(found.name.clone());
                }
                (import, changes)
            }
            Settings::Table(table, _) => {
                (table.import(&found.name, &declared, &rendered.properties), table.differences(&rendered.properties))
            }
        };
        resource["Properties"] = Json::Object(import);
        // `RetainExceptOnCreate` would delete the resource if the operation that imports it failed.
        resource["DeletionPolicy"] = json!("Retain");
        adoption.changes.push((found.logical_id.clone(), changes));
    }
    adoption.body = document.to_string();
    adoption
}

#[cfg(test)]
mod tests;

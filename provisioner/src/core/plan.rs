//! The plan: the changes that `up` will make, with the most dangerous ones first.
//!
//! Pure. `plan` prints the same value that `up` executes.

use std::cmp::Reverse;

use serde::Serialize;

/// The plan for one region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plan {
    /// What will happen to the stack as a whole.
    pub operation: Operation,
    /// The changes: those that lose data first, then by severity, then by name.
    pub changes: Vec<Change>,
    /// The attached buckets whose EventBridge flag is switched after the stack has changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub switches: Vec<Switch>,
}

/// A change of whether a bucket sends its events to EventBridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Switch {
    /// The bucket's name.
    pub bucket: String,
    /// Whether it sends them afterwards. It is switched off only if no rule needs it.
    pub on: bool,
}

/// What will happen to the stack as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// The stack is up to date.
    None,
    /// The stack is created.
    Create,
    /// The stack is updated.
    Update,
    /// The remains of a failed creation are deleted, then the stack is created.
    Recreate,
}

/// A change of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    /// What happens to the resource.
    pub action: Action,
    /// The logical id.
    pub logical_id: String,
    /// For example `AWS::S3::Bucket`.
    pub resource_type: String,
    /// What happens to a physical resource that is replaced or removed (`Delete`, `Retain`, `Snapshot`, …), if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_action: Option<String>,
    /// The properties that cause it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<Property>,
}

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is removed from the stack.
    Remove,
    /// It is replaced by a new resource.
    Replace,
    /// It may be replaced; CloudFormation decides during the update.
    MayReplace,
    /// It is changed in place.
    Modify,
    /// An existing resource is imported into the stack.
    Import,
    /// It is created.
    Add,
    /// It was changed outside CloudFormation and already matches the template.
    Acknowledge,
}

impl Action {
    /// Whether the resource is or may be replaced.
    #[must_use]
    pub fn may_replace(self) -> bool {
        matches!(self, Self::Replace | Self::MayReplace)
    }
}

/// A changed property.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Property {
    /// For example `/Properties/Timeout`.
    pub path: String,
    /// The value before, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The value after, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Whether the change replaces the resource.
    pub recreates: bool,
    /// What it takes away from an adopted resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
}

/// How a change leaves an adopted resource worse than it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// A setting protects less than before, or does less.
    Weakens,
    /// Something that was set up is gone.
    Removes,
}

impl Change {
    /// Whether a resource that holds the user's data is removed or replaced.
    ///
    /// This is true even if the old resource is retained, because the system would continue with an empty one. A
    /// replacement that is only possible counts, too, unless all changed properties are documented to change in place.
    #[must_use]
    pub fn loses_data(&self) -> bool {
        let Some((_, replacing)) = DATA.iter().find(|(resource_type, _)| *resource_type == self.resource_type) else {
            return false;
        };
        match self.action {
            Action::Remove | Action::Replace => true,
            Action::MayReplace => {
                let named = |property: &Property| {
                    replacing.iter().any(|name| property.path.split('/').any(|part| part == *name))
                };
                self.properties.is_empty()
                    || self.properties.iter().any(|property| property.recreates || named(property))
            }
            Action::Modify | Action::Import | Action::Add | Action::Acknowledge => false,
        }
    }
}

/// The types that hold the user's data, and the properties whose change can replace the resource, according to the
/// resource reference of CloudFormation.
const DATA: [(&str, &[&str]); 2] = [
    ("AWS::S3::Bucket", &["BucketName", "BucketNamePrefix", "BucketNamespace"]),
    ("AWS::DynamoDB::Table", &["TableName", "KeySchema", "LocalSecondaryIndexes", "ImportSourceSpecification"]),
];

impl Plan {
    /// Creates a plan and sorts the changes.
    #[must_use]
    pub fn new(operation: Operation, mut changes: Vec<Change>) -> Self {
        changes.sort_by(|a, b| {
            (Reverse(a.loses_data()), a.action, &a.logical_id).cmp(&(Reverse(b.loses_data()), b.action, &b.logical_id))
        });
        Self { operation, changes, switches: Vec::new() }
    }

    /// Creates the plan of a new stack: every resource of the template is added.
    #[must_use]
    pub fn create(operation: Operation, resources: impl IntoIterator<Item = (String, String)>) -> Self {
        let changes = resources
            .into_iter()
            .map(|(logical_id, resource_type)| Change {
                action: Action::Add,
                logical_id,
                resource_type,
                policy_action: None,
                properties: Vec::new(),
            })
            .collect();
        Self::new(operation, changes)
    }

    /// What the plan takes away from adopted resources: the logical id, and the property.
    pub fn takes_away(&self) -> impl Iterator<Item = (&str, &Property)> {
        self.changes.iter().flat_map(|change| {
            let worse = change.properties.iter().filter(|property| property.effect.is_some());
            worse.map(|property| (change.logical_id.as_str(), property))
        })
    }

    /// Whether the stack and the attached buckets are up to date.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operation == Operation::None && self.switches.is_empty()
    }

    /// The changes that lose data.
    #[must_use]
    pub fn data_loss(&self) -> Vec<&Change> {
        self.changes.iter().filter(|change| change.loses_data()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(action: Action, logical_id: &str, resource_type: &str) -> Change {
        Change {
            action,
            logical_id: logical_id.into(),
            resource_type: resource_type.into(),
            policy_action: None,
            properties: Vec::new(),
        }
    }

    #[test]
    fn data_loss_comes_first() {
        let plan = Plan::new(
            Operation::Update,
            vec![
                change(Action::Add, "Alarm", "AWS::CloudWatch::Alarm"),
                change(Action::Replace, "Permission", "AWS::Lambda::Permission"),
                change(Action::MayReplace, "Table", "AWS::DynamoDB::Table"),
                change(Action::Remove, "Queue", "AWS::SQS::Queue"),
                change(Action::Replace, "Bucket", "AWS::S3::Bucket"),
                change(Action::Modify, "Function", "AWS::Lambda::Function"),
            ],
        );
        let order: Vec<&str> = plan.changes.iter().map(|c| c.logical_id.as_str()).collect();
        assert_eq!(order, ["Bucket", "Table", "Queue", "Permission", "Function", "Alarm"]);
        assert_eq!(plan.data_loss().len(), 2);
    }

    #[test]
    fn a_possible_replacement_loses_data_if_a_changed_property_can_cause_it() {
        let property =
            |path: &str| Property { path: path.into(), before: None, after: None, recreates: false, effect: None };
        for (properties, expected) in [
            (vec!["/Properties/NotificationConfiguration"], false),
            (vec!["/Properties/NotificationConfiguration", "/Properties/BucketName"], true),
            (vec![], true),
        ] {
            let mut change = change(Action::MayReplace, "Bucket", "AWS::S3::Bucket");
            change.properties = properties.iter().map(|path| property(path)).collect();
            assert_eq!(change.loses_data(), expected, "{properties:?}");
        }
    }

    #[test]
    fn only_the_removal_or_replacement_of_a_bucket_or_table_loses_data() {
        for (action, resource_type, expected) in [
            (Action::Remove, "AWS::S3::Bucket", true),
            (Action::Replace, "AWS::DynamoDB::Table", true),
            (Action::MayReplace, "AWS::DynamoDB::Table", true),
            (Action::Modify, "AWS::DynamoDB::Table", false),
            (Action::Import, "AWS::S3::Bucket", false),
            (Action::Add, "AWS::S3::Bucket", false),
            (Action::Replace, "AWS::S3::BucketPolicy", false),
        ] {
            assert_eq!(change(action, "X", resource_type).loses_data(), expected, "{action:?} {resource_type}");
        }
    }
}

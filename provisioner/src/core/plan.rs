//! What an `up` will do: observed state in, a list of changes out, worst first.
//!
//! Pure. `plan` prints the value that `up` executes.

use std::cmp::Reverse;

use serde::Serialize;

/// The whole plan for one region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// What will happen to the stack as a whole.
    pub operation: Operation,
    /// The changes, data loss first, then replacements, then the rest by name.
    pub changes: Vec<Change>,
}

/// What will happen to the stack as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Nothing: template, parameters and code are as they are deployed.
    None,
    /// The stack is created.
    Create,
    /// The stack is updated.
    Update,
    /// The rest of a failed creation is deleted, then the stack is created.
    Recreate,
}

/// A change of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What happens to it.
    pub action: Action,
    /// Its name in the template.
    pub logical_id: String,
    /// Its type, as `AWS::S3::Bucket`.
    pub resource_type: String,
    /// What becomes of the physical resource that is replaced or removed (`Delete`, `Retain`, `Snapshot`, …), where the API says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_action: Option<String>,
    /// The properties that cause it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<Property>,
}

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It leaves the stack.
    Remove,
    /// A new one takes its place.
    Replace,
    /// CloudFormation finds out only while it works whether a new one must take its place.
    MayReplace,
    /// It is changed in place.
    Modify,
    /// One that exists already joins the stack.
    Import,
    /// It is made.
    Add,
    /// It was changed outside CloudFormation to what the template says now, and CloudFormation takes note.
    Acknowledge,
}

impl Action {
    /// Whether a new resource takes or may take the place of the old one.
    #[must_use]
    pub fn may_replace(self) -> bool {
        matches!(self, Self::Replace | Self::MayReplace)
    }
}

/// A property's change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Property {
    /// Where it is, as `/Properties/Timeout`.
    pub path: String,
    /// Its value before, where the API says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Its value after, where the API says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Whether it forces a new resource.
    pub recreates: bool,
}

impl Change {
    /// Whether a resource that holds the user's data is removed or replaced.
    ///
    /// True even where the old one is retained: the system would go on with an empty one, and that is not seen as a success. A
    /// replacement that is only possible counts unless every changed property is documented to change in place.
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

/// The types that hold the user's data, with the properties whose change can replace them, by the resource reference of CloudFormation.
const DATA: [(&str, &[&str]); 2] = [
    ("AWS::S3::Bucket", &["BucketName", "BucketNamePrefix", "BucketNamespace"]),
    ("AWS::DynamoDB::Table", &["TableName", "KeySchema", "LocalSecondaryIndexes", "ImportSourceSpecification"]),
];

impl Plan {
    /// A plan of changes, sorted: data loss first, then by severity, then by name.
    #[must_use]
    pub fn new(operation: Operation, mut changes: Vec<Change>) -> Self {
        changes.sort_by(|a, b| {
            (Reverse(a.loses_data()), a.action, &a.logical_id).cmp(&(Reverse(b.loses_data()), b.action, &b.logical_id))
        });
        Self { operation, changes }
    }

    /// The plan of a first create: every resource of the template is added.
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

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operation == Operation::None
    }

    /// The logical ids of bucket and table where they would be removed or replaced.
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
    fn a_possible_replacement_counts_where_a_property_can_cause_it() {
        let property = |path: &str| Property { path: path.into(), before: None, after: None, recreates: false };
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
    fn only_removal_and_replacement_of_data_lose_data() {
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

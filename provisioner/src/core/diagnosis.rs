//! Finds out why a stack operation failed: the earliest cause, and what helps.
//!
//! Pure: the input is a history of events, the output is one diagnosis.

use serde::{Deserialize, Serialize};

use super::denial::{Denied, denied};
use super::hint::Hint;
use super::status::ResourceStatus;

/// What happened to one resource (or to the stack itself) at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StackEvent {
    /// Unique within the stack.
    pub id: String,
    /// Milliseconds since the Unix epoch.
    pub at: i64,
    /// The name in the template, or the stack's.
    pub logical_id: String,
    /// The name or ARN in the account, if it is known already.
    #[serde(default)]
    pub physical_id: Option<String>,
    /// For example `AWS::Lambda::Function`.
    pub resource_type: String,
    /// The resource's status, or the outcome of a validation or hook.
    pub status: ResourceStatus,
    /// The service's message.
    #[serde(default)]
    pub reason: Option<String>,
    /// The id of the hook's result, if a hook caused the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook_result: Option<String>,
    /// The `ClientRequestToken` of the request that caused it.
    #[serde(skip)]
    pub token: Option<String>,
}

impl StackEvent {
    /// Whether the event is about the stack itself.
    #[must_use]
    pub fn is_of_stack(&self) -> bool {
        self.resource_type == "AWS::CloudFormation::Stack"
    }

    /// Whether an operation on the resource was cancelled because another one failed.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.reason.as_deref().is_some_and(|reason| reason.to_ascii_lowercase().contains("cancelled"))
    }
}

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Diagnosis {
    /// The resource that failed first.
    pub logical_id: String,
    /// Its type.
    pub resource_type: String,
    /// The service's message.
    pub reason: String,
    /// The kind of failure.
    pub kind: Kind,
    /// The IAM action that was denied, if that was the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied: Option<Denied>,
    /// The findings of the hook that refused it, one per entry; the caller requests them with [`Self::hook_result`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub advice: Vec<String>,
    /// The id of the hook's result.
    #[serde(skip)]
    pub hook_result: Option<String>,
    /// The number of other failures, which followed from this one or happened at the same time.
    pub others: usize,
}

/// The kinds of failure that have their own remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The deployer lacks a permission.
    Denied,
    /// A policy denies it, whatever the deployer's own policies allow.
    Forbidden,
    /// A tag is missing, or has a value that the organization does not accept.
    Tag,
    /// S3 is still busy with an earlier request about the same bucket.
    Conflict,
    /// A resource with this name already exists.
    NameTaken,
    /// The account has reached a quota.
    Quota,
    /// The service does not accept the value of a property.
    InvalidProperty,
    /// CloudFormation's own validation refused it before anything was created.
    Validation,
    /// A hook of the account or organization refused it.
    Hook,
    /// A bucket is not empty.
    NotEmpty,
    /// The service was slow, or throttled the requests.
    Transient,
    /// Any other failure.
    Other,
}

impl Kind {
    /// Recognizes the kind by the phrases that AWS services use.
    fn of(event: &StackEvent, reason: &str) -> Self {
        let has = |phrases: &[&str]| phrases.iter().any(|phrase| reason.contains(phrase));
        if event.status.is_hook() {
            Self::Hook
        } else if event.status.is_validation() {
            Self::Validation
        } else if denied(reason).is_some_and(|denied| denied.by.is_some()) {
            Self::Forbidden
        } else if has(&["tag policy", "Tag policy", "TagPolic", "tag policies"]) {
            Self::Tag
        } else if has(&["conflicting conditional operation", "OperationAborted"]) {
            Self::Conflict
        } else if has(&["not authorized to perform", "AccessDenied", "Access Denied", "UnauthorizedOperation"]) {
            Self::Denied
        } else if has(&["not empty", "BucketNotEmpty"]) {
            Self::NotEmpty
        } else if has(&["already exists", "AlreadyExists", "already owned by you", "BucketAlreadyOwnedByYou"]) {
            Self::NameTaken
        } else if has(&["LimitExceeded", "limit exceeded", "quota", "Quota", "UnreservedConcurrentExecution"]) {
            Self::Quota
        } else if has(&["Throttling", "Rate exceeded", "ServiceUnavailable", "did not stabilize", "Exceeded attempts"])
        {
            Self::Transient
        } else if has(&["InvalidRequest", "ValidationException", "Invalid", "failed validation", "Unsupported"]) {
            Self::InvalidProperty
        } else {
            Self::Other
        }
    }

    /// The remedy, if there is one beyond what the reason says.
    fn remedy(self, resource_type: &str) -> Option<Hint> {
        Some(match self {
            Self::Denied => Hint::command("policy").then(" prints all permissions that a deployer needs"),
            Self::Forbidden => Hint::from("ask whoever manages the policy that denies it"),
            Self::Tag => Hint::from("add the tag that your organization requires: ").then_command("up --tag KEY=VALUE"),
            Self::Conflict => Hint::from(
                "S3 is still busy with a bucket of this name, for example with its deletion: wait some minutes, then run the same command again",
            ),
            Self::NameTaken => match resource_type {
                "AWS::Logs::LogGroup" => Hint::from("delete the log group if nobody needs it, or use `--stack NAME`"),
                "AWS::S3::Bucket" | "AWS::DynamoDB::Table" => Hint::from(
                    "`--adopt` imports an existing table or bucket into the stack; `--stack NAME` creates another system beside it",
                ),
                _ => Hint::from("`--stack NAME` creates another system beside it"),
            },
            Self::Quota => Hint::from("request a higher quota in Service Quotas, or reduce the parameter's value"),
            Self::InvalidProperty | Self::Validation => {
                Hint::from("change the parameter or the template that sets this property")
            }
            Self::Hook => {
                Hint::from("the hook belongs to your account or organization: ask its owner what it requires")
            }
            Self::NotEmpty => Hint::command("down").then(" empties it first"),
            Self::Transient => Hint::from("the service was busy: run the same command again in a few minutes"),
            Self::Other => return None,
        })
    }
}

impl Diagnosis {
    /// What helps, most likely first.
    #[must_use]
    pub fn remedies(&self) -> Vec<Hint> {
        match (&self.denied, self.kind) {
            (Some(denied), Kind::Denied | Kind::Forbidden) => denied.remedies(),
            (_, kind) => kind.remedy(&self.resource_type).into_iter().collect(),
        }
    }
}

/// Finds the earliest cause in a history. The events can be in any order.
///
/// Cancellations and the stack's own summary are consequences; they count only if there is no other failure.
#[must_use]
pub fn diagnose(events: &[StackEvent]) -> Option<Diagnosis> {
    let mut failures: Vec<&StackEvent> = events.iter().filter(|event| is_failure(event)).collect();
    failures.sort_by_key(|event| event.at);
    let causes: Vec<&&StackEvent> = failures.iter().filter(|event| !is_consequence(event)).collect();
    let first = causes.first().copied().or(failures.first())?;
    let reason = first.reason.clone().unwrap_or_else(|| "the service gave no reason".to_owned());
    Some(Diagnosis {
        logical_id: first.logical_id.clone(),
        resource_type: first.resource_type.clone(),
        denied: denied(&reason),
        kind: Kind::of(first, &reason),
        reason,
        advice: Vec::new(),
        hook_result: first.hook_result.clone(),
        others: causes.len().saturating_sub(1),
    })
}

fn is_failure(event: &StackEvent) -> bool {
    event.status.is_failure() || (event.is_of_stack() && event.status.is_rollback_start() && event.reason.is_some())
}

fn is_consequence(event: &StackEvent) -> bool {
    event.is_of_stack()
        || event.is_cancelled()
        || event.reason.as_deref().is_some_and(|reason| {
            ["The following hook(s) failed", "The following resource(s) failed"]
                .iter()
                .any(|phrase| reason.contains(phrase))
        })
}

/// Whether a history contains a cause, and not only the fact that the operation failed.
#[must_use]
pub fn has_cause(events: &[StackEvent]) -> bool {
    events.iter().any(|event| is_failure(event) && !is_consequence(event))
}

/// The URL of the console page that shows a stack's events.
#[must_use]
pub fn console(stack_id: &str, region: &str) -> String {
    let host = match stack_id.split(':').nth(1) {
        Some("aws-us-gov") => "console.amazonaws-us-gov.com",
        Some("aws-cn") => "console.amazonaws.cn",
        Some("aws-eusc") => "console.amazonaws-eusc.eu",
        _ => "console.aws.amazon.com",
    };
    let id = stack_id.replace(':', "%3A").replace('/', "%2F");
    format!("https://{region}.{host}/cloudformation/home?region={region}#/stacks/events?stackId={id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::invocation::Invocation;

    fn event(at: i64, logical_id: &str, status: &str, reason: Option<&str>) -> StackEvent {
        let resource_type = if logical_id == "face-recognition" { "AWS::CloudFormation::Stack" } else { "AWS::X::Y" };
        StackEvent {
            id: at.to_string(),
            at,
            logical_id: logical_id.into(),
            physical_id: None,
            resource_type: resource_type.into(),
            status: status.into(),
            reason: reason.map(Into::into),
            hook_result: None,
            token: None,
        }
    }

    #[test]
    fn the_earliest_cause_is_reported() {
        let history = [
            event(
                9,
                "face-recognition",
                "ROLLBACK_IN_PROGRESS",
                Some("The following resource(s) failed to create: [Role, Table]."),
            ),
            event(8, "Table", "CREATE_FAILED", Some("Resource creation cancelled")),
            event(7, "Queue", "CREATE_FAILED", Some("a second cause")),
            event(5, "Role", "CREATE_FAILED", Some("the first cause")),
            event(1, "Role", "CREATE_IN_PROGRESS", None),
        ];
        let diagnosis = diagnose(&history).expect("a cause");
        assert_eq!(
            (diagnosis.logical_id.as_str(), diagnosis.reason.as_str(), diagnosis.others),
            ("Role", "the first cause", 1)
        );
    }

    #[test]
    fn the_stack_itself_is_the_cause_only_if_no_resource_is() {
        let history = [event(2, "face-recognition", "ROLLBACK_IN_PROGRESS", Some("Parameter CodeKey is wrong"))];
        assert_eq!(diagnose(&history).expect("a cause").reason, "Parameter CodeKey is wrong");
        assert_eq!(diagnose(&[event(1, "Role", "CREATE_COMPLETE", None)]), None);
    }

    #[test]
    fn each_partition_has_its_own_console_host() {
        for (partition, region, host) in [
            ("aws", "eu-west-1", "eu-west-1.console.aws.amazon.com"),
            ("aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
            ("aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ] {
            let url = console(&format!("arn:{partition}:cloudformation:{region}:1:stack/x/y"), region);
            assert!(url.starts_with(&format!("https://{host}/cloudformation/")), "{url}");
            assert!(url.ends_with("%3Astack%2Fx%2Fy"), "{url}");
        }
    }

    #[test]
    fn kinds_and_their_remedies() {
        let says = |resource_type: &str, reason: &str| {
            let mut failed = event(1, "Resource", "CREATE_FAILED", Some(reason));
            failed.resource_type = resource_type.into();
            let diagnosis = diagnose(&[failed]).expect("a cause");
            let hints: Vec<String> =
                diagnosis.remedies().iter().map(|hint| hint.complete(&Invocation::default())).collect();
            (diagnosis.kind, hints.join("\n"))
        };
        for (resource_type, reason, kind, remedy) in [
            (
                "AWS::IAM::Role",
                "User: u is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::1:role/x because no identity-based policy allows the iam:CreateRole action",
                Kind::Denied,
                r#""Action":"iam:CreateRole""#,
            ),
            (
                "AWS::IAM::Role",
                "User: u is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::1:role/x with an explicit deny in a service control policy",
                Kind::Forbidden,
                "ask the organization's administrator",
            ),
            (
                "AWS::S3::Bucket",
                "A conflicting conditional operation is currently in progress against this resource. Please try again. (Service: S3, Status Code: 409)",
                Kind::Conflict,
                "wait some minutes",
            ),
            (
                "AWS::DynamoDB::Table",
                "Tag policy violation: The tag policy does not allow the specified value for the following tag key: 'CostCenter'.",
                Kind::Tag,
                "up --tag KEY=VALUE",
            ),
            ("AWS::DynamoDB::Table", "FaceData already exists", Kind::NameTaken, "--adopt"),
            (
                "AWS::Logs::LogGroup",
                "Resource of type 'AWS::Logs::LogGroup' with identifier '/aws/lambda/x' already exists.",
                Kind::NameTaken,
                "delete the log group",
            ),
            ("AWS::Lambda::Function", "Function x already exists", Kind::NameTaken, "--stack NAME"),
        ] {
            let (found, hints) = says(resource_type, reason);
            assert_eq!(found, kind, "{reason}");
            assert!(hints.contains(remedy), "{hints}");
            assert_eq!(hints.contains("\"Allow\""), kind == Kind::Denied, "{hints}");
        }
    }
}

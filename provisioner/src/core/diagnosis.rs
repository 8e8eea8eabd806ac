//! Finds out why a stack operation failed: the earliest cause and, for a denied action, the IAM statement that would
//! allow it.
//!
//! Pure: the input is a history of events, the output is one diagnosis.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hint::Hint;
use super::status::ResourceStatus;

/// What happened to one resource (or to the stack itself) at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The deployer lacks a permission.
    Denied,
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
    #[must_use]
    pub fn remedy(self) -> Option<Hint> {
        Some(match self {
            Self::Denied => Hint::command("policy").then(" prints all permissions that a deployer needs"),
            Self::NameTaken => Hint::from(
                "`--adopt` imports an existing table or bucket into the stack; `--stack NAME` creates another system beside it",
            ),
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

/// A denied action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Denied {
    /// For example `iam:CreateRole`.
    pub action: String,
    /// The ARN of the resource that it was attempted on, or `*`.
    pub resource: String,
}

impl Denied {
    /// The IAM statement that would allow it.
    #[must_use]
    pub fn statement(&self) -> Value {
        json!({"Effect": "Allow", "Action": self.action, "Resource": self.resource})
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

/// Extracts the denied action from a service's message, in the forms that IAM uses.
#[must_use]
pub fn denied(reason: &str) -> Option<Denied> {
    let after = reason.split_once("not authorized to perform").map(|(_, rest)| rest.trim_start_matches([':', ' ']))?;
    let action = first_word(after).filter(|word| word.contains(':'))?;
    let resource = after
        .split_once("on resource")
        .and_then(|(_, rest)| first_word(rest.trim_start_matches([':', ' '])))
        .filter(|arn| arn.starts_with("arn:") || *arn == "*")
        .unwrap_or("*");
    Some(Denied { action: action.to_owned(), resource: resource.to_owned() })
}

fn first_word(text: &str) -> Option<&str> {
    text.split([' ', ',', ')', '(', '"', '\'', ';'])
        .find(|word| !word.is_empty())
        .map(|word| word.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_denied_action_is_extracted_from_the_message() {
        for (reason, expected) in [
            (
                "Resource handler returned message: \"User: arn:aws:iam::123456789012:user/dev is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::123456789012:role/x-Role-1 because no identity-based policy allows the iam:CreateRole action (Service: Iam, Status Code: 403)\"",
                Some(("iam:CreateRole", "arn:aws:iam::123456789012:role/x-Role-1")),
            ),
            ("API: s3:CreateBucket Access Denied", None),
            (
                "User: u is not authorized to perform: cloudformation:CreateStack",
                Some(("cloudformation:CreateStack", "*")),
            ),
            ("is not authorized to perform lambda:TagResource, on resource *", Some(("lambda:TagResource", "*"))),
            ("not authorized to perform", None),
        ] {
            let found = denied(reason);
            assert_eq!(found.as_ref().map(|d| (d.action.as_str(), d.resource.as_str())), expected, "{reason}");
        }
    }
}

//! Denied actions: what was denied, which policy denied it, and what helps.
//!
//! Pure. No statement is offered against a policy that the deployer's own policies cannot lift.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use super::hint::Hint;

/// A denied action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Denied {
    /// For example `iam:CreateRole`.
    pub action: String,
    /// The ARN of the resource that it was attempted on, or `*`.
    pub resource: String,
    /// The policy that denies it, if it is not just that no policy of the caller allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Denier>,
}

/// A kind of policy that denies an action whatever else allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Denier {
    /// Of the organization, for its accounts.
    ServiceControlPolicy,
    /// Of the organization, for its resources.
    ResourceControlPolicy,
    /// Of the caller.
    PermissionsBoundary,
    /// Of the session, given when the role was assumed.
    SessionPolicy,
    /// Of the network's way to the service.
    VpcEndpointPolicy,
    /// Of the caller, with an explicit deny.
    IdentityPolicy,
    /// Of the resource, with an explicit deny.
    ResourcePolicy,
}

impl Denier {
    /// All of them.
    pub const EACH: [Self; 7] = [
        Self::ServiceControlPolicy,
        Self::ResourceControlPolicy,
        Self::PermissionsBoundary,
        Self::SessionPolicy,
        Self::VpcEndpointPolicy,
        Self::IdentityPolicy,
        Self::ResourcePolicy,
    ];

    /// As AWS calls it in its messages.
    const fn name(self) -> &'static str {
        match self {
            Self::ServiceControlPolicy => "service control policy",
            Self::ResourceControlPolicy => "resource control policy",
            Self::PermissionsBoundary => "permissions boundary",
            Self::SessionPolicy => "session policy",
            Self::VpcEndpointPolicy => "VPC endpoint policy",
            Self::IdentityPolicy => "identity-based policy",
            Self::ResourcePolicy => "resource-based policy",
        }
    }

    /// Reads it out of a message, "with an explicit deny in a service control policy" or "because no permissions
    /// boundary allows the … action". Of the caller's own policies, only an explicit deny counts.
    fn of(message: &str) -> Option<Self> {
        let says = |phrase: &str, end: &str| {
            message.match_indices(phrase).any(|(at, _)| message[at + phrase.len()..].trim_start().starts_with(end))
        };
        Self::EACH.into_iter().find(|denier| {
            let own = matches!(denier, Self::IdentityPolicy | Self::ResourcePolicy);
            ["explicit deny in a", "explicit deny in an"].iter().any(|phrase| says(phrase, denier.name()))
                || (!own && says("because no", denier.name()))
        })
    }

    /// What helps. Other permissions of the caller do not.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::ServiceControlPolicy | Self::ResourceControlPolicy => {
                "the organization denies this, whatever the caller's own policies allow: ask the organization's administrator"
            }
            Self::PermissionsBoundary => {
                "the caller's permissions boundary limits it, whatever its policies allow: ask whoever set the boundary"
            }
            Self::SessionPolicy => {
                "the session was limited when the role was assumed: assume the role without that policy"
            }
            Self::VpcEndpointPolicy => {
                "the VPC endpoint limits it, whatever the caller's policies allow: ask whoever manages the network"
            }
            Self::IdentityPolicy => "a policy of the caller denies this explicitly: ask whoever manages that policy",
            Self::ResourcePolicy => "the resource's own policy denies this explicitly: ask the owner of the resource",
        }
    }
}

impl fmt::Display for Denier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if *self == Self::IdentityPolicy { "an" } else { "a" }, self.name())
    }
}

impl Denied {
    /// The IAM statement that would allow it; `None` if no statement of the caller's would.
    #[must_use]
    pub fn statement(&self) -> Option<Value> {
        self.by.is_none().then(|| json!({"Effect": "Allow", "Action": self.action, "Resource": self.resource}))
    }

    /// What helps, most likely first.
    #[must_use]
    pub fn remedies(&self) -> Vec<Hint> {
        let mut remedies = match (self.by, self.statement()) {
            (Some(denier), _) => vec![Hint::from(denier.remedy())],
            (None, statement) => {
                let statement = statement.unwrap_or_default();
                vec![
                    Hint::from(format!("this IAM statement would allow it: {statement}")),
                    Hint::command("policy").then(" prints all permissions that a deployer needs"),
                ]
            }
        };
        remedies.extend(self.requirement());
        remedies
    }

    /// What policies often require of the request that was denied.
    fn requirement(&self) -> Option<Hint> {
        match self.action.as_str() {
            "iam:CreateRole" | "iam:PutRolePolicy" | "iam:AttachRolePolicy" | "iam:PutRolePermissionsBoundary" => Some(
                Hint::from("if roles must have a permissions boundary, add it: ")
                    .then_command("up --parameter PermissionsBoundary=ARN"),
            ),
            "cloudformation:CreateStack"
            | "cloudformation:CreateChangeSet"
            | "dynamodb:CreateTable"
            | "lambda:CreateFunction"
            | "s3:CreateBucket"
            | "sqs:CreateQueue"
            | "logs:CreateLogGroup" => {
                Some(Hint::from("if resources must have certain tags, add them: ").then_command("up --tag KEY=VALUE"))
            }
            _ => None,
        }
    }
}

/// Extracts the denied action from a service's message, in the forms that IAM uses.
#[must_use]
pub fn denied(message: &str) -> Option<Denied> {
    let after = message.split_once("not authorized to perform").map(|(_, rest)| rest.trim_start_matches([':', ' ']))?;
    let action = first_word(after).filter(|word| word.contains(':'))?;
    let resource = after
        .split_once("on resource")
        .and_then(|(_, rest)| first_word(rest.trim_start_matches([':', ' '])))
        .filter(|arn| arn.starts_with("arn:") || *arn == "*")
        .unwrap_or("*");
    Some(Denied { action: action.to_owned(), resource: resource.to_owned(), by: Denier::of(after) })
}

fn first_word(text: &str) -> Option<&str> {
    text.split([' ', ',', ')', '(', '"', '\'', ';'])
        .find(|word| !word.is_empty())
        .map(|word| word.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::invocation::Invocation;

    #[test]
    fn denied_actions() {
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

    /// The endings are those in the IAM User Guide, "Troubleshoot access denied error messages".
    #[test]
    fn policies_that_no_statement_lifts() {
        const START: &str = "User: arn:aws:iam::1:user/dev is not authorized to perform: lambda:CreateFunction on resource: arn:aws:lambda:eu-west-1:1:function:x";
        for (end, expected) in [
            (" because no identity-based policy allows the lambda:CreateFunction action", None),
            (" because no resource-based policy allows the lambda:CreateFunction action", None),
            ("", None),
            (" with an explicit deny in a service control policy", Some(Denier::ServiceControlPolicy)),
            (
                " with an explicit deny in a service control policy: arn:aws:organizations::1:policy/p-1",
                Some(Denier::ServiceControlPolicy),
            ),
            (
                " because no service control policy allows the lambda:CreateFunction action",
                Some(Denier::ServiceControlPolicy),
            ),
            (" with an explicit deny in a resource control policy", Some(Denier::ResourceControlPolicy)),
            (" with an explicit deny in a permissions boundary", Some(Denier::PermissionsBoundary)),
            (
                " because no permissions boundary allows the lambda:CreateFunction action",
                Some(Denier::PermissionsBoundary),
            ),
            (" with an explicit deny in a session policy", Some(Denier::SessionPolicy)),
            (" because no session policy allows the lambda:CreateFunction action", Some(Denier::SessionPolicy)),
            (" with an explicit deny in a VPC endpoint policy", Some(Denier::VpcEndpointPolicy)),
            (
                " because no VPC endpoint policy allows the lambda:CreateFunction action",
                Some(Denier::VpcEndpointPolicy),
            ),
            (" with an explicit deny in an identity-based policy", Some(Denier::IdentityPolicy)),
            (" with an explicit deny in a resource-based policy", Some(Denier::ResourcePolicy)),
        ] {
            let found = denied(&format!("{START}{end}")).expect("an action");
            assert_eq!(found.by, expected, "{end}");
            assert_eq!(found.statement().is_some(), expected.is_none(), "{end}");
            let said: Vec<String> = found.remedies().iter().map(|hint| hint.complete(&Invocation::default())).collect();
            assert_eq!(said.iter().any(|hint| hint.contains("Allow")), expected.is_none(), "{said:?}");
            assert!(said.last().is_some_and(|hint| hint.contains("--tag KEY=VALUE")), "{said:?}");
        }
    }

    #[test]
    fn a_role_may_need_a_boundary() {
        let denial =
            denied("not authorized to perform: iam:CreateRole with an explicit deny in a service control policy");
        let said: Vec<String> =
            denial.expect("an action").remedies().iter().map(|hint| hint.complete(&Invocation::default())).collect();
        assert!(said.last().is_some_and(|hint| hint.contains("PermissionsBoundary=ARN")), "{said:?}");
    }
}

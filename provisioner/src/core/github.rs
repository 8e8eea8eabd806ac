//! What GitHub Actions needs to deploy: an identity provider and a role, as a CloudFormation template, and a workflow.
//!
//! Pure: names in, documents out. The role's trust names the repository and the branch exactly, without wildcards.

use serde_json::{Map, Value, json};

use super::policy::{self, Holder, Purpose, Scope};
use super::{names, regions};

/// What is deployed from where.
#[derive(Clone, Debug)]
pub struct Setup<'a> {
    /// `OWNER/NAME`
    pub repository: &'a str,
    /// The branch that is deployed.
    pub branch: &'a str,
    /// Twelve digits, or `*`.
    pub account: &'a str,
    /// At least one.
    pub regions: &'a [&'a str],
    /// The stack of the branch. That of pull requests has `-pr` appended.
    pub stack: &'a str,
}

/// The host of GitHub's identity provider.
const ISSUER: &str = "token.actions.githubusercontent.com";

/// The variable of the repository that holds the role's ARN.
const ROLE_VARIABLE: &str = "PROVISIONER_ROLE_ARN";

/// The table of the stack of pull requests.
const PULL_REQUEST_TABLE: &str = "FaceDataPullRequest";

/// Checks `OWNER/NAME`.
///
/// # Errors
/// The expected form.
pub fn check_repository(text: &str) -> Result<String, String> {
    let part = |part: &str, others: &str, maximum: usize| {
        (1..=maximum).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
    };
    match text.split_once('/') {
        Some((owner, name)) if part(owner, "-_", 39) && part(name, "-_.", 100) => Ok(text.to_owned()),
        _ => Err("expected OWNER/NAME, for example octocat/faces".to_owned()),
    }
}

/// Checks the name of a branch. Characters that IAM or GitHub's filters interpret are refused.
///
/// # Errors
/// What is accepted.
pub fn check_branch(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let good = !text.is_empty()
        && text.len() <= 200
        && text.chars().all(allowed)
        && !text.starts_with(['-', '/', '.'])
        && !text.contains("..");
    if good { Ok(text.to_owned()) } else { Err("expected letters, digits, and - _ . / only".to_owned()) }
}

impl Setup<'_> {
    fn pull_request_stack(&self) -> String {
        format!("{}-pr", self.stack)
    }

    /// The name of the stack for pull requests must be valid, too.
    ///
    /// # Errors
    /// The problem, as a clause that follows the name.
    pub fn check(&self) -> Result<(), (String, &'static str)> {
        let name = self.pull_request_stack();
        names::check_stack(&name).map_err(|problem| (name, problem))
    }

    /// The template of the identity provider and the role.
    #[must_use]
    pub fn template(&self) -> Value {
        let arn =
            json!({ "Fn::Sub": format!("arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:oidc-provider/{ISSUER}") });
        let subjects = [
            format!("repo:{}:ref:refs/heads/{}", self.repository, self.branch),
            format!("repo:{}:pull_request", self.repository),
        ];
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Principal": { "Federated": arn },
                "Condition": { "StringEquals": {
                    format!("{ISSUER}:aud"): "sts.amazonaws.com",
                    format!("{ISSUER}:sub"): subjects,
                } },
            }],
        });
        let policies = self.policies();
        let attached: Vec<Value> = policies.iter().map(|(id, _)| json!({ "Ref": id })).collect();
        let mut resources = Map::new();
        resources.insert(
            "Provider".to_owned(),
            json!({
                "Type": "AWS::IAM::OIDCProvider",
                "Condition": "HasNoProvider",
                // Other roles of the account may use it, too.
                "DeletionPolicy": "Retain",
                "UpdateReplacePolicy": "Retain",
                "Properties": { "Url": format!("https://{ISSUER}"), "ClientIdList": ["sts.amazonaws.com"] },
            }),
        );
        resources.insert(
            "Role".to_owned(),
            json!({
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "Description": format!("GitHub Actions of {} deploys {}", self.repository, self.stack),
                    "AssumeRolePolicyDocument": trust,
                    "ManagedPolicyArns": attached,
                },
            }),
        );
        for (id, document) in policies {
            resources
                .insert(id, json!({ "Type": "AWS::IAM::ManagedPolicy", "Properties": { "PolicyDocument": document } }));
        }
        json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": format!("Lets GitHub Actions of {} deploy stack {}", self.repository, self.stack),
            "Parameters": { "ProviderExists": {
                "Type": "String",
                "Default": "no",
                "AllowedValues": ["no", "yes"],
                "Description": "Whether the account already has the identity provider of GitHub Actions",
            } },
            "Conditions": { "HasNoProvider": { "Fn::Equals": [{ "Ref": "ProviderExists" }, "no"] } },
            "Resources": resources,
            "Outputs": { "RoleArn": {
                "Description": format!("Value of the repository variable {ROLE_VARIABLE}"),
                "Value": { "Fn::GetAtt": ["Role", "Arn"] },
            } },
        })
    }

    /// The documents of `policy --for`, by logical id.
    fn policies(&self) -> Vec<(String, Value)> {
        let pull_requests = self.pull_request_stack();
        let partition = regions::partition_of(self.regions.first().copied().unwrap_or_default());
        let region = if let [only] = self.regions { only } else { "*" };
        let stacks = [
            ("Branch", self.stack, "FaceData", &[Purpose::Up, Purpose::Smoke][..]),
            ("PullRequest", &pull_requests, PULL_REQUEST_TABLE, &[Purpose::Up, Purpose::Smoke, Purpose::Down]),
        ];
        let mut policies = Vec::new();
        for (whose, stack, table, purposes) in stacks {
            let scope = Scope {
                partition,
                account: self.account,
                regions: self.regions,
                stack,
                table,
                picture_bucket: &names::picture_bucket(stack, self.account, region),
                package_bucket: &names::package_bucket(self.account, region),
                role_path: "/",
                boundary: None,
                attached: &[],
            };
            for purpose in purposes {
                let mut name = purpose.name().to_owned();
                name[..1].make_ascii_uppercase();
                policies.push((format!("{whose}{name}"), policy::document(Holder::Deployer, *purpose, &scope)));
            }
        }
        policies
    }

    /// The workflow: `up`, `smoke`, `down` for a pull request, `up` and `smoke` for the branch.
    #[must_use]
    pub fn workflow(&self) -> Value {
        let begin = |stack: &str| {
            vec![
                json!({ "uses": "actions/checkout@v5" }),
                json!({
                    "uses": "aws-actions/configure-aws-credentials@v5",
                    "with": {
                        "role-to-assume": format!("${{{{ vars.{ROLE_VARIABLE} }}}}"),
                        "role-session-name": stack,
                        "aws-region": self.regions.first(),
                    },
                }),
                json!({ "run": "cargo install --locked --path provisioner" }),
            ]
        };
        let environment = |stack: &str| {
            json!({
                "PROVISIONER_STACK": stack,
                "PROVISIONER_REGION": self.regions.join(","),
                "PROVISIONER_YES": "true",
            })
        };
        let pull_requests = self.pull_request_stack();
        let mut on_pull_request = begin(&pull_requests);
        on_pull_request.extend([
            json!({ "run": format!("provisioner up --no-smoke --parameter TableName={PULL_REQUEST_TABLE}") }),
            json!({ "run": "provisioner smoke --full" }),
            // Also after a failure or a cancellation.
            json!({ "if": "always()", "run": "provisioner down" }),
        ]);
        let mut on_push = begin(self.stack);
        on_push.extend([json!({ "run": "provisioner up --no-smoke" }), json!({ "run": "provisioner smoke" })]);
        json!({
            "name": self.stack,
            "on": { "pull_request": { "branches": [self.branch] }, "push": { "branches": [self.branch] } },
            "permissions": { "contents": "read", "id-token": "write" },
            "jobs": {
                "pull-request": {
                    // A pull request from a fork gets no token, so it could not deploy.
                    "if": "github.event_name == 'pull_request' && \
                           github.event.pull_request.head.repo.full_name == github.repository",
                    "runs-on": "ubuntu-latest",
                    "timeout-minutes": 60,
                    // All pull requests share one stack.
                    "concurrency": { "group": pull_requests.as_str(), "cancel-in-progress": false },
                    "env": environment(&pull_requests),
                    "steps": on_pull_request,
                },
                "deploy": {
                    "if": "github.event_name == 'push'",
                    "runs-on": "ubuntu-latest",
                    "timeout-minutes": 60,
                    "concurrency": { "group": self.stack, "cancel-in-progress": false },
                    "env": environment(self.stack),
                    "steps": on_push,
                },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETUP: Setup<'static> = Setup {
        repository: "octocat/faces",
        branch: "main",
        account: "123456789012",
        regions: &["eu-west-1"],
        stack: "faces",
    };

    #[test]
    fn the_trust_names_repository_and_branch_exactly() {
        let trust = &SETUP.template()["Resources"]["Role"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0];
        assert_eq!(
            trust["Condition"],
            json!({ "StringEquals": {
                "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                "token.actions.githubusercontent.com:sub":
                    ["repo:octocat/faces:ref:refs/heads/main", "repo:octocat/faces:pull_request"],
            } })
        );
    }

    #[test]
    fn the_permissions_are_those_of_policy() {
        let resources = SETUP.template()["Resources"].clone();
        let scope = Scope {
            partition: "aws",
            account: "123456789012",
            regions: &["eu-west-1"],
            stack: "faces",
            table: "FaceData",
            picture_bucket: "faces-123456789012-eu-west-1-an",
            package_bucket: "provisioner-artefacts-123456789012-eu-west-1-an",
            role_path: "/",
            boundary: None,
            attached: &[],
        };
        let document = policy::document(Holder::Deployer, Purpose::Up, &scope);
        assert_eq!(resources["BranchUp"]["Properties"]["PolicyDocument"], document);
        let attached = resources["Role"]["Properties"]["ManagedPolicyArns"].as_array().map(Vec::len);
        assert_eq!(attached, Some(5), "two for the branch, three for pull requests");
        // IAM's limit; white space does not count.
        for (id, resource) in resources.as_object().expect("resources") {
            assert!(policy::length(&resource["Properties"]["PolicyDocument"]) <= policy::MANAGED_POLICY, "{id}");
        }
    }

    #[test]
    fn names_with_a_meaning_for_iam_or_github_are_refused() {
        for (text, expected) in [
            ("octocat/faces", true),
            ("a/b.c_d-e", true),
            ("octocat", false),
            ("a/b/c", false),
            ("a/*", false),
            ("", false),
        ] {
            assert_eq!(check_repository(text).is_ok(), expected, "{text}");
        }
        for (text, expected) in [
            ("main", true),
            ("release/1.0", true),
            ("", false),
            ("*", false),
            ("a b", false),
            ("${aws:x}", false),
            ("a..b", false),
            ("-x", false),
        ] {
            assert_eq!(check_branch(text).is_ok(), expected, "{text}");
        }
    }
}

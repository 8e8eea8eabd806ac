//! Asks IAM's policy simulator which actions the caller may perform.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};

use super::error::explain;
use crate::core::denial::Denier;
use crate::error::Result;

/// The actions that a principal certainly may not perform on any of some resources.
///
/// If IAM misses the value of a condition key, the real request may be allowed; so it may if only one form of an ARN is denied.
///
/// # Errors
/// The caller may not use the simulator, or it does not support the principal.
pub async fn surely_denied(
    client: &Client,
    principal: &str,
    actions: &[String],
    resources: &[String],
    region: &str,
) -> Result<Vec<String>> {
    let region = ContextEntry::builder()
        .context_key_name("aws:RequestedRegion")
        .context_key_type(ContextKeyTypeEnum::String)
        .context_key_values(region);
    let results: Vec<EvaluationResult> = client
        .simulate_principal_policy()
        .policy_source_arn(principal)
        .set_action_names(Some(actions.to_vec()))
        .set_resource_arns(Some(resources.to_vec()))
        .context_entries(region.build())
        .into_paginator()
        .items()
        .send()
        .collect::<std::result::Result<_, _>>()
        .await
        .map_err(|error| explain("cannot ask IAM what these credentials may do", &error))?;
    let is_denied = |result: &&EvaluationResult| {
        result.eval_decision() != &PolicyEvaluationDecisionType::Allowed && result.missing_context_values().is_empty()
    };
    let denied_everywhere = |action: &&String| {
        let of_action = || results.iter().filter(|result| result.eval_action_name() == action.as_str());
        of_action().next().is_some() && of_action().all(|result| is_denied(&result))
    };
    Ok(actions.iter().filter(denied_everywhere).cloned().collect())
}

/// What a real request would carry, so that the conditions of `provisioner policy` hold in the simulation.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The region of the request.
    pub region: &'a str,
    /// The account of the resources.
    pub account: &'a str,
    /// The permissions boundary of a role that is created.
    pub boundary: Option<&'a str>,
    /// The function of an event source mapping.
    pub function: &'a str,
}

/// What the simulator says about some actions.
#[derive(Clone, Debug, Default)]
pub struct Simulated {
    /// The denied actions, each with the kind of policy that denies it; `None` if no policy allows it.
    pub denied: Vec<(String, Option<Denier>)>,
    /// The actions that may be allowed or not, because a policy asks for a condition key that only the real request has.
    pub conditional: Vec<String>,
}

/// Simulates actions of a principal on the given resources.
///
/// The simulator evaluates the principal's policies, its permissions boundary, and the organization's policies, but not
/// resource policies.
///
/// # Errors
/// The caller may not use the simulator, or it does not support the principal (a root user or a federated session).
pub async fn simulate(
    client: &Client,
    principal: &str,
    actions: &[String],
    resources: &[String],
    context: &Context<'_>,
) -> Result<Simulated> {
    let mut simulated = Simulated::default();
    for batch in actions.chunks(50) {
        let mut results = client
            .simulate_principal_policy()
            .policy_source_arn(principal)
            .set_action_names(Some(batch.to_vec()))
            .set_resource_arns(Some(resources.to_vec()))
            .set_context_entries(Some(context.entries()))
            .into_paginator()
            .items()
            .send();
        while let Some(result) = results.next().await {
            let result = result.map_err(|error| explain("cannot simulate the caller's permissions", &error))?;
            simulated.add(&result);
        }
    }
    Ok(simulated)
}

impl Simulated {
    /// One of several resources is enough to deny an action.
    fn add(&mut self, result: &EvaluationResult) {
        let action = result.eval_action_name();
        if result.eval_decision() == &PolicyEvaluationDecisionType::Allowed
            || self.denied.iter().any(|(denied, _)| denied == action)
        {
            return;
        }
        let denier = denier(result);
        if denier.is_none() && !result.missing_context_values().is_empty() {
            if !self.conditional.iter().any(|conditional| conditional == action) {
                self.conditional.push(action.to_owned());
            }
            return;
        }
        self.denied.push((action.to_owned(), denier));
    }
}

fn denier(result: &EvaluationResult) -> Option<Denier> {
    if result.organizations_decision_detail().is_some_and(|detail| !detail.allowed_by_organizations()) {
        return Some(Denier::ServiceControlPolicy);
    }
    if result.permissions_boundary_decision_detail().is_some_and(|detail| !detail.allowed_by_permissions_boundary()) {
        return Some(Denier::PermissionsBoundary);
    }
    (result.eval_decision() == &PolicyEvaluationDecisionType::ExplicitDeny).then_some(Denier::IdentityPolicy)
}

impl Context<'_> {
    fn entries(&self) -> Vec<ContextEntry> {
        let entry = |name: &str, value: &str| {
            ContextEntry::builder()
                .context_key_name(name)
                .context_key_type(ContextKeyTypeEnum::String)
                .context_key_values(value)
                .build()
        };
        let mut entries = vec![
            // The policy allows the role to be passed only to Lambda.
            entry("iam:PassedToService", "lambda.amazonaws.com"),
            entry("aws:RequestedRegion", self.region),
            entry("aws:ResourceAccount", self.account),
            entry("lambda:FunctionArn", self.function),
        ];
        entries.extend(self.boundary.map(|arn| entry("iam:PermissionsBoundary", arn)));
        entries
    }
}

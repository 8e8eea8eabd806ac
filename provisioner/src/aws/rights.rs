//! Asks IAM's policy simulator which actions the caller may perform.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};

use super::error::explain;
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

/// The actions that a principal may not perform on the given resources, in the given order.
///
/// The simulator evaluates the principal's policies and its permissions boundary, but not resource policies.
///
/// # Errors
/// The caller may not use the simulator, or it does not support the principal (a root user or a federated session).
pub async fn denied(client: &Client, principal: &str, actions: &[String], resources: &[String]) -> Result<Vec<String>> {
    let mut denied = Vec::new();
    for batch in actions.chunks(50) {
        let mut pages = client
            .simulate_principal_policy()
            .policy_source_arn(principal)
            .set_action_names(Some(batch.to_vec()))
            .set_resource_arns(Some(resources.to_vec()))
            // Real requests have this context key; the policy allows the role to be passed only to Lambda.
            .context_entries(
                ContextEntry::builder()
                    .context_key_name("iam:PassedToService")
                    .context_key_type(ContextKeyTypeEnum::String)
                    .context_key_values("lambda.amazonaws.com")
                    .build(),
            )
            .into_paginator()
            .items()
            .send();
        while let Some(result) = pages.next().await {
            let result = result.map_err(|error| explain("cannot simulate the caller's permissions", &error))?;
            let name = result.eval_action_name().to_owned();
            if result.eval_decision() != &PolicyEvaluationDecisionType::Allowed && !denied.contains(&name) {
                denied.push(name);
            }
        }
    }
    Ok(denied)
}

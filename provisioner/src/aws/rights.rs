//! Asks IAM's policy simulator which actions the caller may perform.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};

use super::error::explain;
use crate::error::Result;

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

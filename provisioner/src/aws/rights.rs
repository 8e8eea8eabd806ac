//! What the caller may do, asked of IAM's own simulator.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};

use super::error::explain;
use crate::error::Result;

/// The actions that a principal may not do on some resources, in the order in which they were given.
///
/// The simulator knows the identity's policies and boundary, and organisation policies where it is told; not the policies of resources.
///
/// # Errors
/// The caller may not simulate, or the principal cannot be simulated (a root user, a federated session).
pub async fn denied(client: &Client, principal: &str, actions: &[String], resources: &[String]) -> Result<Vec<String>> {
    let mut denied = Vec::new();
    for batch in actions.chunks(50) {
        let mut pages = client
            .simulate_principal_policy()
            .policy_source_arn(principal)
            .set_action_names(Some(batch.to_vec()))
            .set_resource_arns(Some(resources.to_vec()))
            // What a real request would carry: the role may be handed to Lambda alone.
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
            let result = result.map_err(|error| explain("cannot ask IAM what these credentials may do", &error))?;
            let name = result.eval_action_name().to_owned();
            if result.eval_decision() != &PolicyEvaluationDecisionType::Allowed && !denied.contains(&name) {
                denied.push(name);
            }
        }
    }
    Ok(denied)
}

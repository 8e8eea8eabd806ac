//! Which of the deployer's permissions IAM's simulator denies, and why.

use std::collections::{BTreeMap, BTreeSet};

use super::findings::Findings;
use crate::aws::Clients;
use crate::aws::identity::Identity;
use crate::aws::rights::{self, Context};
use crate::core::denial::Denier;
use crate::core::event::CheckState;
use crate::core::hint::Hint;
use crate::core::policy::{self, Purpose};

/// Asks IAM about every statement of the policy. A request that fails does not keep the others from being reported.
pub(super) async fn check(
    findings: &mut Findings,
    clients: &Clients,
    caller: &Identity,
    purposes: &[Purpose],
    scope: &policy::Scope<'_>,
    remedy: Hint,
) {
    let Some(principal) = caller.simulated() else {
        return findings.note(
            "permissions",
            format!("IAM cannot simulate {}, so they were not checked", caller.arn),
            None,
        );
    };
    let Identity { partition, account, .. } = caller;
    let region = &clients.region;
    let function = format!("arn:{partition}:lambda:{region}:{account}:function:{}", scope.stack);
    let context = Context { region, account, boundary: scope.boundary, function: &function };
    let (mut asked, mut denied, mut conditional, mut failed) = (0, BTreeMap::new(), BTreeSet::new(), Vec::new());
    for (actions, resources) in policy::needs(policy::Holder::Deployer, purposes, scope) {
        // The simulator does not take patterns such as `s3:GetBucket*`.
        let actions: Vec<String> = actions.into_iter().filter(|action| !action.contains('*')).collect();
        match rights::simulate(&clients.iam, &principal, &actions, &resources, &context).await {
            Ok(simulated) => {
                asked += actions.len();
                denied.extend(simulated.denied);
                conditional.extend(simulated.conditional);
            }
            Err(error) => failed.push((actions.len(), error)),
        }
    }
    conditional.retain(|action| !denied.contains_key(action));
    report(findings, asked, &denied, &conditional, remedy);
    if let Some((_, error)) = failed.first() {
        let unchecked: usize = failed.iter().map(|(actions, _)| actions).sum();
        let cause = error.causes.first().unwrap_or(&error.message);
        findings.note("permissions", format!("{unchecked} actions could not be checked ({cause})"), None);
    }
}

fn report(
    findings: &mut Findings,
    asked: usize,
    denied: &BTreeMap<String, Option<Denier>>,
    conditional: &BTreeSet<String>,
    remedy: Hint,
) {
    if denied.is_empty() && conditional.is_empty() && asked > 0 {
        return findings.ok("permissions", format!("all {asked} actions are allowed"));
    }
    if !conditional.is_empty() {
        let actions = conditional.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let detail =
            format!("{} of {asked} actions depend on conditions of the real request: {actions}", conditional.len());
        findings.note("permissions", detail, None);
    }
    let by = |denier: Option<Denier>| -> Vec<&str> {
        denied.iter().filter(|(_, found)| **found == denier).map(|(action, _)| action.as_str()).collect()
    };
    let not_allowed = by(None);
    if !not_allowed.is_empty() {
        let detail = format!("{} of {asked} actions are not allowed: {}", not_allowed.len(), not_allowed.join(", "));
        findings.add("permissions", CheckState::Problem, detail, Some(remedy));
    }
    for denier in Denier::EACH {
        let actions = by(Some(denier));
        if !actions.is_empty() {
            let detail = format!("{} of {asked} actions are denied by {denier}: {}", actions.len(), actions.join(", "));
            findings.add("permissions", CheckState::Problem, detail, Some(denier.remedy().into()));
        }
    }
}

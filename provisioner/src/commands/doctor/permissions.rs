//! Which of the deployer's permissions IAM's simulator denies, and why.

use std::collections::{BTreeMap, BTreeSet};

use super::findings::Findings;
use crate::aws::Clients;
use crate::aws::identity::Identity;
use crate::aws::rights::{self, Context};
use crate::core::denial::Denier;
use crate::core::event::CheckState;
use crate::core::finding::Finding;
use crate::core::hint::Hint;
use crate::core::policy::{self, Purpose};

/// The permissions that are needed.
pub(super) struct Asked<'a> {
    /// What they are needed for.
    pub(super) purposes: &'a [Purpose],
    /// The names of everything that they concern.
    pub(super) scope: &'a policy::Scope<'a>,
    /// What to do about those that are missing.
    pub(super) remedy: Hint,
}

/// Asks IAM about every statement of the policy. A request that fails does not keep the others from being reported.
pub(super) async fn check(findings: &mut Findings, clients: &Clients, caller: &Identity, asked: Asked<'_>) {
    let Asked { purposes, scope, remedy } = asked;
    let Some(principal) = caller.simulated() else {
        return findings.note("permissions", Finding::NotSimulated { arn: caller.arn.clone() });
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
        let cause = error.causes.first().unwrap_or(&error.message).clone();
        findings.note("permissions", Finding::Unchecked { actions: unchecked, cause });
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
        return findings.ok("permissions", Finding::AllAllowed { actions: asked });
    }
    if !conditional.is_empty() {
        let actions = conditional.iter().cloned().collect();
        findings.note("permissions", Finding::Conditional { actions, of: asked });
    }
    let by = |denier: Option<Denier>| -> Vec<String> {
        denied.iter().filter(|(_, found)| **found == denier).map(|(action, _)| action.clone()).collect()
    };
    let actions = by(None);
    if !actions.is_empty() {
        let finding = Finding::NotAllowed { actions, of: asked };
        findings.add("permissions", CheckState::Problem, finding, Some(remedy));
    }
    for denier in Denier::EACH {
        let actions = by(Some(denier));
        if !actions.is_empty() {
            let finding = Finding::Denied { actions, of: asked, by: denier };
            findings.add("permissions", CheckState::Problem, finding, Some(denier.remedy().into()));
        }
    }
}

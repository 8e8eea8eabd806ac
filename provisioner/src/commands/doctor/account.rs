//! What the account and the region have: credentials, Rekognition, quotas.

use super::findings::Findings;
use crate::aws::identity::{self, Identity};
use crate::aws::stack::{self, Stack};
use crate::aws::{Clients, quotas};
use crate::core::event::CheckState;
use crate::core::finding::Finding;
use crate::core::hint::Hint;
use crate::core::regions;
use crate::error::{Error, Problem};
use crate::steps::attached_check;

/// Finds out whose credentials these are and where they come from; `None` if that fails, which is reported.
pub(super) async fn caller(findings: &mut Findings, clients: &Clients) -> Option<Identity> {
    match identity::caller(&clients.sts).await {
        Ok(caller) => {
            let (account, arn) = (caller.account.clone(), caller.arn.clone());
            findings.ok("credentials", Finding::Caller { account, arn, credentials: clients.credential_source() });
            Some(caller)
        }
        Err(error) => {
            let error = clients.investigate(error).await;
            findings.problem("credentials", &error);
            None
        }
    }
}

/// Checks that the region has Rekognition.
pub(super) async fn rekognition(findings: &mut Findings, clients: &Clients) {
    let name = &clients.region;
    let finding = |available| Finding::Rekognition { region: name.clone(), available };
    if regions::supports_rekognition(name) {
        return findings.ok("region", finding(true));
    }
    match quotas::detect_faces(clients, name).await {
        Ok(Some(_)) => return findings.ok("region", finding(true)),
        Err(error) if error.problem == Some(Problem::NoSuchHost) => {
            let error = clients.investigate(error).await;
            return findings.problem("region", &error);
        }
        _ => {}
    }
    let remedy = match regions::nearest_in_words(name) {
        None => Hint::command("regions").then(" lists the regions that have it"),
        Some(near) => Hint::from(format!("use {near}")),
    };
    findings.add("region", CheckState::Problem, finding(false), Some(remedy));
}

/// Checks that the buckets that the stack attaches still send their events.
pub(super) async fn attached(findings: &mut Findings, clients: &Clients, stack: &str) {
    let states = async {
        let Some(stack) = stack::describe(&clients.cloudformation, stack).await?.filter(Stack::is_ours) else {
            return Ok(Vec::new());
        };
        let buckets = attached_check::buckets(clients, &stack).await?;
        Ok::<_, Error>(attached_check::states(clients, &buckets, stack.account().unwrap_or_default()).await)
    };
    // Without a stack nothing is attached, and the permissions are checked below.
    for bucket in states.await.unwrap_or_default() {
        let sends_events = bucket.sends_events;
        let finding = Finding::AttachedBucket { locations: bucket.locations, sends_events };
        match sends_events {
            Some(true) => findings.ok("attached", finding),
            Some(false) => {
                let remedy = Hint::command("up").then(" switches them on again");
                findings.add("attached", CheckState::Problem, finding, Some(remedy));
            }
            None => findings.note("attached", finding),
        }
    }
}

/// Shows the quotas that decide how fast pictures are processed.
pub(super) async fn limits(findings: &mut Findings, clients: &Clients) {
    let (executions, faces) =
        tokio::join!(quotas::concurrency(clients), quotas::detect_faces(clients, &clients.region));
    let unread =
        |error: &Error| Finding::QuotaUnknown { cause: error.causes.first().unwrap_or(&error.message).clone() };
    match &executions {
        Ok((all, free)) => findings.ok("concurrency", Finding::Concurrency { all: *all, unreserved: *free }),
        Err(error) => findings.note("concurrency", unread(error)),
    }
    match &faces {
        Ok(Some(rate)) => {
            let burst = executions.as_ref().is_ok_and(|(_, free)| f64::from(*free) > rate * 4.0);
            let remedy = burst
                .then(|| Hint::from("for bursts of uploads: ").then_command("up --parameter ReservedConcurrency=auto"));
            findings.add(
                "DetectFaces",
                CheckState::Ok,
                Finding::DetectFaces { requests_per_second: Some(*rate) },
                remedy,
            );
        }
        Ok(None) => findings.note("DetectFaces", Finding::DetectFaces { requests_per_second: None }),
        Err(error) => findings.note("DetectFaces", unread(error)),
    }
}

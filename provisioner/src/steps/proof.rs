//! Proves that nothing is left, by asking each resource's own service for it by name.

use std::time::Duration;

use crate::aws::pace::Pace;
use crate::aws::stack::Resource;
use crate::aws::{Clients, proof};
use crate::context::Context;
use crate::core::arns::{self, Place};
use crate::core::event::Event;
use crate::core::hint::Hint;
use crate::core::status::ResourceStatus;
use crate::error::{Error, Result};
use crate::steps::preflight::Observed;

/// Creates a resource to check that is not listed in a stack.
#[must_use]
pub fn resource(resource_type: &str, name: &str) -> Resource {
    Resource {
        changed_at: 0,
        logical_id: String::new(),
        resource_type: resource_type.to_owned(),
        physical_id: name.to_owned(),
        status: ResourceStatus::Unknown(String::new()),
    }
}

/// The maximum number of requests per resource, within about 75 seconds. A deletion can take a while to become visible;
/// SQS documents a minute.
const MAX_REQUESTS: usize = 85;

/// Checks for each resource whether it is gone, and reports the results.
pub async fn prove_gone(
    cx: &Context,
    observed: &Observed,
    role_path: Option<&String>,
    resources: &[Resource],
) -> Result<()> {
    let (mut checked, mut left) = (0, Vec::new());
    for (resource, answer) in resources.iter().zip(ask(cx, resources).await?) {
        let Some(gone) = answer else {
            let (kind, name) = (resource.resource_type.clone(), resource.physical_id.clone());
            cx.events.emit(Event::ProofImpossible { kind, name });
            continue;
        };
        checked += 1;
        let (kind, name) = (resource.resource_type.clone(), resource.physical_id.clone());
        if !gone {
            left.push(format!("{kind} `{name}`"));
        }
        let place = Place {
            partition: &observed.partition,
            region: cx.region(),
            account: &observed.account,
            role_path: role_path.map_or("/", String::as_str),
        };
        let arn = arns::arn(&kind, &name, place);
        cx.events.emit(Event::Proof { kind, name, arn, gone });
    }
    if left.is_empty() {
        cx.events.emit(Event::NothingLeft { checked });
        return Ok(());
    }
    Err(Error::new(format!("not everything was deleted: {}", left.join(", ")))
        .hint(Hint::from("run ").then_command("down").then(" again")))
}

/// Asks until the resource is gone or the number of requests reaches its maximum.
async fn is_gone(clients: &Clients, resource: &Resource) -> Result<Option<bool>> {
    let mut pace = Pace::new(Duration::from_millis(500), Duration::from_secs(5));
    for _ in 1..MAX_REQUESTS {
        match proof::is_gone(clients, resource).await? {
            Some(false) => pace.wait().await,
            answer => return Ok(answer),
        }
    }
    proof::is_gone(clients, resource).await
}

/// The resource as its service identifies it: a part of the function or of a queue by its whole.
fn addressed(resource: &Resource, all: &[Resource]) -> Resource {
    let function = all.iter().find(|other| other.resource_type == "AWS::Lambda::Function");
    match (resource.resource_type.as_str(), function) {
        ("AWS::Lambda::EventInvokeConfig" | "AWS::Lambda::Permission", Some(function)) => {
            Resource { physical_id: function.physical_id.clone(), ..resource.clone() }
        }
        ("AWS::SQS::QueuePolicy", _) => match all.iter().find(|other| other.logical_id == "Queue") {
            Some(queue) => Resource { physical_id: queue.physical_id.clone(), ..resource.clone() },
            None => resource.clone(),
        },
        _ => resource.clone(),
    }
}

/// Checks all resources in parallel and returns the answers in the same order.
async fn ask(cx: &Context, resources: &[Resource]) -> Result<Vec<Option<bool>>> {
    let asking: Vec<_> = resources
        .iter()
        .map(|resource| {
            let (clients, resource) = (cx.clients.clone(), addressed(resource, resources));
            tokio::spawn(async move { is_gone(&clients, &resource).await })
        })
        .collect();
    let mut answers = Vec::new();
    for asked in asking {
        answers.push(asked.await.map_err(|error| Error::new("the check of a resource crashed").because(&error))??);
    }
    Ok(answers)
}

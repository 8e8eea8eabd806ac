//! What is taken away beside the stack: change sets nobody executes, packages nobody needs, data, and the proof that all is gone.

use std::time::Duration;

use crate::aws::Clients;
use crate::aws::bucket::{Bucket, Deleted};
use crate::aws::follow::Pace;
use crate::aws::stack::Resource;
use crate::aws::{artefacts, bucket, change_set, proof, stack, table};
use crate::cli::Context;
use crate::core::arns;
use crate::core::event::Event;
use crate::core::plan::Operation;
use crate::error::{Error, Result};
use crate::steps::preflight::Observed;
use crate::steps::prepare::Prepared;

/// Removes a change set that was only shown, and the empty stack that one of type CREATE leaves.
pub async fn discard(cx: &Context, prepared: &Prepared) {
    let Some(change_set) = &prepared.change_set else { return };
    change_set::discard(&cx.clients.cloudformation, &change_set.id).await;
    if prepared.plan.operation == Operation::Create
        && let Ok(Some(review)) = stack::describe(&cx.clients.cloudformation, &change_set.stack_id).await
    {
        // Whoever comes next finds the empty stack in review, and knows what to do with it.
        let _ = stack::delete(&cx.clients.cloudformation, &review, &stack::Deletion::default(), None).await;
    }
}

/// Keeps the current package and the previous one; a failure to remove older ones is only said.
pub async fn old_packages(cx: &Context, bucket: &Bucket, keep: &[Option<String>]) {
    let prefix = format!("{}/", cx.stack());
    let removed = async {
        let all = artefacts::list(&cx.clients.s3, bucket, &prefix).await?;
        let old: Vec<String> = all
            .into_iter()
            .map(|artefact| artefact.key)
            .filter(|key| !keep.iter().flatten().any(|kept| kept == key))
            .collect();
        artefacts::remove(&cx.clients.s3, bucket, &old).await?;
        Ok::<usize, Error>(old.len())
    };
    match removed.await {
        Ok(0) => {}
        Ok(objects) => cx.events.emit(Event::ArtefactsRemoved { bucket: bucket.name.clone(), objects }),
        Err(error) => cx.events.emit(Event::Warning {
            message: format!("older packages stay in bucket `{}`: {error}", bucket.name),
            hint: None,
        }),
    }
}

/// Removes the stack's packages, and their bucket if no other stack has any in it; says whether the bucket is gone.
///
/// # Errors
/// Any failure of the requests.
pub async fn packages(cx: &Context, bucket: &Bucket) -> Result<bool> {
    let client = &cx.clients.s3;
    let removed = bucket::empty(client, bucket, &format!("{}/", cx.stack()), |_| {}).await?;
    if removed > 0 {
        cx.events.emit(Event::ArtefactsRemoved { bucket: bucket.name.clone(), objects: removed });
    }
    // S3 itself knows best whether anybody else has something in it.
    match bucket::delete_if_empty(client, bucket).await? {
        Deleted::Now => {
            cx.events.emit(Event::Removed { kind: "bucket for packages", name: bucket.name.clone() });
            Ok(true)
        }
        Deleted::Before => Ok(true),
        Deleted::NotEmpty => {
            let kind = "bucket for packages (other stacks use it)";
            cx.events.emit(Event::Kept { kind, name: bucket.name.clone() });
            Ok(false)
        }
    }
}

/// Removes a bucket with everything in it: about so many objects, where that is known.
///
/// # Errors
/// Any failure of the requests.
pub async fn picture_bucket(cx: &Context, bucket: &Bucket, objects: Option<usize>) -> Result<()> {
    empty(cx, bucket, objects).await?;
    bucket::delete(&cx.clients.s3, bucket).await?;
    cx.events.emit(Event::Removed { kind: "bucket", name: bucket.name.clone() });
    Ok(())
}

/// Empties a bucket of about so many objects, where that is known, and shows how far it is.
///
/// # Errors
/// Any failure of the requests.
pub async fn empty(cx: &Context, bucket: &Bucket, objects: Option<usize>) -> Result<usize> {
    bucket::empty(&cx.clients.s3, bucket, "", |removed| {
        cx.events.emit(Event::Emptying { bucket: bucket.name.clone(), removed, of: objects });
    })
    .await
}

/// Removes the table with its rows.
///
/// # Errors
/// Any failure of the requests.
pub async fn face_table(cx: &Context, name: &str) -> Result<()> {
    table::delete(&cx.clients.dynamodb, name).await?;
    cx.events.emit(Event::Removed { kind: "table", name: name.to_owned() });
    Ok(())
}

/// A deletion that its service acknowledged can take a while to show: SQS alone speaks of a minute, and so many questions take 75 s.
const QUESTIONS: usize = 85;

/// Asks each resource's service whether it is gone, and says so one by one.
///
/// # Errors
/// Something is still there, or a service cannot be asked.
pub async fn prove_gone(cx: &Context, observed: &Observed, resources: &[Resource]) -> Result<()> {
    let (mut asked, mut left) = (0, Vec::new());
    for (resource, answer) in resources.iter().zip(ask(cx, resources).await?) {
        let Some(gone) = answer else {
            cx.events.emit(Event::Warning {
                message: format!("{} `{}` could not be asked for", resource.resource_type, resource.physical_id),
                hint: None,
            });
            continue;
        };
        asked += 1;
        let (kind, name) = (resource.resource_type.clone(), resource.physical_id.clone());
        if !gone {
            left.push(format!("{kind} `{name}`"));
        }
        let arn = arns::arn(&kind, &name, &observed.partition, cx.region(), &observed.account);
        cx.events.emit(Event::Proof { kind, name, arn, gone });
    }
    if left.is_empty() {
        cx.events.emit(Event::NothingLeft { asked });
        return Ok(());
    }
    Err(Error::new(format!("still there after the removal: {}", left.join(", ")))
        .hint(format!("run `{}` again", cx.command("down"))))
}

/// Asks until the answer is yes or the questions are used up.
async fn is_gone(clients: &Clients, resource: &Resource) -> Result<Option<bool>> {
    let mut pace = Pace::new(Duration::from_millis(500), Duration::from_secs(5));
    for _ in 1..QUESTIONS {
        match proof::is_gone(clients, resource).await? {
            Some(false) => pace.wait().await,
            answer => return Ok(answer),
        }
    }
    proof::is_gone(clients, resource).await
}

/// What is a part of the function is asked for by the function's name.
fn addressed(resource: &Resource, all: &[Resource]) -> Resource {
    let function = all.iter().find(|other| other.resource_type == "AWS::Lambda::Function");
    match (resource.resource_type.as_str(), function) {
        ("AWS::Lambda::EventInvokeConfig" | "AWS::Lambda::Permission", Some(function)) => {
            Resource { physical_id: function.physical_id.clone(), ..resource.clone() }
        }
        _ => resource.clone(),
    }
}

/// Asks for all of them side by side, and answers in their order.
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
        answers.push(asked.await.map_err(|error| Error::new("a question was interrupted").because(&error))??);
    }
    Ok(answers)
}

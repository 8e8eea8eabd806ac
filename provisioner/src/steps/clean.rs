//! What is taken away beside the stack: change sets nobody executes, packages nobody needs, data, and the proof that all is gone.

use crate::aws::bucket::Bucket;
use crate::aws::stack::Resource;
use crate::aws::{artefacts, bucket, change_set, proof, stack, table};
use crate::cli::Context;
use crate::core::event::Event;
use crate::core::plan::Operation;
use crate::error::{Error, Result};
use crate::steps::prepare::Prepared;

/// Removes a change set that was only shown, and the empty stack that one of type CREATE leaves.
pub async fn discard(cx: &Context, prepared: &Prepared) {
    let Some(change_set) = &prepared.change_set else { return };
    change_set::discard(&cx.clients.cloudformation, &change_set.id).await;
    if prepared.plan.operation == Operation::Create
        && let Ok(Some(review)) = stack::describe(&cx.clients.cloudformation, &change_set.stack_id).await
    {
        // Whoever comes next finds the empty stack in review, and knows what to do with it.
        let _ = stack::delete(&cx.clients.cloudformation, &review, &stack::Deletion::default()).await;
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

/// Removes the stack's packages, and their bucket if no other stack has any in it.
///
/// # Errors
/// Any failure of the requests.
pub async fn packages(cx: &Context, artefacts: &Bucket) -> Result<bool> {
    let removed = bucket::empty(&cx.clients.s3, artefacts, &format!("{}/", cx.stack()), |_| {}).await?;
    if removed > 0 {
        cx.events.emit(Event::ArtefactsRemoved { bucket: artefacts.name.clone(), objects: removed });
    }
    if !bucket::exists(&cx.clients.s3, &artefacts.name).await? {
        return Ok(true);
    }
    if bucket::count(&cx.clients.s3, artefacts, 1).await? > 0 {
        cx.events.emit(Event::Kept { kind: "bucket for packages (other stacks use it)", name: artefacts.name.clone() });
        return Ok(false);
    }
    bucket::delete(&cx.clients.s3, artefacts).await?;
    cx.events.emit(Event::Removed { kind: "bucket for packages", name: artefacts.name.clone() });
    Ok(true)
}

/// Removes a bucket with everything in it.
///
/// # Errors
/// Any failure of the requests.
pub async fn picture_bucket(cx: &Context, bucket: &Bucket) -> Result<()> {
    empty(cx, bucket).await?;
    bucket::delete(&cx.clients.s3, bucket).await?;
    cx.events.emit(Event::Removed { kind: "bucket", name: bucket.name.clone() });
    Ok(())
}

/// Empties a bucket and shows how far it is.
///
/// # Errors
/// Any failure of the requests.
pub async fn empty(cx: &Context, bucket: &Bucket) -> Result<usize> {
    bucket::empty(&cx.clients.s3, bucket, "", |removed| {
        cx.events.emit(Event::Emptying { bucket: bucket.name.clone(), removed });
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

/// Asks each resource's service whether it is gone, and says so one by one.
///
/// # Errors
/// Something is still there, or a service cannot be asked.
pub async fn prove_gone(cx: &Context, resources: &[Resource]) -> Result<()> {
    let (mut asked, mut left) = (0, Vec::new());
    for (resource, answer) in resources.iter().zip(ask(cx, resources).await?) {
        if let Some(gone) = answer {
            asked += 1;
            cx.events.emit(Event::Proof {
                kind: resource.resource_type.clone(),
                name: resource.physical_id.clone(),
                gone,
            });
            if !gone {
                left.push(format!("{} `{}`", resource.resource_type, resource.physical_id));
            }
        }
    }
    if left.is_empty() {
        cx.events.emit(Event::NothingLeft { asked });
        return Ok(());
    }
    Err(Error::new(format!("still there after the removal: {}", left.join(", ")))
        .hint(format!("run `{}` again", cx.command("down"))))
}

/// Asks for all of them side by side, and answers in their order.
async fn ask(cx: &Context, resources: &[Resource]) -> Result<Vec<Option<bool>>> {
    let asking: Vec<_> = resources
        .iter()
        .cloned()
        .map(|resource| {
            let clients = cx.clients.clone();
            tokio::spawn(async move { proof::is_gone(&clients, &resource).await })
        })
        .collect();
    let mut answers = Vec::new();
    for asked in asking {
        answers.push(asked.await.map_err(|error| Error::new("a question was interrupted").because(&error))??);
    }
    Ok(answers)
}

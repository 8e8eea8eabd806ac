//! `provisioner down`

use futures_util::future::try_join_all;

use crate::aws::bucket::{self, Bucket};
use crate::aws::stack::{self, Deletion, Resource, Stack};
use crate::aws::{artefacts, proof, table};
use crate::cli::Context;
use crate::core::event::{DOWN_COUNTS, Event};
use crate::core::status::{self, Command, Move};
use crate::core::{names, operation, template};
use crate::error::{Error, Exit, Result};
use crate::steps::preflight::{self, Observed};
use crate::steps::{apply, clean, prepare};

/// Take the system away and prove that nothing is left
///
/// Counts what will go, asks, empties the bucket (versions, delete markers, unfinished uploads), deletes the stack, its data and its packages,
/// then asks AWS for each resource by name. With `--local` the local cloud is stopped once its last stack is gone.
#[derive(Debug, clap::Args)]
pub struct Down {
    /// Keep bucket and table with what is in them
    #[arg(long)]
    pub keep_data: bool,
}

/// Runs it in one region.
///
/// # Errors
/// Any step fails, or something is left.
pub async fn run(args: &Down, cx: &Context) -> Result<Exit> {
    let outcome = remove(args, cx).await?;
    if cx.local.is_some() && !args.keep_data {
        if stack::any(&cx.clients.cloudformation).await? {
            cx.events.emit(Event::Document { text: "the local cloud runs on, for its other stacks".into() });
        } else {
            crate::commands::local::stop(&cx.events).await?;
        }
    }
    Ok(outcome)
}

async fn remove(args: &Down, cx: &Context) -> Result<Exit> {
    let client = &cx.clients.cloudformation;
    let (observed, listed) = tokio::join!(preflight::observe(cx), stack::resources(client, cx.stack()));
    let mut observed = observed?;
    let before = observed.stack.clone();
    let (stack, step, listed) = match (settle(cx, &mut observed).await?, before) {
        // Where an operation was joined, what it did is not in the list.
        (Some((stack, step)), before) => {
            let listed = listed.ok().filter(|_| before.is_some_and(|before| before.status == stack.status));
            (stack, step, listed)
        }
        // A deletion that was joined has taken the stack; what it leaves is still to be removed.
        (None, Some(stack)) if listed.is_ok() => (stack, Move::Nothing, listed.ok()),
        (None, _) => {
            let Some((stack, listed)) = unfinished(cx).await? else {
                cx.events.emit(Event::NoStack { stack: cx.stack().to_owned() });
                return forgotten_packages(cx, &observed).await;
            };
            (stack, Move::Nothing, Some(listed))
        }
    };
    preflight::check_owner(cx, &stack).await?;
    preflight::check_protection(cx, &stack)?;
    let resources = match listed {
        Some(listed) => listed,
        None => stack::resources(client, &stack.id).await?,
    };
    let (resources, others): (Vec<_>, Vec<_>) =
        resources.into_iter().partition(|resource| status::holds(&stack.status, &resource.status));
    let (removed, foreign): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|resource| resource.status == "DELETE_COMPLETE");
    // A later run that finds the stack gone must not take what was never in it for what this one has left.
    let keeps_data = args.keep_data || foreign.iter().any(Resource::is_data);
    let data = Data::of(&resources, &observed.account);
    let objects = announce(cx, args, &stack, &resources, &data).await?;
    cx.confirm(&format!("remove this from {} in account {}?", cx.region(), observed.account))?;

    let artefacts = artefacts::bucket(&observed.account, cx.region());
    let packages = match step {
        Move::Nothing => clean::packages(cx, &artefacts).await,
        step => delete_stack(cx, &stack, step, &data, objects, keeps_data, &artefacts).await?,
    };
    if !args.keep_data {
        for bucket in &data.buckets {
            clean::picture_bucket(cx, bucket, objects).await?;
        }
        for table in &data.tables {
            clean::face_table(cx, table).await?;
        }
    }
    let mut expected_gone = vec![resource("AWS::CloudFormation::Stack", &stack.name)];
    // What CloudFormation says it has removed is asked for as well.
    let ours = resources.into_iter().chain(removed);
    expected_gone.extend(ours.filter(|resource| !(args.keep_data && resource.is_data())));
    if matches!(packages, Ok(true)) {
        expected_gone.push(resource("AWS::S3::Bucket", &artefacts.name));
    }
    let kept = if args.keep_data { data } else { Data::default() };
    tokio::try_join!(clean::prove_gone(cx, &observed, &expected_gone), name_kept(cx, &kept))?;
    // Packages that stay are the least of what can be left, so they are spoken of last.
    packages.map(|_| Exit::Success)
}

/// Removes the packages of a stack that is not there: of one that never came about, or that went without them.
async fn forgotten_packages(cx: &Context, observed: &Observed) -> Result<Exit> {
    let bucket = artefacts::bucket(&observed.account, cx.region());
    let packages = artefacts::list(&cx.clients.s3, &bucket, &format!("{}/", cx.stack())).await?;
    if packages.is_empty() {
        return Ok(Exit::Success);
    }
    cx.confirm(&format!("remove the packages that it left in bucket `{}`?", bucket.name))?;
    if clean::packages(cx, &bucket).await? {
        clean::prove_gone(cx, observed, &[resource("AWS::S3::Bucket", &bucket.name)]).await?;
    }
    Ok(Exit::Success)
}

/// The stack that an earlier `down` deleted without coming to the end of its work, with what it held: bucket or table are still there, and
/// were not to stay.
///
/// What was kept on purpose, or is left of a deletion by other means, is only named.
///
/// # Errors
/// What CloudFormation could not remove, and left so that the stack could go, is still there.
async fn unfinished(cx: &Context) -> Result<Option<(Stack, Vec<Resource>)>> {
    let client = &cx.clients.cloudformation;
    let Some(id) = stack::last_deleted(client, cx.stack()).await? else { return Ok(None) };
    let (stack, resources, token) = tokio::try_join!(
        stack::describe(client, &id),
        stack::resources(client, &id),
        stack::deletion_token(client, &id)
    )?;
    let Some((stack, account)) = stack.filter(Stack::is_ours).and_then(|stack| {
        let account = stack.account()?.to_owned();
        Some((stack, account))
    }) else {
        return Ok(None);
    };
    let skipped: Vec<_> = resources.iter().filter(|resource| resource.status == "DELETE_SKIPPED").cloned().collect();
    let left = Data::of(&skipped, &account).existing(cx).await?;
    if !left.is_empty() && token.is_some_and(|token| operation::was_to_remove_data(&token)) {
        return Ok(Some((stack, resources)));
    }
    name_kept(cx, &left).await?;
    for resource in skipped.iter().filter(|resource| !resource.is_data()) {
        if proof::is_gone(&cx.clients, resource).await? == Some(false) {
            let Resource { resource_type, physical_id, .. } = resource;
            return Err(Error::new(format!(
                "stack `{}` is gone, but not its {resource_type} `{physical_id}`",
                stack.name
            ))
            .cause("CloudFormation could not remove it, so something else holds it")
            .hint("free it from what does, and remove it by hand: with the AWS CLI, or in the console"));
        }
    }
    Ok(None)
}

/// Names what was kept, and how to get it back.
async fn name_kept(cx: &Context, data: &Data) -> Result<()> {
    let kept = count_kept(cx, data).await?;
    if !kept.is_empty() {
        for kept in kept {
            cx.events.emit(kept);
        }
        let command = cx.command(&format!("up --adopt{}", names_of(cx, data)));
        cx.events.emit(Event::Document { text: format!("`{command}` takes them back") });
    }
    Ok(())
}

/// The parameters by which `up` finds what was kept, where it would look for other names.
fn names_of(cx: &Context, kept: &Data) -> String {
    let template = template::read(template::BUILT_IN).expect("the built-in template can be read");
    let usual_table = template.parameters["TableName"].as_ref();
    let usual_bucket = |bucket: &Bucket| names::picture_bucket(cx.stack(), &bucket.owner, cx.region());
    let buckets = kept.buckets.iter().filter(|bucket| bucket.name != usual_bucket(bucket));
    let buckets = buckets.map(|bucket| format!(" --parameter BucketName={}", bucket.name));
    let tables = kept.tables.iter().filter(|table| Some(*table) != usual_table);
    buckets.chain(tables.map(|table| format!(" --parameter TableName={table}"))).collect()
}

/// What was kept and how much it holds; refuses to call it kept if it is not there.
async fn count_kept(cx: &Context, data: &Data) -> Result<Vec<Event>> {
    let (s3, dynamodb) = (&cx.clients.s3, &cx.clients.dynamodb);
    let lost = |kind: &str, name: &str| Error::new(format!("{kind} `{name}` was to be kept, but it is gone"));
    let buckets = data.buckets.iter().map(async |bucket| {
        let (there, count) =
            tokio::try_join!(bucket::exists(s3, &bucket.name), bucket::count(s3, bucket, DOWN_COUNTS))?;
        let kept = Event::KeptData { kind: "bucket", name: bucket.name.clone(), count, unit: "object" };
        there.then_some(kept).ok_or_else(|| lost("bucket", &bucket.name))
    });
    let tables = data.tables.iter().map(async |name| {
        let (there, count) =
            tokio::try_join!(table::exists(dynamodb, name), table::count(dynamodb, name, DOWN_COUNTS))?;
        let kept = Event::KeptData { kind: "table", name: name.clone(), count, unit: "row" };
        there.then_some(kept).ok_or_else(|| lost("table", name))
    });
    let (buckets, tables) = tokio::try_join!(try_join_all(buckets), try_join_all(tables))?;
    Ok(buckets.into_iter().chain(tables).collect())
}

/// The stack in a state in which it can be deleted; `None` where there is nothing to delete.
async fn settle(cx: &Context, observed: &mut Observed) -> Result<Option<(Stack, Move)>> {
    loop {
        let Some(stack) = observed.stack.take() else { return Ok(None) };
        match prepare::first_step(&stack, Command::Down)? {
            Move::Nothing => return Ok(None),
            Move::Join => apply::join(cx, &stack, Command::Down).await?,
            step => return Ok(Some((stack, step))),
        }
        observed.stack = stack::describe(&cx.clients.cloudformation, cx.stack()).await?;
    }
}

/// The resources that hold the user's data.
#[derive(Default)]
struct Data {
    buckets: Vec<Bucket>,
    tables: Vec<String>,
}

impl Data {
    fn of(resources: &[Resource], account: &str) -> Self {
        let of_type = |wanted: &str| {
            resources.iter().filter(|r| r.resource_type == wanted).map(|r| r.physical_id.clone()).collect::<Vec<_>>()
        };
        Self {
            buckets: of_type("AWS::S3::Bucket")
                .into_iter()
                .map(|name| Bucket { name, owner: account.to_owned() })
                .collect(),
            tables: of_type("AWS::DynamoDB::Table"),
        }
    }

    /// What of it is there.
    async fn existing(self, cx: &Context) -> Result<Self> {
        let (mut buckets, mut tables) = (Vec::new(), Vec::new());
        for bucket in self.buckets {
            if bucket::exists(&cx.clients.s3, &bucket.name).await? {
                buckets.push(bucket);
            }
        }
        for table in self.tables {
            if table::exists(&cx.clients.dynamodb, &table).await? {
                tables.push(table);
            }
        }
        Ok(Self { buckets, tables })
    }

    fn is_empty(&self) -> bool {
        self.buckets.is_empty() && self.tables.is_empty()
    }
}

fn resource(resource_type: &str, name: &str) -> Resource {
    Resource {
        logical_id: String::new(),
        resource_type: resource_type.to_owned(),
        physical_id: name.to_owned(),
        status: String::new(),
    }
}

/// Says what will go, and returns how many objects are in the bucket, where that could be counted.
async fn announce(
    cx: &Context,
    args: &Down,
    stack: &Stack,
    resources: &[Resource],
    data: &Data,
) -> Result<Option<usize>> {
    let objects = async {
        match data.buckets.first() {
            Some(bucket) => bucket::count(&cx.clients.s3, bucket, DOWN_COUNTS).await,
            None => Ok(0),
        }
    };
    let rows = async {
        match data.tables.first() {
            Some(name) => table::count(&cx.clients.dynamodb, name, DOWN_COUNTS).await,
            None => Ok(0),
        }
    };
    let (objects, rows) = tokio::try_join!(objects, rows)?;
    cx.events.emit(Event::WillRemove {
        stack: stack.name.clone(),
        resources: resources.len(),
        bucket: data.buckets.first().map(|bucket| bucket.name.clone()),
        objects,
        table: data.tables.first().cloned(),
        rows,
        keep_data: args.keep_data,
    });
    Ok((objects < DOWN_COUNTS).then_some(objects))
}

/// A rung of the ladder by which a stack is deleted that does not go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rung {
    AsItIs,
    Emptied,
    Retaining,
    Forced,
}

/// Deletes the stack, rung by rung: as it is, then emptied, then leaving what does not go, then by force.
///
/// Its packages go beside it, from the moment on at which CloudFormation has taken the first deletion: a stack that goes needs them no more.
/// Returns what came of them.
async fn delete_stack(
    cx: &Context,
    stack: &Stack,
    first: Move,
    data: &Data,
    objects: Option<usize>,
    keeps_data: bool,
    artefacts: &Bucket,
) -> Result<Result<bool>> {
    let rungs = [Rung::AsItIs, Rung::Emptied, Rung::Retaining, Rung::Forced];
    // A deletion that failed before would fail again as it is.
    let start = usize::from(first == Move::DeleteLadder);
    let (mut retain, mut packages) = (Vec::new(), None);
    for rung in &rungs[start..] {
        if *rung == Rung::Emptied && !keeps_data {
            for bucket in &data.buckets {
                clean::empty(cx, bucket, objects).await?;
            }
        }
        if *rung == Rung::Retaining && retain.is_empty() {
            continue;
        }
        let deletion = match rung {
            Rung::AsItIs | Rung::Emptied => Deletion { keeps_data, ..Deletion::default() },
            Rung::Retaining => Deletion { retain: retain.clone(), force: false, keeps_data },
            Rung::Forced => Deletion { retain: Vec::new(), force: true, keeps_data },
        };
        let deleting = apply::begin_deletion(cx, stack, &deletion).await?;
        let (ended, gone) = tokio::join!(deleting.to_the_end(cx), async {
            match packages.take() {
                Some(gone) => gone,
                None => clean::packages(cx, artefacts).await,
            }
        });
        let ended = ended?;
        if ended.status == "DELETE_COMPLETE" {
            return Ok(gone);
        }
        packages = Some(gone);
        retain = ended
            .events
            .iter()
            .filter(|e| e.status == "DELETE_FAILED" && e.resource_type != "AWS::CloudFormation::Stack")
            .map(|e| e.logical_id.clone())
            .collect();
        retain.sort();
        retain.dedup();
        apply::explain(cx, &ended, &stack.id).await;
    }
    Err(Error::new(format!("stack `{}` cannot be deleted; left in it: {}", stack.name, retain.join(", ")))
        .exit(Exit::Blocked)
        .hint(format!("mend what the events name, then run `{}` again", cx.command("down"))))
}

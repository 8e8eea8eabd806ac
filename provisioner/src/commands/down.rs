//! `provisioner down`

use futures_util::future::try_join_all;

use crate::aws::bucket;
use crate::aws::local_contents::{self, Contents};
use crate::aws::stack::{self, Resource, Stack};
use crate::aws::{packages, table};
use crate::context::Context;
use crate::core::attach::Attached;
use crate::core::event::{CountedTable, DOWN_COUNTS, Event};
use crate::core::first_step::{Command, FirstStep};
use crate::error::{Exit, Result};
use crate::steps::clean::{self, Packages};
use crate::steps::data::Data;
use crate::steps::deletion;
use crate::steps::preflight::{self, Observed};
use crate::steps::proof::{prove_gone, resource};
use crate::steps::removable::{self, Removal};
use crate::steps::{attached, operation, remains, settings};
use crate::ui::Events;
use crate::{local, local_cloud};

/// Remove the system and prove that nothing is left
///
/// Shows what will be removed and asks for confirmation. Then it empties the bucket, including versions, delete
/// markers, and unfinished uploads; deletes the stack, its data, and its packages; and asks AWS for each resource by
/// name. With `--local`, it also stops the local cloud if nothing else is left in it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provisioner down --region eu-west-1\n  provisioner down --region eu-west-1 --keep-data"
)]
pub struct Down {
    /// Keep the bucket and the table with their contents
    #[arg(long)]
    pub keep_data: bool,
    /// Let CloudFormation use this service role instead of the one that the stack remembers
    #[arg(long, value_name = "ARN", value_parser = settings::role_arn)]
    pub role_arn: Option<String>,
}

/// The local cloud before the command.
#[derive(Debug)]
pub struct LocalCloud {
    endpoint: String,
    before: Contents,
}

impl LocalCloud {
    /// Looks at what is in the local cloud; `None` for a run in AWS.
    pub async fn look(contexts: &[Context]) -> Result<Option<Self>> {
        let Some(state) = contexts.first().and_then(|cx| cx.local.as_ref()) else { return Ok(None) };
        let endpoint = state.endpoint_url.clone();
        let before = local_contents::count(&endpoint, local::credentials().key_pair()).await?;
        Ok(Some(Self { endpoint, before }))
    }

    /// Stops the local cloud if the command has removed the last thing in it.
    pub async fn leave(self, events: &Events) -> Result<()> {
        let after = local_contents::count(&self.endpoint, local::credentials().key_pair()).await?;
        if after == self.before {
            return Ok(());
        }
        if after.is_empty() {
            return local_cloud::stop(events).await;
        }
        let Contents { stacks, buckets, tables } = after;
        events.emit(Event::LocalKept { stacks, buckets, tables });
        Ok(())
    }
}

/// The stack to remove.
struct Target {
    stack: Stack,
    /// `FirstStep::Nothing` if the stack is gone and only its data is left.
    step: FirstStep,
    resources: Vec<Resource>,
}

/// Runs the command in one region.
pub async fn run(args: &Down, cx: &Context) -> Result<Exit> {
    let (observed, listed) =
        tokio::join!(preflight::observe(cx), stack::resources(&cx.clients.cloudformation, cx.stack()));
    let mut observed = observed?;
    let Some(Target { stack, step, resources }) = find(cx, &mut observed, listed.ok()).await? else {
        cx.events.emit(Event::NoStack { stack: cx.stack().to_owned() });
        attached::release_forgotten(cx, &observed).await?;
        remains::forgotten_packages(cx, &observed).await?;
        return Ok(Exit::Success);
    };
    preflight::check_owner(cx, &stack).await?;
    preflight::check_protection(&stack)?;
    let (resources, others): (Vec<_>, Vec<_>) =
        resources.into_iter().partition(|resource| stack.status.holds(&resource.status));
    let (removed, foreign): (Vec<_>, Vec<_>) = others.into_iter().partition(|resource| resource.status.is_deleted());
    // A later run that finds the stack gone must not remove data that was never in it.
    let keeps_data = args.keep_data || foreign.iter().any(Resource::is_data);
    let data = Data::of(&resources, &observed.account);
    let removed_data = if args.keep_data { Data::default() } else { data.clone() };
    let removal = Removal { stack: &stack, data: &removed_data, role: args.role_arn.as_ref() };
    removable::check(cx, &observed, removal).await?;
    let attached = attached::of_stack(cx, &stack, &observed.account).await?;
    let objects =
        announce(cx, args, Summary { stack: &stack, resources: resources.len(), data: &data, attached: &attached })
            .await?;
    cx.confirm(&format!("remove this from {} in account {}?", cx.region(), observed.account))?;

    let package_bucket = packages::bucket(&observed.account, cx.region());
    let packages = if step == FirstStep::Nothing {
        clean::packages(cx, &package_bucket).await
    } else {
        let plan = deletion::Plan {
            data: &data,
            objects,
            keeps_data,
            packages: &package_bucket,
            role: args.role_arn.as_ref(),
        };
        deletion::delete(cx, &stack, step, plan).await?
    };
    attached::release(cx, &attached.released, &observed).await;
    if !args.keep_data {
        for bucket in &data.buckets {
            clean::picture_bucket(cx, bucket, objects).await?;
        }
        for table in &data.tables {
            clean::face_table(cx, table).await?;
        }
    }
    let mut expected_gone = vec![resource("AWS::CloudFormation::Stack", &stack.name)];
    // Resources that CloudFormation reports as deleted are checked, too.
    let ours = resources.into_iter().chain(removed);
    expected_gone.extend(ours.filter(|resource| !(args.keep_data && resource.is_data())));
    if matches!(packages, Packages::BucketGone) {
        expected_gone.push(resource("AWS::S3::Bucket", &package_bucket.name));
    }
    let kept = if args.keep_data { data } else { Data::default() };
    let role_path = stack.parameters.get("RolePath");
    tokio::try_join!(prove_gone(cx, &observed, role_path, &expected_gone), kept.report_kept(cx))?;
    match packages {
        // Packages matter least, so the failure to remove them is reported last.
        Packages::Failed(error) => Err(error),
        Packages::BucketGone | Packages::BucketKept => Ok(Exit::Success),
    }
}

/// Waits until the stack can be deleted; if it is gone, finds what an interrupted `down` left behind.
async fn find(cx: &Context, observed: &mut Observed, listed: Option<Vec<Resource>>) -> Result<Option<Target>> {
    let before = observed.stack.clone();
    if let Some((stack, step)) = settle(cx, observed).await? {
        // The list is out of date if a running operation has ended since.
        let listed = listed.filter(|_| before.is_some_and(|before| before.status == stack.status));
        let resources = match listed {
            Some(listed) => listed,
            None => stack::resources(&cx.clients.cloudformation, &stack.id).await?,
        };
        return Ok(Some(Target { stack, step, resources }));
    }
    // A deletion that was already running has removed the stack, but not its data.
    if let (Some(stack), Some(resources)) = (before, listed) {
        return Ok(Some(Target { stack, step: FirstStep::Nothing, resources }));
    }
    let found = remains::unfinished(cx).await?;
    Ok(found.map(|found| Target { stack: found.stack, step: FirstStep::Nothing, resources: found.resources }))
}

/// Waits until no operation is running; `None` if there is nothing to delete.
async fn settle(cx: &Context, observed: &mut Observed) -> Result<Option<(Stack, FirstStep)>> {
    loop {
        let Some(stack) = observed.stack.take() else { return Ok(None) };
        match preflight::first_step(&stack, Command::Down)? {
            FirstStep::Nothing => return Ok(None),
            FirstStep::Join => operation::join(cx, &stack, Command::Down).await?,
            step => return Ok(Some((stack, step))),
        }
        observed.stack = stack::describe(&cx.clients.cloudformation, cx.stack()).await?;
    }
}

/// What `down` removes, and what it leaves alone.
#[derive(Clone, Copy)]
struct Summary<'a> {
    stack: &'a Stack,
    resources: usize,
    data: &'a Data,
    attached: &'a Attached,
}

/// Reports what will be removed, and returns the number of objects in the bucket if it is below the counting limit.
async fn announce(cx: &Context, args: &Down, summary: Summary<'_>) -> Result<Option<usize>> {
    let Summary { stack, resources, data, attached } = summary;
    let objects = async {
        match data.buckets.first() {
            Some(bucket) => bucket::count(&cx.clients.s3, bucket, DOWN_COUNTS).await,
            None => Ok(0),
        }
    };
    let tables = async {
        let count = async |name: &String| {
            let rows = table::count(&cx.clients.dynamodb, name, DOWN_COUNTS).await?;
            Ok(CountedTable { name: name.clone(), rows })
        };
        try_join_all(data.tables.iter().map(count)).await
    };
    let (objects, tables) = tokio::try_join!(objects, tables)?;
    cx.events.emit(Event::WillRemove {
        stack: stack.name.clone(),
        resources,
        bucket: data.buckets.first().map(|bucket| bucket.name.clone()),
        objects,
        tables,
        keep_data: args.keep_data,
        attached: attached.buckets.iter().map(|attachment| attachment.bucket.clone()).collect(),
    });
    Ok((objects < DOWN_COUNTS).then_some(objects))
}

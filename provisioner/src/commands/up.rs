//! `provisioner up`

use std::path::PathBuf;

use crate::aws::stack::Stack;
use crate::context::Context;
use crate::core::event::Event;
use crate::core::names;
use crate::core::plan::Operation;
use crate::core::smoke_record::SmokeRecord;
use crate::error::{Exit, Result};
use crate::steps::page::PageFile;
use crate::steps::prepared::{self, Prepared, Purpose};
use crate::steps::settings::Settings;
use crate::steps::summary::SummaryOptions;
use crate::steps::{adopt, apply, attached, clean, prepare, saved_plan, smoke, timeline};

/// Create or update the system, then verify that it works
///
/// Builds and packages the function, checks the account, the region, and the names, shows the plan, asks for
/// confirmation, and deploys with CloudFormation. Then it uploads a picture and checks its rows. If nothing has changed,
/// it repeats this test only if the deployment has not passed it yet; `smoke` runs it at any time.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provisioner up --region eu-west-1\n  provisioner up --local --parameter RetentionDays=30"
)]
pub struct Up {
    /// Settings of the system
    #[command(flatten)]
    pub settings: Settings,
    /// Execute exactly this plan, which `plan --out` saved; refused if anything has changed since then
    #[arg(long, value_name = "FILE", conflicts_with_all = SETTINGS)]
    pub plan: Option<PathBuf>,
    /// Skip the smoke test
    #[arg(long)]
    pub no_smoke: bool,
    /// Proceed even if the bucket or the table would be deleted or replaced
    #[arg(long)]
    pub allow_data_loss: bool,
    /// Where the summary goes.
    #[command(flatten)]
    pub summary: SummaryOptions,
    /// Also write the timeline of the deployment to a page; with several regions, one `FILE-REGION.html` per region
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Proceed even if `--adopt` weakens or removes settings of the bucket or table
    #[arg(long, requires = "adopt")]
    pub accept_changes: bool,
}

/// The options that a saved plan decides.
const SETTINGS: [&str; 13] = [
    "parameters",
    "parameters_file",
    "template",
    "bootstrap",
    "cargo_profile",
    "adopt",
    "attach",
    "detach",
    "express",
    "revert_drift",
    "tags",
    "untags",
    "role_arn",
];

/// Runs the command in one region.
pub async fn run(args: &Up, cx: &Context) -> Result<Exit> {
    let Some(path) = &args.html else { return deploy(args, cx).await };
    let page = PageFile::create(&cx.own_file(path))?;
    let (events, recording) = cx.events.recorded();
    let cx = Context { events, ..cx.clone() };
    let outcome = deploy(args, &cx).await;
    let written = timeline::write(page, &recording, &outcome, &cx);
    let exit = outcome?;
    written.map(|()| exit)
}

async fn deploy(args: &Up, cx: &Context) -> Result<Exit> {
    let mut prepared = match &args.plan {
        Some(path) => saved_plan::load(cx, path).await?,
        None => prepare::prepare(cx, &args.settings, Purpose::Deploy).await?,
    };
    if let Some(stack) = prepared.observed.stack.as_ref().filter(|_| prepared.plan.is_empty()) {
        cx.events.emit(Event::NoChanges { stack: cx.stack().to_owned() });
        cx.events.emit(Event::Outputs { outputs: stack.outputs.clone() });
        if args.no_smoke {
            return Ok(Exit::Success);
        }
        return smoke::prove_once(cx, stack, &smoke::Options::default()).await;
    }
    cx.events.emit(Event::Planned { plan: prepared.plan.clone() });
    let allowed = prepared::check_data_loss(&prepared.plan, args.allow_data_loss)
        .and_then(|()| adopt::check_accepted(&prepared.plan, args.accept_changes));
    let agreed = match allowed {
        Ok(()) => cx.confirm(&format!("deploy to {} in account {}?", cx.region(), prepared.observed.account)),
        refused => refused,
    };
    if let Err(refused) = agreed {
        if args.plan.is_none() {
            clean::discard(cx, &prepared).await;
        }
        return Err(refused);
    }
    let stack = execute(cx, &mut prepared).await?;
    attached::finish(cx, &prepared.attached, &prepared.observed).await?;
    cx.events.emit(Event::Outputs { outputs: stack.outputs.clone() });
    if args.no_smoke {
        return Ok(Exit::Success);
    }
    smoke::prove_and_record(cx, &stack, &smoke::Options::default()).await
}

/// Brings the stack to what was planned, and returns it.
async fn execute(cx: &Context, prepared: &mut Prepared) -> Result<Stack> {
    let unchanged = prepared.observed.stack.as_ref().filter(|_| prepared.plan.operation == Operation::None);
    if let Some(stack) = unchanged {
        return Ok(stack.clone());
    }
    attached::announce(cx, &prepared.attached, &prepared.observed.account).await?;
    // Old packages are removed while CloudFormation works: an update and its rollback need only the two that are kept.
    let stack = apply::run(cx, prepared, remove_unused_packages(cx, prepared)).await?;
    let Some(adoption) = prepared.adoption.take() else { return Ok(stack) };
    adopt::before_second_change_set(cx, &adoption, &prepared.observed.account).await?;
    apply::complete_adoption(cx, prepared, stack).await
}

/// Removes the packages that an update leaves unused; a stack that is being created has none.
async fn remove_unused_packages(cx: &Context, prepared: &Prepared) {
    let Some(stack) = &prepared.observed.stack else { return };
    let previous = stack.parameters.get("CodeKey").cloned();
    let current = names::package_key(cx.stack(), &prepared.package.sha256);
    let records = [SmokeRecord::key(cx.stack()), attached::journal_key(cx.stack())].map(Some);
    let kept = [Some(current), previous].into_iter().chain(records).collect::<Vec<_>>();
    clean::old_packages(cx, &prepared.package_bucket, &kept).await;
}

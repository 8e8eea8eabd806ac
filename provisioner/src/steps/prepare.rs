//! From settings and what stands to a plan: the shared first half of `up` and `plan`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::aws::artefacts;
use crate::aws::bucket::Bucket;
use crate::aws::change_set::{self, ChangeSet, Mode};
use crate::aws::quotas;
use crate::aws::stack::{self, Stack};
use crate::bootstrap::{self, Source};
use crate::cli::Context;
use crate::core::adopt::Adoption;
use crate::core::event::Event;
use crate::core::plan::{Operation, Plan};
use crate::core::status::{self, Command, Condition, Move};
use crate::core::template::{self, Template};
use crate::core::{concurrency, names, parameter, plan};
use crate::error::{Error, Exit, Result};
use crate::package::{Architecture, Package};
use crate::steps::preflight::{self, Listed, Observed};
use crate::steps::{adopt, apply};

/// What the system is to be like
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// Set a parameter of the template, as `RetentionDays=30`; what is not set stays as it is deployed. `ReservedConcurrency=auto` fits that
    /// one to the account's quota
    #[arg(long = "parameter", short = 'P', value_name = "NAME=VALUE", value_parser = assignment)]
    pub parameters: Vec<(String, String)>,
    /// Deploy this template instead of the built-in one
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// Use this executable (or a zip that holds one) as the function
    #[arg(long, value_name = "FILE")]
    pub bootstrap: Option<PathBuf>,
    /// Take the table and the bucket that exist under the names of `TableName` and `BucketName` into the stack, with what is in them; a later
    /// `down` deletes them unless it is given `--keep-data`
    #[arg(long)]
    pub adopt: bool,
    /// Do not wait until updated resources have settled; never where the stack is created or something is replaced
    #[arg(long)]
    pub express: bool,
    /// Also take back what was changed outside CloudFormation, in the console or by hand
    #[arg(long, conflicts_with_all = ["express", "adopt"])]
    pub revert_drift: bool,
}

fn assignment(text: &str) -> std::result::Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "it has the form NAME=VALUE".to_owned())
}

/// All that is needed to act.
#[derive(Debug)]
pub struct Prepared {
    /// What stands.
    pub observed: Observed,
    /// The template to deploy.
    pub template: Template,
    /// Every parameter with its value.
    pub parameters: BTreeMap<String, String>,
    /// The function.
    pub package: Package,
    /// Where the package goes.
    pub artefacts: Bucket,
    /// What will be done.
    pub plan: Plan,
    /// The change set that does it, where the stack exists or something is adopted.
    pub change_set: Option<ChangeSet>,
    /// What that change set imports; another one then follows it.
    pub adoption: Option<Adoption>,
}

/// Works out what `up` would do. With `upload` the package is stored while CloudFormation works out the change set.
///
/// # Errors
/// Wrong settings, a failed preflight or build, or a stack that cannot be updated.
pub async fn prepare(cx: &Context, settings: &Settings, upload: bool) -> Result<Prepared> {
    let template = load(settings)?;
    let region_listed = preflight::check_region(cx).await?;
    let (mut observed, source, package) = observe_and_package(cx, settings).await?;
    let step = settle(cx, &mut observed, if upload { Command::Up } else { Command::Plan }).await?;
    if settings.express && step != Move::Update {
        standard(cx, "the stack is created");
    }
    let artefacts = artefacts::bucket(&observed.account, cx.region());
    let mut parameters = parameters(cx, settings, &template, &observed, step, &source, &package);
    if region_listed == Listed::ByAwsOnly && parameters.contains_key(REGION_CHECK) {
        // The template's own list is as old as this program.
        parameters.insert(REGION_CHECK.to_owned(), "no".to_owned());
    }
    if parameters.get(RESERVED).is_some_and(|value| value == concurrency::AUTOMATIC) {
        let copies = reserve(cx, &observed).await;
        parameters.insert(RESERVED.to_owned(), copies.to_string());
    }
    let mut prepared = Prepared {
        observed,
        template,
        parameters,
        package,
        artefacts,
        plan: Plan::new(Operation::None, Vec::new()),
        change_set: None,
        adoption: None,
    };
    if settings.adopt {
        prepared.adoption = adopt::find(cx, &prepared, step).await?;
    }
    match step {
        Move::Update => plan_update(cx, settings, &mut prepared, upload).await?,
        _ => plan_create(cx, settings, &mut prepared, step, upload).await?,
    }
    Ok(prepared)
}

/// Looks at what stands while the function is packaged: for the processor that the user names, else the deployed one, else arm64.
async fn observe_and_package(cx: &Context, settings: &Settings) -> Result<(Observed, Source, Package)> {
    let named = architecture(cx, settings)?;
    let source =
        |architecture| Source { file: settings.bootstrap.clone(), architecture, for_this_machine: cx.local.is_some() };
    let guess = source(named.unwrap_or(Architecture::Arm64));
    let observing = preflight::observe(cx);
    tokio::pin!(observing);
    let mut packaging = Box::pin(bootstrap::package(&guess, &cx.events));
    let mut early = None;
    let observed = loop {
        tokio::select! {
            observed = &mut observing => break observed?,
            packaged = &mut packaging, if early.is_none() => early = Some(packaged),
        }
    };
    let deployed =
        observed.stack.as_ref().and_then(|stack| Architecture::of_name(stack.parameters.get("Architecture")?));
    if let Some(other) = deployed.filter(|deployed| named.is_none() && *deployed != guess.architecture) {
        // A build that goes on for the wrong processor would keep the right one waiting.
        drop(packaging);
        let source = source(other);
        let package = bootstrap::package(&source, &cx.events).await?;
        return Ok((observed, source, package));
    }
    let package = match early {
        Some(packaged) => packaged?,
        None => packaging.await?,
    };
    Ok((observed, source(guess.architecture), package))
}

/// Brings a stack to a state in which it can be created or updated: joins, continues, or refuses.
async fn settle(cx: &Context, observed: &mut Observed, command: Command) -> Result<Move> {
    loop {
        let Some(stack) = &observed.stack else { return Ok(Move::Create) };
        let step = first_step(stack, command)?;
        if step != Move::Create {
            preflight::check_owner(cx, stack).await?;
        }
        match step {
            Move::Join => {
                apply::join(cx, stack, command).await?;
                observed.joined = true;
            }
            Move::ContinueRollback => apply::continue_rollback(cx, stack).await?,
            Move::Refuse => return Err(stuck(cx, stack)),
            other => return Ok(other),
        }
        observed.stack = stack::describe(&cx.clients.cloudformation, cx.stack()).await?;
    }
}

fn stuck(cx: &Context, stack: &Stack) -> Error {
    let error = Error::new(format!("stack `{}` is stuck ({})", stack.name, stack.status)).exit(Exit::Blocked);
    let error = stack.reason.iter().fold(error, |error, reason| error.cause(reason.clone()));
    if stack.status == "UPDATE_ROLLBACK_FAILED" {
        return error.hint(format!("`{}` continues its rollback first", cx.command("up")));
    }
    error.hint("CloudFormation continues no rollback of an import: the stack must go").hint(format!(
        "`{}`, then `{}`",
        cx.command("down --keep-data"),
        cx.command("up --adopt")
    ))
}

fn standard(cx: &Context, because: &str) {
    cx.events.emit(Event::Warning { message: format!("standard mode instead of express: {because}"), hint: None });
}

/// What to do first with a stack.
///
/// # Errors
/// Its status is unknown to this version.
pub fn first_step(stack: &Stack, command: Command) -> Result<Move> {
    status::condition(&stack.status).map(|condition: Condition| status::next_move(condition, command)).ok_or_else(
        || {
            Error::new(format!(
                "stack `{}` has the status `{}`, which this version does not know",
                stack.name, stack.status
            ))
            .exit(Exit::Blocked)
            .hint("a newer version of provisioner may")
        },
    )
}

fn load(settings: &Settings) -> Result<Template> {
    let (name, body) = match &settings.template {
        None => ("the built-in template".to_owned(), template::BUILT_IN.to_owned()),
        Some(path) => {
            let body = std::fs::read_to_string(path).map_err(|error| {
                Error::new(format!("cannot read template `{}`", path.display())).because(&error).exit(Exit::Usage)
            })?;
            (format!("template `{}`", path.display()), body)
        }
    };
    let template = template::read(&body).map_err(|error| {
        Error::new(format!("cannot use {name}"))
            .because(&error)
            .exit(Exit::Usage)
            .hint("`provisioner template` prints the built-in one to start from")
    })?;
    for (name, _) in &settings.parameters {
        if OURS.contains(&name.as_str()) {
            return Err(Error::new(format!("parameter `{name}` is set by provisioner itself"))
                .exit(Exit::Usage)
                .hint("`--bootstrap FILE` deploys another function"));
        }
        if !template.parameters.contains_key(name) {
            let known: Vec<&str> = template.parameters.keys().map(String::as_str).collect();
            return Err(Error::new(format!("the template has no parameter `{name}`"))
                .exit(Exit::Usage)
                .hint(format!("it has {}", known.join(", "))));
        }
    }
    for (name, value) in &settings.parameters {
        if name == RESERVED && value == concurrency::AUTOMATIC {
            continue;
        }
        if let Some(problem) = template.declaration(name).and_then(|declared| parameter::problem(declared, value)) {
            return Err(Error::new(format!("parameter `{name}` is `{value}`: it {problem}")).exit(Exit::Usage));
        }
    }
    Ok(template)
}

/// The processor that the user names, or that this machine's local cloud has.
fn architecture(cx: &Context, settings: &Settings) -> Result<Option<Architecture>> {
    let named =
        settings.parameters.iter().rev().find(|(name, _)| name == "Architecture").map(|(_, value)| value.as_str());
    match named {
        // Local functions run as processes of this machine.
        _ if cx.local.is_some() => Ok(Some(Architecture::of_this_machine())),
        None => Ok(None),
        Some(name) => Architecture::of_name(name).map(Some).ok_or_else(|| {
            Error::new(format!("`Architecture` is `{name}`")).exit(Exit::Usage).hint("it is `arm64` or `x86_64`")
        }),
    }
}

/// Where the package is: this program puts it there.
const OURS: [&str; 2] = ["CodeBucket", "CodeKey"];

/// The parameter that sets the template's own list of regions aside.
const REGION_CHECK: &str = "RegionCheck";

/// The parameter that may be worked out here.
const RESERVED: &str = "ReservedConcurrency";

/// How many copies of the function may run at once in this account and region. Where that cannot be worked out, what is deployed stays; -1,
/// which sets no limit, is for a stack that had none.
async fn reserve(cx: &Context, observed: &Observed) -> i32 {
    let asked = tokio::try_join!(quotas::detect_faces(&cx.clients, cx.region()), quotas::concurrency(&cx.clients));
    let held = observed.stack.as_ref().and_then(|stack| stack.parameters.get(RESERVED)?.parse::<i32>().ok());
    let chosen =
        asked.map_err(|error| format!("{error}: {}", error.causes.join(", "))).and_then(|(rate, (_, free))| {
            // What the function holds already is free for it.
            let copies = concurrency::reserve(rate, free.saturating_add(held.unwrap_or_default().max(0)))?;
            Ok((copies, rate.unwrap_or_default()))
        });
    match chosen {
        Ok((copies, requests_a_second)) => {
            cx.events.emit(Event::ConcurrencyChosen { copies, requests_a_second });
            copies
        }
        Err(reason) => {
            let held = held.unwrap_or(-1);
            let limit = if held < 0 {
                "the function gets no limit of its own".to_owned()
            } else {
                format!("the limit of {held} copies stays")
            };
            cx.events.emit(Event::Warning {
                message: format!("{limit}: {reason}"),
                hint: Some("`--parameter FailureQueue=yes` keeps what a burst of uploads makes fail".into()),
            });
            held
        }
    }
}

/// Default, then what is deployed, then what this run decides, then what the user sets.
fn parameters(
    cx: &Context,
    settings: &Settings,
    template: &Template,
    observed: &Observed,
    step: Move,
    source: &Source,
    package: &Package,
) -> BTreeMap<String, String> {
    let deployed = observed.stack.as_ref().filter(|_| step == Move::Update);
    let mut values: BTreeMap<String, String> =
        template.parameters.iter().filter_map(|(name, default)| Some((name.clone(), default.clone()?))).collect();
    values.insert("BucketPrefix".into(), names::bucket_prefix(cx.stack()));
    if cx.local.is_some() {
        // The local cloud speaks plain HTTP, and so does the function in it.
        values.insert("TlsOnly".into(), "no".into());
    }
    if let Some(stack) = deployed {
        values.extend(stack.parameters.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    values.insert("Architecture".into(), source.architecture.name().into());
    values.insert("CodeBucket".into(), names::artefact_bucket(&observed.account, cx.region()));
    values.insert("CodeKey".into(), names::artefact_key(cx.stack(), &package.sha256));
    values.extend(settings.parameters.iter().cloned());
    values.retain(|name, _| template.parameters.contains_key(name));
    values
}

async fn plan_create(
    cx: &Context,
    settings: &Settings,
    prepared: &mut Prepared,
    step: Move,
    upload: bool,
) -> Result<()> {
    let operation = if step == Move::DeleteThenCreate { Operation::Recreate } else { Operation::Create };
    let (account, partition) = (prepared.observed.account.clone(), prepared.observed.partition.clone());
    let table = prepared.parameters.get("TableName").cloned().unwrap_or_default();
    let bucket = bucket_name(&prepared.parameters, &account, cx.region());
    if step == Move::Create && !settings.adopt {
        preflight::check_clashes(cx, &table, &bucket).await?;
    }
    if prepared.adoption.is_some() {
        // Only a change set can import.
        return make_change_set(cx, settings, prepared, Operation::Create, upload).await;
    }
    prepared.plan = Plan::create(operation, prepared.template.resources(&prepared.parameters, cx.region(), &partition));
    Ok(())
}

async fn plan_update(cx: &Context, settings: &Settings, prepared: &mut Prepared, upload: bool) -> Result<()> {
    let stack = prepared.observed.stack.as_ref().expect("an update has a stack");
    let same_parameters = stack.parameters == prepared.parameters;
    let healthy = status::condition(&stack.status) == Some(Condition::Ready);
    if same_parameters && healthy && !settings.revert_drift {
        let deployed = stack::template(&cx.clients.cloudformation, cx.stack()).await?;
        if deployed.trim_end() == prepared.template.body.trim_end() {
            return Ok(());
        }
    }
    make_change_set(cx, settings, prepared, Operation::Update, upload).await
}

async fn make_change_set(
    cx: &Context,
    settings: &Settings,
    prepared: &mut Prepared,
    operation: Operation,
    upload: bool,
) -> Result<()> {
    let client = &cx.clients.cloudformation;
    let mut request = change_set::Request {
        stack: cx.stack(),
        template: prepared.adoption.as_ref().map_or(&prepared.template.body, |adoption| &adoption.body),
        parameters: &prepared.parameters,
        import_existing: prepared.adoption.is_some(),
        create: operation == Operation::Create,
        mode: match operation {
            Operation::Update if settings.express => Mode::Express,
            Operation::Update if settings.revert_drift => Mode::RevertDrift,
            _ => Mode::Standard,
        },
    };
    if !upload && operation == Operation::Update {
        // `up` needs no sweeping: the execution of one change set removes all others. Plans pile up.
        let _ = change_set::sweep(client, cx.stack()).await;
    }
    let storing = async { if upload { store(cx, prepared).await } else { Ok(()) } };
    // Not one that drops the other: an upload that is cut off could leave its new bucket half made.
    let (made, stored) = tokio::join!(change_set::create(client, &request), storing);
    stored?;
    let mut change_set = made?;
    if request.mode == Mode::Express && change_set.changes.iter().any(|change| change.action.may_replace()) {
        standard(cx, "the plan replaces something");
        change_set::discard(client, &change_set.id).await;
        request.mode = Mode::Standard;
        change_set = change_set::create(client, &request).await?;
    }
    if request.mode == Mode::RevertDrift && !change_set.reverts_drift {
        cx.events.emit(Event::Warning {
            message:
                "this endpoint knows no change sets that revert drift: what was changed outside CloudFormation stays as it is"
                    .into(),
            hint: Some(format!("`{}` shows it", cx.command("status --drift"))),
        });
    }
    if change_set.nothing {
        return match &prepared.observed.stack {
            Some(stack) if status::condition(&stack.status) == Some(Condition::UpdateFailed) => {
                Err(Error::new(format!("stack `{}` stopped in the middle of an update (UPDATE_FAILED)", stack.name))
                    .cause("template and parameters are as they were then, so there is nothing new to try")
                    .exit(Exit::Blocked)
                    .hint("another function or parameter is something new to try")
                    .hint(format!(
                        "`aws cloudformation rollback-stack --region {} --stack-name {}` takes it back, unless it was an update in express mode",
                        cx.region(),
                        stack.name
                    )))
            }
            _ => Ok(()),
        };
    }
    prepared.plan = Plan::new(operation, change_set.changes.clone());
    adopt::announce_later(prepared);
    prepared.change_set = Some(change_set);
    Ok(())
}

/// Stores the package in its bucket.
///
/// # Errors
/// Any failure of the upload.
pub async fn store(cx: &Context, prepared: &Prepared) -> Result<()> {
    let key = names::artefact_key(cx.stack(), &prepared.package.sha256);
    let stored = artefacts::store(
        &cx.clients.s3,
        &prepared.artefacts,
        &key,
        &prepared.package.zip,
        &prepared.observed.partition,
        cx.region(),
    )
    .await?;
    if stored.bucket_created {
        cx.events.emit(Event::ArtefactBucketCreated { bucket: prepared.artefacts.name.clone() });
    }
    cx.events.emit(Event::ArtefactStored { bucket: prepared.artefacts.name.clone(), key, uploaded: true });
    Ok(())
}

/// The name that the template computes for the bucket of pictures.
#[must_use]
pub fn bucket_name(parameters: &BTreeMap<String, String>, account: &str, region: &str) -> String {
    let given = parameters.get("BucketName").map(String::as_str).unwrap_or_default();
    if !given.is_empty() {
        return given.to_owned();
    }
    let prefix = parameters.get("BucketPrefix").map(String::as_str).unwrap_or_default();
    format!("{prefix}-{account}-{region}-an")
}

/// Refuses a plan that removes or replaces bucket or table.
///
/// # Errors
/// Data would be lost and nobody said that this is meant.
pub fn check_data_loss(plan: &plan::Plan, allowed: bool) -> Result<()> {
    let lost = plan.data_loss();
    if lost.is_empty() || allowed {
        return Ok(());
    }
    let names: Vec<String> = lost.iter().map(|change| format!("`{}`", change.logical_id)).collect();
    Err(Error::new(format!("this would remove or replace {} and lose what is in it", names.join(" and ")))
        .exit(Exit::Refused)
        .hint("if that is meant, add `--allow-data-loss` to `up`"))
}

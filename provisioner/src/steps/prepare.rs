//! Makes a plan from the settings and the current state: the first half of `up`, and all of `plan`.

use crate::aws::packages;
use crate::aws::stack::{self, Stack};
use crate::bootstrap;
use crate::context::Context;
use crate::core::adopt::{Declared, declared};
use crate::core::event::{Event, NoExpress};
use crate::core::first_step::{Command, Condition, FirstStep};
use crate::core::hint::Hint;
use crate::core::names;
use crate::core::plan::{Operation, Plan};
use crate::core::status::StackStatus;
use crate::core::template::Template;
use crate::error::{Error, Exit, Result};
use crate::package::{Architecture, Package};
use crate::steps::data::Data;
use crate::steps::parameters::{self, Inputs};
use crate::steps::preflight::{self, Observed};
use crate::steps::prepared::{self, CODE_KEY, Prepared, Purpose};
use crate::steps::settings::{self, Loaded, Settings};
use crate::steps::{adopt, attached, failed_creation, operation, rekognition};

/// Computes what `up` would do.
pub async fn prepare(cx: &Context, settings: &Settings, purpose: Purpose) -> Result<Prepared> {
    let mut loaded = settings::load(settings)?;
    let rekognition = rekognition::choose(cx, &loaded).await?;
    loaded.parameters.extend(rekognition.accepted.map(|other| (rekognition::PARAMETER.to_owned(), other)));
    let (mut observed, architecture, package) = observe_and_package(cx, settings, &loaded).await?;
    let step =
        settle(cx, settings, &mut observed, if purpose == Purpose::Deploy { Command::Up } else { Command::Plan })
            .await?;
    if settings.express && step != FirstStep::Update {
        cx.events.emit(Event::ExpressUnavailable { reason: NoExpress::NewStack });
    }
    let inputs = Inputs {
        loaded: &loaded,
        observed: &observed,
        is_update: step == FirstStep::Update,
        architecture,
        package: &package,
        skip_region_check: rekognition.by_aws_only,
    };
    let mut parameters = parameters::values(cx, inputs).await;
    let deployed = if step == FirstStep::Update { prepared::deployed_template(cx).await? } else { None };
    let attached;
    (loaded.template, attached) = attached::plan(cx, settings, &loaded.template, &observed, deployed.as_ref()).await?;
    attached::check_own(&loaded.template.scope(&parameters, observed.target(cx)), &attached)?;
    let adoption = if settings.adopt {
        let inputs =
            adopt::Inputs { template: &loaded.template, chosen: &loaded.parameters, observed: &observed, step };
        adopt::find(cx, inputs, &mut parameters).await?
    } else {
        None
    };
    preflight::check_key_prefix(cx, &parameters);
    let deployed_tags = observed.stack.as_ref().map(|stack| stack.tags.clone()).unwrap_or_default();
    let mut prepared = Prepared {
        package_bucket: packages::bucket(&observed.account, cx.region()),
        observed,
        template: loaded.template,
        parameters,
        tags: names::tags(&deployed_tags, &settings.tags, &settings.untags),
        bucket_tags: settings.tags.clone(),
        bucket_untags: settings.untags.clone(),
        role: settings.role_arn.clone(),
        package,
        remains: Data::default(),
        plan: Plan::new(Operation::None, Vec::new()),
        change_set: None,
        adoption,
        attached,
    };
    match step {
        FirstStep::Update => plan_update(cx, settings, &mut prepared, deployed.as_ref(), purpose).await?,
        _ => plan_create(cx, settings, &mut prepared, step, purpose).await?,
    }
    prepared.plan.switches = attached::switches(cx, &prepared).await;
    Ok(prepared)
}

/// Observes the state and packages the function in parallel. The architecture is the one that the user names, otherwise
/// the deployed one, otherwise arm64.
async fn observe_and_package(
    cx: &Context,
    settings: &Settings,
    loaded: &Loaded,
) -> Result<(Observed, Architecture, Package)> {
    let named = settings::architecture(cx, &loaded.parameters)?;
    let source = |architecture| settings.function.source(architecture, cx.local.is_some());
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
        // A build for the wrong architecture would delay the right one.
        drop(packaging);
        let source = source(other);
        let package = bootstrap::package(&source, &cx.events).await?;
        return Ok((observed, other, package));
    }
    let package = match early {
        Some(packaged) => packaged?,
        None => packaging.await?,
    };
    Ok((observed, guess.architecture, package))
}

/// Waits until the stack can be created or updated; continues a failed rollback, or refuses.
async fn settle(cx: &Context, settings: &Settings, observed: &mut Observed, command: Command) -> Result<FirstStep> {
    loop {
        let Some(stack) = &observed.stack else { return Ok(FirstStep::Create) };
        let step = preflight::first_step(stack, command)?;
        if step != FirstStep::Create {
            preflight::check_owner(cx, stack).await?;
        }
        match step {
            FirstStep::Join => {
                operation::join(cx, stack, command).await?;
                observed.joined = true;
            }
            FirstStep::ContinueRollback => operation::continue_rollback(cx, stack, settings.role_arn.as_ref()).await?,
            FirstStep::Refuse => return Err(stuck(stack)),
            other => return Ok(other),
        }
        observed.stack = stack::describe(&cx.clients.cloudformation, cx.stack()).await?;
    }
}

fn stuck(stack: &Stack) -> Error {
    let error = Error::new(format!("stack `{}` is stuck ({})", stack.name, stack.status)).exit(Exit::Blocked);
    let error = stack.reason.iter().fold(error, |error, reason| error.cause(reason.clone()));
    if stack.status == StackStatus::UpdateRollbackFailed {
        return error.hint(Hint::command("up").then(" continues its rollback first"));
    }
    error
        .hint("CloudFormation cannot continue the rollback of an import, so the stack must be deleted")
        .hint(Hint::command("down --keep-data").then(", then ").then_command("up --adopt"))
}

async fn plan_create(
    cx: &Context,
    settings: &Settings,
    prepared: &mut Prepared,
    step: FirstStep,
    purpose: Purpose,
) -> Result<()> {
    let mut operation = if step == FirstStep::DeleteThenCreate { Operation::Recreate } else { Operation::Create };
    let named = declared(&prepared.template.scope(&prepared.parameters, prepared.observed.target(cx)));
    if step == FirstStep::Create
        && !settings.adopt
        && let Err(clash) = preflight::check_clashes(cx, &named, &Data::default()).await
    {
        check_overtaken(cx).await?;
        prepared.remains = remains(cx, &named, clash).await?;
        operation = Operation::Recreate;
    }
    if step == FirstStep::Create && prepared.remains.is_empty() {
        let scope = prepared.template.scope(&prepared.parameters, prepared.observed.target(cx));
        if let Err(clash) = preflight::check_taken(cx, &scope).await {
            check_overtaken(cx).await?;
            return Err(clash);
        }
    }
    if prepared.adoption.is_some() || purpose == Purpose::Save {
        // Only a change set can import, and only a change set can be saved.
        return prepared::make_change_set(cx, settings, prepared, Operation::Create, purpose).await;
    }
    let scope = prepared.template.scope(&prepared.parameters, prepared.observed.target(cx));
    let resources = scope.resources().into_iter().map(|resource| (resource.logical_id, resource.resource_type));
    prepared.plan = Plan::create(operation, resources);
    Ok(())
}

/// Whether the resources that already exist belong to a stack that somebody has created since this run looked.
async fn check_overtaken(cx: &Context) -> Result<()> {
    match stack::describe(&cx.clients.cloudformation, cx.stack()).await? {
        None => Ok(()),
        Some(stack) => Err(Error::new(format!("somebody else has just created stack `{}`", stack.name))
            .exit(Exit::Blocked)
            .hint(Hint::command("up").then(" follows that deployment and then updates the stack"))),
    }
}

async fn plan_update(
    cx: &Context,
    settings: &Settings,
    prepared: &mut Prepared,
    deployed: Option<&Template>,
    purpose: Purpose,
) -> Result<()> {
    let stack = prepared.observed.stack.as_ref().expect("an update has a stack");
    let changed = prepared::changed_parameters(&stack.parameters, &prepared.parameters);
    let healthy = Condition::of(&stack.status) == Some(Condition::Ready);
    let same_tags = names::tags(&stack.tags, &[], &[]) == prepared.tags;
    let comparable = healthy && same_tags && prepared.role.is_none() && !settings.revert_drift;
    if comparable && changed.iter().all(|name| *name == CODE_KEY) {
        let same_template =
            deployed.is_some_and(|deployed| deployed.body.trim_end() == prepared.template.body.trim_end());
        match changed.first() {
            None if same_template => return Ok(()),
            Some(_)
                if same_template && purpose != Purpose::Save && !settings.express && prepared.adoption.is_none() =>
            {
                return prepared::plan_package_update(prepared);
            }
            _ => {}
        }
    }
    prepared::make_change_set(cx, settings, prepared, Operation::Update, purpose).await
}

/// What a failed creation left under the names that this one needs, provided that nothing is in it.
async fn remains(cx: &Context, named: &[Declared], clash: Error) -> Result<Data> {
    let left = failed_creation::find(cx).await?;
    if left.is_empty() || preflight::check_clashes(cx, named, &left).await.is_err() {
        return Err(clash);
    }
    if !failed_creation::is_empty(cx, &left).await? {
        return Err(clash.cause("an earlier creation of this stack failed and left it, but it is not empty"));
    }
    Ok(left)
}

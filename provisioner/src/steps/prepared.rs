//! A plan with everything that is needed to execute it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::aws::bucket::Bucket;
use crate::aws::change_set::{self, ChangeSet, Mode};
use crate::aws::packages;
use crate::aws::stack;
use crate::context::Context;
use crate::core::adopt::Adoption;
use crate::core::attach::Attached;
use crate::core::error_code::Code;
use crate::core::event::{Event, NoExpress};
use crate::core::first_step::Condition;
use crate::core::hint::Hint;
use crate::core::names;
use crate::core::plan::{Action, Change, Operation, Plan, Property};
use crate::core::template::{self, Template};
use crate::error::{Error, Exit, Result};
use crate::package::Package;
use crate::steps::adopt;
use crate::steps::data::Data;
use crate::steps::preflight::Observed;
use crate::steps::settings::Settings;

/// The parameter that names the package.
pub const CODE_KEY: &str = "CodeKey";

/// The purpose of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// This run executes it.
    Deploy,
    /// It is only shown.
    Preview,
    /// It is saved to a file, and a later run executes it.
    Save,
}

/// A plan with everything that is needed to execute it.
#[derive(Debug)]
pub struct Prepared {
    /// The state before the run.
    pub observed: Observed,
    /// The template to deploy.
    pub template: Template,
    /// Every parameter with its value.
    pub parameters: BTreeMap<String, String>,
    /// Every tag of the stack.
    pub tags: BTreeMap<String, String>,
    /// The tags that the user sets on the bucket for packages.
    pub bucket_tags: Vec<(String, String)>,
    /// The keys of the tags that the user removes from the bucket for packages.
    pub bucket_untags: Vec<String>,
    /// The service role that CloudFormation acts with, if the user named one.
    pub role: Option<String>,
    /// The function.
    pub package: Package,
    /// The bucket for packages.
    pub package_bucket: Bucket,
    /// The empty bucket and table that a failed creation left, to be deleted first.
    pub remains: Data,
    /// The plan.
    pub plan: Plan,
    /// The change set to execute, if the stack exists or resources are adopted.
    pub change_set: Option<ChangeSet>,
    /// The resources that this change set imports; a second change set follows.
    pub adoption: Option<Adoption>,
    /// The attached buckets.
    pub attached: Attached,
}

/// The template of the deployed stack; `None` if this program cannot read it.
pub async fn deployed_template(cx: &Context) -> Result<Option<Template>> {
    let body = stack::template(&cx.clients.cloudformation, cx.stack()).await?;
    Ok(template::read(&body).ok())
}

/// The names of the parameters whose values differ.
#[must_use]
pub fn changed_parameters<'a>(
    before: &'a BTreeMap<String, String>,
    after: &'a BTreeMap<String, String>,
) -> Vec<&'a str> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names.into_iter().filter(|name| before.get(*name) != after.get(*name)).map(String::as_str).collect()
}

/// Plans an update that changes only the package. It keeps the template and all other values, so it needs no change
/// set.
pub fn plan_package_update(prepared: &mut Prepared) -> Result<()> {
    let before = prepared.observed.stack.as_ref().and_then(|stack| stack.parameters.get(CODE_KEY).cloned());
    let functions = prepared.template.of_type("AWS::Lambda::Function");
    let change = |logical_id| Change {
        action: Action::Modify,
        logical_id,
        resource_type: "AWS::Lambda::Function".to_owned(),
        policy_action: None,
        properties: vec![Property {
            path: "/Properties/Code/S3Key".to_owned(),
            before: before.clone(),
            after: prepared.parameters.get(CODE_KEY).cloned(),
            recreates: false,
            effect: None,
        }],
    };
    prepared.plan = Plan::new(Operation::Update, functions.into_iter().map(change).collect());
    Ok(())
}

/// Creates the change set and sets the plan to its changes. Unless it is only a preview, the package is stored in
/// parallel.
pub async fn make_change_set(
    cx: &Context,
    settings: &Settings,
    prepared: &mut Prepared,
    operation: Operation,
    purpose: Purpose,
) -> Result<()> {
    let client = &cx.clients.cloudformation;
    let mut request = change_set::Request {
        stack: cx.stack(),
        template: prepared.adoption.as_ref().map_or(&prepared.template.body, |adoption| &adoption.body),
        parameters: &prepared.parameters,
        import_existing: prepared.adoption.is_some(),
        create: operation == Operation::Create,
        tags: &prepared.tags,
        role: prepared.role.as_deref(),
        saved: purpose == Purpose::Save,
        mode: match operation {
            Operation::Update if settings.express => Mode::Express,
            Operation::Update if settings.revert_drift => Mode::RevertDrift,
            _ => Mode::Standard,
        },
    };
    if purpose != Purpose::Deploy && operation == Operation::Update {
        // `up` does not need this, because the execution of a change set deletes all others.
        let _ = change_set::sweep(client, cx.stack()).await;
    }
    let storing = async { if purpose == Purpose::Preview { Ok(()) } else { store(cx, prepared).await } };
    // Both run to their end: an interrupted upload could leave a new bucket without its policy.
    let (made, stored) = tokio::join!(change_set::create(client, &request), storing);
    stored?;
    let mut change_set = made?;
    if request.mode == Mode::Express && change_set.changes.iter().any(|change| change.action.may_replace()) {
        cx.events.emit(Event::ExpressUnavailable { reason: NoExpress::Replacement });
        change_set::discard(client, &change_set.id).await;
        request.mode = Mode::Standard;
        change_set = change_set::create(client, &request).await?;
    }
    if request.mode == Mode::RevertDrift && !change_set.reverts_drift {
        cx.events.emit(Event::DriftRevertUnsupported);
    }
    if change_set.nothing {
        return match &prepared.observed.stack {
            Some(stack) if Condition::of(&stack.status) == Some(Condition::UpdateFailed) => {
                Err(Error::new(format!("stack `{}` stopped in the middle of an update (UPDATE_FAILED)", stack.name))
                    .cause("the template and the parameters have not changed since then, so there is nothing to update")
                    .exit(Exit::Blocked)
                    .hint("change a parameter or the function, then run the command again")
                    .hint(
                        Hint::shell(["aws", "cloudformation", "rollback-stack", "--stack-name", &stack.name])
                            .then(" rolls the stack back, unless the update used express mode"),
                    ))
            }
            _ => Ok(()),
        };
    }
    drop_absent(cx, prepared, &mut change_set.changes);
    prepared.plan = Plan::new(operation, change_set.changes.clone());
    if let Some(adoption) = &prepared.adoption {
        adopt::announce(&mut prepared.plan, adoption);
    }
    prepared.change_set = Some(change_set);
    Ok(())
}

/// Stores the package in its bucket.
pub async fn store(cx: &Context, prepared: &Prepared) -> Result<()> {
    let key = names::package_key(cx.stack(), &prepared.package.sha256);
    let place = packages::Place {
        bucket: &prepared.package_bucket,
        partition: &prepared.observed.partition,
        region: cx.region(),
        tls_only: !cx.clients.plain_http,
        tags: &prepared.bucket_tags,
        untags: &prepared.bucket_untags,
    };
    let zip = &prepared.package.zip;
    let (events, of) = (cx.events.clone(), zip.len());
    let report = Arc::new(move |sent| events.emit(Event::PackageUploading { sent, of }));
    let stored = packages::store(&cx.clients.s3, place, &key, zip, report).await?;
    if stored.bucket_created {
        cx.events.emit(Event::PackageBucketCreated { bucket: prepared.package_bucket.name.clone() });
    }
    cx.events.emit(Event::PackageStored { bucket: prepared.package_bucket.name.clone(), key });
    Ok(())
}

/// Removes changes of resources whose condition does not hold. An emulator can list them although it does not create
/// them.
fn drop_absent(cx: &Context, prepared: &Prepared, changes: &mut Vec<Change>) {
    let present = prepared.template.scope(&prepared.parameters, prepared.observed.target(cx)).resources();
    changes.retain(|change| {
        change.action == Action::Remove || present.iter().any(|resource| resource.logical_id == change.logical_id)
    });
}

/// Refuses a plan that removes or replaces the bucket or the table.
pub fn check_data_loss(plan: &Plan, allowed: bool) -> Result<()> {
    let lost = plan.data_loss();
    if lost.is_empty() || allowed {
        return Ok(());
    }
    let names: Vec<String> = lost.iter().map(|change| format!("`{}`", change.logical_id)).collect();
    Err(Error::new(format!("this would delete or replace {} and lose its contents", names.join(" and ")))
        .exit(Exit::Refused)
        .code(Code::DataLoss)
        .hint("to proceed, add `--allow-data-loss` to `up`"))
}

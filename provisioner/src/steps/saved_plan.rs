//! Saved plans: `plan --out` writes a plan to a file, and `up --plan` executes exactly this plan.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use crate::aws::bucket::{self, Read};
use crate::aws::{change_set, packages, stack};
use crate::context::Context;
use crate::core::event::Event;
use crate::core::hint::Hint;
use crate::core::names::sha256;
use crate::core::plan::{Operation, Plan};
use crate::core::saved_plan::{Found, SavedPlan, VERSION};
use crate::core::template;
use crate::error::{Error, Exit, Result};
use crate::file;
use crate::package::Package;
use crate::steps::data::Data;
use crate::steps::prepared::{self, CODE_KEY, Prepared};
use crate::steps::{attached, preflight};

/// Lambda allows packages of up to 50 MB.
const MAX_PACKAGE_BYTES: u64 = 52_428_800;

/// Writes the plan to a file atomically.
pub fn write(cx: &Context, path: &Path, prepared: &Prepared) -> Result<()> {
    let path = cx.own_file(path);
    let observed = prepared.observed.stack.as_ref().map(|stack| stack.id.clone());
    let planned = prepared.change_set.as_ref().map(|change_set| change_set.stack_id.clone());
    let plan = SavedPlan {
        version: VERSION,
        account: prepared.observed.account.clone(),
        region: cx.region().to_owned(),
        stack: cx.stack().to_owned(),
        stack_id: planned.or(observed).unwrap_or_default(),
        creates: prepared.plan.operation == Operation::Create,
        change_set: prepared.change_set.as_ref().map(|change_set| change_set.id.clone()),
        parameters: prepared.parameters.clone(),
        template_sha256: sha256(prepared.template.body.as_bytes()),
        package_sha256: prepared.package.sha256.clone(),
    };
    let text =
        serde_json::to_string_pretty(&plan).map_err(|error| Error::new("cannot write the plan").because(&error))?;
    let written = tempfile::NamedTempFile::new_in(file::folder(&path)).and_then(|mut written| {
        writeln!(written, "{text}")?;
        written.as_file().sync_all()?;
        written.persist(&path).map(|_| ()).map_err(|error| error.error)
    });
    written.map_err(|error| {
        Error::new(format!("cannot write `{}`", path.display())).because(&file::without_temporary_name(&error))
    })?;
    cx.events.emit(Event::PlanSaved { file: path.display().to_string() });
    Ok(())
}

/// Reads a plan and checks that it can still be executed exactly as planned.
///
/// # Errors
/// The file is not a plan, or the state differs from the planned one.
pub async fn load(cx: &Context, path: &Path) -> Result<Prepared> {
    let path = cx.own_file(path);
    let plan = read(&path)?;
    let client = &cx.clients.cloudformation;
    let observed = preflight::observe(cx).await?;
    if let Some(stack) = &observed.stack {
        preflight::check_owner(cx, stack).await?;
    }
    let (saved, body) = match &plan.change_set {
        Some(id) => (change_set::saved(client, id).await?, stack::template_of_change_set(client, id).await?),
        None => (None, None),
    };
    let package_bucket = packages::bucket(&observed.account, cx.region());
    let key = plan.parameters.get(CODE_KEY).cloned().unwrap_or_default();
    let stored = match bucket::read(&cx.clients.s3, &package_bucket.name, &key, None, MAX_PACKAGE_BYTES).await? {
        Read::Bytes(zip, _) => Some(zip.to_vec()),
        _ => None,
    };
    let parameters = saved.as_ref().map(|saved| saved.parameters.clone()).unwrap_or_default();
    let differences = plan.differences(&Found {
        account: &observed.account,
        region: cx.region(),
        stack: cx.stack(),
        stack_id: observed.stack.as_ref().map(|stack| stack.id.as_str()),
        template_sha256: saved.as_ref().and(body.as_ref()).map(|body| sha256(body.as_bytes())).as_deref(),
        parameters: &parameters,
        package_sha256: stored.as_ref().map(|zip| sha256(zip)).as_deref(),
    });
    if !differences.is_empty() {
        return Err(differences
            .into_iter()
            .fold(Error::new(format!("plan `{}` is out of date", path.display())), Error::cause)
            .exit(Exit::Refused)
            .hint(Hint::command("plan --out").arg(path.display().to_string()).then(" makes a new plan")));
    }
    let (change_set, operation) = match saved {
        Some(saved) => (Some(saved.change_set), if plan.creates { Operation::Create } else { Operation::Update }),
        None => (None, Operation::None),
    };
    let changes = change_set.as_ref().map(|change_set| change_set.changes.clone()).unwrap_or_default();
    let deployed = if plan.creates { None } else { prepared::deployed_template(cx).await? };
    let template = match (body, &deployed) {
        (Some(body), _) => {
            template::read(&body).map_err(|error| Error::new("cannot use the plan's template").because(&error))?
        }
        // A plan without changes.
        (None, Some(deployed)) => deployed.clone(),
        (None, None) => return Err(Error::new(format!("the template of stack `{}` cannot be read", cx.stack()))),
    };
    let attached = attached::change(cx, &observed, &template, deployed.as_ref()).await;
    let mut prepared = Prepared {
        observed,
        template,
        parameters: plan.parameters,
        tags: BTreeMap::new(),
        bucket_tags: Vec::new(),
        bucket_untags: Vec::new(),
        role: None,
        package: Package::of_zip(stored.unwrap_or_default()),
        package_bucket,
        remains: Data::default(),
        plan: Plan::new(operation, changes),
        change_set,
        adoption: None,
        attached,
    };
    prepared.plan.switches = attached::switches(cx, &prepared).await;
    Ok(prepared)
}

fn read(path: &Path) -> Result<SavedPlan> {
    let failed = |error: &(dyn std::error::Error + 'static)| {
        Error::new(format!("cannot use `{}` as a plan", path.display()))
            .because(error)
            .exit(Exit::Usage)
            .hint(Hint::command("plan --out FILE").then(" writes a plan"))
    };
    let text = file::read_text(path).map_err(|error| failed(&error))?;
    let plan: SavedPlan = serde_json::from_str(&text).map_err(|error| failed(&error))?;
    if plan.version == VERSION {
        return Ok(plan);
    }
    Err(Error::new(format!(
        "plan `{}` has format version {}, but this program reads version {VERSION}",
        path.display(),
        plan.version
    ))
    .exit(Exit::Usage)
    .hint("use the same version of provisioner for `plan --out` and `up --plan`"))
}

//! Finds out whether everything can be removed, before anything is.
//!
//! Invariant: nothing is changed. What cannot be asked is no obstacle: the removal itself then tells.

use futures_util::future::{join_all, try_join_all};

use crate::aws::stack::Stack;
use crate::aws::{bucket, object_lock, rights, table};
use crate::context::Context;
use crate::core::hint::Hint;
use crate::core::policy::{self, Holder, Purpose, Scope};
use crate::core::{names, template};
use crate::error::{Error, Exit, Result};
use crate::steps::data::Data;
use crate::steps::preflight::Observed;

/// Why something cannot be removed, and what to do.
struct Obstacle {
    cause: String,
    remedy: Hint,
}

/// What is to be removed.
#[derive(Clone, Copy, Debug)]
pub struct Removal<'a> {
    /// The stack.
    pub stack: &'a Stack,
    /// What is not kept.
    pub data: &'a Data,
    /// The service role that the user names.
    pub role: Option<&'a String>,
}

/// Checks that the stack and its data can be removed.
///
/// # Errors
/// Something cannot be removed, or a service does not answer.
pub async fn check(cx: &Context, observed: &Observed, removal: Removal<'_>) -> Result<()> {
    let Removal { stack, data, .. } = removal;
    let (tables, locks, permissions) =
        tokio::join!(protected_tables(cx, data), locked_objects(cx, data), denied_actions(cx, observed, removal));
    let obstacles: Vec<Obstacle> = tables?.into_iter().chain(locks?).chain(permissions).collect();
    if obstacles.is_empty() {
        return Ok(());
    }
    let error = Error::new(format!("stack `{}` cannot be removed completely, so nothing was removed", stack.name));
    let error = obstacles.into_iter().fold(error, |error, obstacle| error.cause(obstacle.cause).hint(obstacle.remedy));
    let error = error.exit(Exit::Refused);
    if data.is_empty() {
        return Err(error);
    }
    Err(error.hint(Hint::command("down --keep-data").then(" removes everything except the bucket and the table")))
}

async fn protected_tables(cx: &Context, data: &Data) -> Result<Vec<Obstacle>> {
    let protected = async |name: &String| table::is_protected(&cx.clients.dynamodb, name).await;
    let found = try_join_all(data.tables.iter().map(protected)).await?;
    let protected = data.tables.iter().zip(found).filter(|(_, protected)| *protected);
    let obstacle = |(name, _): (&String, bool)| Obstacle {
        cause: format!("table `{name}` is protected against deletion"),
        remedy: Hint::from("to end the protection, run ").then_shell([
            "aws",
            "dynamodb",
            "update-table",
            "--no-deletion-protection-enabled",
            "--table-name",
            name,
        ]),
    };
    Ok(protected.map(obstacle).collect())
}

async fn locked_objects(cx: &Context, data: &Data) -> Result<Vec<Obstacle>> {
    let locked = data.buckets.iter().map(|bucket| object_lock::first_locked(&cx.clients.s3, bucket));
    let found = try_join_all(locked).await?;
    let locked = data.buckets.iter().zip(found).filter_map(|(bucket, locked)| Some((&bucket.name, locked?)));
    let obstacle = |(bucket, locked): (&String, object_lock::Locked)| {
        let mut remedy = Hint::from("to see its lock, run ").then_shell([
            "aws",
            "s3api",
            "get-object-retention",
            "--bucket",
            bucket,
            "--key",
            &locked.key,
        ]);
        if let Some(version) = &locked.version {
            remedy = remedy.arg("--version-id").arg(version);
        }
        Obstacle { cause: format!("`{}` in bucket `{bucket}` is locked {}", locked.key, locked.until), remedy }
    };
    Ok(locked.map(obstacle).collect())
}

/// The actions without which something would be left behind, if IAM says that the caller may not perform them.
async fn denied_actions(cx: &Context, observed: &Observed, removal: Removal<'_>) -> Option<Obstacle> {
    if cx.local.is_some() {
        return None;
    }
    let Removal { stack, data, role } = removal;
    let principal = observed.principal.as_ref()?;
    let role = role.or(stack.role.as_ref());
    let usual_table = template::read(template::BUILT_IN).ok()?.parameters.get("TableName").cloned().flatten()?;
    let usual_bucket = names::picture_bucket(cx.stack(), &observed.account, cx.region());
    let scope = Scope {
        partition: stack.partition(),
        account: &observed.account,
        regions: &[cx.region()],
        stack: &stack.name,
        table: data.table().unwrap_or(&usual_table),
        picture_bucket: data.buckets.first().map_or(&usual_bucket, |bucket| &bucket.name),
        package_bucket: &names::package_bucket(&observed.account, cx.region()),
        role_path: stack.parameters.get("RolePath").map_or("/", String::as_str),
        boundary: None,
        attached: &[],
    };
    let holder = role.map_or(Holder::Deployer, |role| Holder::DeployerWith(role));
    // IAM's answer does not consider what a bucket's own policy allows.
    let unclear = match data.buckets.first() {
        Some(bucket) => bucket::policy_allows(&cx.clients.s3, bucket).await != Some(false),
        None => true,
    };
    let keeps = |action: &String| {
        (unclear && action.starts_with("s3:")) || (data.tables.is_empty() && action.starts_with("dynamodb:"))
    };
    let asked = policy::needs(holder, &[Purpose::Down], &scope).into_iter().map(async |(actions, resources)| {
        let actions: Vec<String> =
            actions.into_iter().filter(|action| action.contains(":Delete") && !keeps(action)).collect();
        if actions.is_empty() {
            return Vec::new();
        }
        let denied = rights::surely_denied(&cx.clients.iam, principal, &actions, &resources, cx.region()).await;
        // Few may ask IAM this, and most deployments do not need the answer.
        denied.unwrap_or_default()
    });
    let denied = join_all(asked).await.concat();
    (!denied.is_empty()).then(|| Obstacle {
        cause: format!("these credentials may not perform {}", denied.join(", ")),
        remedy: Hint::command("policy --for down").then(" prints all permissions that are needed"),
    })
}

//! Attaches buckets outside the stack, and detaches them.
//!
//! Invariant: the only thing that changes in such a bucket is its EventBridge flag. A rule is deployed before the flag is
//! switched on, and deleted before it is switched off.

use futures_util::future::join_all;

use crate::aws::bucket::{self, Bucket, Found, Read};
use crate::aws::deleted_stack;
use crate::aws::event_flag::{self, Switched};
use crate::aws::stack::{self, Stack};
use crate::aws::{bucket_settings, event_rules, packages};
use crate::context::Context;
use crate::core::adopt::{self, BUCKET};
use crate::core::attach::template::{attach, attachments};
use crate::core::attach::{self as decide, Attached, Attachment};
use crate::core::event::{Event, FlagKept};
use crate::core::event_pattern::{self, Sender};
use crate::core::hint::Hint;
use crate::core::plan::Switch;
use crate::core::render::Scope;
use crate::core::status::StackStatus;
use crate::core::template::Template;
use crate::error::{Error, Exit, Result};
use crate::steps::attached_check;
use crate::steps::preflight::Observed;
use crate::steps::prepared::Prepared;
use crate::steps::settings::Settings;

/// Decides what is attached after the operation, and derives the template.
///
/// # Errors
/// A bucket cannot be attached or detached, or a request fails.
pub async fn plan(
    cx: &Context,
    settings: &Settings,
    template: &Template,
    observed: &Observed,
    deployed: Option<&Template>,
) -> Result<(Template, Attached)> {
    let mut current = deployed.map(attachments).unwrap_or_default();
    // A template file may attach buckets of its own.
    let others = attachments(template).into_iter();
    current.extend(others.filter(|other| current.iter().all(|one| one.bucket != other.bucket)).collect::<Vec<_>>());
    let refused = |problem: decide::Problem| {
        Error::new("the buckets cannot be attached as requested").because(&problem).exit(Exit::Refused)
    };
    for location in decide::not_attached(&current, &settings.detach) {
        let attached = current.iter().flat_map(Attachment::locations).map(|location| location.to_string()).collect();
        cx.events.emit(Event::NotAttached { location: location.to_string(), attached });
    }
    let mut wanted = decide::change(&current, &settings.attach, &settings.detach).map_err(refused)?;
    let new = |bucket: &str| current.iter().all(|one| one.bucket != bucket);
    for attachment in wanted.iter_mut().filter(|one| new(&one.bucket)) {
        attachment.switched_on = !look(cx, observed, &attachment.bucket).await?;
    }
    let template = attach(template, &wanted).map_err(refused)?;
    let attached = change(cx, observed, &template, deployed).await;
    Ok((template, attached))
}

/// What the deployment of a template attaches and releases.
pub async fn change(cx: &Context, observed: &Observed, template: &Template, deployed: Option<&Template>) -> Attached {
    let buckets = attachments(template);
    let Some(deployed) = deployed else { return Attached { buckets, released: Vec::new() } };
    let released = released(cx, &observed.account, &attachments(deployed), &buckets).await;
    Attached { buckets, released }
}

/// The buckets whose flag this stack switched on and that are not kept, with those that an interrupted run has detached.
async fn released(cx: &Context, account: &str, deployed: &[Attachment], kept: &[Attachment]) -> Vec<String> {
    let ours = deployed.iter().filter(|one| one.switched_on).map(|one| one.bucket.clone());
    let mut released: Vec<String> = ours.chain(journal(cx, account).await).collect();
    released.retain(|bucket| kept.iter().all(|kept| kept.bucket != *bucket));
    released.sort();
    released.dedup();
    released
}

/// Checks that a bucket can be attached; returns whether its flag is on.
async fn look(cx: &Context, observed: &Observed, name: &str) -> Result<bool> {
    let bucket = of_account(name, &observed.account);
    let cannot = || Error::new(format!("bucket `{name}` cannot be attached")).exit(Exit::Refused);
    match bucket::look(&cx.clients.s3, &bucket).await? {
        Found::In(region) if region.as_deref().is_none_or(|region| region == cx.region()) => {}
        Found::In(region) => {
            let region = region.unwrap_or_default();
            return Err(cannot().cause(format!("it is in {region}, but the system is in {}", cx.region())).hint(
                Hint::from("deploy another system in the bucket's region: add `--region ").then(region).then("`"),
            ));
        }
        Found::Missing => {
            return Err(cannot().cause("it does not exist").hint("check its name: `aws s3 ls` lists your buckets"));
        }
        Found::Forbidden => {
            return Err(cannot()
                .cause(format!("it does not belong to account {}, or `s3:ListBucket` is not allowed", observed.account))
                .hint(
                    "a bucket of another account can send its events to a bus of this account, but not with this tool",
                ));
        }
    }
    event_flag::is_on(&cx.clients.s3, &bucket).await
}

/// Refuses to attach the bucket that the stack owns.
pub fn check_own(scope: &Scope<'_>, attached: &Attached) -> Result<()> {
    let own = adopt::declared(scope).into_iter().filter(|declared| declared.resource_type == BUCKET);
    match own.map(|declared| declared.name).find(|name| attached.buckets.iter().any(|one| one.bucket == *name)) {
        None => Ok(()),
        Some(name) => Err(Error::new(format!("bucket `{name}` cannot be attached"))
            .cause("it belongs to this stack, which processes its pictures already")
            .exit(Exit::Refused)
            .hint("`--parameter KeyPrefix=PREFIX` limits the pictures in it")),
    }
}

/// The flags that must be switched to match what is attached. Warns about pictures that the function cannot decrypt.
pub async fn switches(cx: &Context, prepared: &Prepared) -> Vec<Switch> {
    let Prepared { attached, observed: Observed { account, .. }, parameters, .. } = prepared;
    let keys = parameters.get("PictureKeys").map(String::as_str).unwrap_or_default();
    let look = async |attachment: &Attachment| {
        let bucket = of_account(&attachment.bucket, account);
        tokio::join!(event_flag::is_on(&cx.clients.s3, &bucket), bucket_settings::key(&cx.clients.s3, &bucket))
    };
    let mut switches = Vec::new();
    for (attachment, (is_on, key)) in attached.buckets.iter().zip(join_all(attached.buckets.iter().map(look)).await) {
        let bucket = attachment.bucket.clone();
        if let Some(key) = key.filter(|key| !keys.contains(key)) {
            cx.events.emit(Event::KeyNotAllowed { bucket: bucket.clone(), key, known: keys.to_owned() });
        }
        match is_on {
            Ok(true) => {}
            Ok(false) => switches.push(Switch { bucket, on: true }),
            Err(error) => cx.events.emit(Event::FlagUnknown { bucket, cause: error.with_causes() }),
        }
    }
    switches.extend(attached.released.iter().map(|bucket| Switch { bucket: bucket.clone(), on: false }));
    switches
}

/// Records which buckets are about to be detached, so that an interrupted run is continued by the next one.
pub async fn announce(cx: &Context, attached: &Attached, account: &str) -> Result<()> {
    if attached.released.is_empty() {
        return Ok(());
    }
    record(cx, &attached.released, account).await
}

async fn record(cx: &Context, buckets: &[String], account: &str) -> Result<()> {
    let body = serde_json::to_vec(buckets).unwrap_or_default();
    bucket::put(
        &cx.clients.s3,
        &packages::bucket(account, cx.region()),
        &journal_key(cx.stack()),
        body,
        "application/json",
    )
    .await
    .map(|_| ())
}

/// Switches the flags to match what is attached.
///
/// # Errors
/// A flag cannot be switched on. A flag that cannot be switched off is reported, and the next run tries again.
pub async fn finish(cx: &Context, attached: &Attached, observed: &Observed) -> Result<()> {
    for attachment in &attached.buckets {
        let bucket = of_account(&attachment.bucket, &observed.account);
        if event_flag::switch(&cx.clients.s3, &bucket, true).await? == Switched::Now {
            cx.events.emit(Event::FlagSwitched { bucket: bucket.name, on: true });
        }
    }
    if !attached.released.is_empty() {
        let open = release(cx, &attached.released, observed).await;
        if !open.is_empty() {
            return record(cx, &open, &observed.account).await;
        }
        let bucket = packages::bucket(&observed.account, cx.region());
        packages::remove(&cx.clients.s3, &bucket, &[journal_key(cx.stack())]).await?;
    }
    Ok(())
}

/// What a stack attaches, and the buckets that its deletion releases: those whose flag the stack switched on.
pub async fn of_stack(cx: &Context, stack: &Stack, account: &str) -> Result<Attached> {
    // A stack in review has no template yet.
    if stack.status == StackStatus::ReviewInProgress {
        return Ok(Attached::default());
    }
    let buckets = attached_check::buckets(&cx.clients, stack).await?;
    let released = released(cx, account, &buckets, &[]).await;
    Ok(Attached { buckets, released })
}

/// Switches off the flags that an interrupted `down` left on. The template of the deleted stack tells which.
pub async fn release_forgotten(cx: &Context, observed: &Observed) -> Result<()> {
    let client = &cx.clients.cloudformation;
    let Some(id) = deleted_stack::last_deleted(client, cx.stack()).await? else { return Ok(()) };
    let Some(stack) = stack::describe(client, &id).await?.filter(Stack::is_ours) else { return Ok(()) };
    // The template of a deleted stack cannot be read forever, nor from every emulator.
    let Ok(attached) = attached_check::buckets(&cx.clients, &stack).await else { return Ok(()) };
    for attachment in attached.into_iter().filter(|one| one.switched_on) {
        let bucket = of_account(&attachment.bucket, &observed.account);
        if event_flag::is_on(&cx.clients.s3, &bucket).await.unwrap_or(false) {
            cx.confirm(&format!(
                "switch off the EventBridge notifications of bucket {}, which the stack switched on?",
                bucket.name
            ))?;
            release(cx, &[bucket.name], observed).await;
        }
    }
    Ok(())
}

/// Switches off the flag of buckets that this stack switched on, unless a rule needs it. Returns the buckets for which a
/// request failed.
pub async fn release(cx: &Context, buckets: &[String], observed: &Observed) -> Vec<String> {
    let mut open = Vec::new();
    if buckets.is_empty() {
        return open;
    }
    let rules = event_rules::list(&cx.clients.events).await;
    for name in buckets {
        let sender =
            Sender { bucket: name, account: &observed.account, region: cx.region(), partition: &observed.partition };
        let needed = match &rules {
            Err(error) => Some(FlagKept::Unknown { cause: error.with_causes() }),
            Ok(rules) => {
                let user = rules.iter().find(|rule| {
                    rule.pattern.as_ref().is_some_and(|pattern| event_pattern::may_match(pattern, sender))
                });
                user.map(|rule| FlagKept::Needed { rule: rule.arn.clone() })
            }
        };
        let bucket = of_account(name, &observed.account);
        let kept = match needed {
            Some(kept) => kept,
            None => match event_flag::switch(&cx.clients.s3, &bucket, false).await {
                Ok(_) => {
                    cx.events.emit(Event::FlagSwitched { bucket: name.clone(), on: false });
                    continue;
                }
                Err(error) if bucket::exists(&cx.clients.s3, name).await.is_ok_and(|exists| !exists) => {
                    drop(error);
                    continue;
                }
                Err(error) => FlagKept::Unknown { cause: error.with_causes() },
            },
        };
        if matches!(kept, FlagKept::Unknown { .. }) {
            open.push(name.clone());
        }
        cx.events.emit(Event::FlagKept { bucket: name.clone(), reason: kept });
    }
    open
}

fn of_account(name: &str, account: &str) -> Bucket {
    Bucket::new(name, account)
}

/// The key of the record of buckets that are being detached, in the bucket for packages.
#[must_use]
pub fn journal_key(stack: &str) -> String {
    format!("{stack}/detaching.json")
}

/// The buckets that an interrupted run has detached, but whose flag may still be on.
async fn journal(cx: &Context, account: &str) -> Vec<String> {
    let bucket = packages::bucket(account, cx.region());
    match bucket::read(&cx.clients.s3, &bucket.name, &journal_key(cx.stack()), None, MAX_JOURNAL_BYTES).await {
        Ok(Read::Bytes(bytes, _)) => serde_json::from_slice(&bytes).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Twenty names of buckets have less than 2 kB.
const MAX_JOURNAL_BYTES: u64 = 65_536;

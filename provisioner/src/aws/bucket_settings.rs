//! The settings of an existing bucket, as far as a template can replace them.
//!
//! Invariant: reading them changes nothing; only [`reset_acl`] does.

use std::collections::BTreeSet;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketCannedAcl, CorsRule, Event, ExpirationStatus, Grant, LifecycleRule,
    LifecycleRuleAndOperator, LifecycleRuleFilter, NotificationConfigurationFilter, PublicAccessBlockConfiguration,
    S3KeyFilter, ServerSideEncryptionRule, Tag,
};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::bucket::Bucket;
use super::error::{HasStatus, code, explain};
use crate::core::adopt::bucket::{Access, Encryption, Notification, Notifications, Settings, cors_rule, filter_rule};
use crate::core::adopt::lifecycle::{Action, Objects, Rule, When, day};
use crate::error::{Error, Result};

/// Reads all settings.
///
/// # Errors
/// Any failure of the requests, except the answer that there is no such setting.
pub async fn read(client: &Client, bucket: &Bucket) -> Result<(Settings, Access)> {
    let (name, owner) = (bucket.name.as_str(), bucket.owner.as_str());
    let encryption = async {
        let reply = client.get_bucket_encryption().bucket(name).expected_bucket_owner(owner).send().await;
        let reply = found(name, "encryption", reply)?;
        Ok(reply.and_then(|reply| reply.server_side_encryption_configuration?.rules.into_iter().next().map(encryption)))
    };
    let versioning = async {
        let reply = client.get_bucket_versioning().bucket(name).expected_bucket_owner(owner).send().await;
        Ok(found(name, "versioning", reply)?.and_then(|reply| Some(reply.status?.as_str().to_owned())))
    };
    let ownership = async {
        let reply = client.get_bucket_ownership_controls().bucket(name).expected_bucket_owner(owner).send().await;
        let rules = found(name, "object ownership", reply)?.and_then(|reply| reply.ownership_controls);
        Ok(rules.and_then(|rules| rules.rules.first().map(|rule| rule.object_ownership.as_str().to_owned())))
    };
    let public_access_block = async {
        let reply = client.get_public_access_block().bucket(name).expected_bucket_owner(owner).send().await;
        let block = found(name, "public access block", reply)?;
        Ok(block.and_then(|reply| reply.public_access_block_configuration).map(|block| flags(&block)))
    };
    let lifecycle = async {
        let request = client.get_bucket_lifecycle_configuration().bucket(name).expected_bucket_owner(owner);
        let rules = found(name, "lifecycle rules", request.send().await)?.and_then(|reply| reply.rules);
        Ok(rules.map(|rules| rules.iter().map(rule).collect()))
    };
    let cors = async {
        let reply = client.get_bucket_cors().bucket(name).expected_bucket_owner(owner).send().await;
        let rules = found(name, "CORS rules", reply)?.and_then(|reply| reply.cors_rules);
        Ok(rules.map(|rules| rules.iter().map(cors).collect()))
    };
    let (encryption, versioning, ownership, public_access_block, lifecycle, cors, notifications, access) = tokio::try_join!(
        encryption,
        versioning,
        ownership,
        public_access_block,
        lifecycle,
        cors,
        notifications(client, bucket),
        access(client, bucket)
    )?;
    let settings = Settings {
        encryption,
        versioning,
        ownership,
        public_access_block,
        lifecycle,
        notifications: Some(notifications),
        cors,
    };
    Ok((settings, access))
}

/// Grants nobody else anything any more. A bucket whose owner is enforced accepts no list that does.
///
/// # Errors
/// Any failure of the request.
pub async fn reset_acl(client: &Client, bucket: &Bucket) -> Result<()> {
    let request = client.put_bucket_acl().bucket(&bucket.name).expected_bucket_owner(&bucket.owner);
    request
        .acl(BucketCannedAcl::Private)
        .send()
        .await
        .map(|_| ())
        .map_err(|error| explain(format!("cannot reset the access control list of bucket `{}`", bucket.name), &error))
}

/// The ARN of the KMS key that new objects are encrypted with; `None` if there is none, or if it cannot be found out.
pub async fn key(client: &Client, bucket: &Bucket) -> Option<String> {
    let request = client.get_bucket_encryption().bucket(&bucket.name).expected_bucket_owner(&bucket.owner);
    let rules = request.send().await.ok()?.server_side_encryption_configuration?.rules;
    rules.into_iter().find_map(|rule| encryption(rule).key).filter(|key| key.starts_with("arn:"))
}

/// A reply, or `None` if the bucket has no such setting.
fn found<T, E, R>(bucket: &str, setting: &str, reply: std::result::Result<T, SdkError<E, R>>) -> Result<Option<T>>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: HasStatus,
{
    const NONE: [&str; 6] = [
        "ServerSideEncryptionConfigurationNotFoundError",
        "OwnershipControlsNotFoundError",
        "NoSuchPublicAccessBlockConfiguration",
        "NoSuchLifecycleConfiguration",
        "NoSuchCORSConfiguration",
        "NoSuchBucketPolicy",
    ];
    match reply {
        Ok(reply) => Ok(Some(reply)),
        Err(error) if code(&error).is_some_and(|code| NONE.contains(&code)) => Ok(None),
        Err(error) => Err(unread(bucket, setting, &error)),
    }
}

fn unread<E, R>(bucket: &str, setting: &str, error: &SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: HasStatus,
{
    explain(format!("cannot read the {setting} of bucket `{bucket}`"), error)
}

async fn access(client: &Client, bucket: &Bucket) -> Result<Access> {
    let (name, owner) = (bucket.name.as_str(), bucket.owner.as_str());
    let list = client.get_bucket_acl().bucket(name).expected_bucket_owner(owner).send();
    let policy = client.get_bucket_policy().bucket(name).expected_bucket_owner(owner).send();
    let (list, policy) = tokio::join!(list, policy);
    let list = list.map_err(|error| unread(name, "access control list", &error))?;
    let has_policy = found(name, "policy", policy)?.is_some_and(|reply| reply.policy.is_some());
    let is_public = has_policy && {
        // Endpoints that do not know the request answer without an error code. The policy itself is shown in any case.
        match client.get_bucket_policy_status().bucket(name).expected_bucket_owner(owner).send().await {
            Err(error) if code(&error).is_none() => false,
            status => found(name, "policy status", status)?
                .is_some_and(|reply| reply.policy_status.is_some_and(|status| status.is_public == Some(true))),
        }
    };
    let owner = list.owner.as_ref().and_then(|owner| owner.id());
    let is_others =
        |grant: &&Grant| grant.grantee().is_none_or(|grantee| grantee.id().is_none() || grantee.id() != owner);
    Ok(Access { grants: list.grants().iter().filter(is_others).map(grant).collect(), has_policy, is_public })
}

fn grant(grant: &Grant) -> String {
    let permission = grant.permission().map_or("?", |permission| permission.as_str());
    let to = grant.grantee().and_then(|grantee| {
        let group = grantee.uri().and_then(|uri| uri.rsplit('/').next()).map(|group| format!("group {group}"));
        let account = || grantee.email_address().or(grantee.id()).map(|id| format!("account {id}"));
        group.or_else(account)
    });
    format!("{permission} for {}", to.as_deref().unwrap_or("?"))
}

async fn notifications(client: &Client, bucket: &Bucket) -> Result<Notifications> {
    let request = client.get_bucket_notification_configuration().bucket(&bucket.name);
    let reply = request.expected_bucket_owner(&bucket.owner).send().await;
    let reply = reply.map_err(|error| unread(&bucket.name, "notifications", &error))?;
    let mut targets = Vec::new();
    let mut add = |target: &str, events: &[Event], filter: Option<&NotificationConfigurationFilter>| {
        let rules = filter.and_then(|filter| filter.key()).map(S3KeyFilter::filter_rules).unwrap_or_default();
        let mut filter: Vec<String> = rules
            .iter()
            .map(|rule| filter_rule(rule.name().map_or("", |name| name.as_str()), rule.value().unwrap_or_default()))
            .collect();
        filter.sort();
        targets.extend(events.iter().map(|event| Notification {
            target: target.to_owned(),
            event: event.as_str().to_owned(),
            filter: filter.clone(),
        }));
    };
    for one in reply.lambda_function_configurations() {
        add(one.lambda_function_arn(), one.events(), one.filter());
    }
    for one in reply.queue_configurations() {
        add(one.queue_arn(), one.events(), one.filter());
    }
    for one in reply.topic_configurations() {
        add(one.topic_arn(), one.events(), one.filter());
    }
    Ok(Notifications { targets, event_bridge: reply.event_bridge_configuration.is_some() })
}

fn encryption(rule: ServerSideEncryptionRule) -> Encryption {
    let default = rule.apply_server_side_encryption_by_default;
    let algorithm = default.as_ref().map_or("AES256", |default| default.sse_algorithm.as_str()).to_owned();
    Encryption::new(
        algorithm,
        default.and_then(|default| default.kms_master_key_id),
        rule.bucket_key_enabled == Some(true),
    )
}

fn flags(block: &PublicAccessBlockConfiguration) -> BTreeSet<String> {
    [
        ("BlockPublicAcls", block.block_public_acls),
        ("BlockPublicPolicy", block.block_public_policy),
        ("IgnorePublicAcls", block.ignore_public_acls),
        ("RestrictPublicBuckets", block.restrict_public_buckets),
    ]
    .into_iter()
    .filter(|(_, on)| *on == Some(true))
    .map(|(name, _)| name.to_owned())
    .collect()
}

fn cors(rule: &CorsRule) -> String {
    let age = rule.max_age_seconds().map(i64::from);
    cors_rule(rule.allowed_methods(), rule.allowed_origins(), rule.allowed_headers(), rule.expose_headers(), age)
}

fn rule(rule: &LifecycleRule) -> Rule {
    let mut actions = Vec::new();
    if let Some(expiration) = rule.expiration() {
        actions.extend(when(expiration.days(), expiration.date()).map(Action::Expire));
        if expiration.expired_object_delete_marker() == Some(true) {
            actions.push(Action::ExpireMarkers);
        }
    }
    for one in rule.transitions() {
        let class = one.storage_class().map_or("?", |class| class.as_str()).to_owned();
        actions.extend(when(one.days(), one.date()).map(|when| Action::Move(class, when)));
    }
    let kept = |newer: Option<i32>| newer.map(i64::from);
    if let Some(noncurrent) = rule.noncurrent_version_expiration() {
        let days = noncurrent.noncurrent_days().unwrap_or_default();
        actions.push(Action::ExpireNoncurrent(days.into(), kept(noncurrent.newer_noncurrent_versions())));
    }
    for one in rule.noncurrent_version_transitions() {
        let class = one.storage_class().map_or("?", |class| class.as_str()).to_owned();
        let days = one.noncurrent_days().unwrap_or_default();
        actions.push(Action::MoveNoncurrent(class, days.into(), kept(one.newer_noncurrent_versions())));
    }
    let abort =
        rule.abort_incomplete_multipart_upload().and_then(AbortIncompleteMultipartUpload::days_after_initiation);
    actions.extend(abort.map(|days| Action::Abort(days.into())));
    actions.sort();
    Rule {
        id: rule.id().unwrap_or_default().to_owned(),
        enabled: rule.status() == &ExpirationStatus::Enabled,
        objects: objects(rule),
        actions,
    }
}

fn when(days: Option<i32>, date: Option<&DateTime>) -> Option<When> {
    let day_of = |date: &DateTime| date.fmt(Format::DateTime).ok().map(|time| When::Date(day(&time).to_owned()));
    days.map(|days| When::Days(days.into())).or_else(|| date.and_then(day_of))
}

fn objects(rule: &LifecycleRule) -> Objects {
    let filter = rule.filter();
    let all = filter.and_then(|filter| filter.and());
    // S3 still returns rules that were made before there were filters.
    #[expect(deprecated, reason = "such a rule has its prefix nowhere else")]
    let old = rule.prefix();
    let prefix = filter.and_then(|filter| filter.prefix()).or(all.and_then(|all| all.prefix())).or(old);
    let tags = filter
        .and_then(|filter| filter.tag())
        .into_iter()
        .chain(all.map(LifecycleRuleAndOperator::tags).unwrap_or_default());
    let mut tags: Vec<_> = tags.map(|tag: &Tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
    tags.sort();
    Objects {
        prefix: prefix.unwrap_or_default().to_owned(),
        tags,
        larger_than: filter
            .and_then(LifecycleRuleFilter::object_size_greater_than)
            .or(all.and_then(LifecycleRuleAndOperator::object_size_greater_than)),
        smaller_than: filter
            .and_then(LifecycleRuleFilter::object_size_less_than)
            .or(all.and_then(LifecycleRuleAndOperator::object_size_less_than)),
    }
}

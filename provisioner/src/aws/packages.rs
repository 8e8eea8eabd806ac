//! The bucket for packages: one per account and region, private and TLS only.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketNamespace, CreateBucketConfiguration, ObjectIdentifier, Tag, Tagging,
};
use bytes::Bytes;
use serde_json::json;

use super::bucket::{self, Bucket};
use super::counted::{Counted, Sent};
use super::error::{code, explain, foreign_reply, is_missing};
use crate::core::names::{self, package_bucket};
use crate::error::{Error, Exit, Result};

/// A package in the bucket.
#[derive(Clone, Debug)]
pub struct StoredPackage {
    /// The package's key.
    pub key: String,
    /// The time of the upload in seconds since the Unix epoch.
    pub stored_at: i64,
}

/// The bucket for an account and a region.
#[must_use]
pub fn bucket(account: &str, region: &str) -> Bucket {
    Bucket::new(package_bucket(account, region), account)
}

/// The result of storing a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// Whether the bucket was created.
    pub bucket_created: bool,
}

/// Where packages are stored, and how their bucket is created and tagged.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The bucket.
    pub bucket: &'a Bucket,
    /// For example `aws`.
    pub partition: &'a str,
    /// For example `eu-west-1`.
    pub region: &'a str,
    /// Whether the bucket refuses plain HTTP; not if the requests of this run use it.
    pub tls_only: bool,
    /// The tags that the user sets.
    pub tags: &'a [(String, String)],
    /// The keys of the tags that the user removes.
    pub untags: &'a [String],
}

/// Stores a package, and reports the number of bytes sent. Creates the bucket if it does not exist, and sets the user's
/// tags on it.
pub async fn store(client: &Client, place: Place<'_>, key: &str, zip: &[u8], sent: Sent) -> Result<Uploaded> {
    let bucket = place.bucket;
    let body = Counted { bytes: Bytes::copy_from_slice(zip), sent };
    match put(client, bucket, key, &body).await {
        Ok(()) => {
            retag(client, place).await?;
            Ok(Uploaded { bucket_created: false })
        }
        Err(Put::NoBucket) => {
            create(client, place).await?;
            put(client, bucket, key, &body).await.map_err(Put::into_error)?;
            Ok(Uploaded { bucket_created: true })
        }
        Err(Put::Other(error)) => Err(error),
    }
}

/// Changes the tags of an existing bucket. S3 replaces all tags, so the other ones are read and sent again.
async fn retag(client: &Client, place: Place<'_>) -> Result<()> {
    if place.tags.is_empty() && place.untags.is_empty() {
        return Ok(());
    }
    let Bucket { name, owner } = place.bucket;
    let attempt = || format!("cannot tag bucket `{name}`");
    let deployed = match client.get_bucket_tagging().bucket(name).expected_bucket_owner(owner).send().await {
        Ok(reply) => reply.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect(),
        Err(error) if code(&error) == Some("NoSuchTagSet") => BTreeMap::new(),
        Err(error) => return Err(explain(attempt(), &error)),
    };
    let tags = Tagging::builder().set_tag_set(Some(to_sdk(&names::tags(&deployed, place.tags, place.untags))?)).build();
    let tags = tags.map_err(|error| Error::new(attempt()).because(&error))?;
    let request = client.put_bucket_tagging().bucket(name).expected_bucket_owner(owner).tagging(tags);
    request.send().await.map(|_| ()).map_err(|error| explain(attempt(), &error))
}

fn to_sdk(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    let tags: std::result::Result<_, _> = tags.iter().map(tag).collect();
    tags.map_err(|error| Error::new("cannot tag the bucket for packages").because(&error))
}

enum Put {
    NoBucket,
    Other(Error),
}

impl Put {
    fn into_error(self) -> Error {
        match self {
            Self::NoBucket => Error::new("the bucket for packages does not exist, although it was just created"),
            Self::Other(error) => error,
        }
    }
}

async fn put(client: &Client, bucket: &Bucket, key: &str, body: &Counted) -> std::result::Result<(), Put> {
    let attempt = client
        .put_object()
        .bucket(&bucket.name)
        .key(key)
        .expected_bucket_owner(&bucket.owner)
        .content_type("application/zip")
        .body(body.bytes.clone().into())
        .customize()
        .interceptor(body.clone())
        .send()
        .await;
    let failed = || format!("cannot store the package in bucket `{}`", bucket.name);
    match attempt {
        Ok(reply) if reply.e_tag.is_none() => Err(Put::Other(foreign_reply(failed()))),
        Ok(_) => Ok(()),
        Err(error) if code(&error) == Some("NoSuchBucket") => Err(Put::NoBucket),
        Err(error) => {
            let explained = explain(failed(), &error);
            Err(Put::Other(if code(&error) == Some("AccessDenied") {
                explained.hint(format!("the bucket must belong to account {}", bucket.owner))
            } else {
                explained
            }))
        }
    }
}

async fn create(client: &Client, place: Place<'_>) -> Result<()> {
    let Place { bucket, region, .. } = place;
    let tags = to_sdk(&names::tags(&BTreeMap::new(), place.tags, place.untags))?;
    let mut configuration = CreateBucketConfiguration::builder().set_tags(Some(tags));
    if region != "us-east-1" {
        configuration = configuration.location_constraint(BucketLocationConstraint::from(region));
    }
    let request = client
        .create_bucket()
        .bucket(&bucket.name)
        .create_bucket_configuration(configuration.build())
        .bucket_namespace(BucketNamespace::AccountRegional);
    let failed = || format!("cannot create bucket `{}` for packages", bucket.name);
    match request.send().await {
        Ok(reply) if reply.location.is_none() => return Err(foreign_reply(failed())),
        Ok(_) => {}
        Err(error) if code(&error) == Some("BucketAlreadyOwnedByYou") => {}
        Err(error) if code(&error) == Some("BucketAlreadyExists") => {
            return Err(
                explain(format!("bucket `{}` belongs to another account", bucket.name), &error).exit(Exit::Refused)
            );
        }
        Err(error) => return Err(explain(failed(), &error)),
    }
    // Since April 2023, S3 creates buckets that are private, encrypted, and without ACLs.
    if place.tls_only { refuse_plain_http(client, place).await } else { Ok(()) }
}

async fn refuse_plain_http(client: &Client, place: Place<'_>) -> Result<()> {
    let Place { bucket, partition, .. } = place;
    let arn = format!("arn:{partition}:s3:::{}", bucket.name);
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": [arn, format!("{arn}/*")],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }],
    });
    let set = client
        .put_bucket_policy()
        .bucket(&bucket.name)
        .expected_bucket_owner(&bucket.owner)
        .policy(policy.to_string())
        .send()
        .await;
    if let Err(error) = set {
        // Otherwise, the next run would assume that the bucket has its policy.
        let _ = bucket::delete_if_empty(client, bucket).await;
        return Err(explain(format!("cannot set the policy of bucket `{}`", bucket.name), &error));
    }
    Ok(())
}

/// The packages under a prefix, newest first. A missing bucket has none.
pub async fn list(client: &Client, bucket: &Bucket, prefix: &str) -> Result<Vec<StoredPackage>> {
    let objects = client
        .list_objects_v2()
        .bucket(&bucket.name)
        .prefix(prefix)
        .expected_bucket_owner(&bucket.owner)
        .into_paginator()
        .send()
        .collect::<std::result::Result<Vec<_>, _>>()
        .await;
    let pages = match objects {
        Ok(pages) => pages,
        Err(error) if is_missing(&error) => return Ok(Vec::new()),
        Err(error) => return Err(explain(format!("cannot list bucket `{}`", bucket.name), &error)),
    };
    let mut found: Vec<StoredPackage> = pages
        .into_iter()
        .flat_map(|page| page.contents.unwrap_or_default())
        .filter_map(|object| {
            Some(StoredPackage { key: object.key?, stored_at: object.last_modified.map_or(0, |at| at.secs()) })
        })
        .collect();
    found.sort_by_key(|package| std::cmp::Reverse(package.stored_at));
    Ok(found)
}

/// Deletes packages by key.
pub async fn remove(client: &Client, bucket: &Bucket, keys: &[String]) -> Result<()> {
    for batch in keys.chunks(1_000) {
        let objects: std::result::Result<Vec<_>, _> =
            batch.iter().map(|key| ObjectIdentifier::builder().key(key).build()).collect();
        let objects =
            objects.map_err(|error| Error::new("cannot build the request to delete packages").because(&error))?;
        bucket::delete_batch(client.clone(), bucket.clone(), objects).await?;
    }
    Ok(())
}

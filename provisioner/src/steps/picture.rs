//! Uploads a picture to the deployed system, waits for its rows, and cleans up.
//!
//! Invariant: a picture is finished only when its rows are in the table or the function's log says that it has none.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::aws::bucket::{self, Bucket};
use crate::aws::pace::Pace;
use crate::aws::picture_table::{self, PictureKey, Recorded};
use crate::aws::stack::Stack;
use crate::aws::upload::{self, Uploaded};
use crate::aws::{function, table};
use crate::clock;
use crate::context::Context;
use crate::core::attach::Attachment;
use crate::core::smoke::{self, Attribute, Outcome, Picture, Row, outcome};
use crate::error::{Error, Exit, Result};

/// The locations of pictures, rows and logs in a deployed system.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The bucket for pictures.
    pub bucket: Bucket,
    /// The table of rows.
    pub table: String,
    /// The table of processed pictures, if there is one.
    pub pictures: Option<String>,
    /// The function's log group.
    pub log_group: String,
    /// The prefix of keys that start the function.
    pub key_prefix: String,
    partition: String,
}

impl Deployment {
    /// Reads the locations from the stack's outputs and parameters.
    pub fn of(stack: &Stack) -> Result<Self> {
        let owner =
            stack.account().ok_or_else(|| Error::new(format!("the ARN `{}` does not name an account", stack.id)))?;
        Ok(Self {
            bucket: Bucket::new(stack.output("BucketName")?, owner),
            table: stack.output("TableName")?.to_owned(),
            pictures: stack.outputs.get("PictureTableName").cloned(),
            log_group: stack.output("LogGroupName")?.to_owned(),
            key_prefix: stack.parameters.get("KeyPrefix").cloned().unwrap_or_default(),
            partition: stack.partition().to_owned(),
        })
    }
}

impl Deployment {
    /// The same system, as it processes the pictures of an attached bucket.
    #[must_use]
    pub fn attached(&self, attachment: &Attachment) -> Self {
        let key_prefix = attachment.prefixes.first().cloned().unwrap_or_default();
        Self { key_prefix, ..self.with_bucket(&attachment.bucket) }
    }

    /// The same system, with another one of its buckets.
    #[must_use]
    pub fn with_bucket(&self, name: &str) -> Self {
        Self { bucket: Bucket::new(name, &self.bucket.owner), ..self.clone() }
    }

    /// Describes a picture in the bucket of this deployment.
    #[must_use]
    pub fn picture(&self, key: String, version: Option<String>, etag: String) -> Picture {
        Picture { partition: self.partition.clone(), bucket: self.bucket.name.clone(), key, version, etag }
    }
}

/// An uploaded picture.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Identifies the rows of the picture.
    pub picture: Picture,
    /// The time of the upload in milliseconds since the Unix epoch.
    at: i64,
}

/// Uploads a picture.
pub async fn upload(
    cx: &Context,
    deployment: &Deployment,
    key: String,
    bytes: Vec<u8>,
    content_type: &str,
) -> Result<Upload> {
    let at = clock::now_millis();
    let stored = bucket::put(&cx.clients.s3, &deployment.bucket, &key, bytes, content_type).await?;
    Ok(Upload { picture: deployment.picture(key, stored.version, stored.etag), at })
}

/// Uploads a picture unless the bucket already has it.
///
/// # Errors
/// The bucket has another object with this key, or a request fails.
pub async fn upload_once(
    cx: &Context,
    deployment: &Deployment,
    key: String,
    bytes: Bytes,
    overwrite: bool,
) -> Result<Upload> {
    let (s3, now) = (&cx.clients.s3, clock::now_millis());
    let (stored, at) = match upload::upload(s3, &deployment.bucket, &key, bytes.clone(), overwrite).await? {
        Uploaded::Stored(stored) => (stored, now),
        Uploaded::Exists => {
            let same = upload::same(s3, &deployment.bucket, &key, &bytes).await?;
            let (stored, uploaded) = same.ok_or_else(|| {
                Error::new(format!("bucket `{}` already has a different object `{key}`", deployment.bucket.name))
                    .exit(Exit::Refused)
                    .hint("add `--overwrite` to replace it, or choose another `--prefix`")
            })?;
            (stored, uploaded.unwrap_or(now))
        }
    };
    Ok(Upload { picture: deployment.picture(key, stored.version, stored.etag), at })
}

/// The tolerated difference between this machine's clock and the log's, in milliseconds.
const CLOCK_TOLERANCE: i64 = 120_000;

/// How long after an upload the log is about it, in milliseconds: the attempts of a failed invocation take some minutes.
const LOG_SPAN: i64 = 3_600_000;

/// The interval between requests for the log of one picture: CloudWatch Logs allows five per second and account, and
/// `detect` waits for eight pictures at a time.
const LOG_INTERVAL: Duration = Duration::from_secs(2);

/// The result for a picture.
#[derive(Clone, Debug)]
pub enum PictureResult {
    /// The picture has these rows.
    Rows(Vec<Row>),
    /// The picture has no rows, according to the log.
    Without {
        /// `no_face`, `unusable` or `skipped`.
        outcome: String,
        /// The code that the function gives as the reason.
        reason: Option<String>,
    },
    /// The function did not finish in time; the log may say why.
    Late(Option<String>),
}

/// Waits until the function has processed a picture. After a failed attempt, Lambda tries again, so the wait continues.
///
/// The table of processed pictures tells the result, if there is one. Without it, only the log tells about a picture
/// without rows.
pub async fn wait(cx: &Context, deployment: &Deployment, upload: &Upload, patience: Duration) -> Result<PictureResult> {
    let started = Instant::now();
    let mut pace = Pace::new(Duration::from_millis(200), Duration::from_secs(2));
    let interval = match &deployment.pictures {
        // Only a skipped picture is not in the table.
        Some(_) => 5 * LOG_INTERVAL,
        None if cx.local.is_some() => Duration::ZERO,
        None => LOG_INTERVAL,
    };
    let (mut read_at, mut log) = (started, Vec::new());
    loop {
        let rows = rows(cx, deployment, &upload.picture).await?;
        if !rows.is_empty() {
            return Ok(PictureResult::Rows(rows));
        }
        if let Some(Recorded { outcome, code }) = result(cx, deployment, &upload.picture).await? {
            // The rows were written in the same transaction, but may have been read just before it.
            if outcome != STORED {
                return Ok(PictureResult::Without { outcome, reason: code });
            }
        }
        let late = started.elapsed() >= patience;
        if late || read_at.elapsed() >= interval {
            read_at = Instant::now();
            let from = upload.at - CLOCK_TOLERANCE;
            let until = upload.at.saturating_add(LOG_SPAN);
            log = function::glance(&cx.clients.logs, &deployment.log_group, from, until).await?.unwrap_or(log);
        }
        let mut failure = None;
        for line in &log {
            match outcome(&line.text, &upload.picture) {
                Some(Outcome::Without { outcome, reason }) => {
                    return Ok(PictureResult::Without { outcome, reason });
                }
                Some(Outcome::Failed) => failure = smoke::cause(&line.text),
                Some(Outcome::Stored) | None => {}
            }
        }
        if late {
            // If the function cannot start, its log lines do not name a picture.
            let mut later = log.iter().rev().filter(|line| line.at >= upload.at);
            return Ok(PictureResult::Late(failure.or_else(|| later.find_map(|line| smoke::cause(&line.text)))));
        }
        pace.wait().await;
    }
}

/// The outcome of a picture whose rows are in the table.
const STORED: &str = "stored";

/// The result of a picture in the table of processed pictures; `None` if there is none, or no such table.
pub async fn result(cx: &Context, deployment: &Deployment, picture: &Picture) -> Result<Option<Recorded>> {
    match &deployment.pictures {
        Some(table) => picture_table::result(&cx.clients.dynamodb, table, &key(picture)).await,
        None => Ok(None),
    }
}

fn key(picture: &Picture) -> PictureKey {
    PictureKey { picture: format!("{}/{}", picture.bucket, picture.key), content: picture.content() }
}

/// The rows of a picture by rank, including a surplus row after the last face if there is one.
pub async fn rows(cx: &Context, deployment: &Deployment, picture: &Picture) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let expected = match rows.first().and_then(|row| row.get("FaceCount")) {
            Some(Attribute::Number(digits)) => digits.parse().unwrap_or(0),
            _ => 0,
        };
        if rows.len() > expected {
            return Ok(rows);
        }
        match table::get(&cx.clients.dynamodb, &deployment.table, &picture.face_id(rows.len())).await? {
            Some(row) => rows.push(row),
            None => return Ok(rows),
        }
    }
}

/// Deletes the rows of a picture, and its result. The first row has the number of rows, so it is deleted last.
pub async fn remove_rows(cx: &Context, deployment: &Deployment, picture: &Picture) -> Result<()> {
    for rank in (0..rows(cx, deployment, picture).await?.len()).rev() {
        table::remove(&cx.clients.dynamodb, &deployment.table, &picture.face_id(rank)).await?;
    }
    match &deployment.pictures {
        Some(table) => picture_table::remove(&cx.clients.dynamodb, table, &key(picture)).await,
        None => Ok(()),
    }
}

/// Deletes all versions of a picture.
pub async fn remove_objects(cx: &Context, deployment: &Deployment, key: &str) -> Result<()> {
    bucket::remove(&cx.clients.s3, &deployment.bucket, key, |_| {}).await.map(|_| ())
}

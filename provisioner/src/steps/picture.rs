//! One picture through the deployed system: uploaded, awaited, cleaned up.
//!
//! Invariant: a picture is finished only when its rows are in the table, or the function's log says that there will be none.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::aws::bucket::{self, Bucket};
use crate::aws::pace::Pace;
use crate::aws::stack::Stack;
use crate::aws::upload::{self, Uploaded};
use crate::aws::{function, table};
use crate::clock;
use crate::context::Context;
use crate::core::smoke::{Attribute, Outcome, Picture, Row, outcome};
use crate::error::{Error, Exit, Result};

/// Where a deployed system keeps pictures, rows and logs.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The bucket for pictures.
    pub bucket: Bucket,
    /// The table of rows.
    pub table: String,
    /// The function's log group.
    pub log_group: String,
    /// Uploads under other prefixes do not start the function.
    pub key_prefix: String,
    partition: String,
}

impl Deployment {
    /// Reads it from the stack's outputs and parameters.
    pub fn of(stack: &Stack) -> Result<Self> {
        let owner =
            stack.account().ok_or_else(|| Error::new(format!("the ARN `{}` does not name an account", stack.id)))?;
        Ok(Self {
            bucket: Bucket { name: stack.output("BucketName")?.to_owned(), owner: owner.to_owned() },
            table: stack.output("TableName")?.to_owned(),
            log_group: stack.output("LogGroupName")?.to_owned(),
            key_prefix: stack.parameters.get("KeyPrefix").cloned().unwrap_or_default(),
            partition: stack.partition().to_owned(),
        })
    }
}

impl Deployment {
    /// A picture in the bucket of this deployment.
    #[must_use]
    pub fn picture(&self, key: String, version: Option<String>, etag: String) -> Picture {
        Picture { partition: self.partition.clone(), bucket: self.bucket.name.clone(), key, version, etag }
    }
}

/// A picture that was uploaded.
#[derive(Clone, Debug)]
pub struct Upload {
    /// What identifies its rows.
    pub picture: Picture,
    /// When it was uploaded, in milliseconds since the Unix epoch.
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

/// Uploads a picture unless the same one is there already.
///
/// # Errors
/// Another object has this key, or a request fails.
pub async fn upload_once(
    cx: &Context,
    deployment: &Deployment,
    key: String,
    bytes: Bytes,
    overwrite: bool,
) -> Result<Upload> {
    let (s3, at) = (&cx.clients.s3, clock::now_millis());
    let stored = match upload::upload(s3, &deployment.bucket, &key, bytes.clone(), overwrite).await? {
        Uploaded::Stored(stored) => stored,
        Uploaded::Exists => upload::same(s3, &deployment.bucket, &key, &bytes).await?.ok_or_else(|| {
            Error::new(format!("another object with key `{key}` exists in bucket `{}`", deployment.bucket.name))
                .exit(Exit::Refused)
                .hint("add `--overwrite` to replace it, or choose another `--prefix`")
        })?,
    };
    Ok(Upload { picture: deployment.picture(key, stored.version, stored.etag), at })
}

/// How far this machine's clock may be ahead of the log's, in milliseconds.
const CLOCKS: i64 = 120_000;

/// How often the log is read for one picture: the service allows five such requests per second and account, and `detect` watches eight pictures.
const LOOKS: Duration = Duration::from_secs(2);

/// What became of a picture.
#[derive(Clone, Debug)]
pub enum PictureResult {
    /// It has these rows.
    Rows(Vec<Row>),
    /// It has no rows, and the log says why: `no_face`, `unusable` or `skipped`.
    Without {
        /// `no_face`, `unusable` or `skipped`.
        outcome: String,
        /// The code that the function gives as the reason.
        reason: Option<String>,
    },
    /// It was not finished in the given time; the log may say why.
    Late(Option<String>),
}

/// Waits until the function has finished with a picture. A failed attempt is not the end: Lambda tries again.
pub async fn wait(cx: &Context, deployment: &Deployment, upload: &Upload, patience: Duration) -> Result<PictureResult> {
    let started = Instant::now();
    let mut pace = Pace::new(Duration::from_millis(200), Duration::from_secs(2));
    let every = if cx.local.is_some() { Duration::ZERO } else { LOOKS };
    let (mut looked, mut log) = (started, Vec::new());
    loop {
        let rows = rows(cx, deployment, &upload.picture).await?;
        if !rows.is_empty() {
            return Ok(PictureResult::Rows(rows));
        }
        let late = started.elapsed() >= patience;
        if late || looked.elapsed() >= every {
            looked = Instant::now();
            log = function::glance(&cx.clients.logs, &deployment.log_group, upload.at - CLOCKS).await?.unwrap_or(log);
        }
        let mut failure = None;
        for line in &log {
            match outcome(&line.text, &upload.picture) {
                Some(Outcome::Without { outcome, reason }) => {
                    return Ok(PictureResult::Without { outcome, reason });
                }
                Some(Outcome::Failed) => failure = Some(line.text.clone()),
                Some(Outcome::Stored) | None => {}
            }
        }
        if late {
            // A function that cannot even start says so in lines that do not name a picture.
            let last = log.iter().rfind(|line| line.at >= upload.at).map(|line| line.text.clone());
            return Ok(PictureResult::Late(failure.or(last)));
        }
        pace.wait().await;
    }
}

/// The rows of a picture by rank, including one more than its face count if that exists.
///
/// # Errors
/// The table cannot be read.
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

/// Removes the rows of a picture. The first row says how many there are, so it is removed last.
pub async fn remove_rows(cx: &Context, deployment: &Deployment, picture: &Picture) -> Result<()> {
    for rank in (0..rows(cx, deployment, picture).await?.len()).rev() {
        table::remove(&cx.clients.dynamodb, &deployment.table, &picture.face_id(rank)).await?;
    }
    Ok(())
}

/// Removes every version of a picture.
pub async fn remove_objects(cx: &Context, deployment: &Deployment, key: &str) -> Result<()> {
    bucket::remove(&cx.clients.s3, &deployment.bucket, key, |_| {}).await.map(|_| ())
}

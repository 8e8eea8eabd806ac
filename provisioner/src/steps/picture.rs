//! One picture through the deployed system: uploaded, awaited, cleaned up.
//!
//! Invariant: nothing is taken for granted. A picture is finished when its rows are in the table or the function's log says that none will come.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::aws::bucket::{self, Bucket};
use crate::aws::follow::Pace;
use crate::aws::stack::Stack;
use crate::aws::{function, table};
use crate::cli::Context;
use crate::core::smoke::{Attribute, Outcome, Picture, Row, outcome};
use crate::error::{Error, Result};

/// Where pictures go, and where what becomes of them is found.
#[derive(Clone, Debug)]
pub struct Place {
    /// For the pictures.
    pub bucket: Bucket,
    /// For the rows.
    pub table: String,
    /// For everything else.
    pub log_group: String,
    /// Uploads elsewhere do not start the function.
    pub key_prefix: String,
    partition: String,
}

impl Place {
    /// Reads it from a stack's outputs.
    ///
    /// # Errors
    /// An output is missing: another template made the stack.
    pub fn of(stack: &Stack) -> Result<Self> {
        let owner = stack.account().ok_or_else(|| Error::new(format!("the ARN `{}` names no account", stack.id)))?;
        Ok(Self {
            bucket: Bucket { name: stack.output("BucketName")?.to_owned(), owner: owner.to_owned() },
            table: stack.output("TableName")?.to_owned(),
            log_group: stack.output("LogGroupName")?.to_owned(),
            key_prefix: stack.parameters.get("KeyPrefix").cloned().unwrap_or_default(),
            partition: stack.partition().to_owned(),
        })
    }
}

/// A picture that was uploaded.
#[derive(Clone, Debug)]
pub struct Upload {
    /// What its rows are known by.
    pub picture: Picture,
    /// When, in milliseconds since the Unix epoch.
    at: i64,
}

/// Milliseconds since the Unix epoch.
#[must_use]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Uploads a picture.
///
/// # Errors
/// Any failure of the request.
pub async fn upload(cx: &Context, place: &Place, key: String, bytes: Vec<u8>, content_type: &str) -> Result<Upload> {
    let at = now();
    let stored = bucket::put(&cx.clients.s3, &place.bucket, &key, bytes, content_type).await?;
    let picture = Picture {
        partition: place.partition.clone(),
        bucket: place.bucket.name.clone(),
        key,
        version: stored.version,
        etag: stored.etag,
    };
    Ok(Upload { picture, at })
}

/// This machine's clock may be so far ahead of the log's, in milliseconds.
const CLOCKS: i64 = 120_000;

/// How often one picture looks at the log: the service takes five such requests a second from an account, and `detect` watches eight pictures.
const LOOKS: Duration = Duration::from_secs(2);

/// How a picture ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// With these rows.
    Rows(Vec<Row>),
    /// Without rows, as the log says: `no_face`, `unusable` or `skipped`.
    Without(String),
    /// Not at all in the given time; the log may say why.
    Late(Option<String>),
}

/// Waits until the function has finished with a picture. A failed attempt is no end: Lambda tries again.
///
/// # Errors
/// Table or log cannot be read.
pub async fn wait(cx: &Context, place: &Place, upload: &Upload, patience: Duration) -> Result<Ended> {
    let started = Instant::now();
    let mut pace = Pace::new(Duration::from_millis(200), Duration::from_secs(2));
    let every = if cx.local.is_some() { Duration::ZERO } else { LOOKS };
    let (mut looked, mut log) = (started, Vec::new());
    loop {
        let rows = rows(cx, place, &upload.picture).await?;
        if !rows.is_empty() {
            return Ok(Ended::Rows(rows));
        }
        let late = started.elapsed() >= patience;
        if late || looked.elapsed() >= every {
            looked = Instant::now();
            log = function::glance(&cx.clients.logs, &place.log_group, upload.at - CLOCKS).await?.unwrap_or(log);
        }
        let mut failure = None;
        for line in &log {
            match outcome(&line.text, &upload.picture) {
                Some(Outcome::Without(word)) => return Ok(Ended::Without(word)),
                Some(Outcome::Failed) => failure = Some(line.text.clone()),
                Some(Outcome::Stored) | None => {}
            }
        }
        if late {
            // A function that cannot even start says so in lines that name no picture.
            let last = log.iter().rfind(|line| line.at >= upload.at).map(|line| line.text.clone());
            return Ok(Ended::Late(failure.or(last)));
        }
        pace.wait().await;
    }
}

/// The rows of a picture, by rank, and one more than the first says there are if it exists.
async fn rows(cx: &Context, place: &Place, picture: &Picture) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let expected = match rows.first().and_then(|row| row.get("FaceCount")) {
            Some(Attribute::Number(digits)) => digits.parse().unwrap_or(0),
            _ => 0,
        };
        if rows.len() > expected {
            return Ok(rows);
        }
        match table::get(&cx.clients.dynamodb, &place.table, &picture.face_id(rows.len())).await? {
            Some(row) => rows.push(row),
            None => return Ok(rows),
        }
    }
}

/// Removes a picture in all its versions, and its rows.
///
/// # Errors
/// Any failure of the requests.
pub async fn clean_up(cx: &Context, place: &Place, picture: &Picture) -> Result<()> {
    bucket::remove(&cx.clients.s3, &place.bucket, &picture.key, |_| {}).await?;
    for rank in 0..rows(cx, place, picture).await?.len() {
        table::remove(&cx.clients.dynamodb, &place.table, &picture.face_id(rank)).await?;
    }
    Ok(())
}

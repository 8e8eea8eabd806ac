//! `provisioner detect`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::aws::bucket::{self, Bucket};
use crate::aws::follow::Pace;
use crate::aws::{function, table};
use crate::cli::Context;
use crate::commands::{deployed, output};
use crate::core::event::Event;
use crate::core::smoke::{Attribute, Picture, Row};
use crate::error::{Error, Exit, Result};

/// Upload pictures, wait for the function, show the faces
#[derive(Debug, clap::Args)]
pub struct Detect {
    /// Pictures, JPEG or PNG
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Put them under this prefix in the bucket
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub prefix: String,
    /// Wait so many seconds for each
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub timeout: u64,
}

/// So many pictures are under way at once: Rekognition's smallest default quota is about five a second.
const SIDE_BY_SIDE: usize = 8;

/// Where the pictures go and their rows come from.
#[derive(Clone)]
struct Place {
    bucket: Bucket,
    table: String,
    log_group: String,
    partition: String,
    patience: Duration,
}

/// Runs it in one region.
///
/// # Errors
/// There is no stack, a file cannot be read, or a picture is not finished in time.
pub async fn run(args: &Detect, cx: &Context) -> Result<Exit> {
    let stack = deployed(cx).await?;
    let place = Place {
        bucket: Bucket {
            name: output(&stack, "BucketName")?.to_owned(),
            owner: stack.account().unwrap_or_default().to_owned(),
        },
        table: output(&stack, "TableName")?.to_owned(),
        log_group: output(&stack, "LogGroupName")?.to_owned(),
        partition: stack.partition().to_owned(),
        patience: Duration::from_secs(args.timeout),
    };
    let turns = Arc::new(Semaphore::new(SIDE_BY_SIDE));
    let mut running = JoinSet::new();
    for file in args.files.clone() {
        let (cx, place, prefix, turns) = (cx.clone(), place.clone(), args.prefix.clone(), Arc::clone(&turns));
        running.spawn(async move {
            let _turn = turns.acquire_owned().await;
            one(&cx, &place, &file, &prefix).await
        });
    }
    let mut worst = Exit::Success;
    for outcome in running.join_all().await {
        if let Err(error) = outcome {
            worst = worst.max(crate::cli::report(&cx.events, error));
        }
    }
    Ok(worst)
}

async fn one(cx: &Context, place: &Place, file: &PathBuf, prefix: &str) -> Result<()> {
    let shown = file.display().to_string();
    let bytes = tokio::fs::read(file)
        .await
        .map_err(|error| Error::new(format!("cannot read `{shown}`")).because(&error).exit(Exit::Usage))?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let key = format!("{prefix}{name}");
    let began =
        i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or_default();
    let stored = bucket::put(&cx.clients.s3, &place.bucket, &key, bytes, "application/octet-stream").await?;
    let picture = Picture {
        partition: place.partition.clone(),
        bucket: place.bucket.name.clone(),
        key: key.clone(),
        version: stored.version,
        etag: stored.etag,
    };
    let (rows, outcome) = wait(cx, place, &picture, began).await?;
    cx.events.emit(Event::Faces { file: shown, key, rows, outcome });
    Ok(())
}

/// Waits for the rows, or for the log to say that there are none.
async fn wait(cx: &Context, place: &Place, picture: &Picture, began: i64) -> Result<(Vec<Row>, Option<String>)> {
    let started = Instant::now();
    let mut pace = Pace::new(Duration::from_millis(250), Duration::from_secs(2));
    let id = picture.face_id(0);
    loop {
        if let Some(first) = table::get(&cx.clients.dynamodb, &place.table, &id).await? {
            let faces = match first.get("FaceCount") {
                Some(Attribute::Number(digits)) => digits.parse().unwrap_or(1),
                _ => 1,
            };
            let mut rows = vec![first];
            for rank in 1..faces {
                rows.extend(table::get(&cx.clients.dynamodb, &place.table, &picture.face_id(rank)).await?);
            }
            return Ok((rows, None));
        }
        let log = function::log(&cx.clients.logs, &place.log_group, began).await?;
        if let Some(outcome) =
            log.iter().filter(|line| line.text.contains(&id[..32])).find_map(|line| without_rows(&line.text))
        {
            return Ok((Vec::new(), Some(outcome)));
        }
        if started.elapsed() >= place.patience {
            return Err(Error::new(format!(
                "the function has not finished with `{}` after {} s",
                picture.key,
                place.patience.as_secs()
            ))
            .exit(Exit::Smoke)
            .hint(format!("`{}` shows its log", cx.command("logs"))));
        }
        pace.wait().await;
    }
}

/// The outcome in a log line of the function, unless rows come with it.
fn without_rows(line: &str) -> Option<String> {
    let document: serde_json::Value = serde_json::from_str(line).ok()?;
    document["outcome"].as_str().filter(|outcome| !matches!(*outcome, "stored")).map(ToOwned::to_owned)
}

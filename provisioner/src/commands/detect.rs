//! `provisioner detect`

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::context::Context;
use crate::core::event::Event;
use crate::core::hint::Hint;
use crate::error::{Error, Exit, Result};
use crate::steps::picture::{self, Deployment, PictureResult};
use crate::steps::preflight;

/// Upload pictures and show the faces that the function finds in them
///
/// A picture is stored under the name of its file. It replaces an existing picture with that name.
#[derive(Debug, clap::Args)]
pub struct Detect {
    /// Pictures to upload (JPEG or PNG)
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Prefix of the pictures' keys in the bucket
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub prefix: String,
    /// Seconds to wait for each picture
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub timeout: u64,
}

/// Maximum number of pictures in progress at a time: Rekognition's smallest default quota is about five per second.
const PARALLEL_PICTURES: usize = 8;

/// Runs the command in one region.
pub async fn run(args: &Detect, cx: &Context) -> Result<Exit> {
    if let Some(name) = repeated_name(&args.files) {
        return Err(Error::new(format!("two files are named `{name}`, so one would replace the other"))
            .exit(Exit::Usage)
            .hint("rename one of them, or upload them in two runs with different values of `--prefix`"));
    }
    let stack = preflight::deployed(cx).await?;
    let deployment = Deployment::of(&stack)?;
    let patience = Duration::from_secs(args.timeout);
    let turns = Arc::new(Semaphore::new(PARALLEL_PICTURES));
    let mut running = JoinSet::new();
    for file in args.files.clone() {
        let (cx, deployment, prefix, turns) = (cx.clone(), deployment.clone(), args.prefix.clone(), Arc::clone(&turns));
        running.spawn(async move {
            let _turn = turns.acquire_owned().await;
            one(&cx, &deployment, &file, &prefix, patience).await
        });
    }
    let (mut worst, mut done) = (Exit::Success, 0);
    while let Some(outcome) = running.join_next().await {
        let outcome = outcome.map_err(|error| Error::new("the upload of a picture crashed").because(&error))?;
        if let Err(error) = outcome {
            worst = worst.max(cx.events.report(error));
        }
        done += 1;
        cx.events.emit(Event::Detecting { done, of: args.files.len() });
    }
    Ok(worst)
}

/// A name that two of the files share.
fn repeated_name(files: &[PathBuf]) -> Option<String> {
    let mut seen = HashSet::new();
    let names = files.iter().map(|file| file.file_name().unwrap_or_default());
    names.into_iter().find(|name| !seen.insert(*name)).map(|name| name.to_string_lossy().into_owned())
}

async fn one(cx: &Context, deployment: &Deployment, file: &Path, prefix: &str, patience: Duration) -> Result<()> {
    let shown = file.display().to_string();
    let bytes = tokio::fs::read(file)
        .await
        .map_err(|error| Error::new(format!("cannot read `{shown}`")).because(&error).exit(Exit::Usage))?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let key = format!("{}{prefix}{name}", deployment.key_prefix);
    let upload = picture::upload(cx, deployment, key.clone(), bytes, "application/octet-stream").await?;
    let (rows, outcome) = match picture::wait(cx, deployment, &upload, patience).await? {
        PictureResult::Rows(rows) => (rows, None),
        PictureResult::Without(word) => (Vec::new(), Some(word)),
        PictureResult::Late(line) => {
            let error = Error::new(format!("the function did not process `{key}` within {} s", patience.as_secs()))
                .exit(Exit::Smoke)
                .hint(Hint::command("logs").then(" shows the function's log"));
            return Err(line.into_iter().fold(error, Error::cause));
        }
    };
    cx.events.emit(Event::Faces { file: shown, key, rows, outcome });
    Ok(())
}

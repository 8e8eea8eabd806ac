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

/// Upload pictures, wait for the function, show the faces
///
/// A picture is stored under its file's name, in the place of one that is there under that name.
#[derive(Debug, clap::Args)]
pub struct Detect {
    /// Pictures, JPEG or PNG
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Put them under this prefix in the bucket
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub prefix: String,
    /// Seconds to wait for each
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub timeout: u64,
}

/// So many pictures are under way at once: Rekognition's smallest default quota is about five a second.
const SIDE_BY_SIDE: usize = 8;

/// Runs it in one region.
///
/// # Errors
/// There is no stack, a file cannot be read, or a picture is not finished in time.
pub async fn run(args: &Detect, cx: &Context) -> Result<Exit> {
    if let Some(name) = twice(&args.files) {
        return Err(Error::new(format!("two of the files are called `{name}`, and one would replace the other"))
            .exit(Exit::Usage)
            .hint("rename one, or give them to two runs with different `--prefix`"));
    }
    let stack = preflight::deployed(cx).await?;
    let deployment = Deployment::of(&stack)?;
    let patience = Duration::from_secs(args.timeout);
    let turns = Arc::new(Semaphore::new(SIDE_BY_SIDE));
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
        let outcome = outcome.map_err(|error| Error::new("a picture was interrupted").because(&error))?;
        if let Err(error) = outcome {
            worst = worst.max(cx.events.report(error));
        }
        done += 1;
        cx.events.emit(Event::Detecting { done, of: args.files.len() });
    }
    Ok(worst)
}

/// A name that two of the files have.
fn twice(files: &[PathBuf]) -> Option<String> {
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
            let error =
                Error::new(format!("the function has not finished with `{key}` after {} s", patience.as_secs()))
                    .exit(Exit::Smoke)
                    .hint(Hint::command("logs").then(" shows its log"));
            return Err(line.into_iter().fold(error, Error::cause));
        }
    };
    cx.events.emit(Event::Faces { file: shown, key, rows, outcome });
    Ok(())
}

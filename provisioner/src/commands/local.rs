//! `provisioner local`, and how other commands join the local cloud.

use std::path::PathBuf;
use std::sync::Arc;

use crate::aws::bucket::{self, Read};
use crate::aws::{Clients, Target};
use crate::cli::Global;
use crate::core::event::Event;
use crate::error::{Error, Exit, Result};
use crate::local::rekognition::{self, FetchError, MAX_OBJECT_BYTES, S3Object, ServeArgs};
use crate::local::{self, Options, Paths, Progress, State, Status, Stopped};
use crate::ui::{Events, Ui};

/// The local cloud by itself: an emulator on 127.0.0.1 that needs no account
#[derive(Debug, clap::Subcommand)]
pub enum Local {
    /// Start it, or join the one that runs
    Start(Start),
    /// Stop it and remove what is in it
    Stop,
    /// Print the variables that point the AWS CLI or any SDK at it: eval "$(provisioner local env)"
    Env,
    /// Say whether it runs, and where; exits with 1 where it does not
    Status,
    /// Serve Rekognition (started by `local start`)
    #[command(hide = true)]
    ServeRekognition(Serve),
}

/// Options of `local start`.
#[derive(Debug, clap::Args)]
pub struct Start {
    /// Port on 127.0.0.1; 0 takes any free one [default: 4566]
    #[arg(long, env = PORT_VARIABLE, value_name = "PORT")]
    pub port: Option<u16>,
    /// Play a Rekognition quota: more requests than this a second are throttled
    #[arg(long, value_name = "N")]
    pub rekognition_quota: Option<u32>,
}

/// Options of `local serve-rekognition`.
#[derive(Debug, clap::Args)]
pub struct Serve {
    #[arg(long)]
    s3_endpoint: String,
    #[arg(long)]
    region: String,
    #[arg(long)]
    ready_file: PathBuf,
    #[arg(long)]
    max_requests_per_second: Option<u32>,
}

/// Names the port where a command other than `local start` starts the local cloud.
const PORT_VARIABLE: &str = "PROVISIONER_LOCAL_PORT";

/// Runs it.
///
/// # Errors
/// The local cloud cannot be started, stopped or found.
pub async fn run(args: Local, global: &Global, ui: &Arc<Ui>) -> Result<Exit> {
    let events = Events::new(Arc::clone(ui), None);
    match args {
        Local::Start(start) => {
            let options = Options {
                port: start.port,
                region: region(global).to_owned(),
                max_requests_per_second: start.rekognition_quota,
                ..Options::from_env().map_err(explain)?
            };
            launch(&options, &events).await?;
        }
        Local::Stop => stop(&events).await?,
        Local::Env => {
            let state = running().await?;
            let lines = state.env().into_iter().map(|(name, value)| format!("export {name}='{value}'\n"));
            events.emit(Event::Document { text: lines.collect() });
        }
        Local::Status => match status().await? {
            Status::Running(state) => announce(&state, &events),
            Status::NotRunning => {
                events.emit(Event::LocalStopped { was_running: false });
                return Ok(Exit::Failed);
            }
            Status::Broken { part, .. } => return Err(broken(part)),
        },
        Local::ServeRekognition(serve) => return serve_rekognition(serve).await.map(|()| Exit::Success),
    }
    Ok(Exit::Success)
}

/// The local cloud that runs; with `start` one is started where none does.
///
/// # Errors
/// None runs, or none can be started.
pub async fn join(global: &Global, start: bool, ui: &Arc<Ui>) -> Result<State> {
    if !start {
        return running().await;
    }
    let events = Events::new(Arc::clone(ui), None);
    let mut options = Options::from_env().map_err(explain)?;
    region(global).clone_into(&mut options.region);
    options.port = std::env::var(PORT_VARIABLE).ok().map(|text| port(&text)).transpose()?;
    launch(&options, &events).await
}

/// Whether a local cloud runs.
///
/// # Errors
/// Its state cannot be read.
pub async fn status() -> Result<Status> {
    local::status(&Paths::from_env().map_err(explain)?).await.map_err(explain)
}

/// Stops the local cloud; none running is as good.
///
/// # Errors
/// A process does not end, or a file cannot be removed.
pub async fn stop(events: &Events) -> Result<()> {
    let stopped = local::stop(&Paths::from_env().map_err(explain)?, &|progress| report(&progress, events))
        .await
        .map_err(explain)?;
    events.emit(Event::LocalStopped { was_running: matches!(stopped, Stopped::Stopped(_)) });
    Ok(())
}

fn region(global: &Global) -> &str {
    global.region.first().map_or(local::DEFAULT_REGION, String::as_str)
}

fn port(text: &str) -> Result<u16> {
    text.parse().map_err(|error| Error::new(format!("`{PORT_VARIABLE}` is `{text}`")).because(&error).exit(Exit::Usage))
}

async fn launch(options: &Options, events: &Events) -> Result<State> {
    let state = local::start(options, &|progress| report(&progress, events)).await.map_err(explain)?;
    announce(&state, events);
    Ok(state)
}

fn announce(state: &State, events: &Events) {
    let account = local::credentials().account_id.to_owned();
    events.emit(Event::LocalReady { endpoint: state.endpoint_url.clone(), account });
}

async fn running() -> Result<State> {
    match status().await? {
        Status::Running(state) => Ok(*state),
        Status::NotRunning => Err(Error::new("no local cloud is running")
            .hint("`provisioner up --local` starts one and puts the system up in it; `provisioner local start` only starts it")),
        Status::Broken { part, .. } => Err(broken(part)),
    }
}

fn broken(part: &str) -> Error {
    Error::new(format!("{part} of the local cloud does not answer"))
        .hint("`provisioner local stop` removes what is left of it; then start again")
}

fn report(progress: &Progress, events: &Events) {
    let step = match progress {
        Progress::WaitingForOther { lock } => format!("waiting for another command that holds {}", lock.display()),
        Progress::Installing { version, with, .. } => {
            format!("installing MiniStack {version} with {with}, once for this user")
        }
        Progress::Installed { took } => format!("installed in {:.1} s", took.as_secs_f64()),
        Progress::Replacing { ended } => format!("{ended} had ended: starting afresh"),
        Progress::Starting { port } => format!("starting on 127.0.0.1:{port}"),
        // Announced with the account, once for all ways to get there.
        _ => return,
    };
    events.emit(Event::LocalCloud { step });
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn explain(error: local::Error) -> Error {
    let hint = error.hint();
    let message = error.to_string();
    let base = match std::error::Error::source(&error) {
        Some(source) => Error::new(message).because(source),
        None => Error::new(message),
    };
    hint.into_iter().fold(base, Error::hint)
}

/// Serves until it is told to end; pictures are read from the emulator's buckets.
async fn serve_rekognition(serve: Serve) -> Result<()> {
    let target = Target::Local {
        endpoint: serve.s3_endpoint.clone(),
        region: serve.region.clone(),
        credentials: local::credentials().key_pair(),
    };
    let s3 = Clients::connect(&target).await?.s3;
    let fetch = move |object: S3Object| {
        let s3 = s3.clone();
        async move {
            match bucket::read(&s3, &object.bucket, &object.key, object.version, MAX_OBJECT_BYTES).await {
                Ok(Read::Bytes(bytes)) => Ok(bytes),
                Ok(Read::Missing) => Err(FetchError::NotFound),
                Ok(Read::Denied) => Err(FetchError::AccessDenied),
                Ok(Read::TooLarge) => Err(FetchError::TooLarge),
                Err(error) => Err(FetchError::Other(format!("{error}: {}", error.causes.join(": ")))),
            }
        }
    };
    let args = ServeArgs {
        s3_endpoint: serve.s3_endpoint,
        region: serve.region,
        ready_file: serve.ready_file,
        max_requests_per_second: serve.max_requests_per_second,
    };
    rekognition::run(&args, fetch).await.map_err(explain)
}

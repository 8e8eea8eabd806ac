//! `provisioner local`

use std::path::PathBuf;

use crate::aws::bucket::{self, Read};
use crate::aws::{Clients, local_contents, tell_nobody};
use crate::context::Global;
use crate::core::event::Event;
use crate::core::invocation::quote;
use crate::error::{Exit, Result};
use crate::local::rekognition::{self, FetchError, MAX_OBJECT_BYTES, S3Object, ServeArgs};
use crate::local::{self, Options, Status};
use crate::local_cloud::{self, PORT_VARIABLE};
use crate::ui::Events;

/// Manage the local cloud: an AWS emulator on 127.0.0.1 that needs no account
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Examples:\n  provisioner local start --rekognition-quota 5\n  provisioner local stop")]
pub enum Local {
    /// Start the local cloud, or show the one that is running
    Start(Start),
    /// Stop the local cloud and delete everything in it
    #[command(after_help = "Examples:\n  provisioner local stop")]
    Stop,
    /// Print the environment variables that point the AWS CLI and SDKs at the local cloud: eval "$(provisioner local
    /// env)"
    #[command(after_help = "Examples:\n  provisioner local env")]
    Env,
    /// Show whether the local cloud is running, and its endpoint; exits with 1 if it is not running
    #[command(after_help = "Examples:\n  provisioner local status")]
    Status,
    /// Serve Rekognition; started by `local start`
    #[command(hide = true)]
    ServeRekognition(Serve),
}

/// Options of `local start`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provisioner local start --port 0")]
pub struct Start {
    /// Port on 127.0.0.1; 0 selects a free port [default: 4566]
    #[arg(long, env = PORT_VARIABLE, value_name = "PORT")]
    pub port: Option<u16>,
    /// Throttle requests to Rekognition beyond this number per second, to imitate a quota
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
    #[arg(long, default_value_t = 0)]
    port: u16,
    #[arg(long)]
    max_requests_per_second: Option<u32>,
}

impl Local {
    /// Whether the command serves until a signal stops it.
    #[must_use]
    pub fn is_server(&self) -> bool {
        matches!(self, Self::ServeRekognition(_))
    }
}

/// Runs the command.
pub async fn run(args: Local, global: &Global, events: &Events) -> Result<Exit> {
    match args {
        Local::Start(start) => {
            let options = Options {
                port: start.port,
                region: global.region.first().map_or(local::DEFAULT_REGION, String::as_str).to_owned(),
                max_requests_per_second: start.rekognition_quota,
                ..local_cloud::options()?
            };
            local_cloud::start(&options, events).await?;
        }
        Local::Stop => {
            confirm_stop(global, events).await?;
            local_cloud::stop(events).await?;
        }
        Local::Env => {
            let state = local_cloud::running().await?;
            let variables = local_cloud::environment(&state)?;
            let lines = variables.into_iter().map(|(name, value)| format!("export {name}={}\n", quote(&[value])));
            events.emit(Event::Document { text: lines.collect() });
        }
        Local::Status => match local_cloud::status().await? {
            Status::Running(state) => local_cloud::announce(&state, events),
            Status::NotRunning => {
                events.emit(Event::LocalStopped { was_running: false });
                return Ok(Exit::Failed);
            }
            Status::Broken { part, .. } => return Err(local_cloud::broken(part)),
        },
        Local::ServeRekognition(serve) => serve_rekognition(serve).await?,
    }
    Ok(Exit::Success)
}

/// Asks before the local cloud is stopped with something in it.
async fn confirm_stop(global: &Global, events: &Events) -> Result<()> {
    // A local cloud that does not answer holds nothing that could be saved.
    let Ok(Status::Running(state)) = local_cloud::status().await else { return Ok(()) };
    let contents = local_contents::count(&state.endpoint_url, local::credentials().key_pair()).await?;
    if global.yes || contents.is_empty() {
        return Ok(());
    }
    let local_contents::Contents { stacks, buckets, tables } = contents;
    events.emit(Event::LocalWillStop { stacks, buckets, tables });
    events.confirm("delete this?")
}

/// Serves until the process is stopped. Pictures are read from the emulator's buckets.
async fn serve_rekognition(serve: Serve) -> Result<()> {
    let s3 =
        Clients::of_local_cloud(&serve.s3_endpoint, &serve.region, local::credentials().key_pair(), tell_nobody()).s3;
    let fetch = move |object: S3Object| {
        let s3 = s3.clone();
        async move {
            match bucket::read(&s3, &object.bucket, &object.key, object.version, MAX_OBJECT_BYTES).await {
                Ok(Read::Bytes(bytes, _)) => Ok(bytes),
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
        port: serve.port,
        max_requests_per_second: serve.max_requests_per_second,
    };
    rekognition::run(&args, fetch).await.map_err(local_cloud::explain)
}

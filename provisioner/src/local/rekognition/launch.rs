//! Runs the server as a separate process that continues after the command ends.
//!
//! Invariant: the child process reports its address only after it has started to listen.

use std::ffi::OsString;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, interval};

use super::super::error::{Error, TAIL};
use super::super::probe;
use super::super::process::{Process, Spawned};
use super::super::state::write_whole;
use super::fetch::Fetch;
use super::server::{HEALTH, ServeOptions, serve};
use crate::core::text::last_lines;

/// The server's name in errors.
pub(in super::super) const PART: &str = "the local Rekognition server";
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);

/// The arguments of the hidden command `local serve-rekognition`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeArgs {
    /// `--s3-endpoint`: the endpoint of the buckets.
    pub s3_endpoint: String,
    /// `--region`: the region of the requests to the buckets.
    pub region: String,
    /// `--ready-file`: the file that receives the server's address, for example `http://127.0.0.1:40123`, when it listens.
    pub ready_file: PathBuf,
    /// `--port`: the port to listen on; 0 for any free port.
    pub port: u16,
    /// `--max-requests-per-second`: the quota; `None` for no quota.
    pub max_requests_per_second: Option<u32>,
}

impl ServeArgs {
    /// The arguments after the program's name.
    #[must_use]
    pub fn to_args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["local".into(), "serve-rekognition".into()];
        args.extend(["--s3-endpoint".into(), self.s3_endpoint.clone().into()]);
        args.extend(["--region".into(), self.region.clone().into()]);
        args.extend(["--ready-file".into(), self.ready_file.clone().into()]);
        args.extend(["--port".into(), self.port.to_string().into()]);
        if let Some(limit) = self.max_requests_per_second {
            args.extend(["--max-requests-per-second".into(), limit.to_string().into()]);
        }
        args
    }
}

/// The hidden command: listens on 127.0.0.1, reports the address, and serves until SIGTERM or SIGINT.
pub async fn run<F: Fetch>(args: &ServeArgs, fetch: F) -> Result<(), Error> {
    let failed = |source| Error::Port { port: args.port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await.map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    let mut end = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    write_whole(&args.ready_file, format!("http://127.0.0.1:{port}").as_bytes())?;
    let options = ServeOptions { max_requests_per_second: args.max_requests_per_second, concurrency: None };
    let told = async {
        tokio::select! { _ = end.recv() => {} _ = interrupt.recv() => {} }
    };
    serve(listener, fetch, options, told).await;
    Ok(())
}

/// Starts the running program again as the server, and returns its address when it answers.
pub(in super::super) async fn spawn(args: &ServeArgs, log: &Path) -> Result<(Spawned, String), Error> {
    let program = std::env::current_exe().map_err(Error::file("find", "the running program"))?;
    let mut command = Command::new(program);
    // The environment is empty, so that no variable of the user can redirect the fetcher or give it credentials.
    command.args(args.to_args()).env_clear().env("AWS_EC2_METADATA_DISABLED", "true");
    start(&mut command, args, log).await
}

async fn start(command: &mut Command, args: &ServeArgs, log: &Path) -> Result<(Spawned, String), Error> {
    let mut spawned = Process::spawn(command, log)?;
    let end = Instant::now() + PATIENCE;
    let mut tick = interval(POLL);
    loop {
        tick.tick().await;
        if let Ok(url) = fs::read_to_string(&args.ready_file)
            && is_ready(&url).await
        {
            return Ok((spawned, url));
        }
        if let Some(status) = spawned.ended() {
            let said = fs::read(log).unwrap_or_default();
            return Err(Error::Ended { part: PART, status, tail: last_lines(&String::from_utf8_lossy(&said), TAIL) });
        }
        if Instant::now() >= end {
            return Err(Error::NotReady { part: PART, waited: PATIENCE, log: log.to_path_buf() });
        }
    }
}

/// Whether the server at a URL answers.
pub(in super::super) async fn is_ready(url: &str) -> bool {
    match url.strip_prefix("http://127.0.0.1:").and_then(|port| port.parse().ok()) {
        Some(port) => probe::answers(port, HEALTH).await,
        None => false,
    }
}

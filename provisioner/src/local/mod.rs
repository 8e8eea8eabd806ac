//! The local cloud: an emulator of AWS and a Rekognition server of ours, both on 127.0.0.1, started once and shared by
//! all commands until stopped.
//!
//! Invariant: no AWS account can be reached from here. This module names no crate of the AWS SDK, reads no profile and
//! no credential, binds and connects to 127.0.0.1 only, and starts its processes with an emptied environment.
//! (Installing the emulator is the one thing that uses the network, through the user's own `uv` or `pip`.)
//!
//! What is created in it lives as long as its processes: it survives from command to command, and [`stop`] removes it
//! with everything that was written, so that nothing is left but the installed emulator in the user's cache.

mod error;
mod install;
mod lock;
mod ministack;
mod paths;
mod probe;
mod process;
pub mod rekognition;
mod state;

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

pub use error::Error;
pub use install::{MINISTACK_VERSION, installer, is_installed, uninstall};
pub use paths::Paths;
pub use process::Process;
pub use state::State;

use lock::Lock;
use rekognition::ServeArgs;

/// `LocalStack`'s port, which tools for emulators try first.
pub const DEFAULT_PORT: u16 = 4566;
/// Where nothing else was asked for.
pub const DEFAULT_REGION: &str = "us-east-1";

/// A key pair that every local cloud accepts as its root user, and real AWS can never have issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    /// Twelve digits: the emulator takes such a key as the root of the account of that number.
    pub access_key_id: &'static str,
    /// Not a secret.
    pub secret_access_key: &'static str,
    /// What STS `GetCallerIdentity` answers.
    pub account_id: &'static str,
}

impl Credentials {
    /// Access key and secret.
    #[must_use]
    pub const fn key_pair(self) -> (&'static str, &'static str) {
        (self.access_key_id, self.secret_access_key)
    }
}

pub(crate) const CREDENTIALS: Credentials =
    Credentials { access_key_id: "000000000000", secret_access_key: "test", account_id: "000000000000" };

/// The credentials of every local cloud.
#[must_use]
pub const fn credentials() -> Credentials {
    CREDENTIALS
}

/// How to start a local cloud.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its folders.
    pub paths: Paths,
    /// The port; `None` takes [`DEFAULT_PORT`], or whatever one that runs already has; `Some(0)` any free one.
    pub port: Option<u16>,
    /// The region of requests that name none.
    pub region: String,
    /// The quota that the Rekognition server plays; `None` takes whatever one that runs already plays, else none.
    pub max_requests_per_second: Option<u32>,
}

impl Options {
    /// The usual ones, with folders from the environment.
    pub fn from_env() -> Result<Self, Error> {
        Ok(Self { paths: Paths::from_env()?, port: None, region: DEFAULT_REGION.into(), max_requests_per_second: None })
    }
}

/// What [`start`] and [`stop`] are doing, for whoever shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Another command works on this local cloud.
    WaitingForOther {
        /// What it holds.
        lock: PathBuf,
    },
    /// The emulator is being downloaded and installed, once for this user.
    Installing {
        /// Its version.
        version: &'static str,
        /// `uv` or `pip`.
        with: &'static str,
        /// The folder.
        into: PathBuf,
    },
    /// It is installed.
    Installed {
        /// The time that it took.
        took: Duration,
    },
    /// A local cloud of which only a part still ran is being replaced; what was in it is lost.
    Replacing {
        /// The part that had ended.
        ended: &'static str,
    },
    /// The processes are being started.
    Starting {
        /// The emulator's port.
        port: u16,
    },
    /// Both answer.
    Ready {
        /// The emulator.
        endpoint_url: String,
        /// The Rekognition server.
        rekognition_url: String,
        /// The time from the start of the processes.
        took: Duration,
    },
    /// One that ran already is used.
    Joined {
        /// The emulator.
        endpoint_url: String,
    },
}

/// How [`stop`] found things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// Its processes are ended and its files removed.
    Stopped(Box<State>),
    /// There was none.
    NotRunning,
}

/// How a local cloud is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// There is none.
    NotRunning,
    /// Both processes answer.
    Running(Box<State>),
    /// A part of it has ended or does not answer.
    Broken {
        /// What was started.
        state: Box<State>,
        /// `MiniStack` or the Rekognition server.
        part: &'static str,
    },
}

/// Starts a local cloud, or joins the one that runs. A failed start leaves no process behind, only the logs.
pub async fn start(options: &Options, progress: &(dyn Fn(Progress) + Sync)) -> Result<State, Error> {
    let paths = &options.paths;
    let _lock = Lock::take(paths, progress).await?;
    match status(paths).await? {
        Status::NotRunning => {}
        Status::Running(state) => {
            fits(&state, options)?;
            progress(Progress::Joined { endpoint_url: state.endpoint_url.clone() });
            return Ok(*state);
        }
        Status::Broken { state, part } => {
            progress(Progress::Replacing { ended: part });
            end(&state).await?;
            clear(paths)?;
        }
    }
    let port = free_port(options.port.unwrap_or(DEFAULT_PORT)).await?;
    let python = install::ensure(paths, progress).await?;
    progress(Progress::Starting { port });
    let began = std::time::Instant::now();
    let state = launch(options, port, &python).await?;
    progress(Progress::Ready {
        endpoint_url: state.endpoint_url.clone(),
        rekognition_url: state.rekognition_url.clone(),
        took: began.elapsed(),
    });
    Ok(state)
}

/// Ends the local cloud and removes what it wrote. The installed emulator stays in the cache.
pub async fn stop(paths: &Paths, progress: &(dyn Fn(Progress) + Sync)) -> Result<Stopped, Error> {
    if !paths.state.exists() {
        return Ok(Stopped::NotRunning);
    }
    let _lock = Lock::take(paths, progress).await?;
    let state = State::load(paths)?;
    if let Some(state) = &state {
        end(state).await?;
    }
    clear(paths)?;
    // The lock goes last, and the folder with it; whoever waits for the lock makes both anew.
    remove_file(&paths.lock_file())?;
    // Not ours to remove if the user keeps other things in it.
    let _ = fs::remove_dir(&paths.state);
    Ok(state.map_or(Stopped::NotRunning, |state| Stopped::Stopped(Box::new(state))))
}

/// Looks, and changes nothing; does not wait for a command that works on it.
pub async fn status(paths: &Paths) -> Result<Status, Error> {
    let Some(state) = State::load(paths)? else {
        return Ok(Status::NotRunning);
    };
    let state = Box::new(state);
    if !state.ministack.is_alive() || !ministack::is_ready(state.port).await {
        return Ok(Status::Broken { state, part: ministack::PART });
    }
    if !state.rekognition.is_alive() || !rekognition::is_ready(&state.rekognition_url).await {
        return Ok(Status::Broken { state, part: rekognition::PART });
    }
    Ok(Status::Running(state))
}

/// The region is not compared: an emulator serves them all.
fn fits(state: &State, options: &Options) -> Result<(), Error> {
    let differ = |running, asked| Err(Error::RunningOtherwise { running, asked });
    if let Some(port) = options.port.filter(|port| *port != 0 && *port != state.port) {
        return differ(format!("port {}", state.port), format!("port {port}"));
    }
    if let Some(limit) = options.max_requests_per_second
        && state.max_requests_per_second != Some(limit)
    {
        let quota = |limit: u32| format!("{limit} Rekognition requests a second");
        return differ(state.max_requests_per_second.map_or("no Rekognition quota".into(), quota), quota(limit));
    }
    Ok(())
}

/// The Rekognition server comes first, since the emulator is told its address. The state is saved before the emulator
/// is ready: should this command be killed while it waits, the next one finds the processes.
async fn launch(options: &Options, port: u16, python: &std::path::Path) -> Result<State, Error> {
    let run = options.paths.run();
    // What an earlier start left when it failed.
    remove_folder(&run)?;
    paths::create_private(&run)?;
    let endpoint_url = ministack::url(port);
    let rekognition_log = run.join("rekognition.log");
    let serve = ServeArgs {
        s3_endpoint: endpoint_url.clone(),
        region: options.region.clone(),
        ready_file: run.join("rekognition.url"),
        max_requests_per_second: options.max_requests_per_second,
    };
    let (rekognition, rekognition_url) = rekognition::spawn(&serve, &rekognition_log).await?;
    let ministack_log = run.join("ministack.log");
    let mut emulator = ministack::spawn(ministack::Launch {
        python,
        run: &run,
        log: &ministack_log,
        port,
        region: &options.region,
        rekognition_url: &rekognition_url,
    })?;
    let state = State {
        endpoint_url,
        rekognition_url,
        port,
        region: options.region.clone(),
        ministack_version: MINISTACK_VERSION.into(),
        provisioner_version: env!("CARGO_PKG_VERSION").into(),
        max_requests_per_second: options.max_requests_per_second,
        ministack: emulator.process.clone(),
        rekognition: rekognition.process.clone(),
        ministack_log,
        rekognition_log,
    };
    state.save(&options.paths)?;
    if let Err(error) = ministack::until_ready(&mut emulator, port, &state.ministack_log).await {
        remove_file(&options.paths.state_file())?;
        return Err(error);
    }
    emulator.keep();
    rekognition.keep();
    Ok(state)
}

async fn end(state: &State) -> Result<(), Error> {
    state.ministack.stop(ministack::PART).await?;
    state.rekognition.stop(rekognition::PART).await
}

/// Asks by connecting as well as by binding: macOS lets one bind 127.0.0.1 beside a program that has the port on all
/// addresses.
async fn free_port(port: u16) -> Result<u16, Error> {
    if port != 0 && probe::is_listening(port).await {
        return Err(Error::PortTaken { port });
    }
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|listener| listener.local_addr()) {
        Ok(address) => Ok(address.port()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(Error::PortTaken { port }),
        Err(source) => Err(Error::Port { port, source }),
    }
}

/// Only what is ours: `PROVISIONER_LOCAL_DIR` may point at a folder that holds other things too.
fn clear(paths: &Paths) -> Result<(), Error> {
    remove_folder(&paths.run())?;
    remove_file(&paths.state_file())
}

fn remove_file(path: &std::path::Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
        _ => Ok(()),
    }
}

fn remove_folder(path: &std::path::Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;

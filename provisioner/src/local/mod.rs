//! The local cloud: an emulator of AWS and our own Rekognition server, both on 127.0.0.1, started once and shared by all
//! commands until they are stopped.
//!
//! Invariant: no AWS account can be reached from here. This module does not use the AWS SDK, reads no profile and no
//! credentials, uses only 127.0.0.1, and starts its processes with an empty environment. Only the installation of the
//! emulator uses the network, with the user's own `uv` or `pip`.
//!
//! Its contents live as long as its processes, so they survive from command to command. [`stop`] removes everything
//! except the installed emulator in the user's cache.

mod credentials;
mod error;
mod install;
mod lock;
mod ministack;
mod paths;
mod probe;
mod process;
mod progress;
pub mod rekognition;
mod state;

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

pub use credentials::credentials;
pub use error::Error;
pub use install::{MINISTACK_VERSION, installer, is_installed, python};
pub use paths::Paths;
pub use progress::Progress;
pub use state::State;

use lock::Lock;
use rekognition::ServeArgs;

/// The default port: `LocalStack`'s, which many tools expect.
pub const DEFAULT_PORT: u16 = 4566;
/// The default region.
pub const DEFAULT_REGION: &str = "us-east-1";

/// How to start a local cloud.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folders.
    pub paths: Paths,
    /// The port; `None` means [`DEFAULT_PORT`], or the port of a local cloud that is running; `Some(0)` means any free port.
    pub port: Option<u16>,
    /// The region of requests that do not name one.
    pub region: String,
    /// The Rekognition quota to imitate; `None` means that of a local cloud that is running, otherwise none.
    pub max_requests_per_second: Option<u32>,
}

impl Options {
    /// The defaults, with the folders that the environment names.
    pub fn from_env() -> Result<Self, Error> {
        Ok(Self { paths: Paths::from_env()?, port: None, region: DEFAULT_REGION.into(), max_requests_per_second: None })
    }
}

/// The result of [`stop`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// The processes were stopped and their files removed.
    Stopped(Box<State>),
    /// No local cloud was running.
    NotRunning,
}

/// The status of the local cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// No local cloud is running.
    NotRunning,
    /// Both servers respond.
    Running(Box<State>),
    /// A process of it has ended.
    Broken {
        /// The local cloud as it was started.
        state: Box<State>,
        /// `MiniStack` or the Rekognition server.
        part: &'static str,
    },
}

/// Starts a local cloud, or joins the one that is running. A failed start leaves only logs, not processes.
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
            if state.ministack.is_alive() {
                // The emulator holds the data, so only the other server is started again.
                fits(&state, options)?;
                return revive(*state, paths).await;
            }
            end(&state).await?;
            clear(paths)?;
        }
    }
    let port = free_port(options.port.unwrap_or(DEFAULT_PORT)).await?;
    let python = install::ensure(paths, progress).await?;
    progress(Progress::Starting { port });
    let began = Instant::now();
    let state = launch(options, port, &python).await?;
    progress(Progress::Ready {
        endpoint_url: state.endpoint_url.clone(),
        rekognition_url: state.rekognition_url.clone(),
        took: began.elapsed(),
    });
    Ok(state)
}

/// Stops the local cloud and removes its files. The installed emulator stays in the cache.
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
    // The lock is removed last, together with the folder. A command that waits for the lock creates both again.
    remove_file(&paths.lock_file())?;
    // This fails, as it should, if the user keeps other files in the folder.
    let _ = fs::remove_dir(&paths.state);
    Ok(state.map_or(Stopped::NotRunning, |state| Stopped::Stopped(Box::new(state))))
}

/// Maximum time to wait for a process that is alive but slow.
const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);

/// Checks the status without changing anything or waiting for another command. A slow process is waited for.
pub async fn status(paths: &Paths) -> Result<Status, Error> {
    let Some(state) = State::load(paths)? else {
        return Ok(Status::NotRunning);
    };
    let state = Box::new(state);
    if !state.ministack.is_alive() {
        return Ok(Status::Broken { state, part: ministack::PART });
    }
    if !state.rekognition.is_alive() {
        return Ok(Status::Broken { state, part: rekognition::PART });
    }
    let end = Instant::now() + PATIENCE;
    let mut tick = tokio::time::interval(POLL);
    for (part, log) in [(ministack::PART, &state.ministack_log), (rekognition::PART, &state.rekognition_log)] {
        while !responds(&state, part).await {
            tick.tick().await;
            if Instant::now() >= end {
                return Err(Error::NotReady { part, waited: PATIENCE, log: log.clone() });
            }
        }
    }
    Ok(Status::Running(state))
}

async fn responds(state: &State, part: &str) -> bool {
    if part == ministack::PART {
        ministack::is_ready(state.port).await
    } else {
        rekognition::is_ready(&state.rekognition_url).await
    }
}

/// Starts the Rekognition server again at the address that the emulator knows.
async fn revive(mut state: State, paths: &Paths) -> Result<State, Error> {
    let ready_file = paths.run().join("rekognition.url");
    remove_file(&ready_file)?;
    let serve = ServeArgs {
        s3_endpoint: state.endpoint_url.clone(),
        region: state.region.clone(),
        ready_file,
        port: state.rekognition_url.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default(),
        max_requests_per_second: state.max_requests_per_second,
    };
    let (rekognition, _) = rekognition::spawn(&serve, &state.rekognition_log).await?;
    state.rekognition = rekognition.process.clone();
    state.save(paths)?;
    rekognition.keep();
    Ok(state)
}

/// Checks the options against a local cloud that is running. The region does not matter: the emulator serves all of them.
fn fits(state: &State, options: &Options) -> Result<(), Error> {
    let differ = |running, asked| Err(Error::RunningOtherwise { running, asked });
    if let Some(port) = options.port.filter(|port| *port != 0 && *port != state.port) {
        return differ(format!("port {}", state.port), format!("port {port}"));
    }
    if let Some(limit) = options.max_requests_per_second
        && state.max_requests_per_second != Some(limit)
    {
        let quota = |limit: u32| format!("{limit} Rekognition requests per second");
        return differ(state.max_requests_per_second.map_or("no Rekognition quota".into(), quota), quota(limit));
    }
    Ok(())
}

/// Starts the Rekognition server first, because the emulator needs its address. The state is saved before the emulator is
/// ready, so that the next command finds the processes even if this one is killed.
async fn launch(options: &Options, port: u16, python: &std::path::Path) -> Result<State, Error> {
    let run = options.paths.run();
    // An earlier start that failed may have left files.
    remove_folder(&run)?;
    paths::create_private(&run)?;
    let endpoint_url = ministack::url(port);
    let rekognition_log = run.join("rekognition.log");
    let serve = ServeArgs {
        s3_endpoint: endpoint_url.clone(),
        region: options.region.clone(),
        ready_file: run.join("rekognition.url"),
        port: 0,
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

/// Checks by connecting and by binding, because macOS allows binding to 127.0.0.1 even if another program uses the port on
/// all addresses.
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

/// Removes only this program's files: `PROVISIONER_LOCAL_DIR` may name a folder with other files in it.
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

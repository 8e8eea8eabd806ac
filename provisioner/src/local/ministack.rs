//! Starts the emulator. Invariant: the emulator and the functions in it get none of the user's environment variables except
//! `PATH`, so they cannot find real credentials.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio::time::{Instant, interval};

use super::credentials::credentials;
use super::error::{Error, TAIL};
use super::paths::create_private;
use super::probe;
use super::process::{Process, Spawned};
use crate::core::text::last_lines;

/// Its name in errors.
pub(super) const PART: &str = "MiniStack";
/// A start takes about a second, but much longer with a cold disk on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);
/// The Python program that starts the emulator.
const START: &str = include_str!("start.py");
const READY: &str = "/_ministack/ready";

/// How to start the emulator.
#[derive(Debug, Clone, Copy)]
pub(super) struct Launch<'a> {
    /// The interpreter of the installation.
    pub(super) python: &'a Path,
    /// The folder for all of its files.
    pub(super) run: &'a Path,
    pub(super) log: &'a Path,
    pub(super) port: u16,
    pub(super) region: &'a str,
    pub(super) rekognition_url: &'a str,
}

/// Starts the emulator; [`until_ready`] waits until it responds.
pub(super) fn spawn(launch: Launch<'_>) -> Result<Spawned, Error> {
    for folder in ["home", "tmp", "state", "s3"] {
        create_private(&launch.run.join(folder))?;
    }
    let mut command = Command::new(launch.python);
    command.args(["-c", START]).current_dir(launch.run);
    command.env_clear().envs(environment(launch, std::env::var_os("PATH")));
    Process::spawn(&mut command, launch.log)
}

/// Whether the emulator on `port` responds.
pub(super) async fn is_ready(port: u16) -> bool {
    probe::answers(port, READY).await
}

pub(super) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Waits until the emulator responds, or returns the reason why it never will.
pub(super) async fn until_ready(spawned: &mut Spawned, port: u16, log: &Path) -> Result<(), Error> {
    let end = Instant::now() + PATIENCE;
    let mut tick = interval(POLL);
    loop {
        tick.tick().await;
        if let Some(status) = spawned.ended() {
            let said = fs::read(log).unwrap_or_default();
            return Err(Error::Ended { part: PART, status, tail: last_lines(&String::from_utf8_lossy(&said), TAIL) });
        }
        if is_ready(port).await {
            return Ok(());
        }
        if Instant::now() >= end {
            return Err(Error::NotReady { part: PART, waited: PATIENCE, log: log.to_path_buf() });
        }
    }
}

/// The complete environment of the emulator, which passes it on to every function.
fn environment(launch: Launch<'_>, path: Option<OsString>) -> Vec<(&'static str, OsString)> {
    let under = |name: &str| launch.run.join(name).into_os_string();
    vec![
        ("PATH", path.unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into())),
        ("HOME", under("home")),
        ("TMPDIR", under("tmp")),
        ("BIND_HOST", "127.0.0.1".into()),
        ("GATEWAY_PORT", launch.port.to_string().into()),
        ("LOG_LEVEL", "INFO".into()),
        // The emulator enforces IAM policies as far as it supports them.
        ("AUTH", "true".into()),
        ("MINISTACK_ACCOUNT_ID", credentials().account_id.into()),
        ("MINISTACK_REGION", launch.region.into()),
        // The endpoints that functions use. Without the first one, they would call AWS.
        ("AWS_ENDPOINT_URL", url(launch.port).into()),
        ("AWS_ENDPOINT_URL_REKOGNITION", launch.rekognition_url.into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
        // Functions run as processes on this machine. The emulator still looks for a Docker daemon, so it gets the
        // address of one that does not exist.
        ("LAMBDA_EXECUTOR", "local".into()),
        ("DOCKER_HOST", prefixed("unix://", under("no-docker.sock"))),
        // Nothing outlives a stop, but its files belong here and not in the system's /tmp.
        ("PERSIST_STATE", "0".into()),
        ("STATE_DIR", under("state")),
        ("S3_DATA_DIR", under("s3")),
        ("PYTHONUNBUFFERED", "1".into()),
        ("PYTHONDONTWRITEBYTECODE", "1".into()),
    ]
}

fn prefixed(prefix: &str, path: OsString) -> OsString {
    let mut whole = OsString::from(prefix);
    whole.push(path);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_only_this_machine() {
        let launch = Launch {
            python: Path::new("python"),
            run: Path::new("/state/run"),
            log: Path::new("/state/run/log"),
            port: 4566,
            region: "eu-west-1",
            rekognition_url: "http://127.0.0.1:9999",
        };
        let environment = environment(launch, None);
        let get = |name: &str| environment.iter().find(|(key, _)| *key == name).and_then(|(_, value)| value.to_str());
        assert_eq!(get("AWS_ENDPOINT_URL"), Some("http://127.0.0.1:4566"));
        assert_eq!(get("AWS_ENDPOINT_URL_REKOGNITION"), Some("http://127.0.0.1:9999"));
        assert_eq!(get("DOCKER_HOST"), Some("unix:///state/run/no-docker.sock"));
        // The emulator recognizes the root user's key by its form. A key in the environment would become a second root key
        // and would reach the functions.
        for credential in
            ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"]
        {
            assert_eq!(get(credential), None, "{credential}");
        }
    }
}

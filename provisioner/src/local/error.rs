//! The errors of the local cloud, each with its subject, what was attempted, and a hint.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// The number of last lines of a program's output that are shown.
pub(in crate::local) const TAIL: usize = 12;

/// A failed attempt to start, stop or inspect the local cloud.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Neither a state folder nor a home folder is known.
    #[error("cannot find a folder for the {purpose} of the local cloud: `HOME` is not set")]
    NoHome {
        /// `state` or `cache`.
        purpose: &'static str,
    },
    /// A file or folder could not be created, read, written or removed.
    #[error("cannot {attempt} `{}`", path.display())]
    File {
        /// A verb, for example `create`.
        attempt: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// This version cannot read the state file.
    #[error("cannot read the state of the local cloud in `{}`", path.display())]
    State {
        /// The state file.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
    /// The interpreter cannot create a virtual environment.
    #[error("cannot install MiniStack: `{python}` has no venv module")]
    NoVenv {
        /// The interpreter.
        python: &'static str,
    },
    /// There is no Python that can run `MiniStack`.
    #[error("cannot install MiniStack: there is no Python 3.10 or newer{}", in_parentheses(found.as_deref()))]
    NoPython {
        /// The newest version that was found, for example `python3 3.8`.
        found: Option<String>,
    },
    /// A program that the installation needs did not start.
    #[error("cannot run `{program}`")]
    Run {
        /// The program's name.
        program: String,
        /// The system's error.
        source: io::Error,
    },
    /// `uv`, `venv` or `pip` failed.
    #[error("cannot install MiniStack {version}: `{tool}` failed\n{tail}")]
    Install {
        /// The pinned version.
        version: &'static str,
        /// The command without its arguments' values.
        tool: &'static str,
        /// The last lines of its output.
        tail: String,
    },
    /// Another program uses the emulator's port.
    #[error("cannot start the local cloud: port {port} on 127.0.0.1 is used by another program")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// The port cannot be used.
    #[error("cannot start the local cloud: port {port} on 127.0.0.1 cannot be used")]
    Port {
        /// The port.
        port: u16,
        /// The system's error.
        source: io::Error,
    },
    /// A local cloud is running with other options.
    #[error("a local cloud is already running with {running}, not {asked}")]
    RunningOtherwise {
        /// The running local cloud's option, for example `port 4566`.
        running: String,
        /// The requested option.
        asked: String,
    },
    /// A part of the local cloud ended instead of becoming ready.
    #[error("{part} ended while it was starting ({status})\n{tail}")]
    Ended {
        /// `MiniStack` or the Rekognition server.
        part: &'static str,
        /// Its exit status.
        status: String,
        /// The last lines of its log.
        tail: String,
    },
    /// A part of the local cloud did not become ready.
    #[error("{part} was not ready after {} s; its log is `{}`", waited.as_secs(), log.display())]
    NotReady {
        /// `MiniStack` or the Rekognition server.
        part: &'static str,
        /// How long it had.
        waited: Duration,
        /// Its log.
        log: PathBuf,
    },
    /// A process did not stop.
    #[error("cannot stop {part} (process {pid})")]
    Stop {
        /// `MiniStack` or the Rekognition server.
        part: &'static str,
        /// Its process id.
        pid: u32,
        /// The system's error.
        source: io::Error,
    },
    /// Work on another thread crashed.
    #[error("cannot {attempt}: an internal task crashed")]
    Task {
        /// A verb and its object, for example `wait for another command`.
        attempt: &'static str,
        /// How it crashed.
        source: tokio::task::JoinError,
    },
}

impl Error {
    /// What to do next; `None` if the cause is enough.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NoHome { .. } => "set `HOME`, or both `PROVISIONER_LOCAL_DIR` and `XDG_CACHE_HOME`".into(),
            Self::File { path, .. } => {
                let folder = path.parent().unwrap_or(path);
                format!("check that you may write to `{}` and that the disk is not full", folder.display())
            }
            Self::State { path, .. } => {
                let path = path.display();
                format!("another version may have written it; stop the local cloud with that version, or delete `{path}`")
            }
            Self::NoVenv { .. } => "install the package `python3-venv`, or `uv`, and try again".into(),
            Self::NoPython { .. } => "install `uv`, or Python 3.10 or newer (package `python3`), and try again".into(),
            Self::Run { program, .. } => format!("check that `{program}` is installed and executable"),
            Self::Install { tail, .. } if looks_offline(tail) => {
                "the first start downloads MiniStack from PyPI; check the network, the proxy or the mirror, and try again"
                    .into()
            }
            Self::Install { tail, .. } if tail.contains("ensurepip") => {
                "this Python has no venv module; install the package `python3-venv` or `uv`, and try again".into()
            }
            Self::Install { tail, .. } if tail.to_lowercase().contains("hash") => {
                "the download does not match the pinned hash; check the package mirror before you try again".into()
            }
            Self::Install { .. } => "no incomplete installation was kept; fix the error shown above and try again".into(),
            Self::PortTaken { port } => format!("free port {port}, or choose another one with `--port`"),
            Self::Port { .. } => "choose a port above 1023 with `--port`".into(),
            Self::RunningOtherwise { .. } => "stop it first with `provisioner local stop`".into(),
            Self::Ended { .. } => "fix the error shown above and try again".into(),
            Self::NotReady { .. } => "read the log, then run `provisioner local stop` and try again".into(),
            Self::Stop { pid, .. } => format!("stop process {pid} yourself, then run `provisioner local stop`"),
            Self::Task { .. } => return None,
        };
        Some(text)
    }

    /// Adds the attempt and the path to an I/O error.
    pub(super) fn file(attempt: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { attempt, path, source }
    }
}

fn in_parentheses(found: Option<&str>) -> String {
    found.map(|found| format!(" (found {found})")).unwrap_or_default()
}

/// Whether an installer's output indicates a network problem.
fn looks_offline(tail: &str) -> bool {
    const SIGNS: [&str; 9] = [
        "NewConnectionError",
        "ConnectTimeoutError",
        "ConnectionError",
        "ProxyError",
        "name resolution",
        "dns error",
        "error sending request",
        "Connection refused",
        "No matching distribution found",
    ];
    SIGNS.iter().any(|sign| tail.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_installers_output_determines_the_hint() {
        let check = |tail: &str, expected: &str| {
            let error = Error::Install { version: "1", tool: "pip install", tail: tail.into() };
            let hint = error.hint().expect("an installation error has a hint");
            assert!(hint.contains(expected), "{tail}: {hint}");
        };
        check("WARNING: NewConnectionError('<x>: Failed to establish a new connection')", "network");
        check("error sending request for url", "network");
        check("ensurepip is not available", "python3-venv");
        check("THESE PACKAGES DO NOT MATCH THE HASHES", "mirror");
        check("No space left on device", "incomplete");
    }
}

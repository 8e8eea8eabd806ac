//! What can go wrong with the local cloud, each with the way out; every variant names its subject and what was tried.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// How many of the last lines of a program are shown.
pub(in crate::local) const TAIL: usize = 12;

/// A failed attempt to start, stop or look at the local cloud.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Neither a state nor a home folder is known.
    #[error("cannot tell where the {purpose} of the local cloud belongs: `HOME` is not set")]
    NoHome {
        /// `state` or `cache`.
        purpose: &'static str,
    },
    /// A file or folder could not be made, read, written or removed.
    #[error("cannot {attempt} `{}`", path.display())]
    File {
        /// A verb, such as `create`.
        attempt: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The state file holds something that this version cannot read.
    #[error("cannot understand the local cloud's state in `{}`", path.display())]
    State {
        /// The state file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// An interpreter that cannot make a virtual environment.
    #[error("cannot install MiniStack: `{python}` has no venv module")]
    NoVenv {
        /// The interpreter.
        python: &'static str,
    },
    /// No interpreter that can run `MiniStack`.
    #[error("cannot install MiniStack: no Python 3.10 or newer{}", in_parentheses(found.as_deref()))]
    NoPython {
        /// The newest that was found, such as `python3 3.8`.
        found: Option<String>,
    },
    /// A program that the installation needs did not start.
    #[error("cannot run `{program}`")]
    Run {
        /// The program's name.
        program: String,
        /// The system's answer.
        source: io::Error,
    },
    /// `uv`, `venv` or `pip` ended with an error.
    #[error("cannot install MiniStack {version}: `{tool}` failed\n{tail}")]
    Install {
        /// The pinned version.
        version: &'static str,
        /// The command, without its arguments' values.
        tool: &'static str,
        /// Its last lines.
        tail: String,
    },
    /// Somebody else listens where the emulator should.
    #[error("cannot start the local cloud: port {port} on 127.0.0.1 is taken by another program")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// The port may not be used.
    #[error("cannot start the local cloud: port {port} on 127.0.0.1 cannot be used")]
    Port {
        /// The port.
        port: u16,
        /// The system's answer.
        source: io::Error,
    },
    /// A local cloud runs already, and not as asked.
    #[error("a local cloud is already running with {running}, not {asked}")]
    RunningOtherwise {
        /// What runs, such as `port 4566`.
        running: String,
        /// What was asked for.
        asked: String,
    },
    /// A part of the local cloud ended instead of becoming ready.
    #[error("{part} ended while starting ({status})\n{tail}")]
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
        /// The time that was given to it.
        waited: Duration,
        /// Its log.
        log: PathBuf,
    },
    /// A process did not end when it was told to.
    #[error("cannot stop {part} (process {pid})")]
    Stop {
        /// `MiniStack` or the Rekognition server.
        part: &'static str,
        /// Its process id.
        pid: u32,
        /// The system's answer.
        source: io::Error,
    },
    /// Work on another thread panicked.
    #[error("cannot {attempt}: an internal task ended early")]
    Task {
        /// A verb and its object.
        attempt: &'static str,
        /// How it ended.
        source: tokio::task::JoinError,
    },
}

impl Error {
    /// The next thing to do, as one sentence without a full stop; `None` where the cause says it all.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NoHome { .. } => "set `HOME`, or both `PROVISIONER_LOCAL_DIR` and `XDG_CACHE_HOME`".into(),
            Self::File { path, .. } => {
                let folder = path.parent().unwrap_or(path);
                format!("check that `{}` is yours to write and that the disk has room", folder.display())
            }
            Self::State { path, .. } => {
                let path = path.display();
                format!("another version may have written it: stop it with that version, or delete `{path}`")
            }
            Self::NoVenv { .. } => "install the package `python3-venv`, or `uv`, and try again".into(),
            Self::NoPython { .. } => "install `uv`, or Python 3.10 or newer (package `python3`), and try again".into(),
            Self::Run { program, .. } => format!("check that `{program}` is installed and may be run"),
            Self::Install { tail, .. } if looks_offline(tail) => {
                "the first start downloads MiniStack from PyPI: check the network, proxy or mirror, and try again"
                    .into()
            }
            Self::Install { tail, .. } if tail.contains("ensurepip") => {
                "this Python lacks the venv module: install the package `python3-venv`, or `uv`, and try again".into()
            }
            Self::Install { tail, .. } if tail.to_lowercase().contains("hash") => {
                "what was downloaded is not what was pinned: check the package mirror before trying again".into()
            }
            Self::Install { .. } => "nothing half-installed was kept; mend the cause above and try again".into(),
            Self::PortTaken { port } => format!("free port {port}, or choose another one with `--port`"),
            Self::Port { .. } => "choose a port above 1023 with `--port`".into(),
            Self::RunningOtherwise { .. } => "stop it first with `provisioner local stop`".into(),
            Self::Ended { .. } => "mend the cause above and try again".into(),
            Self::NotReady { .. } => "look into the log, then `provisioner local stop` and try again".into(),
            Self::Stop { pid, .. } => format!("end process {pid} by hand, then `provisioner local stop`"),
            Self::Task { .. } => return None,
        };
        Some(text)
    }

    /// Wraps an I/O error so that it keeps its path and its purpose.
    pub(super) fn file(attempt: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { attempt, path, source }
    }
}

fn in_parentheses(found: Option<&str>) -> String {
    found.map(|found| format!(" (found {found})")).unwrap_or_default()
}

/// Whether an installer's last words speak of the network.
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
    fn an_installers_last_words_choose_the_hint() {
        let check = |tail: &str, expected: &str| {
            let error = Error::Install { version: "1", tool: "pip install", tail: tail.into() };
            let hint = error.hint().expect("an installation error has a hint");
            assert!(hint.contains(expected), "{tail}: {hint}");
        };
        check("WARNING: NewConnectionError('<x>: Failed to establish a new connection')", "network");
        check("error sending request for url", "network");
        check("ensurepip is not available", "python3-venv");
        check("THESE PACKAGES DO NOT MATCH THE HASHES", "mirror");
        check("No space left on device", "half-installed");
    }
}

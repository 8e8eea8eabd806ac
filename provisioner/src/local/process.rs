//! Processes that outlive the command that starts them. Invariant: a signal is sent only to a process whose id *and* start
//! time match the recorded ones.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, interval};

use super::error::Error;

/// How long a process may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(25);

/// A process, distinguished from a later process with the same id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The process id, which is also the id of its process group.
    pub pid: u32,
    /// The start time in the system's format (on Linux: clock ticks since boot). It is only compared.
    pub started: String,
}

impl Process {
    /// Starts `command` in its own process group, so that Ctrl-C in this terminal does not reach it, and writes its output to
    /// `log`.
    pub(super) fn spawn(command: &mut Command, log: &Path) -> Result<Spawned, Error> {
        let out = File::create(log).map_err(Error::file("create", log))?;
        let err = out.try_clone().map_err(Error::file("open", log))?;
        let program = command.get_program().to_string_lossy().into_owned();
        let started = command.process_group(0).stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        let child = started.map_err(|source| Error::Run { program, source })?;
        let pid = child.id();
        // A child process keeps its id until its parent has waited for it, so this start time is its own.
        let started = start_time(pid).unwrap_or_default();
        Ok(Spawned { child, kept: false, process: Self { pid, started } })
    }

    /// Whether the process is running. A zombie is not.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.started.is_empty() && start_time(self.pid).as_deref() == Some(&self.started)
    }

    /// Stops the process and its group, if they are still running.
    pub(super) async fn stop(&self, part: &'static str) -> Result<(), Error> {
        let error = |source| Error::Stop { part, pid: self.pid, source };
        if !self.is_alive() {
            return Ok(());
        }
        self.signal(Signal::TERM).map_err(error)?;
        let ended = self.wait(GRACE).await;
        // The group may contain processes that the leader left behind, or the leader itself.
        self.signal(Signal::KILL).map_err(error)?;
        if ended || self.wait(GRACE).await { Ok(()) } else { Err(error(io::ErrorKind::TimedOut.into())) }
    }

    async fn wait(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut tick = interval(POLL);
        while self.is_alive() {
            if Instant::now() >= end {
                return false;
            }
            tick.tick().await;
        }
        true
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let Some(group) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        match kill_process_group(group, signal) {
            // No process is left. macOS reports EPERM if only a zombie remains.
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(Errno::PERM) if !self.is_alive() => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// A process that this command has started. It is killed with its group when it is dropped, so that a failed or cancelled
/// start leaves no process behind.
#[derive(Debug)]
pub(super) struct Spawned {
    child: Child,
    kept: bool,
    pub(super) process: Process,
}

impl Spawned {
    /// The exit status in words, if the process has ended.
    pub(super) fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| status.to_string())
    }

    /// Lets the process outlive this command.
    pub(super) fn keep(mut self) -> Process {
        self.kept = true;
        self.process.clone()
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        if !self.kept && self.process.is_alive() {
            // A failure cannot be reported here. A killed process ends within milliseconds, so the wait is short.
            let _ = self.process.signal(Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// The start time of the process with this id; `None` if there is no such process or only a zombie.
#[cfg(target_os = "linux")]
fn start_time(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(&stat)
}

/// The second field is the program's name in parentheses, which may itself contain spaces and parentheses, so the fields are
/// counted from the last parenthesis.
#[cfg(target_os = "linux")]
fn parse_stat(stat: &str) -> Option<String> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let alive = !matches!(fields.next()?, "Z" | "X");
    // proc_pid_stat(5): state is field 3, starttime field 22.
    fields.nth(18).filter(|_| alive).map(str::to_owned)
}

/// The start time of the process with this id; `None` if there is no such process or only a zombie.
#[cfg(not(target_os = "linux"))]
fn start_time(pid: u32) -> Option<String> {
    let output =
        Command::new("ps").args(["-o", "stat=,lstart=", "-p", &pid.to_string()]).env("LC_ALL", "C").output().ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    let (stat, started) = line.trim().split_once(' ')?;
    (!stat.starts_with('Z')).then(|| started.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_start_time_is_read_past_any_program_name() {
        let rest = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(parse_stat(&format!("7 (sh) S {rest}")).as_deref(), Some("4711"));
        assert_eq!(parse_stat(&format!("7 (a) Z (b) S {rest}")).as_deref(), Some("4711"));
        assert_eq!(parse_stat(&format!("7 (sh) Z {rest}")), None);
        assert_eq!(parse_stat("7 (sh"), None);
    }

    fn sleeper(log: &Path) -> Spawned {
        Process::spawn(Command::new("sleep").arg("60"), log).expect("every Unix has `sleep`")
    }

    #[tokio::test]
    async fn a_stopped_process_is_gone() {
        let folder = super::super::tests::folder("stop");
        let spawned = sleeper(&folder.join("log"));
        let process = spawned.process.clone();
        assert!(process.is_alive());
        process.stop("sleep").await.expect("it can be stopped");
        assert!(!process.is_alive());
        process.stop("sleep").await.expect("stopping it again does nothing");
    }

    #[tokio::test]
    async fn a_later_process_with_the_same_id_is_left_alone() {
        let folder = super::super::tests::folder("reused");
        let spawned = sleeper(&folder.join("log"));
        let stale = Process { started: "1".into(), ..spawned.process.clone() };
        assert!(!stale.is_alive());
        stale.stop("sleep").await.expect("it counts as gone");
        assert!(spawned.process.is_alive());
    }

    #[test]
    fn an_abandoned_start_leaves_no_process() {
        let folder = super::super::tests::folder("dropped");
        let spawned = sleeper(&folder.join("log"));
        let process = spawned.process.clone();
        drop(spawned);
        assert!(!process.is_alive());
    }
}

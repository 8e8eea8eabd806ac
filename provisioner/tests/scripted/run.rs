//! Runs the real `provisioner` with a scripted cloud and an empty environment.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::{Child, Command};

use super::cloud::Cloud;
use super::schema;

/// The exit code and the output of a run.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) async fn of(child: Child) -> Self {
        let output = child.wait_with_output().await.expect("an end");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        // Text contains no line that is a JSON object.
        let events = stdout.lines().filter(|line| line.starts_with("{\"v\":"));
        events.for_each(|line| schema::validate(&serde_json::from_str(line).expect("JSON")));
        Self { code: output.status.code(), stdout, stderr: String::from_utf8_lossy(&output.stderr).into_owned() }
    }

    #[track_caller]
    pub(crate) fn ended(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
    }

    /// The first event of a type.
    #[track_caller]
    pub(crate) fn event(&self, kind: &str) -> Value {
        let mut events = self.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.find(|event| event["type"] == kind).unwrap_or_else(|| panic!("no {kind} in {}", self.stdout))
    }

    /// The error with its causes and hints, as one text.
    #[track_caller]
    pub(crate) fn error(&self) -> String {
        let error = self.event("error");
        let words = |name: &str| {
            error[name]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(ToOwned::to_owned)
                .collect::<Vec<_>>()
        };
        let message = error["message"].as_str().unwrap_or_default().to_owned();
        [vec![message], words("causes"), words("hints")].concat().join("\n")
    }
}

/// Runs the program to its end.
pub(crate) async fn provisioner(cloud: &Cloud, arguments: &[&str]) -> Run {
    Run::of(start(cloud, arguments)).await
}

/// Runs the program to its end, without a region on the command line.
pub(crate) async fn everywhere(cloud: &Cloud, arguments: &[&str]) -> Run {
    let child = isolated(cloud).args(arguments).spawn().expect("the provisioner");
    Run::of(child).await
}

/// Starts the program with a tiny executable as the function, so nothing is built.
pub(crate) fn start(cloud: &Cloud, arguments: &[&str]) -> Child {
    command(cloud, arguments).spawn().expect("the provisioner")
}

/// What [`start`] starts.
pub(crate) fn command(cloud: &Cloud, arguments: &[&str]) -> Command {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let bootstrap = folder.join("bootstrap");
    if !bootstrap.exists() {
        let mut executable = b"\x7fELF".to_vec();
        executable.resize(64, 0);
        executable[18] = 183;
        // Written to another file and renamed, because tests run in parallel.
        let aside = folder.join(format!("bootstrap-{}", cloud.endpoint.rsplit(':').next().unwrap_or_default()));
        std::fs::write(&aside, executable).expect("a file");
        std::fs::rename(&aside, &bootstrap).expect("a move");
    }
    let mut command = isolated(cloud);
    command.args(arguments);
    if matches!(arguments.first(), Some(&("up" | "plan"))) && !arguments.contains(&"--plan") {
        command.arg("--bootstrap").arg(bootstrap);
    }
    if !arguments.contains(&"--region") {
        command.args(["--region", "eu-west-1"]);
    }
    command.args(["--endpoint-url", &cloud.endpoint]);
    command
}

/// The program with an endpoint, credentials, and an empty environment.
fn isolated(cloud: &Cloud) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provisioner"));
    command
        .env_clear()
        .env("PROVISIONER_ENDPOINT_URL", &cloud.endpoint)
        .env("HOME", env!("CARGO_TARGET_TMPDIR"))
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("PROVISIONER_POLL_LIMIT_MS", "5")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Sends the signal of Ctrl-C.
pub(crate) fn interrupt(child: &Child) {
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(id.expect("a process"), rustix::process::Signal::INT).expect("a signal");
}

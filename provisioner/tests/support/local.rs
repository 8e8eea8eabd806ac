//! A local cloud for one test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use provisioner::aws::{Clients, tell_nobody};

use super::{Folder, Run, provisioner, run};

/// The access key of MiniStack's root user, which is also its account.
pub(crate) const ACCOUNT: &str = "000000000000";

/// The architecture of functions that run as processes on this machine.
pub(crate) const HERE: &str = if cfg!(target_arch = "aarch64") { "Architecture=arm64" } else { "Architecture=x86_64" };

/// A local cloud with its own folder and port, stopped when the test ends.
pub(crate) struct Local {
    pub(crate) home: Folder,
    port: u16,
}

impl Local {
    pub(crate) fn new(name: &str) -> Self {
        // The port stays free until the emulator uses it a moment later.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        Self { home: Folder::new(name), port }
    }

    /// The program in the checkout, with JSON output and without prompts; the caller adds `--local`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = provisioner(&self.home.0);
        command
            .args(arguments)
            .args(["--yes", "--output", "json"])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout"))
            .env("PROVISIONER_LOCAL_DIR", self.home.0.join("local"))
            .env("PROVISIONER_LOCAL_PORT", self.port.to_string());
        command
    }

    /// The program with only an endpoint and credentials. The function runs on this machine in this case, too.
    pub(crate) fn remote(&self, endpoint: &str, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        if matches!(arguments.first(), Some(&("up" | "plan"))) && !arguments.contains(&"--plan") {
            command.arg("--bootstrap").arg(self.function());
        }
        command
            .args(["--endpoint-url", endpoint])
            .env("AWS_ACCESS_KEY_ID", ACCOUNT)
            .env("AWS_SECRET_ACCESS_KEY", "test");
        command
    }

    /// The function's package for this machine.
    fn function(&self) -> PathBuf {
        let path = self.home.0.join("function.zip");
        if !path.exists() {
            run(self.command(&["build", "--local"]).arg("--zip").arg(&path)).expect(0);
        }
        path
    }

    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str], code: i32) -> Run {
        run(self.command(arguments).arg("--local")).expect(code)
    }

    /// SDK clients of the local cloud.
    pub(crate) fn clients(&self) -> Clients {
        clients_at(&self.endpoint())
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let _ = self.command(&["local", "stop"]).output();
    }
}

/// SDK clients of a local cloud, or of a proxy in front of it.
pub(crate) fn clients_at(endpoint: &str) -> Clients {
    Clients::of_local_cloud(endpoint, "us-east-1", (ACCOUNT, "test"), tell_nobody())
}

/// The path of a picture.
pub(crate) fn fixture(name: &str) -> String {
    format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

//! `doctor` on machines and in accounts that lack something: programs on a `PATH` of the test's own, and a simulator that
//! denies.

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use support::service::{Asked, Service, ok, refusal};
use support::{Folder, Run, provisioner, run};

/// A checkout with programs of its own, and nothing else on the `PATH`.
struct Machine(Folder);

impl Machine {
    fn new(name: &str) -> Self {
        let home = Folder::new(&format!("doctor-{name}"));
        home.write("function/Cargo.toml", "");
        home.write("templates/stack.yaml", "");
        home.write("libdir/std", "");
        let machine = Self(home);
        machine.program("cargo", "echo cargo 1.95.0");
        machine.rustc("1.95.0");
        machine.program("rustup", "echo rustup 1.29.0");
        machine.program("python3", "case \"$2\" in *version_info*) echo 3 11;; esac");
        machine.0.write("sysroot/lib/rustlib/host/bin/rust-lld", "");
        machine
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.0.write(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("permissions");
    }

    fn rustc(&self, version: &str) {
        let home = self.0.0.display();
        self.program(
            "rustc",
            &format!(
                "case \"$2\" in target-libdir) echo {home}/libdir;; sysroot) echo {home}/sysroot;; host-tuple) echo host;; \
                 *) echo 'rustc {version} (0123 2026-01-01)';; esac"
            ),
        );
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.0.0.join(path)).expect("it was there");
    }

    /// `doctor --local`, which asks nothing of AWS.
    fn examine(&self) -> Run {
        let mut command = provisioner(&self.0.0);
        let home = &self.0.0;
        command.args(["doctor", "--local"]).env("HOME", home).env("PATH", home.join("bin"));
        command.env("XDG_CACHE_HOME", home.join("cache")).env("PROVISIONER_LOCAL_DIR", home.join("local"));
        run(&mut command)
    }

    /// `doctor` for an account that cannot be asked, so that the function would be built for Lambda.
    fn examine_for_lambda(&self) -> Run {
        let mut command = provisioner(&self.0.0);
        let home = &self.0.0;
        command.args(["doctor", "--region", "eu-west-1", "--endpoint-url", "http://127.0.0.1:9"]);
        run(command.env("HOME", home).env("PATH", home.join("bin")).env("XDG_CACHE_HOME", home.join("cache")))
    }
}

#[track_caller]
fn finds(run: &Run, words: &[&str]) {
    for word in words {
        assert!(run.stdout.contains(word), "`{word}` is not in:\n{}", run.stdout);
    }
}

#[test]
fn a_complete_machine_has_no_problem() {
    let machine = Machine::new("complete");
    let run = machine.examine().expect(0);
    finds(&run, &["✓ rust ", "rustc 1.95.0", "✓ local cloud", "python3 installs it", "✓ disk for builds"]);
    assert!(!run.stdout.contains('✗'), "{}", run.stdout);
    finds(&machine.examine_for_lambda(), &["✓ rust target", "✓ rust-lld"]);
}

#[test]
fn what_is_missing_is_found() {
    let machine = Machine::new("old");
    machine.rustc("1.80.1");
    let remedy = "hint: `rustup update stable` installs a newer one";
    finds(
        &machine.examine().expect(1),
        &["✗ rust ", "rustc 1.80.1", "is too old: the function needs Rust 1.95", remedy],
    );

    let machine = Machine::new("lld");
    machine.remove("sysroot/lib/rustlib/host/bin/rust-lld");
    let run = machine.examine_for_lambda().expect(1);
    finds(&run, &["✗ rust-lld", "the linker `rust-lld` is missing", "hint: install Rust from https://rustup.rs"]);
    machine.program("rust-lld", "");
    finds(&machine.examine_for_lambda(), &["✓ rust-lld"]);

    let machine = Machine::new("rust");
    for name in ["cargo", "rustc", "rustup"] {
        machine.remove(&format!("bin/{name}"));
    }
    finds(&machine.examine().expect(1), &["✗ rust ", "there is no Rust toolchain"]);
    // Outside of a checkout, the function comes from elsewhere.
    machine.remove("function/Cargo.toml");
    finds(&machine.examine().expect(0), &["- rust ", "there is no Rust toolchain"]);

    let machine = Machine::new("venv");
    machine.program("python3", "case \"$2\" in *version_info*) echo 3 11;; *ensurepip*) exit 1;; esac");
    finds(&machine.examine().expect(1), &["✗ local cloud", "`python3` has no venv module", "python3-venv"]);

    let machine = Machine::new("python");
    machine.program("python3", "case \"$2\" in *version_info*) echo 3 8;; esac");
    finds(&machine.examine().expect(1), &["✗ local cloud", "no Python 3.10 or newer (found python3 3.8)"]);
}

/// `/proc` has no free space, as a full disk.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_found() {
    let machine = Machine::new("disk");
    symlink("/proc", machine.0.0.join("target")).expect("a link");
    let run = machine.examine().expect(1);
    finds(&run, &["✗ disk for builds", "only 0 MB are free for", "of 600 MB needed", "hint: free some space"]);
}

/// The simulator: allows everything but what a test says, and remembers the requests.
fn simulator(verdict: impl Fn(&str) -> &'static str + Send + Sync + 'static) -> Service {
    Service::start(move |asked| {
        if asked.action != "SimulatePrincipalPolicy" {
            return None;
        }
        let actions = members(asked, "ActionNames");
        if actions.iter().any(|action| verdict(action) == "fails") {
            return Some((400, refusal("InvalidInput", "Invalid Entity Arn")));
        }
        let result = |action: &String| {
            let verdict = verdict(action);
            let (decision, detail) = match verdict {
                "organization" => (
                    "implicitDeny",
                    "<OrganizationsDecisionDetail><AllowedByOrganizations>false</AllowedByOrganizations></OrganizationsDecisionDetail>",
                ),
                "boundary" => (
                    "implicitDeny",
                    "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>false</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail>",
                ),
                "condition" => (
                    "implicitDeny",
                    "<MissingContextValues><member>aws:RequestTag/team</member></MissingContextValues>",
                ),
                other => (other, ""),
            };
            format!(
                "<member><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}</EvalDecision>{detail}</member>"
            )
        };
        let results: String = actions.iter().map(result).collect();
        let reply = format!("<EvaluationResults>{results}</EvaluationResults><IsTruncated>false</IsTruncated>");
        Some((200, ok("SimulatePrincipalPolicy", &reply)))
    })
}

/// The members of a list in a query.
fn members(asked: &Asked, list: &str) -> Vec<String> {
    let numbered = (1..).map(|number| asked.field(&format!("{list}.member.{number}")));
    numbered.map_while(|member| Some(member?.replace("%3A", ":").replace("%2F", "/").replace("%2A", "*"))).collect()
}

fn doctor(service: &Service, arguments: &[&str]) -> Run {
    let home = Folder::new(&format!("doctor-account-{}", service.endpoint.rsplit(':').next().unwrap_or_default()));
    run(command(&home, service).args(arguments))
}

fn command(home: &Folder, service: &Service) -> Command {
    let mut command = provisioner(&home.0);
    command
        .args(["doctor", "--region", "eu-west-1"])
        .env("HOME", &home.0)
        .env("AWS_ENDPOINT_URL", &service.endpoint)
        .env("AWS_ACCESS_KEY_ID", "dev")
        .env("AWS_SECRET_ACCESS_KEY", "s");
    command
}

#[test]
fn the_caller_and_every_setting_have_a_source() {
    let service = simulator(|_| "allowed");
    let home = Folder::new("doctor-settings");
    let config = home
        .write("config", "[profile dev]\nregion = us-west-2\naws_access_key_id = PROFILE\naws_secret_access_key = s\n");
    let run = run(command(&home, &service)
        .args(["--for", "smoke"])
        .env("PROVISIONER_PROFILE", "dev")
        .env("AWS_CONFIG_FILE", &config)
        .env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        .env("HTTPS_PROXY", "http://bob:secret@proxy:3128"))
    .expect(0);
    finds(
        &run,
        &[
            "account 123456789012 as arn:aws:iam::123456789012:user/PROFILE",
            "from profile `dev` (access key), named by environment variable `PROVISIONER_PROFILE`",
            "profile        dev from environment variable `PROVISIONER_PROFILE`",
            "region         eu-west-1 from `--region`",
            &format!("endpoint URL   {} from environment variable `AWS_ENDPOINT_URL`", service.endpoint),
            "endpoint URL of S3 http://127.0.0.1:9 from environment variable `AWS_ENDPOINT_URL_S3`",
            "http://…@proxy:3128 from environment variable `HTTPS_PROXY`",
            &format!("AWS configuration {} from environment variable `AWS_CONFIG_FILE`", config.display()),
        ],
    );
    assert!(!run.stdout.contains("secret"), "{}", run.stdout);
}

#[test]
fn one_purpose_is_checked_with_its_resources() {
    let asked = |arguments: &[&str]| {
        let service = simulator(|_| "allowed");
        let run = doctor(&service, arguments).expect(0);
        finds(&run, &["✓ permissions", " actions are allowed"]);
        let asked = service.asked();
        let of = |list: &str| -> Vec<String> { asked.iter().flat_map(|asked| members(asked, list)).collect() };
        (of("ActionNames"), of("ResourceArns"))
    };
    let (actions, resources) =
        asked(&["--for", "smoke", "--stack", "faces", "--table", "People", "--bucket", "my-pictures"]);
    assert!(actions.contains(&"s3:PutObject".to_owned()), "{actions:?}");
    assert!(!actions.iter().any(|action| action == "cloudformation:CreateStack"), "{actions:?}");
    assert!(resources.iter().any(|arn| arn == "arn:aws:dynamodb:eu-west-1:123456789012:table/People"), "{resources:?}");
    assert!(resources.iter().any(|arn| arn.starts_with("arn:aws:s3:::my-pictures")), "{resources:?}");
    assert!(resources.iter().any(|arn| arn.contains("stack/faces/")), "{resources:?}");
    let (actions, _) = asked(&["--for", "up", "--role-path", "/apps/"]);
    assert!(actions.contains(&"cloudformation:CreateStack".to_owned()), "{actions:?}");
}

#[test]
fn every_denial_is_reported_with_its_reason() {
    let service = simulator(|action| match action {
        "cloudformation:DeleteStack" => "implicitDeny",
        "dynamodb:CreateTable" => "organization",
        "iam:CreateRole" => "boundary",
        "lambda:CreateFunction" => "explicitDeny",
        "sqs:CreateQueue" => "condition",
        // One request fails; the others still count.
        "logs:CreateLogGroup" => "fails",
        _ => "allowed",
    });
    let run = doctor(&service, &[]).expect(1);
    finds(
        &run,
        &[
            "actions are not allowed: cloudformation:DeleteStack",
            "provisioner policy --for all --account 123456789012",
            "actions are denied by a service control policy: dynamodb:CreateTable",
            "ask the organization's administrator",
            "actions are denied by a permissions boundary: iam:CreateRole",
            "actions are denied by an identity-based policy: lambda:CreateFunction",
            "depend on conditions of the real request: sqs:CreateQueue",
            "actions could not be checked (InvalidInput: Invalid Entity Arn)",
        ],
    );
}

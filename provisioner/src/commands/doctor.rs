//! `provisioner doctor`

use std::sync::Arc;

use tokio::process::Command;

use crate::aws::identity::{self, Identity};
use crate::aws::{Clients, Connection, quotas, rights};
use crate::bootstrap;
use crate::context::{self, Global};
use crate::core::event::{CheckState, Event};
use crate::core::hint::Hint;
use crate::core::{names, policy, regions};
use crate::error::{Error, Exit, Result};
use crate::package::Architecture;
use crate::ui::Events;

/// Check what this machine and this account have and what is missing
///
/// Looks at the Rust toolchain, what `--local` needs, credentials, region, quotas and permissions, and names the remedy for each problem.
/// Nothing is changed. Exits with 1 where something that a deployment needs is missing; with `--local` nothing of AWS is asked.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    /// Name of the table, where it is not `FaceData`
    #[arg(long, value_name = "NAME", default_value = "FaceData")]
    pub table: String,
    /// Name of the bucket for pictures, where it is not computed from the stack's name
    #[arg(long, value_name = "NAME")]
    pub bucket: Option<String>,
}

/// Collects what was found, and remembers whether something is missing.
struct Findings {
    events: Events,
    missing: bool,
}

impl Findings {
    fn add(&mut self, name: &'static str, state: CheckState, detail: impl Into<String>, remedy: Option<Hint>) {
        self.missing |= state == CheckState::Problem;
        let remedy = remedy.map(|hint| self.events.complete(&hint));
        self.events.emit(Event::Check { name, state, detail: detail.into(), remedy });
    }

    fn ok(&mut self, name: &'static str, detail: impl Into<String>) {
        self.add(name, CheckState::Ok, detail, None);
    }

    fn note(&mut self, name: &'static str, detail: impl Into<String>, remedy: Option<Hint>) {
        self.add(name, CheckState::Note, detail, remedy);
    }

    fn problem(&mut self, name: &'static str, error: &Error) {
        let cause = error.causes.first().map(|cause| format!(": {cause}")).unwrap_or_default();
        self.add(name, CheckState::Problem, format!("{}{cause}", error.message), error.hints.first().cloned());
    }
}

/// Runs it, in every region that was named.
///
/// # Errors
/// A name on the command line is wrong.
pub async fn run(args: &Doctor, global: &Global, events: &Events) -> Result<Exit> {
    global.check_names()?;
    let mut findings = Findings { events: events.clone(), missing: false };
    toolchain(&mut findings, global.local).await;
    python(&mut findings, global.local).await;
    if !global.local {
        let connection = match context::connect(global, events).await {
            Ok(connection) => connection,
            Err(error) => {
                findings.problem("configuration", &error);
                return Ok(Exit::Failed);
            }
        };
        let named: Vec<Option<String>> =
            if global.region.is_empty() { vec![None] } else { global.region.iter().cloned().map(Some).collect() };
        let several = named.len() > 1;
        for region in named {
            if let Some(region) = &region {
                findings.events = events.in_region(region, several);
            }
            account(&mut findings, args, global, &connection, region.as_deref()).await;
        }
    }
    Ok(if findings.missing { Exit::Failed } else { Exit::Success })
}

/// The first line that a program says of itself.
async fn version(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().await.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}

async fn toolchain(findings: &mut Findings, local: bool) {
    let (cargo, rustc, rustup) = tokio::join!(
        version("cargo", &["--version"]),
        version("rustc", &["--version"]),
        version("rustup", &["--version"])
    );
    let install = "install Rust from https://rustup.rs, or name a finished executable with `--bootstrap FILE`";
    match (cargo, rustc) {
        (Some(cargo), Some(rustc)) => findings.ok("rust", format!("{rustc}, {cargo}")),
        _ => findings.note("rust", "no Rust toolchain: the function cannot be built here", Some(install.into())),
    }
    let architecture = if local { Architecture::of_this_machine() } else { Architecture::Arm64 };
    let source = bootstrap::FunctionOptions::default().source(architecture, local);
    // The local cloud's function is built for this machine, without any further target.
    if let Some(target) = bootstrap::Build::of(&source).ok().and_then(bootstrap::Build::target) {
        rust_target(findings, target, rustup.is_some(), install).await;
    }
    if let Some(rustup) = rustup {
        findings.ok("rustup", rustup);
    }
}

async fn rust_target(findings: &mut Findings, target: &str, has_rustup: bool, install: &str) {
    let library = Command::new("rustc").args(["--print", "target-libdir", "--target", target]).output().await.ok();
    let there = library.is_some_and(|output| {
        output.status.success() && std::path::Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    });
    match (there, has_rustup) {
        (true, _) => findings.ok("rust target", target),
        (false, true) => findings.note("rust target", format!("{target} is missing; `up` adds it by itself"), None),
        (false, false) => findings.note(
            "rust target",
            format!("{target} is missing, and there is no rustup to add it"),
            Some(install.into()),
        ),
    }
}

async fn python(findings: &mut Findings, local: bool) {
    let (uv, python) = tokio::join!(version("uv", &["--version"]), version("python3", &["--version"]));
    match (uv, python) {
        (Some(uv), _) => findings.ok("local cloud", format!("{uv} installs it")),
        (None, Some(python)) => findings.ok("local cloud", format!("{python} installs it")),
        (None, None) => {
            let state = if local { CheckState::Problem } else { CheckState::Note };
            let remedy = "install Python 3 with venv (`apt install python3-venv`) or uv (https://docs.astral.sh/uv)";
            findings.add(
                "local cloud",
                state,
                "neither uv nor python3: `--local` cannot be installed",
                Some(remedy.into()),
            );
        }
    }
}

async fn account(
    findings: &mut Findings,
    args: &Doctor,
    global: &Global,
    connection: &Arc<Connection>,
    region: Option<&str>,
) {
    let clients = match Clients::new(connection, region) {
        Ok(clients) => clients,
        Err(error) => return findings.problem("region", &error),
    };
    rekognition(findings, &clients).await;
    let caller = match identity::caller(&clients.sts).await {
        Ok(caller) => caller,
        Err(error) => return findings.problem("credentials", &error),
    };
    findings.ok("credentials", format!("account {} as {}", caller.account, caller.arn));
    limits(findings, &clients).await;
    permissions(findings, args, global, &clients, &caller).await;
}

async fn rekognition(findings: &mut Findings, clients: &Clients) {
    let name = &clients.region;
    let live = async || quotas::detect_faces(clients, name).await.is_ok_and(|quota| quota.is_some());
    if regions::supports_rekognition(name) || live().await {
        return findings.ok("region", format!("{name} has Rekognition"));
    }
    let near = regions::nearest(name).join("` or `");
    let remedy = if near.is_empty() {
        Hint::command("regions").then(" lists those that have it")
    } else {
        Hint::from(format!("use `{near}`"))
    };
    findings.add("region", CheckState::Problem, format!("{name} has no Rekognition"), Some(remedy));
}

async fn limits(findings: &mut Findings, clients: &Clients) {
    let (copies, faces) = tokio::join!(quotas::concurrency(clients), quotas::detect_faces(clients, &clients.region));
    let unread = |error: &Error| format!("could not be read ({})", error.causes.first().unwrap_or(&error.message));
    match &copies {
        Ok((all, free)) => {
            findings.ok("concurrency", format!("{all} copies of functions at once, {free} not reserved"));
        }
        Err(error) => findings.note("concurrency", unread(error), None),
    }
    match &faces {
        Ok(Some(rate)) => {
            let burst = copies.as_ref().is_ok_and(|(_, free)| f64::from(*free) > rate * 4.0);
            let remedy = burst.then(|| {
                Hint::from("against bursts of uploads: ")
                    .then_command("up --parameter ReservedConcurrency=auto --parameter FailureQueue=yes")
            });
            findings.add("DetectFaces", CheckState::Ok, format!("{rate} requests a second"), remedy);
        }
        Ok(None) => findings.note("DetectFaces", "Service Quotas lists no quota of that name here", None),
        Err(error) => findings.note("DetectFaces", unread(error), None),
    }
}

/// Asks IAM for each statement of the deployer's policy.
async fn permissions(findings: &mut Findings, args: &Doctor, global: &Global, clients: &Clients, caller: &Identity) {
    let Some(principal) = caller.simulated() else {
        return findings.note("permissions", format!("IAM simulates no {}, so they stay unchecked", caller.arn), None);
    };
    let computed = names::picture_bucket(&global.stack, &caller.account, &clients.region);
    let needs = policy::needs(
        policy::Holder::Deployer,
        &[policy::Purpose::Up, policy::Purpose::Data, policy::Purpose::Smoke, policy::Purpose::Down],
        &policy::Scope {
            partition: &caller.partition,
            account: &caller.account,
            regions: &[&clients.region],
            stack: &global.stack,
            table: &args.table,
            picture_bucket: args.bucket.as_ref().unwrap_or(&computed),
            package_bucket: &names::package_bucket(&caller.account, &clients.region),
            role_path: "/",
            boundary: None,
            attached: &[],
        },
    );
    let (mut asked, mut denied) = (0, Vec::new());
    for (actions, resources) in needs {
        // A pattern such as `s3:GetBucket*` is no action that the simulator knows.
        let actions: Vec<String> = actions.into_iter().filter(|action| !action.contains('*')).collect();
        asked += actions.len();
        match rights::denied(&clients.iam, &principal, &actions, &resources).await {
            Ok(found) => denied.extend(found),
            Err(error) => {
                let cause = error.causes.first().unwrap_or(&error.message).clone();
                return findings.note("permissions", format!("could not be checked ({cause})"), None);
            }
        }
    }
    if denied.is_empty() {
        return findings.ok("permissions", format!("all {asked} actions of the deployer's policy are allowed"));
    }
    let shown = denied.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    let more = if denied.len() > 5 { format!(" and {} more", denied.len() - 5) } else { String::new() };
    let mut remedy = Hint::command("policy").arg("--account").arg(&caller.account).arg("--table").arg(&args.table);
    if let Some(bucket) = &args.bucket {
        remedy = remedy.arg("--bucket").arg(bucket);
    }
    let remedy = remedy.then(" prints the policy that allows them");
    findings.add(
        "permissions",
        CheckState::Problem,
        format!("{} of {asked} actions are denied: {shown}{more}", denied.len()),
        Some(remedy),
    );
}

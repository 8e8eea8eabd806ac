//! `provisioner doctor`

mod account;
mod findings;
mod machine;
mod permissions;

use std::sync::Arc;

use self::findings::Findings;
use super::names::Names;
use crate::aws::Clients;
use crate::aws::Connection;
use crate::context::{self, Global};
use crate::core::event::Event;
use crate::core::hint::Hint;
use crate::core::names;
use crate::core::policy::{self, Purpose};
use crate::error::{Exit, Result};
use crate::ui::Events;

/// Check what this machine and this account have and what is missing
///
/// Looks at the Rust toolchain, the disk, what `--local` needs, the settings and their sources, the credentials, the
/// region, quotas and permissions, and names the remedy for each problem. Nothing is changed. The exit code is 1 if
/// something is missing that a deployment needs. With `--local`, nothing is asked of AWS.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provisioner doctor --region eu-west-1\n  provisioner doctor --for smoke")]
pub struct Doctor {
    /// Check only what this purpose needs [default: up, data, smoke and down]
    #[arg(long = "for", value_name = "PURPOSE")]
    pub purpose: Option<Purpose>,
    /// What the parts are called.
    #[command(flatten)]
    pub names: Names,
}

/// The usual purposes. `adopt`, `attach` and `backfill` need permissions that most deployers do without.
const USUAL: [Purpose; 4] = [Purpose::Up, Purpose::Data, Purpose::Smoke, Purpose::Down];

/// Checks the machine, and then the account in each region.
pub async fn run(args: &Doctor, global: &Global, events: &Events) -> Result<Exit> {
    global.check_names()?;
    args.names.check()?;
    let mut findings = Findings::new(events);
    if args.purpose.is_none_or(builds) {
        machine::toolchain(&mut findings, global.local).await;
        machine::local_cloud(&mut findings, global.local).await;
    }
    if global.local {
        return Ok(findings.exit());
    }
    let connection = match context::connect(global, events).await {
        Ok(connection) => connection,
        Err(error) => {
            findings.problem("settings", &error);
            return Ok(findings.exit());
        }
    };
    events.emit(Event::Settings { settings: connection.settings() });
    let regions: Vec<Option<&String>> =
        if global.region.is_empty() { vec![None] } else { global.region.iter().map(Some).collect() };
    let several = regions.len() > 1;
    for region in regions {
        if let Some(region) = region {
            findings.in_region(events.in_region(region, several));
        }
        in_region(args, global, &connection, region, &mut findings).await;
    }
    Ok(findings.exit())
}

/// Whether a purpose builds the function.
fn builds(purpose: Purpose) -> bool {
    !matches!(purpose, Purpose::Data | Purpose::Smoke | Purpose::Down)
}

async fn in_region(
    args: &Doctor,
    global: &Global,
    connection: &Arc<Connection>,
    region: Option<&String>,
    findings: &mut Findings,
) {
    let clients = match Clients::new(connection, region.map(String::as_str)) {
        Ok(clients) => clients,
        Err(error) => return findings.problem("region", &error),
    };
    account::rekognition(findings, &clients).await;
    let Some(caller) = account::caller(findings, &clients).await else { return };
    if args.purpose.is_none_or(builds) {
        account::limits(findings, &clients).await;
    }
    account::attached(findings, &clients, &global.stack).await;
    let computed = names::picture_bucket(&global.stack, &caller.account, &clients.region);
    let attached: Vec<&str> = args.names.attached.iter().map(String::as_str).collect();
    let scope = policy::Scope {
        partition: &caller.partition,
        account: &caller.account,
        regions: &[&clients.region],
        stack: &global.stack,
        table: &args.names.table,
        picture_bucket: args.names.bucket.as_ref().unwrap_or(&computed),
        package_bucket: &names::package_bucket(&caller.account, &clients.region),
        role_path: &args.names.role_path,
        boundary: args.names.permissions_boundary.as_deref(),
        attached: &attached,
    };
    let chosen = args.purpose.map(|purpose| [purpose]);
    let purposes: &[Purpose] = chosen.as_ref().map_or(&USUAL, |chosen| chosen);
    let asked = permissions::Asked { purposes, scope: &scope, remedy: args.policy(&caller.account) };
    permissions::check(findings, &clients, &caller, asked).await;
}

impl Doctor {
    /// The command that prints the policy that was checked.
    fn policy(&self, account: &str) -> Hint {
        let purpose = self.purpose.map_or("all", Purpose::name);
        let hint = Hint::command("policy").arg("--for").arg(purpose).arg("--account").arg(account);
        self.names.complete(hint).then(" prints the policy that allows them")
    }
}

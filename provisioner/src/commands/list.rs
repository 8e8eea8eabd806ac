//! `provisioner list`

use futures_util::future::join_all;

use crate::aws::stack::Stack;
use crate::aws::{Clients, stacks};
use crate::context::{self, Global};
use crate::core::event::Event;
use crate::core::regions;
use crate::core::stacks::{Skipped, SkippedRegion, StackRow, sorted};
use crate::error::{Error, Exit, Problem, Result};
use crate::local_cloud;
use crate::ui::Events;

/// List the stacks of this program in all regions
///
/// All regions of the account's partition are asked in parallel; `--region` on the command line selects some of them. A
/// stack is listed if this program created it, or if another tool created it from this program's template.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provisioner list\n  provisioner list --region eu-west-1,us-east-1")]
pub struct List {}

/// Runs the command. A region that fails does not hide the stacks of the others.
pub async fn run(_: &List, global: &Global, events: &Events) -> Result<Exit> {
    let clients = clients(global, events).await?;
    let asked = clients.iter().map(|clients| stacks::ours(&clients.cloudformation, &clients.region));
    let (mut rows, mut failed, mut answered) = (Vec::new(), Vec::new(), 0);
    for (clients, answer) in clients.iter().zip(join_all(asked).await) {
        match answer {
            Ok(found) => {
                answered += 1;
                rows.extend(found.into_iter().map(|stack| row(stack, &clients.region)));
            }
            Err(error) => failed.push((clients, error)),
        }
    }
    if answered == 0 {
        // The same cause everywhere is reported once; a denial says more than unknown credentials.
        failed.sort_by_key(|(_, error)| error.problem != Some(Problem::Denied));
        if let Some((clients, error)) = failed.first() {
            return Err(clients.investigate(error.clone()).await);
        }
    }
    let (mut skipped, mut broken) = (Vec::new(), Vec::new());
    for (clients, error) in failed {
        let region = clients.region.clone();
        match reason(&error, &region) {
            Some(reason) => skipped.push(SkippedRegion { region, reason }),
            None => broken.push((clients, error)),
        }
    }
    events.emit(Event::Stacks { stacks: sorted(rows), regions: answered, skipped });
    Ok(report(broken, events).await)
}

fn row(stack: Stack, region: &str) -> StackRow {
    StackRow {
        region: region.to_owned(),
        stack: stack.name,
        status: stack.status,
        changed_at: stack.changed_at,
        bucket: stack.outputs.get("BucketName").cloned(),
        table: stack.outputs.get("TableName").cloned(),
        id: stack.id,
    }
}

async fn report(failed: Vec<(&Clients, Error)>, events: &Events) -> Exit {
    let mut worst = Exit::Success;
    for (clients, error) in failed {
        let events = events.in_region(&clients.region, true);
        worst = worst.max(events.report(clients.investigate(error).await));
    }
    worst
}

/// Why a region is not searched, given that another region answered.
fn reason(error: &Error, region: &str) -> Option<Skipped> {
    match error.problem? {
        Problem::Denied => Some(Skipped::Denied),
        Problem::NotEnabled => Some(Skipped::NotEnabled),
        Problem::UnknownCredentials => {
            regions::find(region).is_none_or(|region| region.is_opt_in()).then_some(Skipped::NotEnabled)
        }
        Problem::NoSuchHost => Some(Skipped::NoHost),
        Problem::Unreachable => None,
    }
}

/// Clients for the regions that the command line names, otherwise for all regions of the partition.
async fn clients(global: &Global, events: &Events) -> Result<Vec<Clients>> {
    global.check_names()?;
    let named = if global.from_environment.contains(&"region") { &[] } else { global.region.as_slice() };
    let all = |partition: &str| -> Vec<String> {
        if named.is_empty() {
            regions::all().filter(|region| region.partition() == partition).map(|r| r.name.to_owned()).collect()
        } else {
            named.to_vec()
        }
    };
    if global.local {
        let local = local_cloud::running().await?;
        return Ok(all("aws").iter().map(|region| context::local_clients(&local, region, events)).collect());
    }
    let connection = context::connect(global, events).await?;
    let home = context::home(&connection, global)?;
    all(regions::partition_of(&home.region)).iter().map(|region| Clients::new(&connection, Some(region))).collect()
}

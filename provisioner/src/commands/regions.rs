//! `provisioner regions`

use std::collections::BTreeMap;

use futures_util::future::join_all;

use crate::aws::quotas;
use crate::context::{self, Global};
use crate::core::event::{Event, RegionRow, RegionSource};
use crate::core::regions;
use crate::error::{Error, Exit, Result};
use crate::ui::Events;

/// List the regions and whether the system can run there
///
/// Without `--live`, the list comes from a built-in table and needs no account.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provisioner regions\n  provisioner regions --live --all")]
pub struct Regions {
    /// Ask Service Quotas in each region of the account's partition for the `DetectFaces` quota. A region without this
    /// quota does not have Rekognition; a region that refuses the request is shown as `unknown`
    #[arg(long)]
    pub live: bool,
    /// Also list the regions in which the system cannot run
    #[arg(long)]
    pub all: bool,
}

/// The answer of each region: its quota in requests per second, `None` if it does not have Rekognition, or an error.
type Answers = BTreeMap<&'static str, Result<Option<f64>>>;

/// Runs the command.
pub async fn run(args: &Regions, global: &Global, events: &Events) -> Result<()> {
    if args.live && global.local {
        return Err(Error::new("`--live` asks AWS, so it cannot be used with `--local`")
            .exit(Exit::Usage)
            .hint("remove one of the two options"));
    }
    let answers = if args.live { Some(ask(global, events).await?) } else { None };
    let rows = regions::all()
        .map(|region| {
            let answer =
                answers.as_ref().map(|answers| answers.get(region.name).and_then(|answer| answer.as_ref().ok()));
            RegionRow {
                name: region.name,
                place: region.place,
                partition: region.partition(),
                rekognition: match answer {
                    Some(answer) => answer.map(Option::is_some),
                    None => Some(region.supports_rekognition()),
                },
                opt_in: region.is_opt_in(),
                requests_per_second: answer.flatten().copied().flatten(),
                nearest: regions::nearest(region.name),
            }
        })
        .filter(|row| args.all || row.rekognition.unwrap_or_else(|| regions::supports_rekognition(row.name)))
        .collect();
    events.emit(Event::Regions {
        regions: rows,
        source: if args.live { RegionSource::ServiceQuotas } else { RegionSource::BuiltIn },
    });
    Ok(())
}

/// Asks all regions of the account's partition in parallel. Credentials are not valid in other partitions.
async fn ask(global: &Global, events: &Events) -> Result<Answers> {
    let connection = context::connect(global, events).await?;
    let clients = context::home(&connection, global)?;
    let partition = regions::partition_of(&clients.region);
    let asked = regions::all()
        .filter(|region| region.partition() == partition)
        .map(async |region| (region.name, quotas::detect_faces(&clients, region.name).await));
    let mut answers: Answers = join_all(asked).await.into_iter().collect();
    if answers.values().all(Result::is_err)
        && let Some(Err(error)) = answers.remove(clients.region.as_str())
    {
        return Err(error);
    }
    Ok(answers)
}

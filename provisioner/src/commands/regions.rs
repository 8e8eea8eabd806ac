//! `provisioner regions`

use std::sync::Arc;

use futures_util::future::join_all;

use crate::aws::{Clients, Target, quotas, region};
use crate::cli::Global;
use crate::core::event::{Event, RegionRow};
use crate::core::regions;
use crate::error::{Error, Exit, Result};
use crate::ui::{Events, Ui};

/// List the regions and whether the system can run there
///
/// The built-in table answers without an account. With `--live` AWS's own public list is asked, and in each of its regions the account's
/// quota of `DetectFaces` requests; both need credentials.
#[derive(Debug, clap::Args)]
pub struct Regions {
    /// Ask AWS: its list of regions, and the account's quota in each
    #[arg(long)]
    pub live: bool,
    /// Also list the regions where the system cannot run
    #[arg(long)]
    pub all: bool,
}

/// Runs it.
///
/// # Errors
/// With `--live`, AWS's list cannot be read.
pub async fn run(args: &Regions, global: &Global, ui: &Arc<Ui>) -> Result<()> {
    if args.live && global.local {
        return Err(Error::new("the local cloud has no list of regions of its own")
            .exit(Exit::Usage)
            .hint("leave out `--live` or `--local`"));
    }
    let events = Events::new(Arc::clone(ui), None);
    let live = if args.live { Some(ask(global).await?) } else { None };
    let has = |name: &str| {
        live.as_ref().map_or_else(|| regions::supports_rekognition(name), |live| live.iter().any(|(r, _)| r == name))
    };
    let quota = |name: &str| live.iter().flatten().find(|(region, _)| region == name).and_then(|(_, quota)| *quota);
    let rows = regions::all()
        .map(|region| RegionRow {
            name: region.name,
            place: region.place,
            partition: region.partition(),
            rekognition: has(region.name),
            opt_in: region.is_opt_in(),
            requests_a_second: quota(region.name),
            nearest: regions::nearest(region.name),
        })
        .filter(|row| args.all || row.rekognition)
        .collect();
    events.emit(Event::Regions {
        regions: rows,
        source: if args.live { "AWS's public list" } else { "the built-in table" },
    });
    Ok(())
}

/// AWS's list, each region with the account's quota where that can be read: not in a region that the account has not enabled.
async fn ask(global: &Global) -> Result<Vec<(String, Option<f64>)>> {
    let target = Target::Remote {
        profile: global.profile.clone(),
        region: Some(global.region.first().map_or(region::LIST_REGION, String::as_str).to_owned()),
        endpoint: global.endpoint_url.clone(),
    };
    let clients = Clients::connect(&target).await?;
    let listed = region::with_rekognition(&clients.ssm).await?;
    let asked = listed.into_iter().map(async |region| {
        let quota = quotas::detect_faces(&clients, &region).await.ok().flatten();
        (region, quota)
    });
    Ok(join_all(asked).await)
}

//! `provisioner regions`

use std::sync::Arc;

use crate::aws::{Clients, Target, region};
use crate::cli::Global;
use crate::core::event::{Event, RegionRow};
use crate::core::regions;
use crate::error::Result;
use crate::ui::{Events, Ui};

/// List the regions and whether the system can run there
///
/// The built-in table answers without an account; with `--live` AWS's own public list is asked, which needs credentials.
#[derive(Debug, clap::Args)]
pub struct Regions {
    /// Ask AWS
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
    let events = Events::new(Arc::clone(ui), None);
    let live = if args.live { Some(ask(global).await?) } else { None };
    let has = |name: &str| {
        live.as_ref().map_or_else(|| regions::supports_rekognition(name), |list| list.iter().any(|r| r == name))
    };
    let rows = regions::all()
        .map(|region| RegionRow {
            name: region.name,
            place: region.place,
            partition: region.partition(),
            rekognition: has(region.name),
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

async fn ask(global: &Global) -> Result<Vec<String>> {
    let target = Target::Remote {
        profile: global.profile.clone(),
        region: Some(global.region.first().map_or(region::LIST_REGION, String::as_str).to_owned()),
        endpoint: global.endpoint_url.clone(),
    };
    region::with_rekognition(&Clients::connect(&target).await?.ssm).await
}

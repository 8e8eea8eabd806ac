//! `provisioner plan`

use std::path::PathBuf;

use crate::context::Context;
use crate::core::backfill::PRICE;
use crate::core::event::Event;
use crate::error::{Exit, Result};
use crate::steps::prepared::Purpose;
use crate::steps::settings::Settings;
use crate::steps::summary::SummaryOptions;
use crate::steps::{clean, prepare, saved_plan};

/// Show what `up` would change, property by property, with data loss first
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provisioner plan --region eu-west-1\n  provisioner plan --region eu-west-1 --out plan.json"
)]
pub struct Plan {
    /// Where the summary goes.
    #[command(flatten)]
    pub summary: SummaryOptions,
    /// Settings of the system
    #[command(flatten)]
    pub settings: Settings,
    /// Exit with 0 if there are no changes, 1 if anything failed, and 2 if there are changes
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Save the plan to this file, for `up --plan`; with several regions, one `FILE-REGION.EXT` per region
    #[arg(long, value_name = "FILE", conflicts_with = "adopt")]
    pub out: Option<PathBuf>,
}

/// Runs the command in one region.
pub async fn run(args: &Plan, cx: &Context) -> Result<Exit> {
    let purpose = if args.out.is_some() { Purpose::Save } else { Purpose::Preview };
    let prepared = prepare::prepare(cx, &args.settings, purpose).await?;
    match &args.out {
        Some(path) => {
            if let Err(error) = saved_plan::write(cx, path, &prepared) {
                clean::discard(cx, &prepared).await;
                return Err(error);
            }
        }
        None => clean::discard(cx, &prepared).await,
    }
    let changes = !prepared.plan.is_empty();
    let has_backfill = prepared.parameters.get("Backfill").is_some_and(|value| value == "yes");
    cx.events.emit(Event::Planned { plan: prepared.plan });
    if has_backfill {
        cx.events.emit(Event::BackfillPriced { price: PRICE });
    }
    Ok(if changes && args.detailed_exitcode { Exit::Usage } else { Exit::Success })
}

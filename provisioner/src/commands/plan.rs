//! `provisioner plan`

use crate::context::Context;
use crate::core::event::Event;
use crate::error::{Exit, Result};
use crate::steps::prepared::Purpose;
use crate::steps::settings::Settings;
use crate::steps::{clean, prepare};

/// Show what `up` would do, property by property, data loss first
#[derive(Debug, clap::Args)]
pub struct Plan {
    /// What the system is to be like
    #[command(flatten)]
    pub settings: Settings,
    /// Exit with 2 where there are changes
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// Runs it in one region.
///
/// # Errors
/// The plan cannot be made.
pub async fn run(args: &Plan, cx: &Context) -> Result<Exit> {
    let prepared = prepare::prepare(cx, &args.settings, Purpose::Preview).await?;
    clean::discard(cx, &prepared).await;
    let changes = !prepared.plan.is_empty();
    cx.events.emit(Event::Planned { plan: prepared.plan });
    Ok(if changes && args.detailed_exitcode { Exit::Usage } else { Exit::Success })
}

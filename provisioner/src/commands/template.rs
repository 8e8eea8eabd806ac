//! `provisioner template`

use crate::core::event::Event;
use crate::core::template::BUILT_IN;
use crate::error::Result;
use crate::ui::Events;

/// Print the CloudFormation template
#[derive(Debug, clap::Args)]
pub struct Template {}

/// Runs it.
///
/// # Errors
/// Never.
pub fn run(_args: &Template, events: &Events) -> Result<()> {
    events.emit(Event::Document { text: BUILT_IN.trim_end().to_owned() });
    Ok(())
}

//! `provisioner template`

use crate::core::event::Event;
use crate::core::template::BUILT_IN;
use crate::ui::Events;

/// Print the CloudFormation template
#[derive(Debug, clap::Args)]
pub struct Template {}

/// Runs the command.
pub fn run(_args: &Template, events: &Events) {
    events.emit(Event::Document { text: BUILT_IN.trim_end().to_owned() });
}

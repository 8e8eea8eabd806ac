//! `provisioner schema`

use crate::core::event::Event;
use crate::ui::{Events, JSON_SCHEMA};

/// Print the JSON schema of the lines that `--output json` prints
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provisioner schema > schema.json")]
pub struct Schema {}

/// Runs the command.
pub fn run(_: &Schema, events: &Events) {
    events.emit(Event::Document { text: JSON_SCHEMA.to_owned() });
}

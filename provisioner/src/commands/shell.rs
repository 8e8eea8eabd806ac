//! `provisioner completions` and `provisioner man`

use crate::core::event::Event;
use crate::error::{Error, Result};
use crate::ui::Events;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// Shell to print the script for
    pub shell: clap_complete::Shell,
}

/// Print the manual page
#[derive(Debug, clap::Args)]
pub struct Man {}

/// Runs `completions`.
pub fn completions(args: &Completions, command: &mut clap::Command, events: &Events) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, command, "provisioner", &mut text);
    print(text, events)
}

/// Runs `man`.
pub fn man(command: clap::Command, events: &Events) -> Result<()> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut text)
        .map_err(|error| Error::new("cannot render the manual page").because(&error))?;
    print(text, events)
}

fn print(text: Vec<u8>, events: &Events) -> Result<()> {
    let text = String::from_utf8(text).map_err(|error| Error::new("the text is not UTF-8").because(&error))?;
    events.emit(Event::Document { text });
    Ok(())
}

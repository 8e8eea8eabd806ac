//! `provisioner completions` and `provisioner man`

use clap::CommandFactory;

use crate::cli::Cli;
use crate::core::event::Event;
use crate::error::{Error, Result};
use crate::ui::Events;

/// Print the completions for a shell
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Print the manual page
#[derive(Debug, clap::Args)]
pub struct Man {}

/// Runs `completions`.
///
/// # Errors
/// Never in practice.
pub fn completions(args: &Completions, events: &Events) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "provisioner", &mut text);
    print(text, events)
}

/// Runs `man`.
///
/// # Errors
/// Never in practice.
pub fn man(_args: &Man, events: &Events) -> Result<()> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut text)
        .map_err(|error| Error::new("cannot render the manual page").because(&error))?;
    print(text, events)
}

fn print(text: Vec<u8>, events: &Events) -> Result<()> {
    let text = String::from_utf8(text).map_err(|error| Error::new("the text is no UTF-8").because(&error))?;
    events.emit(Event::Document { text });
    Ok(())
}

//! `provisioner template`

use crate::core::attach::{self, Location, Problem};
use crate::core::event::Event;
use crate::core::template;
use crate::error::{Error, Exit, Result};
use crate::ui::Events;

/// Print the CloudFormation template
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provisioner template > stack.yaml")]
pub struct Template {
    /// Attach this bucket, or a prefix in it, as `up --attach` does (repeatable). Then switch on the bucket's EventBridge
    /// notifications yourself, unless `up` deploys the template
    #[arg(long, value_name = "s3://BUCKET[/PREFIX]", value_parser = Location::parse)]
    pub attach: Vec<Location>,
}

/// Runs the command.
///
/// # Errors
/// The buckets cannot be attached.
pub fn run(args: &Template, events: &Events) -> Result<()> {
    let refused = |problem: Problem| Error::new("the buckets cannot be attached").because(&problem).exit(Exit::Refused);
    let attachments = attach::change(&[], &args.attach, &[]).map_err(refused)?;
    let template = attach::template::attach(&template::built_in(), &attachments).map_err(refused)?;
    events.emit(Event::Document { text: template.body.trim_end().to_owned() });
    Ok(())
}

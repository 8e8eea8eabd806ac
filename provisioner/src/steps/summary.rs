//! Appends a Markdown summary to a file, by default to the one that GitHub Actions shows.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::ui::{self, Recording};

/// Where the summary goes.
#[derive(Clone, Debug, clap::Args)]
pub struct SummaryOptions {
    /// Append a summary in Markdown to this file
    #[arg(long = "summary", value_name = "FILE", env = "GITHUB_STEP_SUMMARY", hide_env_values = true)]
    pub file: Option<PathBuf>,
}

impl SummaryOptions {
    /// The file; an empty variable counts as unset.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref().filter(|path| !path.as_os_str().is_empty())
    }
}

/// Appends the summary of a command; a run in several regions appends one per region.
///
/// # Errors
/// The file cannot be written.
pub fn append(path: &Path, command: &str, recording: &Recording, outcome: &Result<Exit>, cx: &Context) -> Result<()> {
    let title = format!("{command} {} in {}", cx.stack(), cx.region());
    let page = ui::summary(&title, &recording.events(), outcome, |hint| cx.events.complete(hint));
    let file = OpenOptions::new().create(true).append(true).open(path);
    // One write, so that regions do not mix.
    file.and_then(|mut file| file.write_all(format!("{page}\n").as_bytes()))
        .map_err(|error| Error::new(format!("cannot write `{}`", path.display())).because(&error))
}

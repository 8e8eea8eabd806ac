//! Writes pages to files.
//!
//! Invariant: a page is complete or not there, only its owner can read it, and no other file is replaced.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::core::error_code::Code;
use crate::core::event::Event;
use crate::error::{Error, Exit, Result};
use crate::file::{folder, without_temporary_name};
use crate::ui::Events;
use crate::ui::page::BEGINNING;

/// A file that a page will be written to.
#[derive(Debug)]
pub struct PageFile {
    path: PathBuf,
    /// Has mode 0600, as all temporary files of this library.
    file: NamedTempFile,
}

impl PageFile {
    /// Checks before any work begins that the page can be written.
    ///
    /// # Errors
    /// The folder cannot be written to, or the path is taken by something that is not a page of this program.
    pub fn create(path: &Path) -> Result<Self> {
        let shown = path.display();
        if path.is_dir() {
            return Err(Error::new(format!("`{shown}` is a folder"))
                .exit(Exit::Usage)
                .hint("name a file, for example `faces.html`"));
        }
        let cannot = |error: std::io::Error| {
            Error::new(format!("cannot write `{shown}`")).because(&without_temporary_name(&error)).exit(Exit::Usage)
        };
        if path.exists() && !is_page(path).map_err(cannot)? {
            return Err(Error::new(format!("`{shown}` already exists and is not a page of this program"))
                .exit(Exit::Refused)
                .code(Code::FileExists)
                .hint("choose another name, or delete the file"));
        }
        let file = NamedTempFile::new_in(folder(path)).map_err(cannot)?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Writes the page and reports it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(mut self, html: &str, events: &Events) -> Result<()> {
        let file = self.path.display().to_string();
        let cannot = |error: &std::io::Error| {
            Error::new(format!("cannot write `{file}`")).because(&without_temporary_name(error))
        };
        self.file.write_all(html.as_bytes()).map_err(|error| cannot(&error))?;
        self.file.as_file().sync_all().map_err(|error| cannot(&error))?;
        self.file.persist(&self.path).map_err(|error| cannot(&error.error))?;
        events.emit(Event::PageWritten { file, bytes: html.len() });
        Ok(())
    }
}

fn is_page(path: &Path) -> std::io::Result<bool> {
    if !path.metadata()?.is_file() {
        return Ok(false);
    }
    let mut beginning = Vec::new();
    std::fs::File::open(path)?.take(BEGINNING.len() as u64).read_to_end(&mut beginning)?;
    Ok(beginning == BEGINNING.as_bytes())
}

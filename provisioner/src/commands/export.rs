//! `provisioner export`

use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use tempfile::NamedTempFile;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::aws::scan::{self, Segment};
use crate::aws::table::approximate_rows;
use crate::context::Context;
use crate::core::error_code::Code;
use crate::core::event::Event;
use crate::core::rows::{COLUMNS, cells, object};
use crate::core::smoke::Row;
use crate::error::{Error, Exit, Result};
use crate::file::{self, without_temporary_name};
use crate::steps::preflight;

/// Write all rows to a file, as CSV or as JSON lines
///
/// Reads the whole table in parallel. If the export fails, no file is written. Cells that a spreadsheet could interpret
/// as a formula begin with an apostrophe.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provisioner export --region eu-west-1 faces.csv")]
pub struct Export {
    /// File to write: `NAME.csv` or `NAME.jsonl`; with several regions, one `NAME-REGION.csv` per region
    #[arg(value_name = "FILE", value_parser = format)]
    pub file: Target,
    /// Replace an existing file
    #[arg(long)]
    pub overwrite: bool,
}

/// A file and its format.
#[derive(Clone, Debug)]
pub struct Target {
    path: PathBuf,
    format: Format,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Csv,
    JsonLines,
}

fn format(text: &str) -> std::result::Result<Target, String> {
    let path = PathBuf::from(text);
    let format = match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Format::Csv,
        Some("jsonl") => Format::JsonLines,
        _ => return Err("expected a name that ends in .csv or .jsonl".to_owned()),
    };
    Ok(Target { path, format })
}

/// Number of segments of the table that are read in parallel.
const SEGMENTS: i32 = 8;

/// Maximum number of pages that wait to be written. More would only use memory.
const WAITING_PAGES: usize = 16;

/// Runs the command in one region.
pub async fn run(args: &Export, cx: &Context) -> Result<Exit> {
    let started = Instant::now();
    let path = cx.own_file(&args.file.path);
    let folder = file::folder(&path);
    check(args, &path, folder)?;
    let stack = preflight::readable(cx).await?;
    let table = stack.output("TableName")?;
    let failed = |error: io::Error| unwritable(&path, &error);
    let _signal = no_signal_at_the_limit();
    let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
    let format = args.file.format;
    file.write_all(&format.header().map_err(failed)?).map_err(failed)?;

    let (to, mut pages) = mpsc::channel(WAITING_PAGES);
    let mut reading = JoinSet::new();
    for number in 0..SEGMENTS {
        let (client, table, to) = (cx.clients.dynamodb.clone(), table.to_owned(), to.clone());
        let segment = Segment { number, of: SEGMENTS };
        reading.spawn(async move { scan::segment(&client, &table, segment, |rows| format.page(&rows), to).await });
    }
    drop(to);
    // In the meantime, the first pages arrive.
    let of = approximate_rows(&cx.clients.dynamodb, table).await;
    let mut rows = 0;
    while let Some(page) = pages.recv().await {
        let page = page.map_err(failed)?;
        rows += page.rows;
        file.write_all(&page.text).map_err(failed)?;
        cx.events.emit(Event::Exporting { rows, of });
    }
    for outcome in reading.join_all().await {
        outcome?;
    }
    file.as_file().sync_all().map_err(failed)?;
    let persisted = if args.overwrite { file.persist(&path) } else { file.persist_noclobber(&path) };
    persisted.map_err(|error| failed(error.error))?;
    let seconds = started.elapsed().as_secs_f64();
    cx.events.emit(Event::Exported { file: path.display().to_string(), rows, seconds });
    Ok(Exit::Success)
}

/// Checks before the table is read that the file can be written.
fn check(args: &Export, path: &Path, folder: &Path) -> Result<()> {
    if path.is_dir() {
        return Err(Error::new(format!("`{}` is a folder", path.display()))
            .exit(Exit::Refused)
            .hint("name a file that does not exist yet"));
    }
    if !args.overwrite && path.symlink_metadata().is_ok() {
        return Err(Error::new(format!("`{}` already exists", path.display()))
            .exit(Exit::Refused)
            .code(Code::FileExists)
            .hint("add `--overwrite` to replace it"));
    }
    if !folder.is_dir() {
        return Err(Error::new(format!("folder `{}` does not exist", folder.display()))
            .hint("create it, or name a file in another folder"));
    }
    Ok(())
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    let failed = Error::new(format!("cannot write `{}`", path.display())).because(&without_temporary_name(error));
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            failed.hint("free some space, or name a file on another disk; no file was written")
        }
        ErrorKind::FileTooLarge => failed.hint("raise the limit of the file size (`ulimit -f`); no file was written"),
        ErrorKind::PermissionDenied => failed.hint("name a file in a folder in which you may create files"),
        _ => failed,
    }
}

/// Turns the signal for a file above `ulimit -f`, which ends a program and leaves its temporary file, into an error.
#[cfg(unix)]
fn no_signal_at_the_limit() -> io::Result<tokio::signal::unix::Signal> {
    /// The number of SIGXFSZ on Linux and macOS.
    const FILE_SIZE: i32 = 25;
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(FILE_SIZE))
}

#[cfg(not(unix))]
fn no_signal_at_the_limit() {}

/// Rows in the format of the file. They take less memory than what DynamoDB sends, so only they wait to be written.
struct Page {
    rows: usize,
    text: Vec<u8>,
}

impl Format {
    /// What the file begins with.
    fn header(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Csv => records([COLUMNS]),
            Self::JsonLines => Ok(Vec::new()),
        }
    }

    fn page(self, rows: &[Row]) -> io::Result<Page> {
        let text = match self {
            Self::Csv => records(rows.iter().map(cells))?,
            Self::JsonLines => rows.iter().flat_map(|row| format!("{}\n", object(row)).into_bytes()).collect(),
        };
        Ok(Page { rows: rows.len(), text })
    }
}

/// Records of a CSV file.
fn records<Record: IntoIterator<Item: AsRef<str>>>(records: impl IntoIterator<Item = Record>) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        for cell in record {
            writer.write_field(cell.as_ref())?;
        }
        // This ends the record.
        writer.write_record(None::<&[u8]>)?;
    }
    writer.into_inner().map_err(csv::IntoInnerError::into_error)
}

//! `provisioner export`

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use tempfile::NamedTempFile;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::aws::scan;
use crate::context::Context;
use crate::core::error_code::Code;
use crate::core::event::Event;
use crate::core::rows::{COLUMNS, cells, object};
use crate::core::smoke::Row;
use crate::error::{Error, Exit, Result};
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
    if !args.overwrite && path.exists() {
        return Err(Error::new(format!("`{}` already exists", path.display()))
            .exit(Exit::Refused)
            .code(Code::FileExists)
            .hint("add `--overwrite` to replace it"));
    }
    let stack = preflight::readable(cx).await?;
    let table = stack.output("TableName")?;
    let failed = |error: std::io::Error| Error::new(format!("cannot write `{}`", path.display())).because(&error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = Writer::new(args.file.format, NamedTempFile::new_in(folder).map_err(failed)?).map_err(failed)?;

    let (to, mut pages) = mpsc::channel(WAITING_PAGES);
    let mut reading = JoinSet::new();
    for segment in 0..SEGMENTS {
        let (client, table, to) = (cx.clients.dynamodb.clone(), table.to_owned(), to.clone());
        reading.spawn(async move { scan::segment(&client, &table, segment, SEGMENTS, to).await });
    }
    drop(to);
    let mut rows = 0;
    while let Some(page) = pages.recv().await {
        rows += page.len();
        file.write(&page).map_err(failed)?;
        cx.events.emit(Event::Exporting { rows });
    }
    for outcome in reading.join_all().await {
        outcome?;
    }
    file.finish(&path, args.overwrite).map_err(failed)?;
    let seconds = started.elapsed().as_secs_f64();
    cx.events.emit(Event::Exported { file: path.display().to_string(), rows, seconds });
    Ok(Exit::Success)
}

/// Writes rows to a temporary file that is renamed at the end.
enum Writer {
    Csv(Box<csv::Writer<NamedTempFile>>),
    JsonLines(BufWriter<NamedTempFile>),
}

impl Writer {
    fn new(format: Format, file: NamedTempFile) -> std::io::Result<Self> {
        Ok(match format {
            Format::JsonLines => Self::JsonLines(BufWriter::new(file)),
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(file);
                writer.write_record(COLUMNS)?;
                Self::Csv(Box::new(writer))
            }
        })
    }

    fn write(&mut self, rows: &[Row]) -> std::io::Result<()> {
        for row in rows {
            match self {
                Self::Csv(writer) => writer.write_record(cells(row))?,
                Self::JsonLines(writer) => writeln!(writer, "{}", object(row))?,
            }
        }
        Ok(())
    }

    fn finish(self, path: &Path, overwrite: bool) -> std::io::Result<()> {
        let file = match self {
            Self::Csv(writer) => writer.into_inner().map_err(csv::IntoInnerError::into_error)?,
            Self::JsonLines(writer) => writer.into_inner().map_err(std::io::IntoInnerError::into_error)?,
        };
        file.as_file().sync_all()?;
        let persisted = if overwrite { file.persist(path) } else { file.persist_noclobber(path) };
        persisted.map(|_| ()).map_err(|error| error.error)
    }
}

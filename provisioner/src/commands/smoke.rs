//! `provisioner smoke`

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::aws::bucket::{self, Bucket};
use crate::aws::follow::Pace;
use crate::aws::stack::Stack;
use crate::aws::{function, table};
use crate::cli::Context;
use crate::commands::{deployed, output};
use crate::core::event::Event;
use crate::core::smoke::{self, Picture, Row};
use crate::error::{Error, Exit, Result};

/// Prove that the deployed system works: upload a picture, see its rows, clean up
///
/// The picture goes up under a key with a space, a `+` and a letter outside ASCII. Every attribute of the rows is checked, and the live
/// configuration of the function too. Exits with 3 where the system does not work, and names the step.
#[derive(Clone, Debug, clap::Args)]
pub struct Smoke {
    /// Also a picture without faces, one with two, and a broken one
    #[arg(long)]
    pub full: bool,
    /// Wait so many seconds for the rows of a picture
    #[arg(long, value_name = "SECONDS", default_value_t = Smoke::default().timeout)]
    pub timeout: u64,
    /// Write the verdict as `JUnit` XML for a CI
    #[arg(long, value_name = "FILE")]
    pub junit: Option<std::path::PathBuf>,
}

impl Default for Smoke {
    fn default() -> Self {
        Self { full: false, timeout: 90, junit: None }
    }
}

/// A picture of the test and the number of faces in it.
struct Case {
    name: &'static str,
    file: &'static str,
    bytes: &'static [u8],
    faces: usize,
}

const ONE_FACE: Case =
    Case { name: "one face", file: "face.jpg", bytes: include_bytes!("../../fixtures/face.jpg"), faces: 1 };
const FULL: [Case; 3] = [
    Case { name: "two faces", file: "two-faces.jpg", bytes: include_bytes!("../../fixtures/two-faces.jpg"), faces: 2 },
    Case { name: "no face", file: "no-face.jpg", bytes: include_bytes!("../../fixtures/no-face.jpg"), faces: 0 },
    Case { name: "a broken picture", file: "broken.jpg", bytes: b"this is not a picture", faces: 0 },
];

/// Runs it in one region.
///
/// # Errors
/// There is no stack, or the system does not work.
pub async fn run(args: &Smoke, cx: &Context) -> Result<Exit> {
    let stack = deployed(cx).await?;
    prove(cx, &stack, args).await
}

/// Proves that a deployed stack works.
///
/// # Errors
/// The step that failed, with exit code 3.
pub async fn prove(cx: &Context, stack: &Stack, args: &Smoke) -> Result<Exit> {
    let started = Instant::now();
    let mut verdicts = Vec::new();
    let outcome = steps(cx, stack, args, &mut verdicts).await;
    if let Some(path) = &args.junit {
        let report = smoke::junit(
            &verdicts,
            outcome.as_ref().err().map(|error| (error.message.as_str(), error.causes.join("; "))),
        );
        std::fs::write(path, report)
            .map_err(|error| Error::new(format!("cannot write `{}`", path.display())).because(&error))?;
    }
    let (pictures, rows) = outcome.map_err(|error| error.exit(Exit::Smoke))?;
    cx.events.emit(Event::SmokePassed { pictures, rows, seconds: started.elapsed().as_secs_f64() });
    Ok(Exit::Success)
}

async fn steps(cx: &Context, stack: &Stack, args: &Smoke, verdicts: &mut Vec<(String, f64)>) -> Result<(usize, usize)> {
    let mut done = |step: &'static str, detail: String, since: Instant| {
        let seconds = since.elapsed().as_secs_f64();
        verdicts.push((format!("{step}: {detail}"), seconds));
        cx.events.emit(Event::SmokeStep { step, detail, seconds });
    };
    let since = Instant::now();
    let detail = check_configuration(cx, stack).await?;
    done("configuration", detail, since);
    let cases = std::iter::once(&ONE_FACE).chain(FULL.iter().filter(|_| args.full));
    let (mut pictures, mut rows) = (0, 0);
    for case in cases {
        let since = Instant::now();
        let found = check_picture(cx, stack, case, Duration::from_secs(args.timeout)).await?;
        done(
            "picture",
            format!("{}, {found} row{} as promised, all cleaned up", case.name, if found == 1 { "" } else { "s" }),
            since,
        );
        pictures += 1;
        rows += found;
    }
    Ok((pictures, rows))
}

/// The live configuration, as Lambda and S3 say it, not as the template meant it.
async fn check_configuration(cx: &Context, stack: &Stack) -> Result<String> {
    let name = output(stack, "FunctionName")?;
    let bucket = bucket_of(stack)?;
    function::wait_until_active(&cx.clients.lambda, name).await?;
    let (live, notified) = tokio::try_join!(
        function::configuration(&cx.clients.lambda, name),
        function::notified_by(&cx.clients.s3, &bucket)
    )?;
    let wrong = |what: String| Err(Error::new(format!("the live function `{name}` is not as deployed")).cause(what));
    let architecture = stack.parameters.get("Architecture").map(String::as_str).unwrap_or_default();
    if live.timeout < 10 {
        return wrong(format!("its time-out is {} s, and a picture can take 10", live.timeout));
    }
    if live.architecture != architecture {
        return wrong(format!("it runs on {}, deployed for {architecture}", live.architecture));
    }
    if live.role != output(stack, "RoleArn")? {
        return wrong(format!("its role is `{}`", live.role));
    }
    if !notified.contains(&live.arn) {
        return wrong(format!("bucket `{}` does not notify it", bucket.name));
    }
    Ok(format!(
        "{} s time-out, {} MB, {}, its own role, notified by {}",
        live.timeout, live.memory, live.architecture, bucket.name
    ))
}

fn bucket_of(stack: &Stack) -> Result<Bucket> {
    let owner = stack.account().ok_or_else(|| Error::new(format!("the ARN `{}` names no account", stack.id)))?;
    Ok(Bucket { name: output(stack, "BucketName")?.to_owned(), owner: owner.to_owned() })
}

async fn check_picture(cx: &Context, stack: &Stack, case: &Case, patience: Duration) -> Result<usize> {
    let bucket = bucket_of(stack)?;
    let table = output(stack, "TableName")?.to_owned();
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    // Each awkward in another way: a space, a plus sign, a letter that UTF-8 writes in two bytes.
    let prefix = stack.parameters.get("KeyPrefix").map(String::as_str).unwrap_or_default();
    let key = format!("{prefix}provisioner-smoke/{began}/håll i + {}", case.file);
    let stored = bucket::put(&cx.clients.s3, &bucket, &key, case.bytes.to_vec(), "image/jpeg").await?;
    let picture = Picture {
        partition: stack.partition().to_owned(),
        bucket: bucket.name.clone(),
        key: key.clone(),
        version: stored.version,
        etag: stored.etag,
    };
    let log_group = output(stack, "LogGroupName")?;
    let waited = wait_for_rows(
        cx,
        &table,
        &picture,
        case.faces,
        patience,
        (log_group, i64::try_from(began).unwrap_or_default()),
    )
    .await;
    let cleaned = clean_up(cx, &bucket, &table, &picture, case.faces).await;
    let rows = waited?;
    cleaned?;
    let complaints = smoke::complaints(&picture, &rows, case.faces);
    match complaints.split_first() {
        None => Ok(rows.len()),
        Some((first, rest)) => Err(rest.iter().fold(
            Error::new(format!("the rows of the picture with {} are wrong", case.name)).cause(first),
            Error::cause,
        )),
    }
}

/// Waits until the function has finished with the picture: its rows are there, or its log says that there are none to come.
async fn wait_for_rows(
    cx: &Context,
    table: &str,
    picture: &Picture,
    faces: usize,
    patience: Duration,
    (log_group, since): (&str, i64),
) -> Result<Vec<Row>> {
    let started = Instant::now();
    let mut pace = Pace::new(Duration::from_millis(200), Duration::from_secs(2));
    let id = picture.face_id(0);
    let id = &id[..32];
    loop {
        let rows = rows_of(cx, table, picture, faces).await?;
        if !rows.is_empty() {
            return Ok(rows);
        }
        if faces == 0
            && function::log(&cx.clients.logs, log_group, since).await?.iter().any(|line| line.text.contains(id))
        {
            return rows_of(cx, table, picture, faces).await;
        }
        if started.elapsed() >= patience {
            return Err(no_rows(cx, picture, faces, patience, log_group, since).await);
        }
        pace.wait().await;
    }
}

/// The expected rows and one more, which must not be there. All of a picture's rows are written at once.
async fn rows_of(cx: &Context, table: &str, picture: &Picture, faces: usize) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for rank in 0..=faces {
        match table::get(&cx.clients.dynamodb, table, &picture.face_id(rank)).await? {
            Some(row) => rows.push(row),
            None => break,
        }
    }
    Ok(rows)
}

async fn no_rows(
    cx: &Context,
    picture: &Picture,
    faces: usize,
    patience: Duration,
    log_group: &str,
    since: i64,
) -> Error {
    let what = if faces == 0 { "no word in the log" } else { "no row in the table" };
    let error = Error::new(format!("{what} {} s after the upload of `{}`", patience.as_secs(), picture.key));
    let lines = function::log(&cx.clients.logs, log_group, since).await.unwrap_or_default();
    let error = match lines
        .iter()
        .rev()
        .find(|line| line.text.contains("failed") || line.text.contains("ERROR") || line.text.contains("error"))
    {
        Some(line) => error.cause(format!("the function's log says: {}", line.text)),
        None if lines.is_empty() => {
            error.cause("the function's log is empty: it was not started, or it cannot write its log")
        }
        None => error.cause(format!(
            "the last of {} lines in the function's log: {}",
            lines.len(),
            lines.last().map(|l| l.text.as_str()).unwrap_or_default()
        )),
    };
    error.hint(format!("`{}` shows the function's log", cx.command("logs")))
}

async fn clean_up(cx: &Context, bucket: &Bucket, table: &str, picture: &Picture, faces: usize) -> Result<()> {
    bucket::empty(&cx.clients.s3, bucket, &picture.key, |_| {}).await?;
    for rank in 0..=faces {
        table::remove(&cx.clients.dynamodb, table, &picture.face_id(rank)).await?;
    }
    Ok(())
}

//! `provisioner smoke`

use std::time::{Duration, Instant};

use crate::aws::function;
use crate::aws::stack::Stack;
use crate::cli::Context;
use crate::commands::deployed;
use crate::core::event::Event;
use crate::core::smoke::{self, Row};
use crate::error::{Error, Exit, Result};
use crate::steps::picture::{self, Ended, Place, Upload};

/// Prove that the deployed system works: upload a picture, see its rows, clean up
///
/// The picture goes up under a key with a space, a `+` and a letter outside ASCII. Every attribute of the rows is checked, and the live
/// configuration of the function too. Exits with 3 where the system does not work, and names the step.
#[derive(Clone, Debug, clap::Args)]
pub struct Smoke {
    /// Also a picture without faces, one with two, and a broken one
    #[arg(long)]
    pub full: bool,
    /// Seconds to wait for the rows of a picture
    #[arg(long, value_name = "SECONDS", default_value_t = Smoke::default().timeout)]
    pub timeout: u64,
    /// Write the verdict as `JUnit` XML for a CI; of several regions each writes its own, as `FILE-REGION.xml`
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

/// A picture is uploaded so often before the system counts as broken.
const UPLOADS: u32 = 3;

/// Runs it in one region.
///
/// # Errors
/// There is no stack, or the system does not work.
pub async fn run(args: &Smoke, cx: &Context) -> Result<Exit> {
    match deployed(cx).await {
        Ok(stack) => prove(cx, &stack, args).await,
        Err(error) => Err(report(cx, args, &[], error)),
    }
}

/// Proves that a deployed stack works.
///
/// # Errors
/// The step that failed, with exit code 3; or the verdict cannot be written.
pub async fn prove(cx: &Context, stack: &Stack, args: &Smoke) -> Result<Exit> {
    let started = Instant::now();
    let mut verdicts = Vec::new();
    match steps(cx, stack, args, &mut verdicts).await {
        Ok((pictures, rows)) => {
            cx.events.emit(Event::SmokePassed { pictures, rows, seconds: started.elapsed().as_secs_f64() });
            write(cx, args, &smoke::junit(&verdicts, None))?;
            Ok(Exit::Success)
        }
        Err(error) => Err(report(cx, args, &verdicts, error.exit(Exit::Smoke))),
    }
}

/// Writes the verdict of a test that failed. Where that fails too, the test's failure is still the one to tell.
fn report(cx: &Context, args: &Smoke, verdicts: &[(String, f64)], error: Error) -> Error {
    let verdict = smoke::junit(verdicts, Some((error.message.as_str(), error.causes.join("; "))));
    match write(cx, args, &verdict) {
        Ok(()) => error,
        Err(unwritten) => error.cause(format!("besides, {}: {}", unwritten.message, unwritten.causes.join("; "))),
    }
}

/// Writes the verdict to the file that was named, if one was, and makes the folder for it.
fn write(cx: &Context, args: &Smoke, verdict: &str) -> Result<()> {
    let Some(path) = args.junit.as_ref().map(|path| cx.own_file(path)) else { return Ok(()) };
    path.parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(&path, verdict))
        .map_err(|error| Error::new(format!("cannot write `{}`", path.display())).because(&error))
}

async fn steps(cx: &Context, stack: &Stack, args: &Smoke, verdicts: &mut Vec<(String, f64)>) -> Result<(usize, usize)> {
    let mut done = |step: &'static str, detail: String, since: Instant| {
        let seconds = since.elapsed().as_secs_f64();
        verdicts.push((format!("{step}: {detail}"), seconds));
        cx.events.emit(Event::SmokeStep { step, detail, seconds });
    };
    let place = Place::of(stack)?;
    let since = Instant::now();
    let detail = check_configuration(cx, stack, &place).await?;
    done("configuration", detail, since);
    let cases = std::iter::once(&ONE_FACE).chain(FULL.iter().filter(|_| args.full));
    let (mut pictures, mut rows) = (0, 0);
    for case in cases {
        let since = Instant::now();
        let found = check_picture(cx, &place, case, Duration::from_secs(args.timeout)).await?;
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
async fn check_configuration(cx: &Context, stack: &Stack, place: &Place) -> Result<String> {
    let name = stack.output("FunctionName")?;
    let bucket = &place.bucket;
    let (live, notified) = tokio::try_join!(
        function::configuration(&cx.clients.lambda, name),
        function::notified_by(&cx.clients.s3, bucket)
    )?;
    let wrong = |what: String| Err(Error::new(format!("the live function `{name}` is not as deployed")).cause(what));
    let architecture = stack.parameters.get("Architecture").map(String::as_str).unwrap_or_default();
    if live.timeout < 10 {
        return wrong(format!("its time-out is {} s, and a picture can take 10", live.timeout));
    }
    if live.architecture != architecture {
        return wrong(format!("it runs on {}, deployed for {architecture}", live.architecture));
    }
    if live.role != stack.output("RoleArn")? {
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

async fn check_picture(cx: &Context, place: &Place, case: &Case, patience: Duration) -> Result<usize> {
    // Each awkward in another way: a space, a plus sign, a letter that UTF-8 writes in two bytes.
    let key = format!("{}provisioner-smoke/{}/håll i + {}", place.key_prefix, picture::now(), case.file);
    let mut uploads = Vec::new();
    let ended = finish(cx, place, case, &key, patience, &mut uploads).await;
    for upload in &uploads {
        picture::clean_up(cx, place, &upload.picture).await?;
    }
    let (upload, rows) = ended?;
    let complaints = smoke::complaints(&upload.picture, &rows, case.faces);
    match complaints.split_first() {
        None => Ok(rows.len()),
        Some((first, rest)) => Err(rest.iter().fold(
            Error::new(format!("the rows of the picture with {} are wrong", case.name)).cause(first),
            Error::cause,
        )),
    }
}

/// Uploads the picture until the function has finished with it.
///
/// In the first seconds of a stack its role or its notification may not be known everywhere in AWS, and the event is lost or fails:
/// Lambda would try again only after a minute, so another upload is sooner there. The same bytes give the same rows.
async fn finish(
    cx: &Context,
    place: &Place,
    case: &Case,
    key: &str,
    patience: Duration,
    uploads: &mut Vec<Upload>,
) -> Result<(Upload, Vec<Row>)> {
    let mut last = None;
    for _ in 0..UPLOADS {
        let upload = picture::upload(cx, place, key.to_owned(), case.bytes.to_vec(), "image/jpeg").await?;
        uploads.push(upload.clone());
        match picture::wait(cx, place, &upload, patience / UPLOADS).await? {
            Ended::Rows(rows) => return Ok((upload, rows)),
            Ended::Without(_) if case.faces == 0 => return Ok((upload, Vec::new())),
            Ended::Without(word) => {
                return Err(Error::new(format!("the function says `{word}` of the picture with {}", case.name)));
            }
            Ended::Late(line) => last = line,
        }
    }
    let what = if case.faces == 0 { "no word in the log" } else { "no row in the table" };
    let error = Error::new(format!("{what} {} s after the upload of `{key}`", patience.as_secs()));
    Err(match last {
        Some(line) => error.cause(format!("the function's log says: {line}")),
        None => error.cause("the function's log is empty: it was not started, or it cannot write its log"),
    }
    .hint(format!("`{}` shows the function's log", cx.command("logs"))))
}

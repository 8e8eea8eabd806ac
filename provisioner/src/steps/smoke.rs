//! The smoke test: verifies that a deployed system works, and cleans up.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::aws::bucket::{self, Read};
use crate::aws::stack::Stack;
use crate::aws::{function, packages};
use crate::clock;
use crate::context::Context;
use crate::core::event::{Event, SmokeStep};
use crate::core::hint::Hint;
use crate::core::junit::{self, Failure, Report, TestCase};
use crate::core::moment;
use crate::core::smoke::{self, Row, TEST_PREFIX};
use crate::core::smoke_record::SmokeRecord;
use crate::environment;
use crate::error::{Error, Exit, Result};
use crate::steps::picture::{self, Deployment, PictureResult, Upload};
use crate::steps::{attached_check, preflight, smoke_remains};

/// The options of the smoke test.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether to test all pictures instead of only the one with one face.
    pub full: bool,
    /// Whether to upload a picture to each attached bucket.
    pub write_attached: bool,
    /// Seconds to wait for the rows of a picture.
    pub timeout: u64,
    /// The file to write the result to, as JUnit XML.
    pub junit: Option<PathBuf>,
}

/// Default number of seconds to wait for the rows of a picture.
pub const TIMEOUT: u64 = 90;

impl Default for Options {
    fn default() -> Self {
        Self { full: false, write_attached: false, timeout: TIMEOUT, junit: None }
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

/// Maximum number of uploads per picture.
const UPLOADS: u32 = 3;

/// Tests the deployed stack.
pub async fn run(cx: &Context, args: &Options) -> Result<Exit> {
    match preflight::deployed(cx).await {
        Ok(stack) => prove(cx, &stack, args).await,
        Err(error) => {
            let run = TestRun::begin();
            Err(run.report(cx, args, error))
        }
    }
}

/// Tests a deployed stack, unless this deployment has already passed the test.
pub async fn prove_once(cx: &Context, stack: &Stack, args: &Options) -> Result<Exit> {
    if let Ok(current) = current(cx, stack).await
        && recorded(cx, stack).await.as_ref() == Some(&current)
    {
        cx.events.emit(Event::SmokePassedBefore { stack: stack.name.clone() });
        return Ok(Exit::Success);
    }
    prove_and_record(cx, stack, args).await
}

/// Tests a deployed stack and records that it passed. Only `up` calls this, because only `up` may write to the bucket
/// for packages.
pub async fn prove_and_record(cx: &Context, stack: &Stack, args: &Options) -> Result<Exit> {
    let outcome = prove(cx, stack, args).await?;
    if outcome == Exit::Success {
        record(cx, stack).await;
    }
    Ok(outcome)
}

/// Identifies the current deployment.
async fn current(cx: &Context, stack: &Stack) -> Result<SmokeRecord> {
    let live = function::configuration(&cx.clients.lambda, stack.output("FunctionName")?).await?;
    Ok(SmokeRecord { stack_id: stack.id.clone(), changed_at: stack.changed_at, revision: live.revision })
}

/// The deployment that passed the last test; `None` if there is no readable record.
async fn recorded(cx: &Context, stack: &Stack) -> Option<SmokeRecord> {
    let bucket = packages::bucket(stack.account()?, cx.region());
    let key = SmokeRecord::key(&stack.name);
    match bucket::read(&cx.clients.s3, &bucket.name, &key, None, MAX_RECORD_BYTES).await {
        Ok(Read::Bytes(bytes, _)) => serde_json::from_slice(&bytes).ok(),
        _ => None,
    }
}

/// Records that the deployment passed. If this fails, the next `up` repeats the test.
async fn record(cx: &Context, stack: &Stack) {
    let (Ok(current), Some(account)) = (current(cx, stack).await, stack.account()) else { return };
    let bucket = packages::bucket(account, cx.region());
    let key = SmokeRecord::key(&stack.name);
    let Ok(body) = serde_json::to_vec(&current) else { return };
    let _ = bucket::put(&cx.clients.s3, &bucket, &key, body, "application/json").await;
}

/// Maximum size of a record; a real one has a few hundred bytes.
const MAX_RECORD_BYTES: u64 = 65_536;

/// Verifies that a deployed stack works.
///
/// # Errors
/// The error of the failed step, with exit code 3, or the result could not be written.
pub async fn prove(cx: &Context, stack: &Stack, args: &Options) -> Result<Exit> {
    let mut run = TestRun::begin();
    match steps(cx, stack, args, &mut run).await {
        Ok((pictures, rows)) => {
            cx.events.emit(Event::SmokePassed { pictures, rows, seconds: run.started.elapsed().as_secs_f64() });
            write(cx, args, &run.junit(None))?;
            Ok(Exit::Success)
        }
        Err(error) => Err(run.report(cx, args, error.exit(Exit::Smoke))),
    }
}

/// The progress of a test.
struct TestRun {
    started: Instant,
    /// The same in ISO 8601.
    began: String,
    passed: Vec<TestCase>,
    /// The name of the current step, and when it began.
    current: (String, Instant),
}

impl TestRun {
    fn begin() -> Self {
        let now = Instant::now();
        let began = moment::utc(clock::now_millis());
        Self { started: now, began, passed: Vec::new(), current: ("deployed stack".to_owned(), now) }
    }

    fn start(&mut self, name: impl Into<String>) {
        self.current = (name.into(), Instant::now());
    }

    fn pass(&mut self, step: SmokeStep, cx: &Context) {
        let (name, since) = &self.current;
        let (name, seconds) = (name.clone(), since.elapsed().as_secs_f64());
        let detail = match &step {
            SmokeStep::Configuration { timeout, memory, architecture, bucket } => {
                format!("time-out {timeout} s, {memory} MB, {architecture}, notified by {bucket}")
            }
            SmokeStep::Picture { rows, .. } => format!("{rows} rows"),
            SmokeStep::Attached { .. } => "its rule and its events are correct".to_owned(),
        };
        self.passed.push(TestCase { name, seconds, detail });
        cx.events.emit(Event::SmokeStep { step, seconds });
    }

    fn junit(&self, failure: Option<Failure>) -> String {
        let host = environment::host_name();
        junit::render(&Report { passed: &self.passed, failure, host: &host, began: &self.began })
    }

    /// Writes the result of a failed test. If this fails, too, it becomes a further cause of the same error.
    fn report(&self, cx: &Context, args: &Options, error: Error) -> Error {
        let (name, since) = &self.current;
        let hints = error.hints.iter().map(|hint| format!("hint: {}", cx.events.complete(hint)));
        let failure = Failure {
            name: name.clone(),
            seconds: since.elapsed().as_secs_f64(),
            message: error.message.clone(),
            detail: error.causes.iter().cloned().chain(hints).collect::<Vec<_>>().join("\n"),
        };
        match write(cx, args, &self.junit(Some(failure))) {
            Ok(()) => error,
            Err(unwritten) => {
                error.cause(format!("in addition, {}: {}", unwritten.message, unwritten.causes.join("; ")))
            }
        }
    }
}

/// Writes the result to the given file, if any, and creates its folder.
fn write(cx: &Context, args: &Options, verdict: &str) -> Result<()> {
    let Some(path) = args.junit.as_ref().map(|path| cx.own_file(path)) else { return Ok(()) };
    path.parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(&path, verdict))
        .map_err(|error| Error::new(format!("cannot write `{}`", path.display())).because(&error))
}

async fn steps(cx: &Context, stack: &Stack, args: &Options, run: &mut TestRun) -> Result<(usize, usize)> {
    let deployment = Deployment::of(stack)?;
    run.start("remains of earlier tests");
    smoke_remains::remove(cx, &deployment).await?;
    run.start("configuration");
    let step = check_configuration(cx, stack, &deployment).await?;
    run.pass(step, cx);
    let attached = attached_check::buckets(&cx.clients, stack).await?;
    if !attached.is_empty() {
        run.start("attached buckets");
    }
    attached_check::check(cx, stack, &attached).await?;
    for attachment in &attached {
        run.start(format!("attached bucket {}", attachment.bucket));
        run.pass(SmokeStep::Attached { bucket: attachment.bucket.clone() }, cx);
    }
    let cases = std::iter::once(&ONE_FACE).chain(FULL.iter().filter(|_| args.full));
    let (mut pictures, mut rows) = (0, 0);
    for case in cases {
        run.start(format!("picture with {}", case.name));
        let found = check_picture(cx, &deployment, case, Duration::from_secs(args.timeout)).await?;
        run.pass(SmokeStep::Picture { picture: case.name, rows: found }, cx);
        pictures += 1;
        rows += found;
    }
    for attachment in attached.iter().filter(|_| args.write_attached) {
        let bucket = attachment.bucket.clone();
        run.start(format!("picture in attached bucket {bucket}"));
        cx.events.emit(Event::WritingToAttached { bucket });
        let deployment = deployment.attached(attachment);
        smoke_remains::remove(cx, &deployment).await?;
        let found = check_picture(cx, &deployment, &ONE_FACE, Duration::from_secs(args.timeout)).await?;
        run.pass(SmokeStep::Picture { picture: ONE_FACE.name, rows: found }, cx);
        pictures += 1;
        rows += found;
    }
    Ok((pictures, rows))
}

/// Checks the live configuration, as Lambda and S3 report it.
async fn check_configuration(cx: &Context, stack: &Stack, deployment: &Deployment) -> Result<SmokeStep> {
    let name = stack.output("FunctionName")?;
    let bucket = &deployment.bucket;
    let (live, notified) = tokio::try_join!(
        function::configuration(&cx.clients.lambda, name),
        function::notified_by(&cx.clients.s3, bucket)
    )?;
    let wrong =
        |what: String| Err(Error::new(format!("the live function `{name}` differs from the deployed one")).cause(what));
    let architecture = stack.parameters.get("Architecture").map(String::as_str).unwrap_or_default();
    if live.timeout < 10 {
        return wrong(format!("its time-out is {} s, but processing a picture can take 10 s", live.timeout));
    }
    if live.architecture != architecture {
        return wrong(format!("it runs on {} but was deployed for {architecture}", live.architecture));
    }
    if live.role != stack.output("RoleArn")? {
        return wrong(format!("its role is `{}` instead of the stack's role", live.role));
    }
    if !notified.contains(&live.arn) {
        return wrong(format!("bucket `{}` does not notify it", bucket.name));
    }
    Ok(SmokeStep::Configuration {
        timeout: live.timeout,
        memory: live.memory,
        architecture: live.architecture,
        bucket: bucket.name.clone(),
    })
}

/// What a failed clean-up leaves, and until when: until then, another run of the smoke test could still need it.
fn remains(deployment: &Deployment, key: &str) -> String {
    let bucket = &deployment.bucket.name;
    format!("`{key}` and its rows may remain in bucket `{bucket}`; the first smoke test after an hour removes them")
}

async fn check_picture(cx: &Context, deployment: &Deployment, case: &Case, patience: Duration) -> Result<usize> {
    // These characters are often encoded incorrectly: a space, a plus sign, and a letter of two bytes in UTF-8.
    let key = format!("{}{TEST_PREFIX}{}/håll i + {}", deployment.key_prefix, clock::now_millis(), case.file);
    let mut uploads = Vec::new();
    let finished = finish(cx, Trial { deployment, case, key: &key, patience }, &mut uploads).await;
    let cleaned = clean_up(cx, deployment, &key, &uploads).await;
    let (upload, rows) = match (finished, cleaned) {
        (Ok(finished), Ok(())) => finished,
        (Err(error), Ok(())) => return Err(error),
        (Ok(_), Err(error)) => return Err(error.hint(remains(deployment, &key))),
        // The failure of the test is more important than that of the clean-up.
        (Err(failed), Err(left)) => {
            return Err(failed
                .cause(format!("in addition, the clean-up failed: {left}"))
                .hint(remains(deployment, &key)));
        }
    };
    let differences = smoke::differences(&upload.picture, &rows, case.faces);
    match differences.split_first() {
        None => Ok(rows.len()),
        Some((first, rest)) => Err(rest.iter().fold(
            Error::new(format!("the rows of the picture with {} are wrong", case.name)).cause(first),
            Error::cause,
        )),
    }
}

/// Deletes the rows, then the picture, because the keys of the rows are computed from the picture.
async fn clean_up(cx: &Context, deployment: &Deployment, key: &str, uploads: &[Upload]) -> Result<()> {
    for upload in uploads {
        picture::remove_rows(cx, deployment, &upload.picture).await?;
    }
    picture::remove_objects(cx, deployment, key).await
}

/// One picture and what it is tried on.
#[derive(Clone, Copy)]
struct Trial<'a> {
    deployment: &'a Deployment,
    case: &'a Case,
    key: &'a str,
    patience: Duration,
}

/// Uploads the picture until the function has processed it.
///
/// In the first seconds of a stack, its role or its notification may not be effective everywhere in AWS, so the event
/// can be lost or fail. Lambda would retry only after a minute, so another upload is faster. The same bytes give the
/// same rows.
async fn finish(cx: &Context, trial: Trial<'_>, uploads: &mut Vec<Upload>) -> Result<(Upload, Vec<Row>)> {
    let Trial { deployment, case, key, patience } = trial;
    let mut last = None;
    for _ in 0..UPLOADS {
        let upload = picture::upload(cx, deployment, key.to_owned(), case.bytes.to_vec(), "image/jpeg").await?;
        uploads.push(upload.clone());
        match picture::wait(cx, deployment, &upload, patience / UPLOADS).await? {
            PictureResult::Rows(rows) => return Ok((upload, rows)),
            PictureResult::Without { .. } if case.faces == 0 => return Ok((upload, Vec::new())),
            PictureResult::Without { outcome, reason } => {
                let error = Error::new(format!("the function reports `{outcome}` for the picture with {}", case.name));
                return Err(reason.into_iter().fold(error, Error::cause));
            }
            PictureResult::Late(line) => last = line,
        }
    }
    let what = if case.faces == 0 { "outcome in the function's log" } else { "row in the table" };
    let error = Error::new(format!("no {what} within {} s after the upload of `{key}`", patience.as_secs()));
    Err(match last {
        Some(line) => error.cause(format!("the function's log says: {line}")),
        None => error.cause("the function's log is empty; the function was not started, or cannot write its log"),
    }
    .hint(Hint::command("logs").then(" shows the function's log")))
}

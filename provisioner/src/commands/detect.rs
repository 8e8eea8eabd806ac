//! `provisioner detect`

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::context::Context;
use crate::core::event::Event;
use crate::core::gallery::{Face, GalleryPicture, Image};
use crate::core::hint::Hint;
use crate::core::pictures::{PictureCounts, without_row};
use crate::core::smoke::Row;
use crate::error::{Error, Exit, Result};
use crate::steps::local_pictures::{self, LocalPicture};
use crate::steps::page::PageFile;
use crate::steps::picture::{self, Deployment, PictureResult};
use crate::steps::{gallery, preflight, thumbnail};

/// Upload pictures and show the faces that the function finds in them
///
/// A picture is stored under the name of its file, and the pictures of a folder under their paths in it. An existing object is never
/// replaced unless you say so; if it is the same picture, it is not uploaded again. Exits with 3 if a picture failed or is unusable.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provisioner detect --region eu-west-1 photo.jpg\n  provisioner detect --local album --html faces.html"
)]
pub struct Detect {
    /// Pictures (JPEG or PNG, at most 15 MB), folders of pictures, or `-` for a picture on standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Prefix of the pictures' keys in the bucket
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub prefix: String,
    /// Replace existing objects
    #[arg(long)]
    pub overwrite: bool,
    /// Also write a page that shows the pictures with boxes around the faces; with several regions, one
    /// `FILE-REGION.html` per region
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Let the page refer to the original files instead of containing small copies
    #[arg(long, requires = "html")]
    pub link: bool,
    /// Seconds to wait for each picture
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub timeout: u64,
}

/// Maximum number of pictures that are uploaded at a time.
const PARALLEL_UPLOADS: usize = 8;

/// Maximum number of pictures in progress: as many as were completed in the last second, and a few more. The function is
/// therefore never sent much more than it completes: Rekognition's smallest default quota is about five per second.
fn allowed(recent: &mut VecDeque<Instant>, now: Instant) -> usize {
    recent.retain(|completed| now.duration_since(*completed) < Duration::from_secs(1));
    PARALLEL_UPLOADS + recent.len()
}

/// Runs the command in one region.
pub async fn run(args: &Detect, cx: &Context) -> Result<Exit> {
    let page = args.html.as_ref().map(|path| PageFile::create(&cx.own_file(path))).transpose()?;
    let pictures = local_pictures::find(&args.files)?;
    let stack = preflight::deployed(cx).await?;
    let job = Arc::new(Job {
        cx: cx.clone(),
        deployment: Deployment::of(&stack)?,
        prefix: args.prefix.clone(),
        overwrite: args.overwrite,
        patience: Duration::from_secs(args.timeout),
        uploads: Semaphore::new(PARALLEL_UPLOADS),
        copies: match (&page, args.link) {
            (None, _) => Copies::None,
            (Some(_), true) => Copies::Linked,
            (Some(_), false) => Copies::Embedded { budget: thumbnail::budget(pictures.len()) },
        },
    });
    let of = pictures.len();
    let titles: Vec<String> = pictures.iter().map(|picture| picture.path.display().to_string()).collect();
    let mut waiting = pictures.into_iter().enumerate();
    let (mut running, mut recent) = (JoinSet::new(), VecDeque::new());
    let mut shown: BTreeMap<usize, GalleryPicture> = BTreeMap::new();
    let (mut worst, mut done, mut failures) = (Exit::Success, 0, Failures::default());
    let mut counts = PictureCounts::default();
    loop {
        while running.len() < allowed(&mut recent, Instant::now())
            && let Some((at, picture)) = waiting.next()
        {
            let job = Arc::clone(&job);
            running.spawn(async move { (at, job.run(&picture).await) });
        }
        let Some(outcome) = running.join_next().await else { break };
        done += 1;
        match outcome.map_err(|error| Error::new("the upload of a picture crashed").because(&error))? {
            (at, Ok(done)) => {
                recent.push_back(Instant::now());
                counts.add(done.rows.len(), done.outcome.as_deref());
                shown.extend(done.picture.map(|picture| (at, picture)));
                let Done { file, key, rows, outcome, reason, .. } = done;
                cx.events.emit(Event::Faces { file, key, rows, outcome, reason });
                failures.in_a_row = 0;
            }
            (at, Err(error)) => {
                let note = Some(format!("failed: {error}"));
                shown.insert(at, GalleryPicture { title: titles[at].clone(), note, ..GalleryPicture::default() });
                counts.add_failed(1);
                worst = worst.max(failures.report(cx, error));
                if failures.in_a_row >= PARALLEL_UPLOADS {
                    // The endpoint does not answer, or refuses everything.
                    let not_tried = waiting.by_ref().count();
                    counts.add_failed(not_tried);
                    failures.not_tried += not_tried;
                    done += not_tried;
                }
            }
        }
        cx.events.emit(Event::Detecting { done, of });
    }
    if failures.same > 0 || failures.not_tried > 0 {
        cx.events.emit(Event::MoreFailures { same: failures.same, not_tried: failures.not_tried });
    }
    cx.events.emit(Event::PicturesDone { counts });
    if let Some(page) = page {
        gallery::write(page, &shown.into_values().collect::<Vec<_>>(), &job.deployment, cx)?;
    }
    if worst == Exit::Usage && counts.failed < counts.pictures {
        // A wrong file among others is a failed picture, not a wrong command line.
        worst = Exit::Smoke;
    }
    let unusable = if counts.unusable > 0 { Exit::Smoke } else { Exit::Success };
    Ok(worst.max(unusable))
}

/// The failures of a run: the same cause is reported once.
#[derive(Default)]
struct Failures {
    last_cause: Option<Vec<String>>,
    in_a_row: usize,
    same: usize,
    not_tried: usize,
}

impl Failures {
    fn report(&mut self, cx: &Context, error: Error) -> Exit {
        if error.exit == Exit::Usage {
            // The file is wrong, which says nothing about the other files.
            return cx.events.report(error);
        }
        let is_same = !error.causes.is_empty() && self.last_cause.as_ref() == Some(&error.causes);
        self.in_a_row = if is_same { self.in_a_row + 1 } else { 1 };
        self.last_cause = Some(error.causes.clone());
        if is_same {
            self.same += 1;
            return error.exit;
        }
        cx.events.report(error)
    }
}

/// What all pictures of a run share.
struct Job {
    cx: Context,
    deployment: Deployment,
    prefix: String,
    overwrite: bool,
    patience: Duration,
    uploads: Semaphore,
    copies: Copies,
}

/// How pictures get onto the page.
enum Copies {
    None,
    Linked,
    Embedded { budget: usize },
}

/// A processed picture.
struct Done {
    file: String,
    key: String,
    rows: Vec<Row>,
    outcome: Option<String>,
    reason: Option<String>,
    /// Its entry on the page.
    picture: Option<GalleryPicture>,
}

impl Job {
    /// Uploads a picture and waits for its rows; returns what to report.
    async fn run(&self, picture: &LocalPicture) -> Result<Done> {
        let file = picture.path.display().to_string();
        let turn = self.uploads.acquire().await.expect("nobody closes it");
        let to_read = picture.clone();
        let read = tokio::task::spawn_blocking(move || to_read.read()).await;
        let (name, bytes) = read.map_err(|error| Error::new("the upload of a picture crashed").because(&error))??;
        let key = format!("{}{}{name}", self.deployment.key_prefix, self.prefix);
        let upload =
            picture::upload_once(&self.cx, &self.deployment, key.clone(), bytes.clone(), self.overwrite).await?;
        drop(turn);
        // Many pictures may be waiting, so their bytes are not kept.
        let image = self.image(&picture.path, bytes).await;
        let (rows, outcome, reason) = match picture::wait(&self.cx, &self.deployment, &upload, self.patience).await? {
            PictureResult::Rows(rows) => (rows, None, None),
            PictureResult::Without { outcome, reason } => (Vec::new(), Some(outcome), reason),
            PictureResult::Late(line) => {
                let error =
                    Error::new(format!("the function did not process `{key}` within {} s", self.patience.as_secs()))
                        .exit(Exit::Smoke)
                        .hint(Hint::command("logs").then(" shows the function's log"));
                return Err(line.into_iter().fold(error, Error::cause));
            }
        };
        let picture = image.map(|(image, unreadable)| {
            let without_face = outcome.as_ref().map(|outcome| without_row(outcome, reason.as_deref()));
            let faces = rows.iter().map(Face::of).collect();
            GalleryPicture { title: file.clone(), image, note: without_face.or(unreadable), faces }
        });
        Ok(Done { file, key, rows, outcome, reason, picture })
    }

    /// How the page shows the picture, and why it cannot; `None` if there is no page.
    async fn image(&self, path: &Path, bytes: Bytes) -> Option<(Option<Image>, Option<String>)> {
        match self.copies {
            Copies::None => None,
            Copies::Linked if path.as_os_str() == "-" => Some((None, None)),
            Copies::Linked => Some((thumbnail::link(path), None)),
            Copies::Embedded { budget } => Some(gallery::embed(bytes, budget).await),
        }
    }
}

//! `provisioner faces`

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio::sync::mpsc;

use crate::aws::scan::{self, Segment};
use crate::aws::stack::Stack;
use crate::aws::versions;
use crate::clock;
use crate::context::Context;
use crate::core::attach::Location;
use crate::core::event::Event;
use crate::core::moment::{self, Moment};
use crate::core::pictures::PictureCounts;
use crate::core::rows::Filter;
use crate::core::smoke::{Attribute, Row};
use crate::error::{Error, Exit, Result};
use crate::steps::page::PageFile;
use crate::steps::picture::{self, Deployment};
use crate::steps::{buckets, gallery, preflight};

/// Show the rows of pictures, or find rows by emotion, age, or time
///
/// If pictures are named, their rows are read by key. Otherwise, the whole table is read, which costs one read unit per
/// 8 KB.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provisioner faces --region eu-west-1 --emotion happy --min-age 60\n  provisioner faces --region eu-west-1 --since 1w --html week.html"
)]
pub struct Faces {
    /// Pictures, for example `s3://BUCKET/photo.jpg`
    #[arg(value_name = "s3://BUCKET/KEY", value_parser = Location::parse)]
    pub pictures: Vec<Location>,
    /// Only pictures whose key begins with this prefix
    #[arg(long, value_name = "PREFIX", conflicts_with = "pictures")]
    pub prefix: Option<String>,
    /// Only faces with this emotion, for example `happy`
    #[arg(long, value_name = "EMOTION", conflicts_with = "pictures")]
    pub emotion: Option<String>,
    /// Only faces that may be this old or older
    #[arg(long, value_name = "YEARS", conflicts_with = "pictures")]
    pub min_age: Option<f64>,
    /// Only faces that may be this old or younger
    #[arg(long, value_name = "YEARS", conflicts_with = "pictures")]
    pub max_age: Option<f64>,
    /// Only pictures uploaded at this time or later, for example `2026-05-01`, `2026-05-01T12:00Z`, or `1h30m` ago
    #[arg(long, value_name = "TIME", conflicts_with = "pictures", value_parser = moment::parse)]
    pub since: Option<Moment>,
    /// Also write a page that shows the pictures with boxes around the faces; with several regions, one
    /// `FILE-REGION.html` per region. The page holds reduced copies of the pictures; there is no `--link` as in `detect`,
    /// because links into a private bucket expire
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Maximum number of rows
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub limit: usize,
}

/// Runs the command in one region.
pub async fn run(args: &Faces, cx: &Context) -> Result<Exit> {
    let page = args.html.as_ref().map(|path| PageFile::create(&cx.own_file(path))).transpose()?;
    let stack = preflight::readable(cx).await?;
    let deployment = Deployment::of(&stack)?;
    if args.pictures.is_empty() {
        return search(args, cx, &deployment, page).await;
    }
    check(args, cx, &stack).await?;
    let (mut counts, mut shown) = (PictureCounts::default(), Vec::new());
    for Location { bucket, prefix: key } in &args.pictures {
        let (mut rows, mut recorded) = (Vec::new(), None);
        let deployment = deployment.with_bucket(bucket);
        let versions = versions::list(&cx.clients.s3, &deployment.bucket, key).await?;
        for version in versions.into_iter().filter(|version| version.key == *key) {
            let version = deployment.picture(version.key, version.version, version.etag);
            rows.extend(picture::rows(cx, &deployment, &version).await?);
            if recorded.is_none() {
                // The current version comes first.
                recorded = picture::result(cx, &deployment, &version).await?;
            }
        }
        let without = recorded.filter(|_| rows.is_empty());
        let reason = without.as_ref().and_then(|recorded| recorded.code.clone());
        let outcome = without.map(|recorded| recorded.outcome).or_else(|| rows.is_empty().then(|| "no_row".to_owned()));
        counts.add(rows.len(), outcome.as_deref());
        if page.is_some() {
            shown.extend(rows.iter().cloned());
        }
        cx.events.emit(Event::Faces { file: format!("s3://{bucket}/{key}"), key: key.clone(), rows, outcome, reason });
    }
    cx.events.emit(Event::PicturesDone { counts });
    write(page, shown, &deployment, cx).await?;
    Ok(if counts.without_row == 0 { Exit::Success } else { Exit::Failed })
}

/// Refuses locations that are not pictures in a bucket of this system.
async fn check(args: &Faces, cx: &Context, stack: &Stack) -> Result<()> {
    let sources = buckets::of(cx, stack).await?;
    for picture in &args.pictures {
        let problem = if picture.prefix.is_empty() {
            format!("`{picture}` does not name a picture")
        } else if sources.iter().all(|source| source.bucket != picture.bucket) {
            format!("bucket `{}` does not belong to this system", picture.bucket)
        } else {
            continue;
        };
        let urls: Vec<String> = sources.iter().map(|source| format!("`s3://{}/KEY`", source.bucket)).collect();
        return Err(Error::new(problem)
            .exit(Exit::Usage)
            .hint(format!("pictures of this system have URLs like {}", urls.join(", "))));
    }
    Ok(())
}

async fn search(args: &Faces, cx: &Context, deployment: &Deployment, page: Option<PageFile>) -> Result<Exit> {
    let filter = Filter {
        prefix: args.prefix.clone(),
        emotion: args.emotion.clone(),
        min_age: args.min_age,
        max_age: args.max_age,
        since: args.since.map(|since| moment::row_time(since.millis(clock::now_millis()))),
    };
    let (to, mut pages) = mpsc::channel(1);
    let (client, table) = (cx.clients.dynamodb.clone(), deployment.table.clone());
    let whole = Segment { number: 0, of: 1 };
    let reading = tokio::spawn(async move { scan::segment(&client, &table, whole, |rows| rows, to).await });
    let (mut found, mut read): (Vec<Row>, usize) = (Vec::new(), 0);
    let mut more = false;
    while let Some(page) = pages.recv().await {
        read += page.len();
        found.extend(page.into_iter().filter(|row| filter.matches(row)));
        if found.len() > args.limit {
            more = true;
            break;
        }
    }
    drop(pages);
    reading.await.map_err(|error| Error::new("the search crashed").because(&error))??;
    found.truncate(args.limit);
    let rows = found.len();
    let shown = if page.is_some() { found.clone() } else { Vec::new() };
    for ((bucket, key), rows) in by_picture(found) {
        let file = format!("s3://{bucket}/{key}");
        cx.events.emit(Event::Faces { file, key, rows, outcome: None, reason: None });
    }
    cx.events.emit(Event::FacesFound { rows, read, more });
    write(page, shown, deployment, cx).await?;
    Ok(Exit::Success)
}

async fn write(page: Option<PageFile>, rows: Vec<Row>, deployment: &Deployment, cx: &Context) -> Result<()> {
    let Some(page) = page else { return Ok(()) };
    gallery::write(page, &gallery::of_rows(cx, deployment, rows).await, deployment, cx)
}

/// Rows by bucket and key, those of a picture by rank.
fn by_picture(rows: Vec<Row>) -> BTreeMap<(String, String), Vec<Row>> {
    let text = |row: &Row, name: &str| match row.get(name) {
        Some(Attribute::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let mut pictures: BTreeMap<(String, String), Vec<Row>> = BTreeMap::new();
    for row in rows {
        pictures.entry((text(&row, "Bucket"), text(&row, "Key"))).or_default().push(row);
    }
    for rows in pictures.values_mut() {
        rows.sort_by_key(|row| text(row, "FaceID"));
    }
    pictures
}

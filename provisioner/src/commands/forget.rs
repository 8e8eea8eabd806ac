//! `provisioner forget`

use std::sync::Arc;

use crate::aws::stack::Stack;
use crate::context::Context;
use crate::core::attach::Location;
use crate::core::event::Event;
use crate::core::forget::{Copy, Extent, Targets};
use crate::core::hint::Hint;
use crate::error::{Error, Exit, Result};
use crate::steps::forget::{self, Job};
use crate::steps::{buckets, preflight};

/// Erase what is known about pictures, and prove it
///
/// Counts the rows of the pictures, asks, and erases them, for all versions that there are and were. Pictures that stay
/// in the bucket are marked in the table of processed pictures, if there is one, so that neither `backfill` nor
/// `redrive` processes them again. Reads the whole table of rows, which costs one read unit per 4 KB.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provisioner forget --region eu-west-1 s3://my-pictures/photo.jpg\n  provisioner forget --region eu-west-1 --prefix party/ --picture"
)]
pub struct Forget {
    /// Pictures, for example `s3://BUCKET/photo.jpg`
    #[arg(value_name = "s3://BUCKET/KEY", value_parser = Location::parse, required_unless_present = "prefix")]
    pub pictures: Vec<Location>,
    /// All pictures whose key begins with this: a prefix in the system's own bucket, or `s3://BUCKET/PREFIX`
    #[arg(long, value_name = "PREFIX", conflicts_with = "pictures", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub prefix: Option<String>,
    /// Also delete the pictures from the bucket, with all their versions
    #[arg(long)]
    pub picture: bool,
}

/// Runs the command in one region.
pub async fn run(args: &Forget, cx: &Context) -> Result<Exit> {
    let stack = preflight::deployed(cx).await?;
    let buckets: Vec<String> = buckets::of(cx, &stack).await?.into_iter().map(|source| source.bucket).collect();
    let targets = targets(args, &stack, &buckets)?;
    let account = || Error::new(format!("the ARN `{}` does not name an account", stack.id));
    let job = Arc::new(Job {
        cx: cx.clone(),
        targets,
        buckets,
        owner: stack.account().ok_or_else(account)?.to_owned(),
        partition: stack.partition().to_owned(),
        rows: stack.output("TableName")?.to_owned(),
        pictures: stack.outputs.get("PictureTableName").cloned(),
    });
    let found = forget::survey(&job).await?;
    cx.events.emit(Event::ForgetFound { found, picture: args.picture });
    if found.is_empty() {
        return Ok(Exit::Success);
    }
    cx.confirm(if args.picture { "erase the rows and delete the pictures?" } else { "erase the rows?" })?;
    forget::erase(&job).await?;
    if args.picture {
        forget::delete_objects(&job).await?;
    }
    let left = forget::survey(&job).await?;
    let expected = Extent { versions: if args.picture { 0 } else { left.versions }, ..Extent::default() };
    if left != expected {
        return Err(Error::new("not everything is erased")
            .cause(format!(
                "{} rows, {} results, and {} versions are left, which were written in the meantime",
                left.rows, left.results, left.versions
            ))
            .hint("run the same command again"));
    }
    cx.events.emit(Event::Forgotten { found, copies: copies(&stack, &job, args.picture) });
    Ok(Exit::Success)
}

fn targets(args: &Forget, stack: &Stack, sources: &[String]) -> Result<Targets> {
    if let Some(prefix) = &args.prefix {
        let location = if prefix.starts_with("s3://") {
            Location::parse(prefix).map_err(|problem| Error::new(problem).exit(Exit::Usage))?
        } else {
            Location { bucket: stack.output("BucketName")?.to_owned(), prefix: prefix.clone() }
        };
        if location.prefix.is_empty() {
            return Err(Error::new("an empty prefix stands for all pictures")
                .exit(Exit::Usage)
                .hint(Hint::command("down").then(" removes the system with all of its data")));
        }
        check(args, sources, std::slice::from_ref(&location))?;
        return Ok(Targets::prefixes(vec![location]));
    }
    if let Some(whole) = args.pictures.iter().find(|picture| picture.prefix.is_empty()) {
        return Err(Error::new(format!("`{whole}` does not name a picture"))
            .exit(Exit::Usage)
            .hint("`--prefix` erases all pictures whose key begins with a text"));
    }
    check(args, sources, &args.pictures)?;
    Ok(Targets::keys(args.pictures.clone()))
}

/// Refuses to delete pictures from a bucket that is not the system's. Rows can be erased in any case: the bucket may have
/// been attached earlier, and so may a prefix.
fn check(args: &Forget, sources: &[String], locations: &[Location]) -> Result<()> {
    let foreign = locations.iter().find(|one| args.picture && !sources.contains(&one.bucket));
    match foreign {
        None => Ok(()),
        Some(foreign) => Err(Error::new(format!("bucket `{}` does not belong to this system", foreign.bucket))
            .exit(Exit::Usage)
            .hint(format!("`--picture` can delete from `{}`; without it, only rows are erased", sources.join("`, `")))),
    }
}

fn copies(stack: &Stack, job: &Job, picture: bool) -> Vec<Copy> {
    let parameter = |name: &str| stack.parameters.get(name).map(String::as_str).unwrap_or_default();
    let has_marks = job.pictures.is_some();
    let log = Copy::Log { days: parameter("LogRetentionDays").to_owned(), keys: parameter("LogKeys") == "yes" };
    let places = [
        (!picture, Copy::Bucket { marked: has_marks }),
        (has_marks, Copy::Marks),
        (parameter("PointInTimeRecovery") == "yes", Copy::Backups),
        (stack.outputs.contains_key("FailureQueueUrl"), Copy::FailureQueue),
        (true, log),
    ];
    places.into_iter().filter_map(|(may_remain, copy)| may_remain.then_some(copy)).collect()
}

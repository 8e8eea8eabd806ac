//! `provisioner backfill`

use crate::aws::stack::Stack;
use crate::aws::{queue, quotas};
use crate::clock;
use crate::context::Context;
use crate::core::attach::Location;
use crate::core::backfill::{self as rules, Estimate, NoRate, Rules};
use crate::core::event::{BackfillReport, Event};
use crate::core::hint::Hint;
use crate::core::moment::{self, Moment};
use crate::error::{Error, Exit, Result};
use crate::steps::backfill::queue::Queues;
use crate::steps::backfill::scan::{Results, Search};
use crate::steps::backfill::{enable, queue as waiting, scan};
use crate::steps::{attached_check, buckets, preflight};

/// Process the pictures that are already in the bucket
///
/// Lists the objects, skips those that are done or that cannot be processed, shows how many there are of each kind, the
/// cost, and the time, and asks. Then it sends the others to a queue, from which AWS processes them as fast as
/// Rekognition's quota allows. Ctrl-C leaves this work to AWS; another run follows it again. Exits with 3 if a picture
/// failed permanently.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provisioner backfill --region eu-west-1 --dry-run")]
pub struct Backfill {
    /// Only these parts of the system's buckets [default: everything that the system processes]
    #[arg(value_name = "s3://BUCKET/PREFIX", value_parser = Location::parse)]
    pub locations: Vec<Location>,
    /// Only pictures uploaded at this time or later, for example `2026-05-01`, `2026-05-01T12:00Z`, or `30d` ago
    #[arg(long, value_name = "TIME", value_parser = moment::parse, allow_hyphen_values = true)]
    pub since: Option<Moment>,
    /// Only pictures uploaded until this time; a date includes the whole day
    #[arg(long, value_name = "TIME", value_parser = moment::parse_end, allow_hyphen_values = true)]
    pub until: Option<Moment>,
    /// Maximum number of pictures to process
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// The price of 1,000 pictures in your region, in any currency [default: 1 US dollar, us-east-1 in November 2026]
    #[arg(long, value_name = "PRICE", value_parser = price, allow_hyphen_values = true)]
    pub price: Option<f64>,
    /// Only show the numbers, the cost, and the time
    #[arg(long)]
    pub dry_run: bool,
    /// Remove the pictures that still wait from the queue
    #[arg(long, conflicts_with_all = ["locations", "since", "until", "limit", "price", "dry_run"])]
    pub cancel: bool,
}

fn price(text: &str) -> std::result::Result<f64, &'static str> {
    let price = text.parse().ok().filter(|price: &f64| price.is_finite() && *price >= 0.0);
    price.ok_or("expected a number like 0.95")
}

/// Runs the command in one region.
pub async fn run(args: &Backfill, cx: &Context) -> Result<Exit> {
    let now = clock::now_millis();
    if args.since.zip(args.until).is_some_and(|(since, until)| since.millis(now) > until.millis(now)) {
        return Err(Error::new("`--since` is later than `--until`, so no picture can match")
            .exit(Exit::Usage)
            .hint("exchange the two times"));
    }
    let stack = preflight::deployed(cx).await?;
    if args.cancel {
        return cancel(cx, &stack).await;
    }
    let parts = buckets::narrow(cx, &stack, &args.locations).await?;
    let rate = quota(cx, &stack).await;
    let concurrency = concurrency(&stack, rate)?;
    let mut earlier_failed = 0;
    if let Some(queues) = queues(&stack).filter(|_| !args.dry_run) {
        earlier_failed = finish_earlier(cx, &queues).await?;
    }
    let mut search = plan(args, &stack, &parts, rate)?;
    let found = scan::search(cx, &search, None).await?;
    let pictures = found.tally.to_process;
    let estimate = Estimate::new(pictures, args.price, rate);
    let report = BackfillReport {
        locations: parts.iter().map(ToString::to_string).collect(),
        tally: found.tally,
        estimate,
        limited_to: found.is_limited.then_some(search.limit),
        is_limited_by_queue: found.is_limited && args.limit.is_none_or(|limit| limit > search.limit as u64),
    };
    cx.events.emit(Event::BackfillFound { report });
    if args.dry_run || pictures == 0 {
        return Ok(exit(earlier_failed));
    }
    let queues = if let Some(queues) = queues(&stack) {
        queues
    } else {
        let changed = enable::add(cx, &stack, concurrency).await?;
        search.results.pictures = changed.outputs.get("PictureTableName").cloned();
        queues(&changed).ok_or_else(|| Error::new(format!("stack `{}` has no queue", stack.name)))?
    };
    cx.confirm(&format!("process {pictures} pictures, for about {:.2}?", estimate.cost))?;
    let failed_before = queue::count(&cx.clients.sqs, &queues.failed).await?;
    search.limit = pictures;
    let named: Vec<String> = parts.iter().map(|part| part.bucket.clone()).collect();
    attached_check::until_events(cx, &stack, &named).await?;
    let sent = waiting::fill(cx, &search, &queues).await?;
    cx.events.emit(Event::BackfillQueued { pictures: sent });
    let failed = waiting::follow(cx, &queues, sent, failed_before).await?;
    Ok(exit(earlier_failed + failed))
}

fn exit(failed: usize) -> Exit {
    if failed == 0 { Exit::Success } else { Exit::Smoke }
}

/// The quota of `DetectFaces` where the function uses it; `None` if it cannot be read.
async fn quota(cx: &Context, stack: &Stack) -> Option<f64> {
    let elsewhere = stack.parameters.get("RekognitionRegion").filter(|region| !region.is_empty());
    quotas::detect_faces(&cx.clients, elsewhere.map_or(cx.region(), String::as_str)).await.ok().flatten()
}

fn concurrency(stack: &Stack, rate: Option<f64>) -> Result<i64> {
    let reserved = stack.parameters.get("ReservedConcurrency").and_then(|value| value.parse().ok());
    rules::concurrency(rate, reserved).map_err(|reason| {
        let error = Error::new("existing pictures cannot be processed").cause(reason.to_string()).exit(Exit::Refused);
        match reason {
            NoRate::NoQuota => error.hint("request a higher quota in the Service Quotas console"),
            NoRate::Reserved(_) => {
                error.hint(Hint::command("up --parameter ReservedConcurrency=auto").then(" changes it"))
            }
        }
    })
}

fn queues(stack: &Stack) -> Option<Queues> {
    let url = |name| stack.outputs.get(name).cloned();
    Some(Queues { waiting: url("BackfillQueueUrl")?, failed: url("FailureQueueUrl")? })
}

/// Follows what an earlier run has left in the queue, so that no picture is sent twice. Returns the number of failures.
async fn finish_earlier(cx: &Context, queues: &Queues) -> Result<usize> {
    let left = queue::counts(&cx.clients.sqs, &queues.waiting).await?.total();
    if left == 0 {
        return Ok(0);
    }
    let failed_before = queue::count(&cx.clients.sqs, &queues.failed).await?;
    cx.events.emit(Event::BackfillRunning { pictures: left });
    waiting::follow(cx, queues, left, failed_before).await
}

async fn cancel(cx: &Context, stack: &Stack) -> Result<Exit> {
    let Some(queues) = queues(stack) else {
        cx.events.emit(Event::BackfillCancelled { pictures: 0 });
        return Ok(Exit::Success);
    };
    let pictures = queue::counts(&cx.clients.sqs, &queues.waiting).await?.total();
    if pictures > 0 {
        cx.confirm(&format!("remove about {pictures} pictures from the queue?"))?;
        queue::purge(&cx.clients.sqs, &queues.waiting).await?;
    }
    cx.events.emit(Event::BackfillCancelled { pictures });
    Ok(Exit::Success)
}

fn plan(args: &Backfill, stack: &Stack, parts: &[Location], rate: Option<f64>) -> Result<Search> {
    let parameter = |name: &str| stack.parameters.get(name).map(String::as_str).unwrap_or_default();
    let days: i64 = parameter("RetentionDays").parse().unwrap_or_default();
    let now = clock::now_millis() / 1_000;
    let seconds = |moment: Moment| moment.millis(clock::now_millis()) / 1_000;
    let is_elsewhere = !parameter("RekognitionRegion").is_empty();
    let place = |part: &Location| Ok((buckets::bucket(stack, part)?, part.prefix.clone()));
    let most = rules::most(rate);
    Ok(Search {
        places: parts.iter().map(place).collect::<Result<_>>()?,
        rules: Rules {
            extensions: Rules::extensions(parameter("Extensions")),
            largest: if is_elsewhere { rules::LARGEST_SENT } else { rules::LARGEST },
            expired_before: (days > 0).then(|| now - days * rules::DAY),
            since: args.since.map(seconds),
            until: args.until.map(seconds),
        },
        results: Results {
            partition: stack.partition().to_owned(),
            rows: stack.output("TableName")?.to_owned(),
            pictures: stack.outputs.get("PictureTableName").cloned(),
        },
        limit: args.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX).min(most),
    })
}

//! The work on existing pictures as text.

use std::fmt::Write as _;

use super::words::{NL, NOTE, done, noun, span};
use crate::core::backfill::{Estimate, Progress, QUEUE_DAYS};
use crate::core::event::BackfillReport;
use crate::core::hint::Hint;
use crate::core::invocation::Invocation;

pub(super) fn priced(price: f64, invocation: &Invocation) -> String {
    let count = Hint::command("backfill --dry-run").then(" counts them and estimates cost and time");
    format!(
        "existing pictures cost about {price} US dollar per 1,000 for Rekognition (us-east-1, November 2026); {}",
        count.complete(invocation)
    )
}

pub(super) fn scanning(listed: usize, to_process: usize) -> String {
    format!("{listed} {} listed, {to_process} to process", noun(listed, "object"))
}

pub(super) fn found(report: &BackfillReport, invocation: &Invocation) -> String {
    let tally = &report.tally;
    let mut text = format!("{}: {} {}", report.locations.join(", "), tally.listed, noun(tally.listed, "object"));
    for (count, what) in [
        (tally.done, "already processed"),
        (tally.forgotten, "erased with `forget`"),
        (tally.other_type, "with the extension of another file type"),
        (tally.too_large, "too large for Rekognition"),
        (tally.empty, "empty, or folders"),
        (tally.archived, "archived: restore and copy them first"),
        (tally.expired, "older than `RetentionDays`"),
        (tally.outside_span, "outside `--since` and `--until`"),
    ] {
        if count > 0 {
            let _ = write!(text, "{NL}  {count:>9} {what}");
        }
    }
    let _ = write!(text, "{NL}  {:>9} to process", tally.to_process);
    if tally.to_process > 0 {
        let _ = write!(text, "{NL}{}", estimate(&report.estimate));
    }
    if let Some(limit) = report.limited_to {
        let why = if report.is_limited_by_queue {
            let again = Hint::from("when they are done, run ").then_command("backfill").then(" again for the others");
            format!(
                "one run processes at most {limit} pictures, as many as the quota allows in {QUEUE_DAYS} days; {}",
                again.complete(invocation)
            )
        } else {
            format!("the search ended after {limit} {}, because of `--limit`", noun(limit, "picture"))
        };
        let _ = write!(text, "{NL}{NOTE}note:{NOTE:#} {why}");
    }
    text
}

fn estimate(estimate: &Estimate) -> String {
    let Estimate { cost, price, .. } = estimate;
    let cost = if estimate.is_default_price {
        format!(
            "cost: about {cost:.2} US dollars for Rekognition, at {price} per 1,000 pictures (us-east-1, November 2026; \
             `--price` sets the price in your region)"
        )
    } else {
        format!("cost: about {cost:.2} for Rekognition, at {price} per 1,000 pictures")
    };
    let rate = match estimate.requests_per_second {
        Some(rate) => format!("at Rekognition's quota of {rate} requests per second"),
        None => "if Rekognition's quota is 5 requests per second; it cannot be read".to_owned(),
    };
    format!("{cost}{NL}time: at least {}, {rate}", span(estimate.seconds))
}

pub(super) fn running(pictures: usize) -> String {
    format!(
        "  about {pictures} {} of an earlier run are still in the queue; following them first",
        noun(pictures, "picture")
    )
}

pub(super) fn waiting(seconds: u64) -> String {
    format!(
        "  waiting {seconds} s, because S3 may need five minutes until an attached bucket sends its events; a picture \
         that is uploaded in the meantime would be missed otherwise"
    )
}

pub(super) fn filling(sent: usize, of: usize) -> String {
    format!("{sent} of {of} {} sent to the queue", noun(of, "picture"))
}

pub(super) fn queued(pictures: usize) -> String {
    done(format_args!(
        "{pictures} {} sent to the queue; AWS processes them, even if this program ends",
        noun(pictures, "picture")
    ))
}

pub(super) fn progress(progress: &Progress) -> String {
    let Progress { done, of, failed, per_second, seconds_left } = progress;
    let left = seconds_left.map(|seconds| format!(", about {} left", span(seconds))).unwrap_or_default();
    let failed = if *failed > 0 { format!(", {failed} failed") } else { String::new() };
    format!("{done} of {of} {} processed, {per_second:.1} per second{left}{failed}", noun(*of, "picture"))
}

pub(super) fn ended(pictures: usize, failed: usize, seconds: f64, invocation: &Invocation) -> String {
    let text = done(format_args!("{pictures} {} processed in {}", noun(pictures, "picture"), span(seconds)));
    if failed == 0 {
        return text;
    }
    let hint = Hint::command("logs").then(" says why; fix the cause, then run ").then_command("redrive");
    format!(
        "{text}{NL}{NOTE}warning:{NOTE:#} {failed} of them failed and are in the failure queue{NL}  {NOTE}hint:{NOTE:#} {}",
        hint.complete(invocation)
    )
}

pub(super) fn cancelled(pictures: usize) -> String {
    match pictures {
        0 => "no pictures were in the queue".to_owned(),
        count => done(format_args!("about {count} {} removed from the queue", noun(count, "picture"))),
    }
}

//! More uploads at once than Rekognition answers: each becomes its row or waits in the failure queue, and `redrive` brings those home.
//!
//! The function's executable, the stack, the table, the queue, the throttling Rekognition and the program are the real ones of the local
//! cloud. What its emulator does not do, Lambda's queue of asynchronous events with its retries, ages and destination, is played by
//! [`lambda`] by Lambda's documented rules, with shortened waits. `make scale` uploads a thousand pictures and shows a table for each run;
//! without it the numbers are small, and all else is the same.
#![allow(clippy::print_stdout, reason = "the full run shows a table")]

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

#[path = "scale/census.rs"]
mod census;
#[path = "scale/copies.rs"]
mod copies;
#[path = "scale/front.rs"]
mod front;
#[path = "scale/lambda.rs"]
mod lambda;
#[path = "scale/system.rs"]
mod system;

use std::time::Instant;

use census::Census;
use lambda::Tally;
use serde_json::Value;
use system::{Size, System};

/// The size of the full run where `SCALE_UPLOADS` asks for one, else the short one.
fn size(short: Size) -> Size {
    fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
        let text = std::env::var(name).ok()?;
        Some(text.parse().unwrap_or_else(|_| panic!("`{name}` is `{text}`, expected a number")))
    }
    let Some(uploads) = variable("SCALE_UPLOADS") else { return short };
    Size {
        uploads,
        quota: variable("SCALE_QUOTA").unwrap_or(5),
        copies: variable("SCALE_COPIES").unwrap_or(200),
        hurry: variable("SCALE_HURRY").unwrap_or(10),
        retries: 2,
    }
}

/// `ReservedConcurrency` at the quota: the function keeps pace with Rekognition, and what is over it waits in Lambda's queue.
#[tokio::test(flavor = "multi_thread")]
async fn with_a_reservation_at_the_quota_every_upload_produces_a_row() {
    let size = size(Size { uploads: 50, quota: 5, copies: 50, hurry: 100, retries: 2 });
    let mut system = System::start("scale-reserved", size, &[&at_the_quota(size)]).await;
    let (census, tally) = uploaded("reserved", &mut system).await;
    assert_eq!((census.stored.len(), census.queued.len()), (size.uploads, 0));
    assert!(tally.throttles > 0, "nothing had to wait for a copy: {tally:?}");
}

/// Without a reservation the copies throttle each other out of Rekognition, and even the retries are in each other's way.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_reservation_every_upload_of_a_burst_produces_a_row_or_a_message() {
    let size = size(Size { uploads: 60, quota: 2, copies: 60, hurry: 100, retries: 1 });
    let mut system = System::start("scale-unreserved", size, &[]).await;
    let (census, tally) = uploaded("unreserved", &mut system).await;
    assert!(tally.errors > 0, "without a failed invocation this proves nothing of retries: {tally:?}");
    assert!(!census.queued.is_empty(), "without an entry this proves nothing of the queue: {tally:?}");
    assert_eq!(census.given_up_for("RetriesExhausted"), census.queued.len());
    let retryable = |record: &Value| record["responsePayload"]["errorType"] == "RetryableFailure";
    assert!(census.queued.values().all(retryable), "nothing but the quota is in the way: {census:?}");
    system.change(&[&at_the_quota(size)]).await;
    bring_home("unreserved, redriven", &system, census).await;
}

/// An upload that waits too long for a copy is given up unseen by the function, and is not lost either.
#[tokio::test(flavor = "multi_thread")]
async fn events_that_expire_are_sent_to_the_failure_queue() {
    let size = Size { uploads: 40, quota: 5, copies: 50, hurry: 100, retries: 2 };
    let mut system = System::start("scale-age", size, &[&at_the_quota(size), "MaximumEventAge=60"]).await;
    let (census, _) = uploaded("a minute at most", &mut system).await;
    assert!(census.given_up_for("EventAgeExceeded") > 0, "{census:?}");
    system.change(&["MaximumEventAge=21600"]).await;
    bring_home("a minute at most, redriven", &system, census).await;
}

fn at_the_quota(size: Size) -> String {
    format!("ReservedConcurrency={}", size.quota)
}

/// Uploads everything, waits until Lambda has done with all of it, and checks that nothing is lost.
async fn uploaded(name: &str, system: &mut System) -> (Census, Tally) {
    let began = Instant::now();
    system.upload("of this run").await;
    system.lambda.settle().await;
    let (seconds, tally, census) = (began.elapsed().as_secs_f64(), system.lambda.take_tally(), system.census().await);
    show(name, seconds, tally, system, &census);
    census.accounts_for(&system.uploads, &system.lambda.doubtful());
    assert_eq!(tally.taken, system.uploads.len() as u64);
    assert_eq!(tally.invocations - tally.errors, tally.taken - tally.given_up, "{tally:?}");
    (census, tally)
}

/// Redrives until the queue is empty; then every upload has its rows.
async fn bring_home(name: &str, system: &System, mut census: Census) {
    while !census.queued.is_empty() {
        let began = Instant::now();
        assert_eq!(system.redrive().await, census.queued.len(), "each entry is sent once");
        census = system.census().await;
        show(name, began.elapsed().as_secs_f64(), system.lambda.take_tally(), system, &census);
        census.accounts_for(&system.uploads, &system.lambda.doubtful());
    }
    assert_eq!(census.stored, system.uploads);
}

fn show(name: &str, seconds: f64, tally: Tally, system: &System, census: &Census) {
    let Tally { taken, invocations, errors, most_copies, .. } = tally;
    let (detected, refused) = system.front.take_counts();
    println!(
        "\n| run | events | copies | seconds | invocations | of these failed | DetectFaces answered | throttled | uploads with rows | in the queue |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n\
         | {name} | {taken} | {most_copies} | {seconds:.0} | {invocations} | {errors} | {detected} | {refused} | {} | {} |",
        census.stored.len(),
        census.queued.len(),
    );
}

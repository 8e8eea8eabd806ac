//! Tests bursts of uploads beyond Rekognition's quota: each upload produces its rows or a message in the failure queue,
//! and `redrive` processes these messages.
//!
//! The function's executable, the stack, the table, the queue, the throttling Rekognition server and the program are
//! those of the local cloud. Its emulator does not have Lambda's queue of asynchronous events with retries, maximum age
//! and destination. The module [`lambda`] implements it according to Lambda's documentation, with shorter waits. `make
//! scale` uploads a thousand pictures and prints a table for each run; otherwise the numbers are small.
#![allow(clippy::print_stdout, reason = "the full run shows a table")]

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

#[path = "scale/census.rs"]
mod census;
#[path = "scale/environments.rs"]
mod environments;
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

/// The size of the full run if `SCALE_UPLOADS` is set, otherwise that of the short run.
fn size(short: Size) -> Size {
    fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
        let text = std::env::var(name).ok()?;
        Some(text.parse().unwrap_or_else(|_| panic!("`{name}` is `{text}`, expected a number")))
    }
    let Some(uploads) = variable("SCALE_UPLOADS") else { return short };
    Size {
        uploads,
        quota: variable("SCALE_QUOTA").unwrap_or(5),
        concurrency: variable("SCALE_CONCURRENCY").unwrap_or(200),
        hurry: variable("SCALE_HURRY").unwrap_or(10),
        retries: 2,
    }
}

/// With `ReservedConcurrency` at the quota, the function is as fast as Rekognition, and other events wait in Lambda's
/// queue.
#[tokio::test(flavor = "multi_thread")]
async fn with_a_reservation_at_the_quota_every_upload_produces_a_row() {
    let size = size(Size { uploads: 50, quota: 5, concurrency: 50, hurry: 100, retries: 2 });
    let mut system = System::start("scale-reserved", size, &[&at_the_quota(size)]).await;
    let (census, tally) = uploaded("reserved", &mut system).await;
    assert_eq!((census.stored.len(), census.queued.len()), (size.uploads, 0));
    assert!(tally.throttles > 0, "no event waited for a concurrent execution: {tally:?}");
}

/// Without a reservation, concurrent executions exceed the quota of Rekognition, and the retries do so, too.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_reservation_every_upload_of_a_burst_produces_a_row_or_a_message() {
    let size = size(Size { uploads: 60, quota: 2, concurrency: 60, hurry: 100, retries: 1 });
    let mut system = System::start("scale-unreserved", size, &[]).await;
    let (census, tally) = uploaded("unreserved", &mut system).await;
    assert!(tally.errors > 0, "no invocation failed, so retries were not tested: {tally:?}");
    assert!(!census.queued.is_empty(), "the queue is empty, so it was not tested: {tally:?}");
    assert_eq!(census.given_up_for("RetriesExhausted"), census.queued.len());
    let retryable = |record: &Value| record["responsePayload"]["errorType"] == "RetryableFailure";
    assert!(census.queued.values().all(retryable), "only the quota causes failures: {census:?}");
    system.change(&[&at_the_quota(size)]).await;
    bring_home("unreserved, redriven", &system, census).await;
}

/// An event that expires before the function receives it is not lost, either.
#[tokio::test(flavor = "multi_thread")]
async fn events_that_expire_are_sent_to_the_failure_queue() {
    let size = Size { uploads: 40, quota: 5, concurrency: 50, hurry: 100, retries: 2 };
    let mut system = System::start("scale-age", size, &[&at_the_quota(size), "MaximumEventAge=60"]).await;
    let (census, _) = uploaded("a minute at most", &mut system).await;
    assert!(census.given_up_for("EventAgeExceeded") > 0, "{census:?}");
    system.change(&["MaximumEventAge=21600"]).await;
    bring_home("a minute at most, redriven", &system, census).await;
}

fn at_the_quota(size: Size) -> String {
    format!("ReservedConcurrency={}", size.quota)
}

/// Uploads all pictures, waits until Lambda has finished with all events, and checks that nothing is lost.
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

/// Redrives until the queue is empty, and checks that every upload has its rows.
async fn bring_home(name: &str, system: &System, mut census: Census) {
    while !census.queued.is_empty() {
        let began = Instant::now();
        assert_eq!(system.redrive().await, census.queued.len(), "each message is sent once");
        census = system.census().await;
        show(name, began.elapsed().as_secs_f64(), system.lambda.take_tally(), system, &census);
        census.accounts_for(&system.uploads, &system.lambda.doubtful());
    }
    assert_eq!(census.stored, system.uploads);
}

fn show(name: &str, seconds: f64, tally: Tally, system: &System, census: &Census) {
    let Tally { taken, invocations, errors, max_concurrency, .. } = tally;
    let (detected, refused) = system.front.take_counts();
    println!(
        "\n| run | events | concurrency | seconds | invocations | of these failed | DetectFaces answered | throttled | uploads with rows | in the queue |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n\
         | {name} | {taken} | {max_concurrency} | {seconds:.0} | {invocations} | {errors} | {detected} | {refused} | {} | {} |",
        census.stored.len(),
        census.queued.len(),
    );
}

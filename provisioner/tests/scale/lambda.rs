//! Lambda's queue of asynchronous events. The emulator does not queue events, retry them, or support a destination.
//!
//! Invariant: an accepted event ends in exactly one way: with a successful invocation or with a record in the failure
//! queue. The rules are those of the Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous
//! invocation" and "Capturing records of Lambda asynchronous invocations"; comments mark what the guide does not
//! specify. [`Rules::hurry`] shortens only the waits of the queue, not the time of the function.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::census::key;
use super::environments::{Environment, Program, Said};

/// The waits before the second and the third attempt after a failed invocation.
const AFTER_ERROR: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(2)];
/// The first and the longest wait of a throttled event; the waits double in between.
const AFTER_THROTTLE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));

/// The stack's settings of the function and its events.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) program: Program,
    /// Maximum number of concurrent executions.
    pub(crate) concurrency: usize,
    /// `MaximumRetryAttempts`
    pub(crate) retries: usize,
    /// `MaximumEventAgeInSeconds`
    pub(crate) max_age: Duration,
    /// The destination of records of failed events.
    pub(crate) queue_url: String,
    /// The divisor of the queue's waits and ages.
    pub(crate) hurry: u32,
}

/// The counts of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) taken: u64,
    pub(crate) invocations: u64,
    pub(crate) errors: u64,
    /// Throttled attempts.
    pub(crate) throttles: u64,
    pub(crate) given_up: u64,
    /// Largest number of concurrent executions.
    pub(crate) max_concurrency: usize,
}

/// The queue and the execution environments.
#[derive(Clone, Debug)]
pub(crate) struct Lambda(Arc<State>);

#[derive(Debug)]
struct State {
    sqs: aws_sdk_sqs::Client,
    rules: Mutex<Arc<Rules>>,
    environments: Mutex<Environments>,
    tally: Mutex<Tally>,
    /// The number of events that have not ended.
    open: watch::Sender<usize>,
    ids: AtomicU64,
    spreads: AtomicU32,
    doubtful: Mutex<BTreeSet<String>>,
}

#[derive(Debug, Default)]
struct Environments {
    free: Vec<Environment>,
    at_work: usize,
}

/// The reason for a record in the failure queue.
#[derive(Clone, Copy, Debug)]
enum Condition {
    RetriesExhausted,
    EventAgeExceeded,
}

struct Delivery {
    id: String,
    event: Value,
    text: String,
    taken: Instant,
    attempts: usize,
    last_error: Option<Value>,
}

impl Lambda {
    pub(crate) fn new(rules: Rules, sqs: aws_sdk_sqs::Client) -> Self {
        Self(Arc::new(State {
            sqs,
            rules: Mutex::new(Arc::new(rules)),
            environments: Mutex::default(),
            tally: Mutex::default(),
            open: watch::Sender::new(0),
            ids: AtomicU64::new(0),
            spreads: AtomicU32::new(0),
            doubtful: Mutex::default(),
        }))
    }

    /// Changes the rules and discards all environments. Only allowed between two runs, when no environment is busy.
    pub(crate) fn change(&self, rules: Rules) {
        let mut environments = lock(&self.0.environments);
        assert_eq!(environments.at_work, 0, "no environment may be busy");
        environments.free.clear();
        *lock(&self.0.rules) = Arc::new(rules);
    }

    /// Accepts an event, as from S3 or from `Invoke` with the type `Event`.
    pub(crate) fn take(&self, event: Value) {
        self.0.open.send_modify(|open| *open += 1);
        lock(&self.0.tally).taken += 1;
        let this = self.clone();
        tokio::spawn(async move {
            let _open = Open(&this.0.open);
            this.deliver(event).await;
        });
    }

    /// Waits until all accepted events have ended.
    pub(crate) async fn settle(&self) {
        self.0.open.subscribe().wait_for(|open| *open == 0).await.expect("the sender exists");
    }

    /// The counts since the last call.
    pub(crate) fn take_tally(&self) -> Tally {
        std::mem::take(&mut lock(&self.0.tally))
    }

    /// The keys of uploads that may have rows although the invocation failed, because it ended during a write to
    /// DynamoDB.
    pub(crate) fn doubtful(&self) -> BTreeSet<String> {
        lock(&self.0.doubtful).clone()
    }

    async fn deliver(&self, event: Value) {
        let rules = Arc::clone(&lock(&self.0.rules));
        let number = self.0.ids.fetch_add(1, Ordering::Relaxed);
        let id = format!("00000000-0000-4000-8000-{number:012}");
        let text = event.to_string();
        let mut delivery = Delivery { id, event, text, taken: Instant::now(), attempts: 0, last_error: None };
        let mut throttles = 0;
        let condition = loop {
            let wait = match self.attempt(&rules, &mut delivery).await {
                Attempt::Succeeded => return,
                Attempt::Failed if delivery.attempts > rules.retries => break Condition::RetriesExhausted,
                Attempt::Failed => AFTER_ERROR[delivery.attempts - 1],
                Attempt::Throttled => {
                    throttles += 1;
                    self.spread(throttles)
                }
            };
            let left = (rules.max_age / rules.hurry).saturating_sub(delivery.taken.elapsed());
            let wait = wait / rules.hurry;
            tokio::time::sleep(wait.min(left)).await;
            if wait >= left {
                break Condition::EventAgeExceeded;
            }
        };
        self.give_up(&rules, &delivery, condition).await;
    }

    async fn attempt(&self, rules: &Rules, delivery: &mut Delivery) -> Attempt {
        if !self.claim(rules) {
            return Attempt::Throttled;
        }
        let free = lock(&self.0.environments).free.pop();
        let mut environment = match free {
            Some(environment) => environment,
            None => Environment::start(&rules.program).await,
        };
        delivery.attempts += 1;
        let said = environment.invoke(&delivery.id, &delivery.text, rules.program.timeout).await;
        let mut environments = lock(&self.0.environments);
        environments.at_work -= 1;
        if environment.is_alive() {
            environments.free.push(environment);
        }
        drop(environments);
        match said {
            Said::Response => Attempt::Succeeded,
            Said::Error(document) => {
                lock(&self.0.tally).errors += 1;
                if ended_writing(&document) {
                    lock(&self.0.doubtful).insert(key(&delivery.event));
                }
                delivery.last_error = Some(document);
                Attempt::Failed
            }
        }
    }

    /// Reserves a concurrent execution; false if the limit is reached.
    fn claim(&self, rules: &Rules) -> bool {
        let mut environments = lock(&self.0.environments);
        let mut tally = lock(&self.0.tally);
        if environments.at_work >= rules.concurrency {
            tally.throttles += 1;
            return false;
        }
        environments.at_work += 1;
        tally.invocations += 1;
        tally.max_concurrency = tally.max_concurrency.max(environments.at_work);
        true
    }

    /// The wait of a throttled event. The guide does not say how Lambda spreads events that were throttled together;
    /// here, each wait is between one half and the whole of the documented one.
    fn spread(&self, throttles: u32) -> Duration {
        let (first, longest) = AFTER_THROTTLE;
        let whole = first.saturating_mul(2_u32.saturating_pow(throttles - 1)).min(longest);
        // The fractional parts of multiples of the golden ratio are distributed evenly.
        let number = self.0.spreads.fetch_add(1, Ordering::Relaxed);
        let fraction = number.wrapping_mul(0x9e37_79b9) >> 16;
        whole / 2 + whole / 2 * fraction / 0x1_0000
    }

    /// Sends an invocation record to the failure queue.
    async fn give_up(&self, rules: &Rules, delivery: &Delivery, condition: Condition) {
        let mut record = json!({
            "version": "1.0",
            "timestamp": DateTime::from(SystemTime::now()).fmt(Format::DateTime).expect("a time of this century"),
            "requestContext": {
                "requestId": delivery.id,
                "functionArn": format!("{}:$LATEST", rules.program.arn),
                "condition": format!("{condition:?}"),
                "approximateInvokeCount": delivery.attempts,
            },
            "requestPayload": delivery.event,
        });
        if let Some(error) = &delivery.last_error {
            record["responseContext"] =
                json!({ "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" });
            record["responsePayload"] = error.clone();
        }
        let sent = self.0.sqs.send_message().queue_url(&rules.queue_url).message_body(record.to_string()).send().await;
        sent.expect("the failure queue accepts a record");
        lock(&self.0.tally).given_up += 1;
    }
}

/// Whether the function's error says that it happened while rows were written.
fn ended_writing(document: &Value) -> bool {
    let report = document["errorMessage"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    report.is_some_and(|report| report["body"]["records"][0]["step"] == "store")
}

/// An event that has not ended. It also ends if its delivery panics; then its upload is neither in the table nor in the
/// queue.
struct Open<'a>(&'a watch::Sender<usize>);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

enum Attempt {
    Succeeded,
    Failed,
    Throttled,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

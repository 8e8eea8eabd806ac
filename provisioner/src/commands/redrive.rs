//! `provisioner redrive`

use futures_util::future::join_all;

use crate::aws::queue::{Counts, Message};
use crate::aws::{function, queue};
use crate::clock;
use crate::context::Context;
use crate::core::event::Event;
use crate::core::hint::Hint;
use crate::core::invocation_record::{self, NotARecord};
use crate::error::{Error, Exit, Result};
use crate::steps::preflight;

/// Send the events in the failure queue to the function again
///
/// The failure queue keeps the events of pictures that the function could not process: uploads, existing pictures, and
/// events of attached buckets. They are sent through the backfill queue, if there is one. An event leaves the failure
/// queue only when it has been accepted. Processing a picture twice writes the same rows, so an interruption does no
/// harm. An event that fails again returns to the queue.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provisioner redrive --region eu-west-1 --limit 100")]
pub struct Redrive {
    /// Maximum number of events to send
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<usize>,
}

/// Runs the command in one region.
pub async fn run(args: &Redrive, cx: &Context) -> Result<Exit> {
    let stack = preflight::deployed(cx).await?;
    let Some(url) = stack.outputs.get("FailureQueueUrl") else {
        return Err(Error::new(format!("stack `{}` has no failure queue", stack.name)).hint(
            Hint::command("up --parameter FailureQueue=yes")
                .then(" adds one, which keeps events that fail from then on"),
        ));
    };
    let way = Way { function: stack.output("FunctionName")?, queue: stack.outputs.get("BackfillQueueUrl") };
    let mut sent = Sent::default();
    let outcome = send(args.limit.unwrap_or(usize::MAX), url, way, cx, &mut sent).await;
    for message in &sent.left {
        // The next run finds the message at once. If this request fails, the message becomes visible after its
        // time-out.
        let _ = queue::show(&cx.clients.sqs, url, message).await;
    }
    // The queue's own count lags by seconds.
    let counted = match sent.events {
        // A reply that was lost hides its messages until their time-out.
        0 => queue::counts(&cx.clients.sqs, url).await.map(Counts::total),
        // Messages that were just deleted can still be counted among those.
        _ => queue::count(&cx.clients.sqs, url).await,
    };
    let kept = counted.map(|count| count.max(sent.left.len()));
    cx.events.emit(Event::Redriven {
        queue: url.clone(),
        sent: sent.events,
        kept: *kept.as_ref().unwrap_or(&sent.left.len()),
    });
    outcome?;
    kept?;
    Ok(if sent.foreign == 0 { Exit::Success } else { Exit::Failed })
}

/// How events get to the function.
#[derive(Clone, Copy)]
struct Way<'a> {
    function: &'a str,
    /// The backfill queue, which limits the requests to Rekognition.
    queue: Option<&'a String>,
}

#[derive(Default)]
struct Sent {
    events: usize,
    /// The number of messages that are no events.
    foreign: usize,
    /// The messages that were received and are still in the queue.
    left: Vec<Message>,
}

/// Sends up to `limit` events, each batch in parallel. `sent` is correct even after an error.
async fn send(limit: usize, url: &str, way: Way<'_>, cx: &Context, sent: &mut Sent) -> Result<()> {
    let began = clock::now().as_millis();
    let mut seen_again = 0;
    while sent.events < limit {
        let messages = queue::receive(&cx.clients.sqs, url, limit - sent.events).await?;
        if messages.is_empty() {
            break;
        }
        // In a long run, messages that were left become visible again. Only when all of them have been received again,
        // with no new one in between, is the queue known to hold no others.
        let mut new = Vec::new();
        for message in messages {
            match sent.left.iter_mut().find(|known| known.id == message.id) {
                Some(known) => known.receipt = message.receipt,
                None => new.push(message),
            }
        }
        if new.is_empty() {
            seen_again += 1;
            if seen_again > sent.left.len() {
                break;
            }
            continue;
        }
        seen_again = 0;
        // Events that fail again during this run are not sent again, because the run might never end.
        let (late, messages): (Vec<_>, Vec<_>) = new.into_iter().partition(|message| message.sent_at > began);
        sent.left.extend(late);
        let mut failed = None;
        let outcomes = join_all(messages.iter().map(|message| handle(message, url, way, cx))).await;
        for (message, outcome) in messages.into_iter().zip(outcomes) {
            match outcome {
                Ok(Handled::Sent) => sent.events += 1,
                Ok(Handled::Foreign(reason)) => {
                    sent.foreign += 1;
                    sent.left.push(message);
                    cx.events.emit(Event::MessageKept { reason });
                }
                Err(error) => {
                    sent.left.push(message);
                    failed.get_or_insert(error);
                }
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok(())
}

/// What happened to a message.
enum Handled {
    /// Its event was accepted, and the message was deleted from the queue.
    Sent,
    /// The message has no event, for this reason.
    Foreign(NotARecord),
}

async fn handle(message: &Message, url: &str, way: Way<'_>, cx: &Context) -> Result<Handled> {
    let event = match invocation_record::event(&message.body) {
        Ok(event) => event,
        Err(reason) => return Ok(Handled::Foreign(reason)),
    };
    match way.queue.filter(|_| !invocation_record::is_batch(&event)) {
        Some(queue) => queue::send(&cx.clients.sqs, queue, &[event]).await?,
        None => function::invoke_later(&cx.clients.lambda, way.function, &event).await?,
    }
    queue::remove(&cx.clients.sqs, url, message).await?;
    Ok(Handled::Sent)
}

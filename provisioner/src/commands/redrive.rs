//! `provisioner redrive`

use futures_util::future::join_all;

use crate::aws::queue::Message;
use crate::aws::{function, queue};
use crate::clock;
use crate::context::Context;
use crate::core::event::Event;
use crate::core::hint::Hint;
use crate::core::invocation_record::{self, NotARecord};
use crate::error::{Error, Exit, Result};
use crate::steps::preflight;

/// Send the uploads that failed for good to the function once more
///
/// Each event in the failure queue is handed to the function again, and leaves the queue only when Lambda has taken it over. A second
/// delivery writes the same rows, so nothing is doubled by an interruption. What fails again comes back into the queue.
#[derive(Debug, clap::Args)]
pub struct Redrive {
    /// Send so many at most
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<usize>,
}

/// Runs it in one region.
///
/// # Errors
/// There is no stack or no queue, a request fails, or the queue holds what is no failed event.
pub async fn run(args: &Redrive, cx: &Context) -> Result<Exit> {
    let stack = preflight::deployed(cx).await?;
    let Some(url) = stack.outputs.get("FailureQueueUrl") else {
        return Err(Error::new(format!("stack `{}` has no failure queue", stack.name)).hint(
            Hint::command("up --parameter FailureQueue=yes").then(" adds one; it keeps uploads that fail from then on"),
        ));
    };
    let function = stack.output("FunctionName")?;
    let mut sent = Sent::default();
    let outcome = send(args.limit.unwrap_or(usize::MAX), url, function, cx, &mut sent).await;
    for message in &sent.left {
        // Shown again at once, so that a run right after this one finds it. Where that fails, it shows by itself after a while.
        let _ = queue::show(&cx.clients.sqs, url, message).await;
    }
    // The queue's own count is late by seconds.
    let kept = queue::count(&cx.clients.sqs, url).await.map(|count| count.max(sent.left.len()));
    cx.events.emit(Event::Redriven {
        queue: url.clone(),
        sent: sent.events,
        kept: *kept.as_ref().unwrap_or(&sent.left.len()),
    });
    outcome?;
    kept?;
    Ok(if sent.foreign == 0 { Exit::Success } else { Exit::Failed })
}

#[derive(Default)]
struct Sent {
    events: usize,
    /// Messages that are no failed event.
    foreign: usize,
    /// What was received and is still in the queue.
    left: Vec<Message>,
}

/// Sends up to `limit` events, a batch side by side. `sent` is true also after an error.
async fn send(limit: usize, url: &str, function: &str, cx: &Context, sent: &mut Sent) -> Result<()> {
    let began = clock::now().as_millis();
    let mut seen_again = 0;
    while sent.events < limit {
        let messages = queue::receive(&cx.clients.sqs, url, limit - sent.events).await?;
        if messages.is_empty() {
            break;
        }
        // In a long run what was left comes again. Once it all has, with nothing new between, there is nothing new.
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
        // What fails again while this runs is not sent in the same run: that could go on without end.
        let (late, messages): (Vec<_>, Vec<_>) = new.into_iter().partition(|message| message.sent_at > began);
        sent.left.extend(late);
        let mut failed = None;
        let outcomes = join_all(messages.iter().map(|message| hand_over(message, url, function, cx))).await;
        for (message, outcome) in messages.into_iter().zip(outcomes) {
            match outcome {
                Ok(Handed::Over) => sent.events += 1,
                Ok(Handed::Foreign(reason)) => {
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

/// What became of a message.
enum Handed {
    /// Lambda has its event, and it has left the queue.
    Over,
    /// It is no failed event, and why.
    Foreign(NotARecord),
}

async fn hand_over(message: &Message, url: &str, function: &str, cx: &Context) -> Result<Handed> {
    let event = match invocation_record::event(&message.body) {
        Ok(event) => event,
        Err(reason) => return Ok(Handed::Foreign(reason)),
    };
    function::invoke_later(&cx.clients.lambda, function, &event).await?;
    queue::remove(&cx.clients.sqs, url, message).await?;
    Ok(Handed::Over)
}

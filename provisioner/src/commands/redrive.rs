//! `provisioner redrive`

use std::time::{SystemTime, UNIX_EPOCH};

use crate::aws::{function, queue};
use crate::cli::Context;
use crate::commands::deployed;
use crate::core::event::Event;
use crate::core::failure;
use crate::error::{Error, Exit, Result};

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
    let stack = deployed(cx).await?;
    let Some(url) = stack.outputs.get("FailureQueueUrl") else {
        return Err(Error::new(format!("stack `{}` has no failure queue", stack.name)).hint(format!(
            "`{}` adds one; it keeps what fails from then on",
            cx.command("up --parameter FailureQueue=yes")
        )));
    };
    let function = stack.output("FunctionName")?;
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let limit = args.limit.unwrap_or(usize::MAX);
    let (mut sent, mut foreign, mut later) = (0, 0, 0);
    while sent < limit && later == 0 {
        let messages = queue::receive(&cx.clients.sqs, url, limit - sent).await?;
        if messages.is_empty() {
            break;
        }
        for message in &messages {
            // What fails again while this runs is not sent in the same run: that could go on without end.
            if message.sent_at > began {
                later += 1;
                continue;
            }
            match failure::event(&message.body) {
                Ok(event) => {
                    function::invoke_later(&cx.clients.lambda, function, &event).await?;
                    queue::remove(&cx.clients.sqs, url, message).await?;
                    sent += 1;
                }
                Err(reason) => {
                    foreign += 1;
                    cx.events.emit(Event::Warning {
                        message: format!("a message in the failure queue is left there: {reason}"),
                        hint: None,
                    });
                }
            }
        }
    }
    // Those received and not removed are hidden for a while, and not in the count.
    let kept = foreign + later + queue::count(&cx.clients.sqs, url).await?;
    cx.events.emit(Event::Redriven { queue: url.clone(), sent, kept });
    Ok(if foreign == 0 { Exit::Success } else { Exit::Failed })
}

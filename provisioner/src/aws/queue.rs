//! Queues: the failure queue, which keeps the events that the function could not process, and the backfill queue, whose
//! messages the function receives.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};
use tokio::time::sleep;

use super::error::{code, explain};
use super::pace::growing;
use crate::error::{Error, Result};

/// A received message. It is invisible to other readers for [`HIDDEN_SECONDS`].
#[derive(Clone, Debug)]
pub struct Message {
    /// The message id, which stays the same if the message is received again.
    pub id: String,
    /// The text, normally an invocation record.
    pub body: String,
    /// The receipt handle, which is needed to delete the message.
    pub receipt: String,
    /// The time when the message was sent, in milliseconds since the Unix epoch.
    pub sent_at: u128,
}

/// The visibility time-out of received messages: longer than Lambda needs to accept an invocation.
pub const HIDDEN_SECONDS: i32 = 120;

/// Receives up to `most` messages, but at most ten. An empty list means that the queue is empty.
pub async fn receive(client: &Client, url: &str, most: usize) -> Result<Vec<Message>> {
    let reply = client
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(i32::try_from(most.min(10)).unwrap_or(10))
        // Long polling asks all servers of the queue; short polling can miss messages.
        .wait_time_seconds(1)
        .visibility_timeout(HIDDEN_SECONDS)
        .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
        .send()
        .await
        .map_err(|error| explain(format!("cannot read queue `{url}`"), &error))?;
    let messages = reply.messages.unwrap_or_default().into_iter();
    let message = |message: aws_sdk_sqs::types::Message| {
        let sent = message.attributes().and_then(|all| all.get(&MessageSystemAttributeName::SentTimestamp));
        let sent_at = sent.and_then(|text| text.parse().ok()).unwrap_or_default();
        Some(Message { id: message.message_id?, sent_at, body: message.body?, receipt: message.receipt_handle? })
    };
    Ok(messages.filter_map(message).collect())
}

/// Deletes a received message.
pub async fn remove(client: &Client, url: &str, message: &Message) -> Result<()> {
    match client.delete_message().queue_url(url).receipt_handle(&message.receipt).send().await {
        Ok(_) => Ok(()),
        // An attempt whose reply was lost has deleted it. SQS itself then answers that the message is deleted, but emulators do not.
        Err(error) if code(&error) == Some("ReceiptHandleIsInvalid") => Ok(()),
        Err(error) => Err(explain(format!("cannot delete a message from queue `{url}`"), &error)),
    }
}

/// Makes a received message visible to other readers before its visibility time-out ends.
pub async fn show(client: &Client, url: &str, message: &Message) -> Result<()> {
    client
        .change_message_visibility()
        .queue_url(url)
        .receipt_handle(&message.receipt)
        .visibility_timeout(0)
        .send()
        .await
        .map(|_| ())
        .map_err(|error| explain(format!("cannot return a message to queue `{url}`"), &error))
}

/// The approximate number of visible messages.
pub async fn count(client: &Client, url: &str) -> Result<usize> {
    let name = QueueAttributeName::ApproximateNumberOfMessages;
    let reply = client
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(name.clone())
        .send()
        .await
        .map_err(|error| explain(format!("cannot count the messages in queue `{url}`"), &error))?;
    Ok(reply.attributes().and_then(|all| all.get(&name)?.parse().ok()).unwrap_or_default())
}

/// The approximate numbers of messages in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that can be received.
    pub visible: usize,
    /// Messages that were received and not deleted yet.
    pub in_flight: usize,
    /// Messages that cannot be received yet.
    pub delayed: usize,
}

impl Counts {
    /// All messages.
    #[must_use]
    pub fn total(self) -> usize {
        self.visible + self.in_flight + self.delayed
    }
}

/// Counts all messages in a queue.
pub async fn counts(client: &Client, url: &str) -> Result<Counts> {
    let (visible, in_flight, delayed) = (
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        QueueAttributeName::ApproximateNumberOfMessagesDelayed,
    );
    let names = vec![visible.clone(), in_flight.clone(), delayed.clone()];
    let reply = client.get_queue_attributes().queue_url(url).set_attribute_names(Some(names)).send().await;
    let reply = reply.map_err(|error| explain(format!("cannot count the messages in queue `{url}`"), &error))?;
    let number = |name| reply.attributes().and_then(|all| all.get(&name)?.parse().ok()).unwrap_or_default();
    Ok(Counts { visible: number(visible), in_flight: number(in_flight), delayed: number(delayed) })
}

/// The most messages in a request.
pub const BATCH: usize = 10;

/// Sends at most [`BATCH`] messages. What SQS does not accept for the moment is sent again.
///
/// # Errors
/// The request fails, or SQS rejects a message, or does not accept it for a minute.
pub async fn send(client: &Client, url: &str, bodies: &[String]) -> Result<()> {
    let attempt = || format!("cannot send messages to queue `{url}`");
    let mut positions: Vec<usize> = (0..bodies.len()).collect();
    let mut pauses = growing();
    loop {
        let entry =
            |at: &usize| SendMessageBatchRequestEntry::builder().id(at.to_string()).message_body(&bodies[*at]).build();
        let entries: std::result::Result<Vec<_>, _> = positions.iter().map(entry).collect();
        let entries = entries.map_err(|error| Error::new(attempt()).because(&error))?;
        let reply = client.send_message_batch().queue_url(url).set_entries(Some(entries)).send().await;
        let reply = reply.map_err(|error| explain(attempt(), &error))?;
        let rejected = |failure: &BatchResultErrorEntry| {
            let reason = failure.message().unwrap_or("no message");
            Error::new(attempt()).cause(format!("{}: {reason}", failure.code()))
        };
        if let Some(failure) = reply.failed().iter().find(|failure| failure.sender_fault()) {
            return Err(rejected(failure));
        }
        // Only a message that the reply names is in the queue.
        positions.retain(|at| !reply.successful().iter().any(|sent| sent.id() == at.to_string()));
        if positions.is_empty() {
            return Ok(());
        }
        let Some(pause) = pauses.next() else {
            let error = reply.failed().first().map_or_else(|| Error::new(attempt()), rejected);
            return Err(error.hint("wait until SQS accepts messages again, then run the same command again"));
        };
        sleep(pause).await;
    }
}

/// Deletes all messages in a queue. Messages that are being processed are not affected.
pub async fn purge(client: &Client, url: &str) -> Result<()> {
    match client.purge_queue().queue_url(url).send().await {
        Ok(_) => Ok(()),
        Err(error) if code(&error).is_some_and(|code| code.contains("PurgeQueueInProgress")) => {
            Err(explain(format!("cannot empty queue `{url}`"), &error)
                .hint("SQS empties a queue at most once a minute: wait, then run the same command again"))
        }
        Err(error) => Err(explain(format!("cannot empty queue `{url}`"), &error)),
    }
}

//! The failure queue, which keeps the events that the function could not process.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};

use super::error::explain;
use crate::error::Result;

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
    client
        .delete_message()
        .queue_url(url)
        .receipt_handle(&message.receipt)
        .send()
        .await
        .map(|_| ())
        .map_err(|error| explain(format!("cannot delete a message from queue `{url}`"), &error))
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

//! The failure queue: what Lambda could not make the function do, received and removed message by message.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};

use super::error::explain;
use crate::error::Result;

/// A message that was received and is hidden from others for [`HIDDEN_SECONDS`].
#[derive(Clone, Debug)]
pub struct Message {
    /// Stays the same where it is received again.
    pub id: String,
    /// Its text: an invocation record of Lambda.
    pub body: String,
    /// What removes it.
    pub receipt: String,
    /// When it came into the queue, in milliseconds since the Unix epoch.
    pub sent_at: u128,
}

/// So long a received message is kept from other readers: longer than an invocation takes to be accepted.
pub const HIDDEN_SECONDS: i32 = 120;

/// Receives up to `most` messages, ten at once; none means that the queue has none to give.
pub async fn receive(client: &Client, url: &str, most: usize) -> Result<Vec<Message>> {
    let reply = client
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(i32::try_from(most.min(10)).unwrap_or(10))
        // Long polling asks every server of the queue; a short one may miss messages.
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

/// Removes a received message.
pub async fn remove(client: &Client, url: &str, message: &Message) -> Result<()> {
    client
        .delete_message()
        .queue_url(url)
        .receipt_handle(&message.receipt)
        .send()
        .await
        .map(|_| ())
        .map_err(|error| explain(format!("cannot remove a message from queue `{url}`"), &error))
}

/// Shows a received message to others again, before its time.
pub async fn show(client: &Client, url: &str, message: &Message) -> Result<()> {
    client
        .change_message_visibility()
        .queue_url(url)
        .receipt_handle(&message.receipt)
        .visibility_timeout(0)
        .send()
        .await
        .map(|_| ())
        .map_err(|error| explain(format!("cannot put a message back into queue `{url}`"), &error))
}

/// About how many messages wait.
pub async fn count(client: &Client, url: &str) -> Result<usize> {
    let name = QueueAttributeName::ApproximateNumberOfMessages;
    let reply = client
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(name.clone())
        .send()
        .await
        .map_err(|error| explain(format!("cannot ask queue `{url}` for its messages"), &error))?;
    Ok(reply.attributes().and_then(|all| all.get(&name)?.parse().ok()).unwrap_or_default())
}

//! Counts the uploads that have their rows and those that are in the failure queue.
//!
//! Invariant: it reads the table and the queue and changes neither.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::Message;
use provisioner::aws::Clients;
use serde_json::Value;

/// Longer than reading the whole queue takes, so no message is received twice.
const HIDDEN_SECONDS: i32 = 300;

/// The uploads under one prefix.
#[derive(Debug, Default)]
pub(crate) struct Census {
    /// Keys with all their rows.
    pub(crate) stored: BTreeSet<String>,
    /// Keys in the queue, with their invocation records.
    pub(crate) queued: BTreeMap<String, Value>,
}

impl Census {
    pub(crate) async fn take(clients: &Clients, table: &str, queue: &str) -> Self {
        Self { stored: stored(clients, table).await, queued: queued(clients, queue).await }
    }

    /// The number of records with this condition.
    pub(crate) fn given_up_for(&self, condition: &str) -> usize {
        self.queued.values().filter(|record| record["requestContext"]["condition"] == condition).count()
    }

    /// Checks that each upload is either in the table or in the queue, and that there is nothing else in them.
    ///
    /// Only a doubtful upload may be in both: if the time-out interrupts a write, the function cannot know whether the
    /// row was written, so the invocation fails, and `redrive` writes the same row again.
    pub(crate) fn accounts_for(&self, uploads: &BTreeSet<String>, doubtful: &BTreeSet<String>) {
        let found: BTreeSet<String> = self.stored.iter().chain(self.queued.keys()).cloned().collect();
        let lost: Vec<_> = uploads.difference(&found).collect();
        let strange: Vec<_> = found.difference(uploads).collect();
        assert!(lost.is_empty() && strange.is_empty(), "lost: {lost:?}, not uploaded: {strange:?}");
        let in_both = self.stored.iter().filter(|key| self.queued.contains_key(*key));
        let odd: Vec<_> = in_both.filter(|key| !doubtful.contains(*key)).collect();
        assert!(odd.is_empty(), "in table and queue: {odd:?}");
    }
}

/// The key in an event. In these tests, only spaces are encoded.
pub(crate) fn key(event: &Value) -> String {
    event["Records"][0]["s3"]["object"]["key"].as_str().expect("a key").replace('+', " ")
}

async fn stored(clients: &Clients, table: &str) -> BTreeSet<String> {
    let pages = clients.dynamodb.scan().table_name(table).consistent_read(true).into_paginator().items().send();
    let items = pages.collect::<Result<Vec<_>, _>>().await.expect("the rows");
    let mut rows: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for item in items {
        let key = item["Key"].as_s().expect("a key").clone();
        let faces = item["FaceCount"].as_n().map(|count| count.parse().expect("a count"));
        rows.entry(key).or_default().push(faces.unwrap_or_else(|wrong: &AttributeValue| panic!("{wrong:?}")));
    }
    for (key, counts) in &rows {
        assert!(counts.iter().all(|count| *count == counts.len()), "{key} has rows with the counts {counts:?}");
    }
    rows.into_keys().collect()
}

async fn queued(clients: &Clients, queue: &str) -> BTreeMap<String, Value> {
    let mut messages: Vec<Message> = Vec::new();
    loop {
        let request = clients.sqs.receive_message().queue_url(queue).max_number_of_messages(10);
        let reply = request.visibility_timeout(HIDDEN_SECONDS).send().await.expect("messages");
        let Some(received) = reply.messages.filter(|received| !received.is_empty()) else { break };
        messages.extend(received);
    }
    let mut records = BTreeMap::new();
    for message in messages {
        let receipt = message.receipt_handle.expect("a receipt");
        let request = clients.sqs.change_message_visibility().queue_url(queue).receipt_handle(receipt);
        request.visibility_timeout(0).send().await.expect("the message is visible again");
        let record: Value = serde_json::from_str(&message.body.expect("a body")).expect("a record");
        let before = records.insert(key(&record["requestPayload"]), record.clone());
        assert!(before.is_none(), "two records of one upload: {record}");
    }
    records
}

//! What became of the uploads: which have their rows, and which wait in the failure queue.
//!
//! Invariant: it asks table and queue themselves, and leaves both as they were.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::Message;
use provisioner::aws::Clients;
use serde_json::Value;

/// Longer than a look at the whole queue takes: no message is seen twice.
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

    /// How many records were written for `condition`.
    pub(crate) fn given_up_for(&self, condition: &str) -> usize {
        self.queued.values().filter(|record| record["requestContext"]["condition"] == condition).count()
    }

    /// Checks that each of `uploads` is in the table or in the queue, none in both, and nothing else in either.
    ///
    /// Only a doubtful one may be in both: the function cannot know whether the row was written whose writing its time cut short, so it
    /// reports a failure, and `redrive` writes the same row again.
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

/// The key that an event is about. The keys of these tests have nothing to decode but spaces.
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
        let reply = request.visibility_timeout(HIDDEN_SECONDS).send().await.expect("the queue can be read");
        let Some(received) = reply.messages.filter(|received| !received.is_empty()) else { break };
        messages.extend(received);
    }
    let mut records = BTreeMap::new();
    for message in messages {
        let receipt = message.receipt_handle.expect("a receipt");
        let request = clients.sqs.change_message_visibility().queue_url(queue).receipt_handle(receipt);
        request.visibility_timeout(0).send().await.expect("the queue shows it again");
        let record: Value = serde_json::from_str(&message.body.expect("a body")).expect("a record");
        let before = records.insert(key(&record["requestPayload"]), record.clone());
        assert!(before.is_none(), "two records of one upload: {record}");
    }
    records
}

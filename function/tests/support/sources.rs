//! Events as each source sends them, and the messages that they can be wrapped in.
//!
//! Invariant: an object's key is encoded only in S3's own notifications.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{event, record};

/// A document that reports an upload or removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    S3,
    EventBridge,
}

/// A message that contains a document as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrapper {
    /// The event that Lambda receives from SNS.
    Sns,
    /// The text that SNS puts into SQS.
    Envelope,
    /// The event that Lambda receives from SQS.
    Sqs,
}

impl Source {
    /// The event of an upload. `key` is not encoded.
    pub(crate) fn upload(self, key: &str) -> Value {
        match self {
            Self::S3 => event(&[record(&encode(key))]),
            Self::EventBridge => json!({
                "version": "0", "detail-type": "Object Created", "source": "aws.s3", "region": "eu-west-1",
                "time": "2026-11-23T10:20:30.456Z",
                "detail": {
                    "bucket": { "name": "pictures" }, "object": { "key": key, "size": 5000, "etag": "first" },
                    "reason": "PutObject",
                },
            }),
        }
    }
}

impl Wrapper {
    pub(crate) fn wrap(self, document: &Value) -> Value {
        let text = document.to_string();
        match self {
            Self::Sns => json!({ "Records": [{ "EventSource": "aws:sns", "Sns": { "Message": text } }] }),
            Self::Envelope => json!({ "Type": "Notification", "TopicArn": "arn", "Message": text }),
            Self::Sqs => batch([document]),
        }
    }
}

/// An SQS batch of these documents. Their messages are called `m0`, `m1`, and so on.
pub(crate) fn batch<'a>(documents: impl IntoIterator<Item = &'a Value>) -> Value {
    let message = |(number, document): (usize, &Value)| {
        let body = document.to_string();
        json!({ "messageId": format!("m{number}"), "body": body, "eventSource": "aws:sqs" })
    };
    json!({ "Records": documents.into_iter().enumerate().map(message).collect::<Vec<_>>() })
}

/// Encodes a key as S3 does in notifications.
pub(crate) fn encode(key: &str) -> String {
    utf8_percent_encode(key, NON_ALPHANUMERIC).to_string().replace("%20", "+")
}

//! What an event says about one object, whatever its source.
//!
//! Invariant: `key` is the object's real key. Whoever creates a notification has already decoded it.

use aws_smithy_types::DateTime;

/// A change to one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// What happened to the object.
    pub change: Change,
    /// The region of the event if the event names one.
    pub region: Option<String>,
    /// The bucket's name.
    pub bucket: String,
    /// The object's key.
    pub key: String,
    /// The object's version as S3 names it. `None` if the bucket is not versioned.
    pub version: Option<String>,
    /// The object's entity tag without quotes.
    pub etag: Option<String>,
    /// The time of the event if the event has one that can be parsed.
    pub time: Option<DateTime>,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// An object was created or replaced.
    Created,
    /// An object, a version, or a delete marker was removed, or a delete marker was created.
    Removed,
    /// Anything else, for example a change of tags.
    Other,
}

/// Why an event or one of its records can never be processed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The document is none of those that the function understands.
    #[error("the event is not an event of S3, nor a message from SNS, SQS, or EventBridge that contains one")]
    Unrecognized,
    /// The document has too many records.
    #[error("the event has {count} records, more than {limit}")]
    TooMany {
        /// The number of records.
        count: usize,
        /// The maximum number of records.
        limit: usize,
    },
    /// Messages are nested in too many messages.
    #[error("the event is wrapped in more than {0} messages")]
    TooDeep(usize),
    /// The text of a message is not JSON.
    #[error("the text of the message is not valid JSON")]
    NotJson,
    /// A member is missing or has the wrong type.
    #[error("the record's `{0}` is missing or has the wrong type")]
    Member(&'static str),
    /// The decoded key is not UTF-8.
    #[error("the record's key is not valid UTF-8")]
    Key,
}

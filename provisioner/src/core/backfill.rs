//! Which existing pictures are to be processed, how fast, and at what price.
//!
//! Pure.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::json;

use super::moment;

/// The extensions of the formats that Rekognition accepts, for a system that processes all keys.
pub const PICTURE_EXTENSIONS: [&str; 5] = ["jpg", "jpeg", "jpe", "jfif", "png"];

/// The size of the largest picture that Rekognition reads from S3, in bytes.
pub const LARGEST: u64 = 15 * 1024 * 1024;

/// The size of the largest picture that Rekognition in another region accepts, in bytes.
pub const LARGEST_SENT: u64 = 5 * 1024 * 1024;

/// The days that a picture may wait in the queue before SQS deletes it.
pub const QUEUE_DAYS: i64 = 10;

/// A day in seconds.
pub const DAY: i64 = 86_400;

/// The price of 1,000 pictures in US dollars if the user gives none: Rekognition's first tier in `us-east-1`
/// (<https://aws.amazon.com/rekognition/pricing/>, November 2026).
pub const PRICE: f64 = 1.0;

/// Requests per second if the quota is unknown: Rekognition's default in small regions.
pub const ASSUMED_RATE: f64 = 5.0;

/// The current version of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The bucket's name.
    pub bucket: String,
    /// The key, not encoded.
    pub key: String,
    /// The version id, which can be `null`; `None` if the bucket was never versioned.
    pub version: Option<String>,
    /// The entity tag without quotes.
    pub etag: String,
    /// The size in bytes.
    pub size: u64,
    /// The time of the upload.
    pub modified: i64,
    /// Whether it must be restored before it can be read.
    pub is_archived: bool,
}

impl Object {
    /// What the function calls the content of the object: its version, otherwise its entity tag.
    #[must_use]
    pub fn content(&self) -> String {
        match self.version.as_deref().filter(|version| *version != "null") {
            Some(version) => version.to_owned(),
            None => format!("etag:{}", self.etag),
        }
    }
}

/// The rules for skipping objects without asking for their results.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The parameter `Extensions`, in lower case without dots; empty means that the system processes all keys.
    pub extensions: Vec<String>,
    /// The size of the largest picture in bytes.
    pub largest: u64,
    /// Rows of pictures that were uploaded before this time would expire at once.
    pub expired_before: Option<i64>,
    /// The first time of the requested span.
    pub since: Option<i64>,
    /// The last time of the requested span.
    pub until: Option<i64>,
}

/// Why an object is not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// It was uploaded before `--since` or after `--until`.
    OutsideSpan,
    /// Its key has the extension of another file type.
    OtherType,
    /// It is empty, or stands for a folder.
    Empty,
    /// Rekognition accepts only smaller pictures.
    TooLarge,
    /// It must be restored before it can be read.
    Archived,
    /// Its rows would expire at once.
    Expired,
    /// Its result is known.
    Done,
    /// Its rows were erased with `forget`.
    Forgotten,
}

impl Rules {
    /// Reads the values of the parameter `Extensions`, as the function does.
    #[must_use]
    pub fn extensions(parameter: &str) -> Vec<String> {
        let names = parameter.split(',').map(|name| name.trim().trim_start_matches('.').to_ascii_lowercase());
        names.filter(|name| !name.is_empty()).collect()
    }

    /// Decides whether an object is skipped, from what the list says.
    #[must_use]
    pub fn skip(&self, object: &Object) -> Option<Skip> {
        let is_outside = self.since.is_some_and(|since| object.modified < since)
            || self.until.is_some_and(|until| object.modified > until);
        if is_outside {
            Some(Skip::OutsideSpan)
        } else if object.size == 0 {
            Some(Skip::Empty)
        } else if !self.is_picture(&object.key) {
            Some(Skip::OtherType)
        } else if object.size > self.largest {
            Some(Skip::TooLarge)
        } else if object.is_archived {
            Some(Skip::Archived)
        } else if self.expired_before.is_some_and(|time| object.modified < time) {
            Some(Skip::Expired)
        } else {
            None
        }
    }

    /// With `Extensions`, the function's own rule. Otherwise, a key with no extension can be a picture, too.
    fn is_picture(&self, key: &str) -> bool {
        let key = key.to_ascii_lowercase();
        let has = |extension: &str| key.strip_suffix(extension).is_some_and(|name| name.ends_with('.'));
        if !self.extensions.is_empty() {
            return self.extensions.iter().any(|extension| has(extension));
        }
        let name = key.rsplit('/').next().unwrap_or_default();
        !name.contains('.') || PICTURE_EXTENSIONS.iter().any(|extension| has(extension))
    }
}

/// How many objects were found, by what becomes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tally {
    /// All objects in the list.
    pub listed: usize,
    /// To be processed.
    pub to_process: usize,
    /// Their result is known.
    pub done: usize,
    /// Their rows were erased with `forget`.
    pub forgotten: usize,
    /// Their keys have the extension of another file type.
    pub other_type: usize,
    /// Rekognition accepts only smaller pictures.
    pub too_large: usize,
    /// They are empty, or stand for folders.
    pub empty: usize,
    /// They must be restored before they can be read.
    pub archived: usize,
    /// Their rows would expire at once.
    pub expired: usize,
    /// They are outside `--since` and `--until`.
    pub outside_span: usize,
}

impl Tally {
    /// Counts an object.
    pub fn add(&mut self, skip: Option<Skip>) {
        self.listed += 1;
        *match skip {
            None => &mut self.to_process,
            Some(Skip::Done) => &mut self.done,
            Some(Skip::Forgotten) => &mut self.forgotten,
            Some(Skip::OtherType) => &mut self.other_type,
            Some(Skip::TooLarge) => &mut self.too_large,
            Some(Skip::Empty) => &mut self.empty,
            Some(Skip::Archived) => &mut self.archived,
            Some(Skip::Expired) => &mut self.expired,
            Some(Skip::OutsideSpan) => &mut self.outside_span,
        } += 1;
    }
}

/// Why the queue of existing pictures cannot be processed.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum NoRate {
    /// The account may not send any request.
    #[error("the quota of DetectFaces is 0")]
    NoQuota,
    /// Lambda's event source mappings need at least two concurrent executions.
    #[error("`ReservedConcurrency` is {0}, and the queue of existing pictures needs at least 2")]
    Reserved(i64),
}

/// Pictures per second that one concurrent execution processes, at most: a picture takes half a second or longer.
const PICTURES_PER_EXECUTION: f64 = 2.0;

/// Concurrent executions for existing pictures: their requests stay within the quota, and they stay within the
/// function's reservation. Lambda allows 2 to 1,000.
///
/// # Errors
/// The quota or the reservation is too small.
pub fn concurrency(requests_per_second: Option<f64>, reserved: Option<i64>) -> Result<i64, NoRate> {
    let rate = requests_per_second.unwrap_or(ASSUMED_RATE);
    if rate <= 0.0 {
        return Err(NoRate::NoQuota);
    }
    if let Some(reserved) = reserved.filter(|reserved| (0..2).contains(reserved)) {
        return Err(NoRate::Reserved(reserved));
    }
    #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
    let wanted = (rate / PICTURES_PER_EXECUTION).floor() as i64;
    let most = reserved.filter(|reserved| *reserved >= 0).unwrap_or(1_000).min(1_000);
    Ok(wanted.clamp(2, most))
}

/// What the pictures cost, and how long they take.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Estimate {
    /// The number of pictures.
    pub pictures: usize,
    /// The price of 1,000 pictures.
    pub price: f64,
    /// Whether this is the default, in US dollars.
    pub is_default_price: bool,
    /// The price of all pictures.
    pub cost: f64,
    /// Requests per second that the account may send; `None` if unknown, in which case five are assumed.
    pub requests_per_second: Option<f64>,
    /// The time that the pictures take at this rate.
    pub seconds: f64,
}

impl Estimate {
    /// Estimates from the number of pictures, the price of 1,000, and the quota.
    #[must_use]
    pub fn new(pictures: usize, price: Option<f64>, requests_per_second: Option<f64>) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let count = pictures as f64;
        let each = price.unwrap_or(PRICE);
        Self {
            pictures,
            price: each,
            is_default_price: price.is_none(),
            cost: count * each / 1_000.0,
            requests_per_second,
            seconds: count / requests_per_second.unwrap_or(ASSUMED_RATE),
        }
    }
}

/// How far the function has come with the queue.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Progress {
    /// Pictures that have left the queue.
    pub done: usize,
    /// All pictures.
    pub of: usize,
    /// Messages that have arrived in the failure queue.
    pub failed: usize,
    /// Pictures per second.
    pub per_second: f64,
    /// The estimated time that is left; `None` before the first picture is done.
    pub seconds_left: Option<f64>,
}

impl Progress {
    /// Computes the progress from the number of all pictures, those that are left, and the failures, after a time.
    #[must_use]
    pub fn new(of: usize, left: usize, failed: usize, seconds: f64) -> Self {
        let done = of.saturating_sub(left);
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let (done_count, left_count) = (done as f64, left as f64);
        let per_second = if seconds > 0.0 { done_count / seconds } else { 0.0 };
        Self { done, of, failed, per_second, seconds_left: (per_second > 0.0).then(|| left_count / per_second) }
    }
}

/// The most pictures that one run queues: what the quota processes before SQS deletes them.
#[must_use]
pub fn most(requests_per_second: Option<f64>) -> usize {
    #[expect(clippy::cast_precision_loss, reason = "ten days are few seconds")]
    let seconds = (QUEUE_DAYS * DAY) as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of a float saturates, and a quota is positive"
    )]
    let most = (requests_per_second.unwrap_or(ASSUMED_RATE) * seconds) as usize;
    most
}

/// A key in a notification is encoded as in a form. Everything that could be special is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'/');

/// The message for the function: an S3 notification, which names this program as its source.
#[must_use]
pub fn message(object: &Object, region: &str) -> String {
    let mut about = json!({
        "key": utf8_percent_encode(&object.key, ENCODED).to_string(),
        "size": object.size,
        "eTag": object.etag,
    });
    if let Some(version) = &object.version {
        about["versionId"] = json!(version);
    }
    json!({ "Records": [{
        "eventSource": "provisioner:backfill",
        "eventName": "ObjectCreated:Backfill",
        "awsRegion": region,
        "eventTime": moment::utc(object.modified.saturating_mul(1_000)),
        "s3": { "bucket": { "name": object.bucket }, "object": about },
    }] })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str) -> Object {
        Object {
            bucket: "pictures".into(),
            key: key.into(),
            version: None,
            etag: "e".into(),
            size: 1_000,
            modified: 1_000,
            is_archived: false,
        }
    }

    #[test]
    fn an_object_is_skipped_for_one_reason() {
        let rules = Rules {
            largest: LARGEST,
            expired_before: Some(500),
            since: Some(100),
            until: Some(2_000),
            ..Rules::default()
        };
        let with = |change: &dyn Fn(&mut Object)| {
            let mut object = object("a.jpg");
            change(&mut object);
            rules.skip(&object)
        };
        for (found, expected) in [
            (with(&|_| {}), None),
            (with(&|it| it.modified = 99), Some(Skip::OutsideSpan)),
            (with(&|it| it.modified = 2_001), Some(Skip::OutsideSpan)),
            (with(&|it| it.modified = 2_000), None),
            (with(&|it| it.modified = 499), Some(Skip::Expired)),
            (with(&|it| it.modified = 500), None),
            (with(&|it| it.size = 0), Some(Skip::Empty)),
            (with(&|it| it.key = "folder/".into()), None),
            (with(&|it| it.size = LARGEST), None),
            (with(&|it| it.size = LARGEST + 1), Some(Skip::TooLarge)),
            (with(&|it| it.is_archived = true), Some(Skip::Archived)),
            (with(&|it| it.key = "a.txt".into()), Some(Skip::OtherType)),
        ] {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn only_keys_of_pictures_are_queued() {
        for (key, extensions, expected) in [
            ("a.jpg", "", true),
            ("a.JPEG", "", true),
            ("b.c/a.png", "", true),
            ("a.gif", "", false),
            ("a.jpg.txt", "", false),
            ("0a1b2c", "", true),
            ("photos.old/0a1b2c", "", true),
            ("jpg", "", true),
            (".jpg", "", true),
            ("a.", "", false),
            ("a.webp", "webp, .TIF", true),
            ("a.tif", "webp, .TIF", true),
            ("a.jpg", "webp", false),
            ("0a1b2c", "webp", false),
            ("a.tar.gz", "tar.gz", true),
        ] {
            let rules = Rules { extensions: Rules::extensions(extensions), ..Rules::default() };
            assert_eq!(rules.is_picture(key), expected, "{key} {extensions}");
        }
    }

    #[test]
    fn concurrent_executions_stay_within_the_quota_and_the_reservation() {
        for (rate, reserved, expected) in [
            (Some(50.0), None, Ok(25)),
            (Some(50.0), Some(-1), Ok(25)),
            (Some(50.0), Some(10), Ok(10)),
            (Some(5.0), None, Ok(2)),
            (Some(0.5), None, Ok(2)),
            (Some(1e9), None, Ok(1_000)),
            (None, None, Ok(2)),
            (Some(0.0), None, Err(NoRate::NoQuota)),
            (Some(50.0), Some(1), Err(NoRate::Reserved(1))),
            (Some(50.0), Some(0), Err(NoRate::Reserved(0))),
        ] {
            assert_eq!(concurrency(rate, reserved), expected, "{rate:?} {reserved:?}");
        }
    }

    #[test]
    fn a_run_queues_what_the_quota_processes_in_ten_days() {
        assert_eq!((most(Some(5.0)), most(None), most(Some(50.0))), (4_320_000, 4_320_000, 43_200_000));
        let estimate = Estimate::new(3_000, None, Some(50.0));
        assert_eq!((estimate.cost.to_string().as_str(), estimate.seconds.to_string().as_str()), ("3", "60"));
        assert!(!Estimate::new(1, Some(0.8), None).is_default_price);
    }

    #[test]
    fn progress_is_estimated_from_what_is_done() {
        let progress = Progress::new(100, 60, 1, 20.0);
        assert_eq!((progress.done, progress.per_second, progress.seconds_left), (40, 2.0, Some(30.0)));
        assert_eq!(Progress::new(100, 100, 0, 5.0).seconds_left, None);
        assert_eq!(Progress::new(100, 120, 0, 0.0).done, 0);
    }

    #[test]
    fn a_message_is_a_notification_with_an_encoded_key() {
        let plain = Object { key: "a b+ü/%.jpg".into(), ..object("") };
        let read = |object: &Object| -> serde_json::Value {
            serde_json::from_str(&message(object, "eu-west-1")).expect("JSON")
        };
        let record = &read(&plain)["Records"][0];
        assert_eq!(record["s3"]["object"]["key"], "a%20b%2B%C3%BC/%25.jpg");
        assert_eq!((&record["awsRegion"], &record["eventTime"]), (&json!("eu-west-1"), &json!("1970-01-01T00:16:40Z")));
        assert!(record["s3"]["object"].get("versionId").is_none());
        let versioned = Object { version: Some("null".into()), ..object("a.jpg") };
        assert_eq!(read(&versioned)["Records"][0]["s3"]["object"]["versionId"], "null");
        assert_eq!((versioned.content(), plain.content()), ("etag:e".to_owned(), "etag:e".to_owned()));
        assert_eq!(Object { version: Some("v".into()), ..object("") }.content(), "v");
    }
}

//! The outcome of an event: the response to Lambda, or the error with which the invocation fails.
//!
//! Invariant: a failed record is always delivered again. It fails the invocation or, in an SQS batch, its message.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::outcome::{Failure, OUT_OF_TIME, Outcome};

/// The outcome of one record, and what may be reported about its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordReport {
    /// The outcome.
    pub outcome: Outcome,
    /// The SQS message that contains the record.
    pub message_id: Option<String>,
    /// The prefix of its rows' `FaceID`, if the object could be identified.
    pub id: Option<String>,
    /// The key's extension, if it is a common one.
    pub extension: Option<String>,
    /// Bucket and key, if the settings allow reporting them.
    pub object: Option<(String, String)>,
    /// The number of rows that were erased because S3 no longer holds their object.
    pub erased_rows: usize,
    /// The duration of the record.
    pub took: Duration,
    /// The duration of face detection, including retries.
    pub detect_took: Option<Duration>,
}

impl RecordReport {
    /// The members that log line and response have in common.
    pub(crate) fn members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        let mut set = |name: &str, value: Value| {
            members.insert(name.to_owned(), value);
        };
        set("outcome", self.outcome.name().into());
        set("statusCode", self.outcome.status().into());
        for (name, text) in [("messageId", &self.message_id), ("id", &self.id), ("extension", &self.extension)] {
            if let Some(text) = text {
                set(name, text.as_str().into());
            }
        }
        if let Some((bucket, key)) = &self.object {
            set("bucket", bucket.as_str().into());
            set("key", key.as_str().into());
        }
        if self.erased_rows > 0 {
            set("erasedRows", self.erased_rows.into());
        }
        match &self.outcome {
            Outcome::Stored { faces } => set("faces", (*faces).into()),
            Outcome::NoFace => set("faces", 0.into()),
            Outcome::Unusable { code } => set("code", code.as_str().into()),
            Outcome::Erased => {}
            Outcome::Skipped { code } => set("code", (*code).into()),
            Outcome::Failed(failure) => {
                set("code", failure.code.as_str().into());
                set("step", failure.step.to_string().into());
                set("message", failure.message.as_str().into());
                set("retryable", failure.retryable.into());
            }
        }
        members
    }

    fn failure(&self) -> Option<&Failure> {
        match &self.outcome {
            Outcome::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}

/// The outcome of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One entry per record, in the order of the event.
    pub records: Vec<RecordReport>,
    /// Whether the event is an SQS batch.
    pub is_batch: bool,
}

impl Report {
    /// The highest status among the records, or 200 if there are none.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.records.iter().map(|record| record.outcome.status()).max().unwrap_or(200)
    }

    /// All records: `{"statusCode": highest, "body": {"records": [...]}}`.
    #[must_use]
    pub fn document(&self) -> Value {
        let records: Vec<_> = self.records.iter().map(|record| Value::from(record.members())).collect();
        json!({ "statusCode": self.status(), "body": { "records": records } })
    }

    /// The response to Lambda: for an SQS batch, the messages to deliver again, otherwise [all
    /// records](Self::document).
    #[must_use]
    pub fn response(&self) -> Value {
        if !self.is_batch {
            return self.document();
        }
        let failed = self.records.iter().filter(|record| record.failure().is_some());
        let mut ids: Vec<_> = failed.filter_map(|record| record.message_id.as_deref()).collect();
        // The records of a message are adjacent.
        ids.dedup();
        let failures: Vec<_> = ids.into_iter().map(|id| json!({ "itemIdentifier": id })).collect();
        json!({ "batchItemFailures": failures })
    }

    /// The error type with which the invocation must fail, so that Lambda delivers the event again or sends it to the
    /// failure queue.
    #[must_use]
    pub fn error_type(&self) -> Option<&'static str> {
        let failures: Vec<_> = self.records.iter().filter_map(RecordReport::failure).collect();
        if failures.is_empty() || (self.is_batch && self.fails_in_part(&failures)) {
            return None;
        }
        let retryable = failures.iter().any(|failure| failure.retryable);
        Some(if retryable { "RetryableFailure" } else { "PermanentFailure" })
    }

    /// Whether only the failed messages of a batch must return. If every failure is throttling or an outage, the whole
    /// batch must: Lambda slows down only if an invocation fails. A record that merely ran out of time is neither.
    fn fails_in_part(&self, failures: &[&Failure]) -> bool {
        let identified = self.records.iter().all(|record| record.message_id.is_some() || record.failure().is_none());
        let overload = failures.iter().all(|failure| failure.retryable)
            && failures.iter().any(|failure| failure.code != OUT_OF_TIME);
        identified && !overload
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Step;

    fn report(outcomes: &[Outcome]) -> Report {
        let record = |(number, outcome): (usize, &Outcome)| RecordReport {
            outcome: outcome.clone(),
            message_id: Some(format!("m{}", number / 2)),
            id: Some("00ff".into()),
            extension: Some("jpg".into()),
            object: None,
            erased_rows: 0,
            took: Duration::from_millis(5),
            detect_took: None,
        };
        Report { records: outcomes.iter().enumerate().map(record).collect(), is_batch: false }
    }

    fn failed(code: &str, retryable: bool) -> Outcome {
        Outcome::Failed(Failure { step: Step::Detect, code: code.to_owned(), message: "details".to_owned(), retryable })
    }

    #[test]
    fn the_highest_status_is_reported() {
        let check = |outcomes: &[Outcome], expected: (u16, Option<&str>)| {
            let report = report(outcomes);
            assert_eq!((report.status(), report.error_type()), expected);
        };
        let (stored, skipped) = (Outcome::Stored { faces: 1 }, Outcome::Skipped { code: "Gone" });
        let unusable = Outcome::Unusable { code: "Folder".into() };
        let (permanent, temporary) = (failed("Code", false), failed("Code", true));
        check(&[], (200, None));
        check(&[stored.clone(), skipped], (200, None));
        check(&[stored.clone(), Outcome::NoFace], (400, None));
        check(&[unusable, stored.clone()], (400, None));
        check(&[Outcome::NoFace, permanent.clone()], (500, Some("PermanentFailure")));
        check(&[permanent, stored, temporary], (500, Some("RetryableFailure")));
    }

    #[test]
    fn the_document_contains_every_record() {
        let mut report = report(&[Outcome::Stored { faces: 2 }, failed("Code", true)]);
        report.records[0].message_id = None;
        let expected = json!({ "statusCode": 500, "body": { "records": [
            { "outcome": "stored", "statusCode": 200, "id": "00ff", "extension": "jpg", "faces": 2 },
            { "outcome": "failed", "statusCode": 500, "messageId": "m0", "id": "00ff", "extension": "jpg",
              "code": "Code", "step": "detect", "message": "details", "retryable": true },
        ] } });
        assert_eq!(report.document(), expected);
        assert_eq!(report.response(), expected);
    }

    #[test]
    fn a_batch_fails_in_part_unless_every_failure_is_an_overload() {
        let check = |outcomes: &[Outcome], error: Option<&str>, returned: &[&str]| {
            let report = Report { is_batch: true, ..report(outcomes) };
            let returned: Vec<_> = returned.iter().map(|id| json!({ "itemIdentifier": id })).collect();
            assert_eq!((report.error_type(), report.response()), (error, json!({ "batchItemFailures": returned })));
        };
        let (stored, permanent) = (Outcome::Stored { faces: 1 }, failed("AccessDenied", false));
        let (throttled, late) = (failed("ThrottlingException", true), failed(OUT_OF_TIME, true));
        check(&[], None, &[]);
        check(&[stored.clone(), Outcome::NoFace], None, &[]);
        check(&[permanent.clone(), permanent.clone(), stored.clone()], None, &["m0"]);
        check(&[stored.clone(), permanent.clone(), throttled.clone()], None, &["m0", "m1"]);
        check(&[stored.clone(), late.clone(), late.clone()], None, &["m0", "m1"]);
        check(&[stored.clone(), throttled.clone()], Some("RetryableFailure"), &["m0"]);
        check(&[stored, throttled, late], Some("RetryableFailure"), &["m0", "m1"]);
    }

    #[test]
    fn a_batch_with_a_failure_that_cannot_be_identified_fails() {
        let mut report = Report { is_batch: true, ..report(&[failed("MalformedRecord", false)]) };
        report.records[0].message_id = None;
        assert_eq!(report.error_type(), Some("PermanentFailure"));
    }
}

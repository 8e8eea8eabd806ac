//! How a record ended, and which of AWS's errors mean what.
//!
//! Invariant: an error is judged by its code, because AWS uses the same HTTP status for faults that pass and faults that stay.

use std::fmt;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde_json::{Map, Value, json};

/// Where in the work a record was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reading the event.
    Event,
    /// Asking S3 for the object's size, version and entity tag.
    Head,
    /// Asking Rekognition for the faces.
    Detect,
    /// Asking S3 whether the object is still the one that Rekognition was meant to see.
    Confirm,
    /// Writing the rows.
    Store,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Event => "event",
            Self::Head => "head",
            Self::Detect => "detect",
            Self::Confirm => "confirm",
            Self::Store => "store",
        })
    }
}

/// How one record ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The rows are in the table.
    Stored {
        /// How many.
        faces: usize,
    },
    /// Rekognition saw no face.
    NoFace,
    /// The object is not a picture that Rekognition takes.
    Unusable {
        /// Which rule it breaks.
        code: String,
    },
    /// There is nothing to do, and nothing is lost.
    Skipped {
        /// Why.
        code: &'static str,
    },
    /// A fault.
    Failed(Failure),
}

/// A fault: what happened where, and whether a later attempt can do better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where it happened.
    pub step: Step,
    /// AWS's error code, or one of ours where AWS gave none.
    pub code: String,
    /// AWS's words, or ours.
    pub message: String,
    /// Whether a later attempt can succeed without anyone's help.
    pub retryable: bool,
}

impl Outcome {
    /// The status that the outcome has in the handler's document.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Stored { .. } | Self::Skipped { .. } => 200,
            Self::NoFace | Self::Unusable { .. } => 400,
            Self::Failed(_) => 500,
        }
    }

    /// The outcome in one word, as logs and documents spell it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Stored { .. } => "stored",
            Self::NoFace => "no_face",
            Self::Unusable { .. } => "unusable",
            Self::Skipped { .. } => "skipped",
            Self::Failed(_) => "failed",
        }
    }
}

/// One record's outcome and what may be said about its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordReport {
    /// How it ended.
    pub outcome: Outcome,
    /// What its rows' `FaceID` begins with, where the object could be named.
    pub id: Option<String>,
    /// The key's extension, if it is a common one.
    pub extension: Option<String>,
    /// Bucket and key, if the settings allow them to be said.
    pub object: Option<(String, String)>,
    /// How long the record took.
    pub took: Duration,
    /// How long Rekognition took, with its retries.
    pub detect_took: Option<Duration>,
}

impl RecordReport {
    /// The members that log line and document have in common.
    pub(crate) fn members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        let mut set = |name: &str, value: Value| {
            members.insert(name.to_owned(), value);
        };
        set("outcome", self.outcome.name().into());
        set("statusCode", self.outcome.status().into());
        for (name, text) in [("id", &self.id), ("extension", &self.extension)] {
            if let Some(text) = text {
                set(name, text.as_str().into());
            }
        }
        if let Some((bucket, key)) = &self.object {
            set("bucket", bucket.as_str().into());
            set("key", key.as_str().into());
        }
        match &self.outcome {
            Outcome::Stored { faces } => set("faces", (*faces).into()),
            Outcome::NoFace => set("faces", 0.into()),
            Outcome::Unusable { code } => set("code", code.as_str().into()),
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
}

/// What became of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One entry for each record, in the event's order.
    pub records: Vec<RecordReport>,
}

impl Report {
    /// The worst status among the records; 200 where there are none.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.records.iter().map(|record| record.outcome.status()).max().unwrap_or(200)
    }

    /// The handler's document: `{"statusCode": worst, "body": {"records": [...]}}`.
    #[must_use]
    pub fn document(&self) -> Value {
        let records: Vec<_> = self.records.iter().map(|record| Value::from(record.members())).collect();
        json!({ "statusCode": self.status(), "body": { "records": records } })
    }

    /// The type of error with which the invocation must fail, so that Lambda delivers the event again or to the failure queue.
    #[must_use]
    pub fn error_type(&self) -> Option<&'static str> {
        let mut failures = self.records.iter().filter_map(|record| match &record.outcome {
            Outcome::Failed(failure) => Some(failure.retryable),
            _ => None,
        });
        let first = failures.next()?;
        Some(if first || failures.any(|retryable| retryable) { "RetryableFailure" } else { "PermanentFailure" })
    }
}

/// Codes of faults that pass. Some come with status 400, some with 500.
const PASSING: [&str; 22] = [
    "BandwidthLimitExceeded",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServerErrorException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// Turns an SDK error into a failure of `step`.
pub(crate) fn failure<E>(step: Step, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let words = |error: &dyn std::error::Error| DisplayErrorContext(error).to_string();
    let (code, message, retryable) = match error {
        SdkError::ServiceError(service) => match service.err().code() {
            Some(code) => {
                let retryable = PASSING.contains(&code) || status.is_some_and(|status| status >= 500);
                (code.to_owned(), service.err().message().unwrap_or_default().to_owned(), retryable)
            }
            None => without_code(status),
        },
        SdkError::TimeoutError(_) => ("Timeout".to_owned(), "no reply in time".to_owned(), true),
        SdkError::DispatchFailure(failure) => {
            let code = if failure.is_timeout() { "Timeout" } else { "ConnectionFailure" };
            let cause = failure.as_connector_error().map(|cause| words(cause)).unwrap_or_default();
            (code.to_owned(), cause, !failure.is_user())
        }
        SdkError::ResponseError(_) => ("InvalidReply".to_owned(), "the reply cannot be read".to_owned(), true),
        _ => ("InvalidRequest".to_owned(), words(error), false),
    };
    Failure { step, code, message, retryable }
}

/// A reply to HEAD has no body, hence no code; its status is all there is.
pub(crate) fn without_code(status: Option<u16>) -> (String, String, bool) {
    let (code, message) = match status {
        Some(200..=299) => ("InvalidReply", "the reply cannot be read"),
        Some(301 | 307) => ("PermanentRedirect", "the bucket is in another region"),
        Some(403) => ("AccessDenied", "not allowed, or gone: without s3:ListBucket S3 answers 403 for both"),
        Some(429 | 503) => ("SlowDown", "the service is throttling"),
        _ => ("", "the service gave no reason"),
    };
    let retryable = status.is_none_or(|status| matches!(status, 200..=299 | 408 | 429 | 500..));
    let code = if code.is_empty() { format!("Http{}", status.unwrap_or_default()) } else { code.to_owned() };
    (code, message.to_owned(), retryable)
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::operation::put_item::PutItemError;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    fn answered(status: u16, code: Option<&str>) -> SdkError<PutItemError, HttpResponse> {
        let mut metadata = ErrorMetadata::builder();
        if let Some(code) = code {
            metadata = metadata.code(code).message("words");
        }
        let response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
        SdkError::service_error(PutItemError::generic(metadata.build()), response)
    }

    #[test]
    fn a_code_says_whether_a_fault_passes() {
        let check = |status, code: Option<&str>, expected: (&str, bool)| {
            let failure = failure(Step::Store, &answered(status, code));
            assert_eq!((failure.code.as_str(), failure.retryable), expected);
        };
        check(400, Some("ThrottlingException"), ("ThrottlingException", true));
        check(500, Some("ThrottlingException"), ("ThrottlingException", true));
        check(400, Some("ProvisionedThroughputExceededException"), ("ProvisionedThroughputExceededException", true));
        check(400, Some("InternalServerError"), ("InternalServerError", true));
        check(400, Some("AccessDeniedException"), ("AccessDeniedException", false));
        check(400, Some("ResourceNotFoundException"), ("ResourceNotFoundException", false));
        check(400, Some("InvalidS3ObjectException"), ("InvalidS3ObjectException", false));
        check(500, Some("Unheard"), ("Unheard", true));
        check(200, None, ("InvalidReply", true));
        check(503, None, ("SlowDown", true));
        check(500, None, ("Http500", true));
        check(408, None, ("Http408", true));
        check(403, None, ("AccessDenied", false));
        check(400, None, ("Http400", false));
        check(301, None, ("PermanentRedirect", false));
    }

    #[test]
    fn without_an_answer_a_fault_passes_unless_it_is_ours() {
        type Error = SdkError<PutItemError, HttpResponse>;
        let check = |error: Error, expected: (&str, bool)| {
            let failure = failure(Step::Store, &error);
            assert_eq!((failure.code.as_str(), failure.retryable), expected);
        };
        check(Error::timeout_error("late"), ("Timeout", true));
        let dispatch = |cause: fn(_) -> ConnectorError| Error::dispatch_failure(cause("cut".into()));
        check(dispatch(ConnectorError::io), ("ConnectionFailure", true));
        check(dispatch(ConnectorError::timeout), ("Timeout", true));
        check(dispatch(ConnectorError::user), ("ConnectionFailure", false));
        let response = HttpResponse::new(StatusCode::try_from(200).unwrap(), SdkBody::empty());
        check(Error::response_error("rubbish", response), ("InvalidReply", true));
        check(Error::construction_failure("bad header"), ("InvalidRequest", false));
    }

    fn report(outcomes: &[Outcome]) -> Report {
        let record = |outcome: &Outcome| RecordReport {
            outcome: outcome.clone(),
            id: Some("00ff".into()),
            extension: Some("jpg".into()),
            object: None,
            took: Duration::from_millis(5),
            detect_took: None,
        };
        Report { records: outcomes.iter().map(record).collect() }
    }

    fn failed(retryable: bool) -> Outcome {
        let (code, message) = ("Code".to_owned(), "words".to_owned());
        Outcome::Failed(Failure { step: Step::Detect, code, message, retryable })
    }

    #[test]
    fn the_worst_record_decides() {
        let check = |outcomes: &[Outcome], expected: (u16, Option<&str>)| {
            let report = report(outcomes);
            assert_eq!((report.status(), report.error_type()), expected);
        };
        let (stored, skipped) = (Outcome::Stored { faces: 1 }, Outcome::Skipped { code: "Gone" });
        let unusable = Outcome::Unusable { code: "Folder".into() };
        check(&[], (200, None));
        check(&[stored.clone(), skipped], (200, None));
        check(&[stored.clone(), Outcome::NoFace], (400, None));
        check(&[unusable, stored.clone()], (400, None));
        check(&[Outcome::NoFace, failed(false)], (500, Some("PermanentFailure")));
        check(&[failed(false), stored, failed(true)], (500, Some("RetryableFailure")));
    }

    #[test]
    fn the_document_holds_every_record() {
        let report = report(&[Outcome::Stored { faces: 2 }, failed(true)]);
        let expected = json!({ "statusCode": 500, "body": { "records": [
            { "outcome": "stored", "statusCode": 200, "id": "00ff", "extension": "jpg", "faces": 2 },
            { "outcome": "failed", "statusCode": 500, "id": "00ff", "extension": "jpg",
              "code": "Code", "step": "detect", "message": "words", "retryable": true },
        ] } });
        assert_eq!(report.document(), expected);
    }
}

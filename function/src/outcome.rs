//! The outcome of a record, and the classification of AWS's errors.
//!
//! Invariant: an error is classified by its code, because AWS uses the same HTTP status for temporary and for permanent
//! errors.

use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A step in the processing of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Decode the event.
    Event,
    /// Look in the picture table for an earlier result.
    Check,
    /// Ask S3 for the object's size, version, and entity tag.
    Head,
    /// Read the picture, if Rekognition cannot do so itself.
    Read,
    /// Ask Rekognition for the faces.
    Detect,
    /// Ask S3 whether the object is still the one that Rekognition should have seen.
    Confirm,
    /// Write the rows.
    Store,
    /// Erase what S3 no longer holds.
    Settle,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Event => "event",
            Self::Check => "check",
            Self::Head => "head",
            Self::Read => "read",
            Self::Detect => "detect",
            Self::Confirm => "confirm",
            Self::Store => "store",
            Self::Settle => "settle",
        })
    }
}

/// The outcome of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The rows are in the table.
    Stored {
        /// The number of rows.
        faces: usize,
    },
    /// Rekognition found no face.
    NoFace,
    /// The object is not a picture that Rekognition can process.
    Unusable {
        /// The reason.
        code: String,
    },
    /// The rows of a removed object were erased.
    Erased,
    /// There is nothing to do.
    Skipped {
        /// The reason.
        code: &'static str,
    },
    /// An error prevented processing.
    Failed(Failure),
}

/// An error that prevented the processing of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The step that failed.
    pub step: Step,
    /// AWS's error code, or one of the function's own if there is none.
    pub code: String,
    /// AWS's message, or one of the function's own.
    pub message: String,
    /// Whether a later attempt can succeed without any change to the system.
    pub retryable: bool,
}

impl Outcome {
    /// The HTTP status that represents the outcome in the response.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Stored { .. } | Self::Erased | Self::Skipped { .. } => 200,
            Self::NoFace | Self::Unusable { .. } => 400,
            Self::Failed(_) => 500,
        }
    }

    /// The name of the outcome in logs and responses.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Stored { .. } => "stored",
            Self::NoFace => "no_face",
            Self::Unusable { .. } => "unusable",
            Self::Erased => "erased",
            Self::Skipped { .. } => "skipped",
            Self::Failed(_) => "failed",
        }
    }
}

/// The code of a record that ran out of time without an error of its own.
pub(crate) const OUT_OF_TIME: &str = "OutOfTime";

/// Codes of temporary errors. Some have status 400, others 500.
const TEMPORARY: [&str; 24] = [
    "BandwidthLimitExceeded",
    // The environment of the function has outlived its credentials. Another one has newer credentials.
    "ExpiredToken",
    "ExpiredTokenException",
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

/// Converts an SDK error to a failure of `step`.
pub(crate) fn failure<E>(step: Step, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let message = |error: &dyn std::error::Error| DisplayErrorContext(error).to_string();
    let (code, message, retryable) = match error {
        SdkError::ServiceError(service) => match service.err().code() {
            Some(code) => {
                let retryable = TEMPORARY.contains(&code) || status.is_some_and(|status| status >= 500);
                (code.to_owned(), service.err().message().unwrap_or_default().to_owned(), retryable)
            }
            None => without_code(status),
        },
        SdkError::TimeoutError(_) => ("Timeout".to_owned(), "no reply within the time-out".to_owned(), true),
        SdkError::DispatchFailure(failure) => {
            let code = if failure.is_timeout() { "Timeout" } else { "ConnectionFailure" };
            let cause = failure.as_connector_error().map(|cause| message(cause)).unwrap_or_default();
            (code.to_owned(), cause, !failure.is_user())
        }
        SdkError::ResponseError(_) => ("InvalidReply".to_owned(), "the reply cannot be parsed".to_owned(), true),
        _ => ("InvalidRequest".to_owned(), message(error), false),
    };
    Failure { step, code, message, retryable }
}

/// Classifies an error by its status alone: a reply to HEAD has no body and therefore no code.
pub(crate) fn without_code(status: Option<u16>) -> (String, String, bool) {
    let (code, message) = match status {
        Some(200..=299) => ("InvalidReply", "the reply cannot be parsed"),
        Some(301 | 307) => ("PermanentRedirect", "the bucket is in another region"),
        Some(403) => (
            "AccessDenied",
            "access is denied (s3:GetObject, or s3:GetObjectVersion for a version), or the object is gone: without \
             s3:ListBucket, S3 returns 403 in both cases",
        ),
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

    fn replied(status: u16, code: Option<&str>) -> SdkError<PutItemError, HttpResponse> {
        let mut metadata = ErrorMetadata::builder();
        if let Some(code) = code {
            metadata = metadata.code(code).message("details");
        }
        let response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
        SdkError::service_error(PutItemError::generic(metadata.build()), response)
    }

    #[test]
    fn the_code_determines_whether_an_error_is_temporary() {
        let check = |status, code: Option<&str>, expected: (&str, bool)| {
            let failure = failure(Step::Store, &replied(status, code));
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
    fn an_error_without_a_reply_is_temporary_unless_the_request_is_invalid() {
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
}

//! Turns what the SDK says into a sentence, a cause and a way out.
//!
//! Invariant: classification is by error code, never by HTTP status, because services reuse statuses.

use std::error::Error as StdError;

use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};

use aws_smithy_runtime_api::client::result::ConnectorError;

use super::foreign::{self, ForeignReply};
use crate::core::denial::denied;
use crate::core::error_code::Code;
use crate::core::hint::Hint;
use crate::error::{Error, Exit, Problem};

/// A service's error code, where the service answered with one.
pub fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// A service's message, where it answered with one.
pub fn message<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::message)
}

/// Whether the service answered that what was asked for does not exist.
pub fn is_missing<E: ProvideErrorMetadata, R: HasStatus>(error: &SdkError<E, R>) -> bool {
    let named = matches!(
        code(error),
        Some(
            "NoSuchBucket"
                | "NoSuchKey"
                | "NotFound"
                | "ResourceNotFoundException"
                | "NoSuchResourceException"
                | "NoSuchEntity"
                | "NoSuchEntityException"
                | "AWS.SimpleQueueService.NonExistentQueue"
                | "QueueDoesNotExist"
        )
    );
    // HEAD errors carry no body, and so no code.
    named || error.raw_response().is_some_and(|response| response.status() == 404)
}

/// Whether the service turned the request away for coming too soon after others.
pub fn is_throttled<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    code(error).is_some_and(throttles)
}

fn throttles(code: &str) -> bool {
    matches!(
        code,
        "Throttling"
            | "ThrottlingException"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "RequestThrottled"
            | "SlowDown"
    )
}

/// A reply whose status can be read.
pub trait HasStatus: std::fmt::Debug + 'static {
    /// The HTTP status.
    fn status(&self) -> u16;
    /// The id under which AWS can find the request.
    fn request_id(&self) -> Option<&str>;
}

impl HasStatus for aws_smithy_runtime_api::client::orchestrator::HttpResponse {
    fn status(&self) -> u16 {
        Self::status(self).as_u16()
    }

    fn request_id(&self) -> Option<&str> {
        foreign::request_id(self)
    }
}

/// Explains a failed request: `attempt` is the sentence, as "cannot describe stack `x`".
pub fn explain<E, R>(attempt: impl Into<String>, error: &SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata + StdError + 'static,
    R: HasStatus,
{
    let base = Error::new(attempt);
    match error {
        SdkError::ServiceError(_) if let Some(code) = code(error) => {
            explain_service(base, code, message(error).unwrap_or("no message"))
        }
        SdkError::ServiceError(_) | SdkError::ResponseError(_) => explain_reply(base, error),
        SdkError::TimeoutError(_) => {
            base.because(error).hint("the service did not answer in time; run the same command again")
        }
        _ => explain_connection(base, error),
    }
}

/// The remedy if a stack disappears while a command works on it.
pub(super) const GONE: &str =
    "the stack has been deleted in the meantime; run the same command again to continue without it";
const TRY_LATER: &str = "the service has a problem: run the same command again in a few minutes";

fn explain_service(base: Error, code: &str, message: &str) -> Error {
    let base = base.cause(format!("{code}: {message}"));
    match code {
        // Services have several codes for a clock that is wrong, and their words tell them from other refusals.
        _ if ["Signature expired", "Signature not yet current", "Request has expired"].iter().any(|said| message.contains(said)) => {
            base.hint("this machine's clock differs from AWS's: set it, then run the same command again")
        }
        "AWS.SimpleQueueService.NonExistentQueue" | "QueueDoesNotExist" => base.hint(
            Hint::from("if the queue was deleted outside of the stack, ").then_command("up --revert-drift").then(" creates it again"),
        ),
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "TokenRefreshRequired" => {
            base.code(Code::ExpiredCredentials).hint("the credentials have expired: get new ones (`aws sso login`), then run the same command again; it goes on where this one stopped")
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "IncompleteSignature" | "AuthFailure" => {
            Error { problem: Some(Problem::UnknownCredentials), ..base }.hint("AWS does not know these credentials: check `aws sts get-caller-identity`, `--profile` and the region's partition")
        }
        "RequestTimeTooSkewed" | "InvalidSignatureException" => base.hint("if the message speaks of time: set this machine's clock"),
        "OptInRequired" | "SubscriptionRequiredException" => Error { problem: Some(Problem::NotEnabled), ..base }.hint("the region is not enabled for this account: enable it under Account, AWS Regions"),
        // What asks for a stack that may not exist recognizes this answer itself.
        "ValidationError" if message.starts_with("Stack") && message.ends_with("does not exist") => {
            base.exit(Exit::Blocked).hint(GONE)
        }
        "OperationAborted" => base.hint("S3 is still busy with an earlier request about this bucket: run the same command again in a few minutes"),
        _ if code.starts_with("Internal") || code.starts_with("ServiceUnavailable") || code == "ServiceException" => base.hint(TRY_LATER),
        _ if throttles(code) => base.code(Code::Throttled).hint("AWS is throttling this account: run the same command again in a minute"),
        _ if code.contains("AccessDenied") || code == "UnauthorizedOperation" || code == "Forbidden" => {
            let every = || vec![Hint::command("policy").then(" prints all permissions that a deployer needs")];
            let base = Error { problem: Some(Problem::Denied), ..base };
            denied(message).map_or_else(every, |denied| denied.remedies()).into_iter().fold(base, Error::hint)
        }
        _ => base,
    }
}

/// Explains a reply that is not one of the service's own: without an error code, or not in the service's format.
fn explain_reply<E, R>(base: Error, error: &SdkError<E, R>) -> Error
where
    E: StdError + 'static,
    R: HasStatus,
{
    let Some(reply) = error.raw_response() else { return explain_connection(base, error) };
    let id = reply.request_id().map_or_else(String::new, |id| format!(" (request id {id})"));
    let cause = match reply.status() {
        200..=299 => format!("{ForeignReply}{id}"),
        status => format!("HTTP status {status} without an error code{id}"),
    };
    let base = base.cause(cause);
    match reply.status() {
        401 | 403 => base.hint(Hint::command("policy").then(" prints all permissions that a deployer needs")),
        500.. => base.hint(TRY_LATER),
        _ => base.hint(BETWEEN),
    }
}

const BETWEEN: &str = "something between this machine and AWS may have replied: check the network, `--endpoint-url` and the \
                       proxy settings, then run the same command again";

/// The error about a reply with status 200 that lacks what the service always sends.
pub(super) fn foreign_reply(attempt: impl Into<String>) -> Error {
    Error::new(attempt).cause(ForeignReply.to_string()).hint(BETWEEN)
}

fn explain_connection(base: Error, error: &(dyn StdError + 'static)) -> Error {
    // The credentials say themselves what is wrong with them; what they were needed for does not matter.
    if let Some(own) = chain(error).find_map(|error| error.downcast_ref::<Error>()) {
        return own.clone();
    }
    if chain(error).any(<dyn StdError>::is::<ForeignReply>) {
        return base.cause(ForeignReply.to_string()).hint(BETWEEN);
    }
    let base = base.because(error);
    if is_unreachable(error) {
        let no_host = base.causes.iter().any(|cause| cause.contains("failed to lookup address"));
        let problem = if no_host { Problem::NoSuchHost } else { Problem::Unreachable };
        return Error { problem: Some(problem), ..base }.hint(
            "the endpoint does not answer: check the network, `--region`, `--endpoint-url` and the proxy settings",
        );
    }
    base
}

/// An error and what caused it, outermost first.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// Whether a request failed because no connection came about, or because it broke.
pub(super) fn is_unreachable(error: &(dyn StdError + 'static)) -> bool {
    chain(error)
        .filter_map(|error| error.downcast_ref::<ConnectorError>())
        .any(|error| error.is_io() || error.is_timeout())
}

//! Classifies temporary errors that the SDK does not retry by itself.
//!
//! Invariant: a classifier only adds retries. It never prevents one.

use aws_sdk_s3::config::interceptors::InterceptorContext;
use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction};

use crate::cancellation::{is_temporary, reasons};

/// A successful reply that cannot be parsed: a page from a proxy, or a truncated reply.
#[derive(Debug)]
pub(crate) struct Unreadable;

impl ClassifyRetry for Unreadable {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let failed = matches!(context.output_or_error(), Some(Err(error)) if error.is_operation_error());
        if failed && context.response().is_some_and(|response| response.status().is_success()) {
            RetryAction::transient_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "Unreadable"
    }
}

/// A transaction that lost against another one or was throttled.
#[derive(Debug)]
pub(crate) struct Canceled;

impl ClassifyRetry for Canceled {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let reasons = match context.output_or_error() {
            Some(Err(error)) => error.as_operation_error().and_then(|error| reasons(error.downcast_ref()?)),
            _ => None,
        };
        match reasons {
            Some(reasons) if is_temporary(&reasons) => RetryAction::throttling_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "Canceled"
    }
}

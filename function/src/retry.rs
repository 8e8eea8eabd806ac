//! Tells the SDK of faults that pass and that it would give up on.
//!
//! Invariant: each only adds retries; none forbids one.

use aws_sdk_s3::config::interceptors::InterceptorContext;
use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction};

use crate::cancellation::{is_temporary, reasons};

/// A reply of success that cannot be read: a proxy's page, or half of the real one.
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

/// A transaction that lost against another one, or was throttled.
#[derive(Debug)]
pub(crate) struct Cancelled;

impl ClassifyRetry for Cancelled {
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
        "Cancelled"
    }
}

//! Tracks what a record is doing, so that the report of a record that ran out of time can say where it was.
//!
//! Invariant: tracking never affects a request.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_s3::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::outcome::{Failure, OUT_OF_TIME, Step, without_code};

/// The current step of a record and the result of its last attempt, shared with the SDK interceptors.
#[derive(Clone, Debug)]
pub(crate) struct Progress(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    step: Step,
    attempts: u32,
    last_error: Option<String>,
    detect_took: Option<Duration>,
    id: Option<String>,
    erased_rows: usize,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let state =
            State { step: Step::Event, attempts: 0, last_error: None, detect_took: None, id: None, erased_rows: 0 };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Begins a step. The returned interceptor must be added to its request.
    pub(crate) fn begin<E>(&self, step: Step) -> Attempts<E> {
        let mut state = self.state();
        (state.step, state.attempts, state.last_error) = (step, 0, None);
        Attempts { progress: self.clone(), error: PhantomData }
    }

    pub(crate) fn detected_in(&self, took: Duration) {
        self.state().detect_took = Some(took);
    }

    pub(crate) fn detect_took(&self) -> Option<Duration> {
        self.state().detect_took
    }

    /// Remembers the ID of the object.
    pub(crate) fn identified_as(&self, id: &str) {
        self.state().id = Some(id.to_owned());
    }

    /// Counts rows that were erased.
    pub(crate) fn erased(&self, rows: usize) {
        self.state().erased_rows += rows;
    }

    pub(crate) fn erased_rows(&self) -> usize {
        self.state().erased_rows
    }

    pub(crate) fn id(&self) -> Option<String> {
        self.state().id.clone()
    }

    /// The failure of a record that ran out of time.
    pub(crate) fn out_of_time(&self) -> Failure {
        let state = self.state();
        let code = state.last_error.clone().unwrap_or_else(|| OUT_OF_TIME.to_owned());
        let attempts = state.attempts;
        let message = format!("the invocation ran out of time (attempts completed: {attempts})");
        Failure { step: state.step, code, message, retryable: true }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An SDK interceptor that records each attempt in [`Progress`]. `E` is the error type of the operation.
pub(crate) struct Attempts<E> {
    progress: Progress,
    error: PhantomData<fn() -> E>,
}

impl<E> fmt::Debug for Attempts<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attempts")
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl<E> Intercept for Attempts<E>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let mut state = self.progress.state();
        state.attempts += 1;
        if let Some(Err(error)) = context.output_or_error() {
            let code = error.as_operation_error().and_then(|error| error.downcast_ref::<E>()?.code());
            state.last_error = Some(match code {
                Some(code) => code.to_owned(),
                None if error.is_operation_error() => {
                    without_code(context.response().map(|response| response.status().as_u16())).0
                }
                None if error.as_connector_error().is_some_and(|error| !error.is_timeout()) => {
                    "ConnectionFailure".to_owned()
                }
                None if error.is_response_error() => "InvalidReply".to_owned(),
                None => "Timeout".to_owned(),
            });
        }
        Ok(())
    }
}

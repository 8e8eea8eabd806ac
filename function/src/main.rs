//! The executable that Lambda starts: settings, clients, then one event after another.
//!
//! Invariant: whatever can fail for want of settings fails here, before the first event is asked for.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use function::{Invocation, Report, Services, Settings, handle, telemetry};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::Value;

/// What an invocation is given where the caller sets no deadline, as some emulators do.
const UNSTATED: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            telemetry::write(&telemetry::refusal(&error, SystemTime::now()));
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), Error> {
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    function::install_diagnostics(&settings.log_filter);
    // Lambda gives the function one event at a time and, at this size, less than one core.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(settings))
}

async fn serve(settings: Settings) -> Result<(), Error> {
    let services = Services::new(&settings)?;
    let (services, settings) = (&services, &settings);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let LambdaEvent { payload, context } = event;
        let deadline = match context.deadline {
            0 => SystemTime::now() + UNSTATED,
            millis => UNIX_EPOCH + Duration::from_millis(millis),
        };
        let invocation = Invocation { request_id: context.request_id, deadline };
        let report = handle(&payload, services, settings, &invocation).await;
        telemetry::write(&telemetry::lines(&report, &invocation.request_id, settings, SystemTime::now()));
        answer(&report)
    }))
    .await
}

/// A report as Lambda wants it: a document, or an error that carries the document, so that Lambda tries again.
fn answer(report: &Report) -> Result<Value, Diagnostic> {
    let document = report.document();
    match report.error_type() {
        None => Ok(document),
        Some(kind) => Err(Diagnostic { error_type: kind.to_owned(), error_message: document.to_string() }),
    }
}

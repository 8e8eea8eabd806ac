//! The executable that Lambda starts: it reads the settings, creates the clients, and then handles events.
//!
//! Invariant: a configuration error stops the executable before it requests the first event.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use function::{Invocation, Report, Services, Settings, handle, telemetry};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// musl's allocator requests most of the memory for a start page by page from the kernel, which is slow.
/// `benches/README.md` has the measurements.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// The time limit of an invocation without a deadline, which some emulators send.
const DEFAULT_TIME_LIMIT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let (reason, api) = match prepare() {
        Ok((runtime, settings, services)) => match runtime.block_on(serve(&settings, &services)) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => (format!("the runtime failed: {error}"), None),
        },
        Err(error) => (format!("cannot start: {error}"), std::env::var("AWS_LAMBDA_RUNTIME_API").ok()),
    };
    telemetry::write(&telemetry::fatal(&reason, SystemTime::now()));
    if let Some(api) = api {
        // If Lambda cannot be reached, the log still has the reason.
        let _ = report_init_error(&api, &reason);
    }
    ExitCode::FAILURE
}

/// Does everything that a configuration error can cause to fail.
fn prepare() -> Result<(Runtime, Settings, Services), Error> {
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    function::install_diagnostics(&settings.log_filter);
    // Lambda sends one event at a time and, at the default memory size, provides less than one core.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let services = runtime.block_on(Services::connect(&settings))?;
    Ok((runtime, settings, services))
}

/// Tells Lambda why the function cannot start, so that the waiting invocation fails with that reason.
///
/// `lambda_runtime` is not running yet, so this sends the request (Runtime API, "Initialization error") itself.
fn report_init_error(api: &str, reason: &str) -> io::Result<()> {
    const KIND: &str = "Runtime.SettingsInvalid";
    let document = json!({ "errorType": KIND, "errorMessage": reason, "stackTrace": [] }).to_string();
    let length = document.len();
    let mut stream = TcpStream::connect(api)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let request = format!(
        "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: {KIND}\r\n\
         Content-Length: {length}\r\n\r\n{document}"
    );
    stream.write_all(request.as_bytes())?;
    // Exiting before the reply arrives could cut off the request.
    stream.read(&mut [0; 64]).map(drop)
}

async fn serve(settings: &Settings, services: &Services) -> Result<(), Error> {
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let LambdaEvent { payload, context } = event;
        let deadline = match context.deadline {
            0 => SystemTime::now() + DEFAULT_TIME_LIMIT,
            millis => UNIX_EPOCH + Duration::from_millis(millis),
        };
        let invocation = Invocation { request_id: context.request_id, deadline };
        let report = handle(&payload, services, settings, &invocation).await;
        telemetry::write(&telemetry::lines(&report, &invocation.request_id, settings, SystemTime::now()));
        respond(&report)
    }))
    .await
}

/// Converts a report to a response, or to an error that contains all records so that Lambda retries the event.
fn respond(report: &Report) -> Result<Value, Diagnostic> {
    match report.error_type() {
        None => Ok(report.response()),
        Some(kind) => Err(Diagnostic { error_type: kind.to_owned(), error_message: report.document().to_string() }),
    }
}

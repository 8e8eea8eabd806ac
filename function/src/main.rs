//! The executable that Lambda starts: settings, clients, then one event after another.
//!
//! Invariant: whatever can fail for want of settings fails here, before the first event is asked for.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use function::{Invocation, Report, Services, Settings, handle, telemetry};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// musl's own allocator asks the kernel for most of what a start needs page by page, which is slow. benches/README.md has the figures.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// What an invocation is given where the caller sets no deadline, as some emulators do.
const UNSTATED: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let (reason, api) = match prepare() {
        Ok((runtime, settings, services)) => match runtime.block_on(serve(&settings, &services)) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => (format!("the runtime ended: {error}"), None),
        },
        Err(error) => (format!("cannot start: {error}"), std::env::var("AWS_LAMBDA_RUNTIME_API").ok()),
    };
    telemetry::write(&telemetry::end(&reason, SystemTime::now()));
    if let Some(api) = api {
        // Lambda may be deaf; the log has it in any case.
        let _ = refuse(&api, &reason);
    }
    ExitCode::FAILURE
}

/// Everything that can fail for want of settings.
fn prepare() -> Result<(Runtime, Settings, Services), Error> {
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    function::install_diagnostics(&settings.log_filter);
    // Lambda gives the function one event at a time and, at this size, less than one core.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let services = runtime.block_on(Services::connect(&settings))?;
    Ok((runtime, settings, services))
}

/// Tells Lambda why there will be no function, so that the invocation that waits for it fails with the reason.
///
/// `lambda_runtime` begins after this point, so the request (Runtime API, "Initialization error") is written by hand.
fn refuse(api: &str, reason: &str) -> io::Result<()> {
    const KIND: &str = "Runtime.SettingsInvalid";
    let document = json!({ "errorType": KIND, "errorMessage": reason, "stackTrace": [] }).to_string();
    let length = document.len();
    let mut stream = TcpStream::connect(api)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(
        format!(
            "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Lambda-Runtime-Function-Error-Type: {KIND}\r\nContent-Length: {length}\r\n\r\n{document}"
        )
        .as_bytes(),
    )?;
    // Leaving before the answer could cut the request.
    stream.read(&mut [0; 64]).map(drop)
}

async fn serve(settings: &Settings, services: &Services) -> Result<(), Error> {
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

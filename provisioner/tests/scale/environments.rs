//! Execution environments of the function: processes with the real executable, each with its own Runtime API.
//!
//! Invariant: an environment processes one event at a time, has only the variables that Lambda sets, and ends with its
//! handle.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc, oneshot};

/// The function's executable and configuration.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) arn: String,
    /// The time after which an invocation and its environment are stopped.
    pub(crate) timeout: Duration,
}

/// The result of an invocation.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Response,
    Error(Value),
}

/// An execution environment, free or busy.
#[derive(Debug)]
pub(crate) struct Environment {
    child: Child,
    work: mpsc::Sender<Work>,
    alive: bool,
}

#[derive(Debug)]
struct Work {
    id: String,
    event: String,
    deadline: SystemTime,
    answer: oneshot::Sender<Said>,
}

impl Environment {
    pub(crate) async fn start(program: &Program) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (work, queue) = mpsc::channel(1);
        let api = Arc::new(Api { queue: Mutex::new(queue), answer: Mutex::new(None), arn: program.arn.clone() });
        tokio::spawn(listen(listener, api));
        Self { child: spawn(program, address), work, alive: true }
    }

    /// Lets the environment process an event, and stops it at the deadline, as Lambda does.
    pub(crate) async fn invoke(&mut self, id: &str, event: &str, timeout: Duration) -> Said {
        let (answer, said) = oneshot::channel();
        let work = Work { id: id.to_owned(), event: event.to_owned(), deadline: SystemTime::now() + timeout, answer };
        self.work.send(work).await.expect("the Runtime API runs as long as its environment");
        let (kind, words) = tokio::select! {
            Ok(said) = said => return said,
            () = tokio::time::sleep(timeout) => {
                self.child.start_kill().expect("the process can be stopped");
                ("Sandbox.Timedout", format!("Task timed out after {} seconds", timeout.as_secs()))
            }
            ended = self.child.wait() => ("Runtime.ExitError", format!("Runtime exited: {ended:?}")),
        };
        self.alive = false;
        Said::Error(json!({ "errorType": kind, "errorMessage": words }))
    }

    /// Whether the environment can process another event.
    pub(crate) fn is_alive(&self) -> bool {
        self.alive
    }
}

fn spawn(program: &Program, api: SocketAddr) -> Child {
    Command::new(&program.path)
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", api.to_string())
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "group")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
        .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
        .envs(program.variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", program.path.display()))
}

/// Lambda's side of the Runtime API.
struct Api {
    queue: Mutex<mpsc::Receiver<Work>>,
    answer: Mutex<Option<oneshot::Sender<Said>>>,
    arn: String,
}

/// Serves the one connection that the function opens, until the process ends with its handle.
async fn listen(listener: TcpListener, api: Arc<Api>) {
    let (stream, _) = listener.accept().await.expect("a connection");
    drop(listener);
    let service = service_fn(|request| answer(Arc::clone(&api), request));
    // The connection breaks when the process is stopped.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(api: Arc<Api>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let reply = Response::builder();
    Ok(match head.uri.path().rsplit('/').next() {
        Some("next") => {
            let Some(work) = api.queue.lock().await.recv().await else {
                // The handle was dropped, so the process is about to end.
                return Ok(reply.status(410).body(Full::default()).expect("a plain reply"));
            };
            *api.answer.lock().await = Some(work.answer);
            let deadline = work.deadline.duration_since(UNIX_EPOCH).expect("a time after 1970").as_millis();
            reply
                .header("content-type", "application/json")
                .header("lambda-runtime-aws-request-id", work.id)
                .header("lambda-runtime-deadline-ms", deadline.to_string())
                .header("lambda-runtime-invoked-function-arn", &api.arn)
                .body(Full::from(work.event))
                .expect("a plain reply")
        }
        kind => {
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let said = match kind {
                Some("response") => Said::Response,
                _ => Said::Error(serde_json::from_slice(&body).unwrap_or_default()),
            };
            if let Some(answer) = api.answer.lock().await.take() {
                // After the time-out, nobody receives the answer.
                let _ = answer.send(said);
            }
            reply.status(202).body(Full::from(r#"{"status":"OK"}"#)).expect("a plain reply")
        }
    })
}

//! A Runtime API server, and the executable that connects to it.
//!
//! Invariant: the executable sees only the environment that it is given.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};

use super::{http, read};

/// A message from the executable to Lambda.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It requested the next event.
    Polled,
    /// It handled an event, with this response.
    Response(String),
    /// It failed to handle an event, with this error.
    Error(String),
    /// It failed to start, with this error.
    InitError(String),
}

pub(crate) struct RuntimeApi {
    address: SocketAddr,
    events: mpsc::UnboundedSender<String>,
    said: mpsc::UnboundedReceiver<(Instant, Said)>,
}

impl RuntimeApi {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (events, queue) = mpsc::unbounded_channel();
        let (tell, said) = mpsc::unbounded_channel();
        let queue = Arc::new(Mutex::new(queue));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let (queue, tell) = (Arc::clone(&queue), tell.clone());
                tokio::spawn(async move { serve(BufReader::new(stream), &queue, &tell).await });
            }
        });
        Self { address, events, said }
    }

    /// Queues an event, which can be any text.
    pub(crate) fn send(&self, event: impl Into<String>) {
        self.events.send(event.into()).unwrap();
    }

    /// Waits for the next message. Returns it with its time.
    pub(crate) async fn hear(&mut self) -> (Instant, Said) {
        // Long enough for the slowest machine. It only ends a test that has already failed.
        tokio::time::timeout(Duration::from_mins(1), self.said.recv()).await.expect("no message").unwrap()
    }

    /// Waits for the result of an event, which the executable requests first.
    pub(crate) async fn answer(&mut self) -> Said {
        loop {
            let (_, said) = self.hear().await;
            if said != Said::Polled {
                return said;
            }
        }
    }

    /// Whether no message is waiting.
    pub(crate) fn silent(&mut self) -> bool {
        self.said.try_recv().is_err()
    }

    /// Starts `program` as Lambda does, with `environment` in addition to Lambda's own variables.
    pub(crate) fn run(&self, program: &Path, arguments: &[&str], environment: &[(&str, String)]) -> Running {
        let lambda = [
            ("AWS_LAMBDA_RUNTIME_API", self.address.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", "faces".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "group".to_owned()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "stream".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ];
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(lambda)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", program.display()));
        Running(Some(child))
    }
}

/// A running executable, which is killed when its test ends.
pub(crate) struct Running(Option<Child>);

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.0.as_ref().expect("it is running").id()
    }

    /// Waits until it exits and returns its output.
    pub(crate) async fn output(mut self) -> Output {
        let child = self.0.take().expect("it is running");
        tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill().and_then(|()| child.wait());
        }
    }
}

async fn serve(
    mut stream: BufReader<TcpStream>,
    queue: &Mutex<mpsc::UnboundedReceiver<String>>,
    tell: &mpsc::UnboundedSender<(Instant, Said)>,
) {
    while let Some((line, _, body)) = read(&mut stream).await {
        let path = line.split(' ').nth(1).unwrap_or_default();
        let body = String::from_utf8_lossy(&body).into_owned();
        let said = match path.rsplit('/').next() {
            Some("next") => Said::Polled,
            Some("response") => Said::Response(body),
            Some("error") if path.ends_with("init/error") => Said::InitError(body),
            _ => Said::Error(body),
        };
        let polled = said == Said::Polled;
        let _ = tell.send((Instant::now(), said));
        let reply = if polled {
            let Some(event) = queue.lock().await.recv().await else { return };
            let deadline = SystemTime::now() + Duration::from_secs(30);
            let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
            let headers = format!(
                "Content-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: 8476a536\r\n\
                 Lambda-Runtime-Deadline-Ms: {deadline}\r\n\
                 Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:000000000000:function:faces\r\n"
            );
            http(200, &headers, &event)
        } else {
            http(202, "Content-Type: application/json\r\n", r#"{"status":"OK"}"#)
        };
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

//! A small cloud on 127.0.0.1 with scripted faults: S3, Rekognition, and DynamoDB behind one HTTP server.
//!
//! Invariant: without a script it behaves like AWS, as far as the function can tell.
#![allow(dead_code, reason = "each test file uses a different part")]

pub(crate) mod model;
pub(crate) mod runtime_api;
pub(crate) mod sources;
pub(crate) mod tables;
pub(crate) mod tls;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use function::settings::{Endpoints, Patience};
use function::{Invocation, Report, Services, Settings};
use serde_json::{Value, json};
use tables::Tables;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio_rustls::TlsAcceptor;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    S3,
    Rekognition,
    DynamoDb,
}

pub(crate) const SERVICES: [Service; 3] = [Service::S3, Service::Rekognition, Service::DynamoDb];

/// How the server treats one request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Serves the request.
    Serve,
    /// Replies with an error in AWS's format, with this status and code.
    Error(u16, &'static str),
    /// Replies with an error in the format of S3, with this status, code, and message.
    S3Error(u16, &'static str, &'static str),
    /// Replies with this status and body.
    Status(u16, Value),
    /// Cancels the transaction for this reason.
    Canceled(&'static str),
    /// Closes the connection without a reply.
    Cut,
    /// Sends part of the reply, then closes the connection.
    Half,
    /// Sends part of the reply, then stalls.
    Stall,
    /// Never replies.
    Hang,
    /// Replies with data that is not HTTP.
    NotHttp,
    /// Replies with status 200 and this body.
    Body(&'static str),
    /// Replies with status 200 and this body, composed by the test.
    Text(String),
    /// Replies with status 200 and this JSON body.
    Json(Value),
    /// Replaces the object, then serves the request.
    Overwrite(&'static str),
    /// Deletes the object, then serves the request.
    Delete,
    /// Serves the request, but closes the connection instead of replying.
    ServeThenCut,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) next: BTreeMap<Service, VecDeque<Act>>,
    pub(crate) always: BTreeMap<Service, Act>,
    pub(crate) calls: Vec<(Service, String, Value)>,
    pub(crate) tables: Tables,
    pub(crate) etag: Option<&'static str>,
    pub(crate) version: Option<&'static str>,
    pub(crate) size: u64,
    pub(crate) kms_key: Option<&'static str>,
    pub(crate) faces: Value,
    /// The number of connections opened, including TLS connections.
    pub(crate) connections: usize,
}

/// Serves requests one at a time, with permission.
#[derive(Debug)]
pub(crate) struct Gate {
    /// One permit per request that may be served.
    pub(crate) go: Semaphore,
    /// Notified after each reply.
    pub(crate) served: Notify,
    /// Whether the next reply is lost.
    pub(crate) lose_reply: AtomicBool,
}

impl Gate {
    pub(crate) fn closed() -> Self {
        Self { go: Semaphore::new(0), served: Notify::new(), lose_reply: AtomicBool::new(false) }
    }
}

#[derive(Debug)]
pub(crate) struct Cloud {
    state: Arc<Mutex<State>>,
    pub(crate) settings: Settings,
    pub(crate) services: Services,
}

impl State {
    fn new() -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            next: BTreeMap::new(),
            always: BTreeMap::new(),
            calls: Vec::new(),
            tables: Tables::default(),
            etag: Some("first"),
            version: None,
            size: 5000,
            kms_key: None,
            faces: json!([face(0.5, "HAPPY")]),
            connections: 0,
        }))
    }
}

pub(crate) fn face(width: f64, emotion: &str) -> Value {
    json!({
        "BoundingBox": { "Left": 0.25, "Top": 0.25, "Width": width, "Height": 0.5 },
        "AgeRange": { "Low": 26, "High": 43 },
        "Emotions": [{ "Type": "CALM", "Confidence": 0.5 }, { "Type": emotion, "Confidence": 99.5 }],
        "Confidence": 99.75,
    })
}

impl Cloud {
    pub(crate) async fn start() -> Self {
        Self::new(State::new(), None, None, |_| ()).await
    }

    /// Starts a cloud with a picture table.
    pub(crate) async fn with_pictures() -> Self {
        Self::new(State::new(), None, None, |settings| settings.picture_table = Some(tables::PICTURES.to_owned())).await
    }

    /// Starts a cloud with TLS and one port per service.
    pub(crate) async fn over_tls() -> Self {
        Self::new(State::new(), None, Some(tls::acceptor()), |_| ()).await
    }

    /// Creates clients of the same cloud whose requests wait for the gate. The clients send one request at a time.
    pub(crate) async fn gated(&self, gate: &Arc<Gate>) -> Self {
        Self::new(Arc::clone(&self.state), Some(Arc::clone(gate)), None, |_| ()).await
    }

    /// Starts a cloud whose clients hardly pause between attempts.
    pub(crate) async fn hasty() -> Self {
        let hasten = |settings: &mut Settings| {
            settings.patience.throttled_pause = Duration::from_millis(1);
            settings.patience.max_pause = Duration::from_millis(1);
            settings.patience.reply = Duration::from_secs(20);
            settings.patience.detect = Duration::from_secs(20);
        };
        Self::new(State::new(), None, None, hasten).await
    }

    async fn new(
        state: Arc<Mutex<State>>,
        gate: Option<Arc<Gate>>,
        tls: Option<TlsAcceptor>,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let mut settings = self::settings();
        let listen = async || Some(listen(Arc::clone(&state), gate.clone(), tls.clone()).await);
        settings.endpoints = if tls.is_some() {
            Endpoints { s3: listen().await, rekognition: listen().await, dynamodb: listen().await }
        } else {
            let url = listen().await;
            Endpoints { s3: url.clone(), rekognition: url.clone(), dynamodb: url }
        };
        settings.ca_bundle = tls.is_some().then(tls::bundle);
        settings.patience = Patience {
            ahead: Duration::from_secs(20),
            connect: Duration::from_millis(500),
            reply: Duration::from_millis(500),
            detect: Duration::from_millis(500),
            throttled_pause: Duration::from_millis(50),
            max_pause: Duration::from_millis(200),
            margin: Duration::from_millis(500),
        };
        if gate.is_some() {
            // A request must not time out while its gate is closed.
            settings.patience.reply = Duration::from_secs(20);
            settings.patience.detect = Duration::from_secs(20);
        }
        change(&mut settings);
        let services = Services::new(&settings).unwrap();
        Self { state, settings, services }
    }

    /// The environment variables that connect an executable to this cloud.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let endpoints = self.settings.endpoints.clone();
        let bundle = self.settings.ca_bundle.as_ref().map(|path| path.display().to_string());
        let all = [
            ("TABLE_NAME", Some(self.settings.table.clone())),
            ("PICTURE_TABLE_NAME", self.settings.picture_table.clone()),
            ("BUCKET_NAME", self.settings.bucket.clone()),
            ("AWS_ENDPOINT_URL_S3", endpoints.s3),
            ("AWS_ENDPOINT_URL_REKOGNITION", endpoints.rekognition),
            ("AWS_ENDPOINT_URL_DYNAMODB", endpoints.dynamodb),
            ("AWS_CA_BUNDLE", bundle),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Clears scripts, recorded requests, and tables. The object and its faces stay.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        state.next.clear();
        state.calls.clear();
        state.tables = Tables::default();
    }

    /// Applies `acts` to the next requests to `service`, one each.
    pub(crate) fn next(&self, service: Service, acts: impl IntoIterator<Item = Act>) -> &Self {
        self.state().next.entry(service).or_default().extend(acts);
        self
    }

    /// Applies `act` to every request to `service`.
    pub(crate) fn always(&self, service: Service, act: Act) -> &Self {
        self.state().always.insert(service, act);
        self
    }

    /// The number of requests to `service`.
    pub(crate) fn calls(&self, service: Service) -> usize {
        self.state().calls.iter().filter(|(called, ..)| *called == service).count()
    }

    pub(crate) async fn handle(&self, event: &Value, time: Duration) -> Report {
        let invocation = Invocation { request_id: "request".to_owned(), deadline: SystemTime::now() + time };
        function::handle(event, &self.services, &self.settings, &invocation).await
    }

    /// Handles one record for `a b+ü.jpg` with its first entity tag and more than enough time.
    pub(crate) async fn upload(&self) -> Report {
        self.handle(&event(&[record("a+b%2B%C3%BC.jpg")]), Duration::from_secs(30)).await
    }
}

pub(crate) fn record(key: &str) -> Value {
    json!({
        "eventVersion": "2.1", "awsRegion": "eu-west-1", "eventName": "ObjectCreated:Put",
        "eventTime": "2026-11-23T10:20:30.456Z",
        "s3": { "bucket": { "name": "pictures" }, "object": { "key": key, "size": 5000, "eTag": "first" } },
    })
}

pub(crate) fn event(records: &[Value]) -> Value {
    json!({ "Records": records })
}

/// The settings that every test begins with.
pub(crate) fn settings() -> Settings {
    let settings = Settings::read(|name| match name {
        "TABLE_NAME" => Some("FaceData".to_owned()),
        "AWS_REGION" => Some("eu-west-1".to_owned()),
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("test".to_owned()),
        "AWS_LAMBDA_FUNCTION_NAME" => Some("faces".to_owned()),
        "AWS_LAMBDA_FUNCTION_VERSION" => Some("1".to_owned()),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE" => Some("512".to_owned()),
        "BUCKET_NAME" => Some("pictures".to_owned()),
        _ => None,
    });
    settings.unwrap()
}

/// Opens a port and returns its URL.
async fn listen(state: Arc<Mutex<State>>, gate: Option<Arc<Gate>>, tls: Option<TlsAcceptor>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let (state, gate, tls) = (Arc::clone(&state), gate.clone(), tls.clone());
            tokio::spawn(async move {
                let Some(tls) = tls else {
                    state.lock().unwrap().connections += 1;
                    return serve(BufReader::new(stream), &state, gate.as_deref()).await;
                };
                if let Ok(stream) = tls.accept(stream).await {
                    state.lock().unwrap().connections += 1;
                    serve(BufReader::new(stream), &state, None).await;
                }
            });
        }
    });
    url
}

async fn serve(mut stream: BufReader<impl AsyncRead + AsyncWrite + Unpin>, state: &Mutex<State>, gate: Option<&Gate>) {
    while let Some((line, headers, body)) = read(&mut stream).await {
        if let Some(gate) = gate {
            gate.go.acquire().await.unwrap().forget();
        }
        let header = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let (service, operation) = match header("x-amz-target") {
            None => (Service::S3, line.clone()),
            Some(target) if target.starts_with("Rekognition") => (Service::Rekognition, target.to_owned()),
            Some(target) => (Service::DynamoDb, target.to_owned()),
        };
        let json: Value = serde_json::from_slice(&body).unwrap_or_default();
        let act = {
            let mut state = state.lock().unwrap();
            state.calls.push((service, operation.clone(), json.clone()));
            let next = state.next.get_mut(&service).and_then(VecDeque::pop_front);
            next.or_else(|| state.always.get(&service).cloned())
        };
        let usual = |state: &mut State| reply(state, service, &operation, header("if-match"), &json);
        let whole = match act.clone() {
            None | Some(Act::Serve | Act::Half | Act::Stall | Act::ServeThenCut) => usual(&mut state.lock().unwrap()),
            Some(Act::Overwrite(etag)) => {
                let mut state = state.lock().unwrap();
                state.etag = Some(etag);
                usual(&mut state)
            }
            Some(Act::Delete) => {
                let mut state = state.lock().unwrap();
                state.etag = None;
                usual(&mut state)
            }
            Some(Act::Error(status, _)) if service == Service::S3 => http(status, "", ""),
            Some(Act::Error(status, code)) => {
                http(status, "", &json!({ "__type": format!("aws#{code}"), "message": "details" }).to_string())
            }
            Some(Act::S3Error(status, code, message)) => {
                http(status, "", &format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
            }
            Some(Act::Status(status, body)) => http(status, "", &body.to_string()),
            Some(Act::Canceled(reason)) => {
                let reasons = json!([{ "Code": "None" }, { "Code": reason, "Message": "details" }]);
                let error = json!({ "__type": "aws#TransactionCanceledException", "CancellationReasons": reasons });
                http(400, "", &error.to_string())
            }
            Some(Act::NotHttp) => "What is this?\r\n\r\n".to_owned(),
            Some(Act::Body(body)) => http(200, "", body),
            Some(Act::Text(body)) => http(200, "", &body),
            Some(Act::Json(body)) => http(200, "", &body.to_string()),
            Some(Act::Cut) => return,
            Some(Act::Hang) => return std::future::pending().await,
        };
        let sent = match act {
            Some(Act::Half | Act::Stall) => &whole.as_bytes()[..whole.len() - 3],
            Some(Act::ServeThenCut) => return,
            _ => whole.as_bytes(),
        };
        let failed = stream.write_all(sent).await.is_err() || stream.flush().await.is_err();
        if let Some(gate) = gate {
            gate.served.notify_one();
        }
        if failed || matches!(act, Some(Act::Half)) {
            return;
        }
        if matches!(act, Some(Act::Stall)) {
            return std::future::pending().await;
        }
    }
}

async fn read(stream: &mut BufReader<impl AsyncRead + Unpin>) -> Option<(String, Vec<(String, String)>, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        // Zero bytes mean that the client has closed the connection.
        stream.read_line(&mut head).await.ok().filter(|&read| read > 0)?;
    }
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let headers: Vec<_> = lines.filter_map(header).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some((line, headers, body))
}

fn reply(state: &mut State, service: Service, operation: &str, condition: Option<&str>, body: &Value) -> String {
    match service {
        Service::S3 => match (state.etag, condition) {
            (None, _) => http(404, "", ""),
            (Some(etag), Some(expected)) if expected != format!("\"{etag}\"") => http(412, "", ""),
            (Some(etag), _) => {
                let version =
                    state.version.map(|version| format!("x-amz-version-id: {version}\r\n")).unwrap_or_default();
                let kms_key =
                    state.kms_key.map(|key| format!("x-amz-server-side-encryption-aws-kms-key-id: {key}\r\n"));
                let headers = format!("ETag: \"{etag}\"\r\n{version}{}", kms_key.unwrap_or_default());
                if operation.starts_with("HEAD") {
                    let size = state.size;
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n{headers}\r\n")
                } else {
                    http(200, &headers, "x")
                }
            }
        },
        Service::Rekognition => {
            // Change the order each time, because AWS promises none.
            if let Some(faces) = state.faces.as_array_mut().filter(|faces| !faces.is_empty()) {
                faces.rotate_left(1);
            }
            http(200, "", &json!({ "FaceDetails": state.faces }).to_string())
        }
        Service::DynamoDb => {
            let (status, reply) = state.tables.serve(operation, body);
            http(status, "", &reply.to_string())
        }
    }
}

fn http(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} Status\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

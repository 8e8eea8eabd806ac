//! A small cloud on 127.0.0.1 that misbehaves as scripted: S3, Rekognition and the table behind one HTTP server.
//!
//! Invariant: what is not scripted behaves as AWS does, as far as the function can tell.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use function::settings::{Endpoints, Patience};
use function::{Invocation, Report, Services, Settings};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    S3,
    Rekognition,
    DynamoDb,
}

pub(crate) const SERVICES: [Service; 3] = [Service::S3, Service::Rekognition, Service::DynamoDb];

/// What the server does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// An error as AWS sends it: status and code.
    Error(u16, &'static str),
    /// Any status with any body.
    Status(u16, Value),
    /// A transaction cancelled for this reason.
    Cancelled(&'static str),
    /// Closes the connection without a reply.
    Cut,
    /// Sends a part of the reply, then closes the connection.
    Half,
    /// Sends a part of the reply, then nothing more.
    Stall,
    /// Never replies.
    Hang,
    /// Replies with something that is not HTTP.
    NotHttp,
    /// Replies 200 with this body.
    Body(&'static str),
    /// Replies 200 with a body that was put together by the test.
    Json(Value),
    /// Someone uploads other bytes before the request is served as usual.
    Overwrite(&'static str),
    /// Someone deletes the object before the request is served as usual.
    Delete,
    /// Serves the request but closes the connection instead of saying so.
    ServeThenCut,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) next: BTreeMap<Service, VecDeque<Act>>,
    pub(crate) always: BTreeMap<Service, Act>,
    pub(crate) calls: Vec<(Service, String, Value)>,
    pub(crate) rows: BTreeMap<String, Value>,
    pub(crate) etag: Option<&'static str>,
    pub(crate) version: Option<&'static str>,
    pub(crate) size: u64,
    pub(crate) faces: Value,
}

pub(crate) struct Cloud {
    state: Arc<Mutex<State>>,
    pub(crate) settings: Settings,
    services: Services,
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
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            next: BTreeMap::new(),
            always: BTreeMap::new(),
            calls: Vec::new(),
            rows: BTreeMap::new(),
            etag: Some("first"),
            version: None,
            size: 5000,
            faces: json!([face(0.5, "HAPPY")]),
        }));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move { serve(BufReader::new(stream), &state).await });
            }
        });
        let mut settings = Settings::read(|name| match name {
            "TABLE_NAME" => Some("FaceData".to_owned()),
            "AWS_REGION" => Some("eu-west-1".to_owned()),
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("test".to_owned()),
            _ => None,
        })
        .unwrap();
        settings.endpoints = Endpoints { s3: Some(url.clone()), rekognition: Some(url.clone()), dynamodb: Some(url) };
        settings.patience = Patience {
            connect: Duration::from_millis(500),
            reply: Duration::from_millis(500),
            detect: Duration::from_millis(500),
            throttled_pause: Duration::from_millis(50),
            max_pause: Duration::from_millis(200),
            margin: Duration::from_millis(500),
        };
        let services = Services::new(&settings).unwrap();
        Self { state, settings, services }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The next requests to `service` meet `acts`, one each.
    pub(crate) fn next(&self, service: Service, acts: impl IntoIterator<Item = Act>) -> &Self {
        self.state().next.entry(service).or_default().extend(acts);
        self
    }

    /// Every request to `service` meets `act`.
    pub(crate) fn always(&self, service: Service, act: Act) -> &Self {
        self.state().always.insert(service, act);
        self
    }

    /// How many requests `service` has got.
    pub(crate) fn calls(&self, service: Service) -> usize {
        self.state().calls.iter().filter(|(called, ..)| *called == service).count()
    }

    pub(crate) async fn handle(&self, event: &Value, time: Duration) -> Report {
        let invocation = Invocation { request_id: "request".to_owned(), deadline: SystemTime::now() + time };
        function::handle(event, &self.services, &self.settings, &invocation).await
    }

    /// Handles one record for `a b+ü.jpg` as the bucket holds it at first, with time in plenty.
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

async fn serve(mut stream: BufReader<TcpStream>, state: &Mutex<State>) {
    while let Some((line, headers, body)) = read(&mut stream).await {
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
            None | Some(Act::Half | Act::Stall | Act::ServeThenCut) => usual(&mut state.lock().unwrap()),
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
                http(status, "", &json!({ "__type": format!("aws#{code}"), "message": "words" }).to_string())
            }
            Some(Act::Status(status, body)) => http(status, "", &body.to_string()),
            Some(Act::Cancelled(reason)) => {
                let reasons = json!([{ "Code": "None" }, { "Code": reason, "Message": "words" }]);
                let error = json!({ "__type": "aws#TransactionCanceledException", "CancellationReasons": reasons });
                http(400, "", &error.to_string())
            }
            Some(Act::NotHttp) => "What is this?\r\n\r\n".to_owned(),
            Some(Act::Body(body)) => http(200, "", body),
            Some(Act::Json(body)) => http(200, "", &body.to_string()),
            Some(Act::Cut) => return,
            Some(Act::Hang) => return std::future::pending().await,
        };
        let sent = match act {
            Some(Act::Half | Act::Stall) => &whole.as_bytes()[..whole.len() - 3],
            Some(Act::ServeThenCut) => return,
            _ => whole.as_bytes(),
        };
        if stream.write_all(sent).await.is_err() || matches!(act, Some(Act::Half)) {
            return;
        }
        if matches!(act, Some(Act::Stall)) {
            return std::future::pending().await;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<(String, String)>, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
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
                let size = state.size;
                format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nETag: \"{etag}\"\r\n{version}\r\n")
            }
        },
        Service::Rekognition => http(200, "", &json!({ "FaceDetails": state.faces }).to_string()),
        Service::DynamoDb => {
            let items: Vec<_> = if operation.ends_with("PutItem") {
                vec![body["Item"].clone()]
            } else {
                let puts = body["TransactItems"].as_array().unwrap();
                puts.iter().map(|put| put["Put"]["Item"].clone()).collect()
            };
            for item in items {
                state.rows.insert(item["FaceID"]["S"].as_str().unwrap().to_owned(), item);
            }
            http(200, "", "{}")
        }
    }
}

fn http(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} Status\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

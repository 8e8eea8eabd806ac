//! A proxy in front of the local cloud. It forwards requests and implements S3's notification and Lambda's `Invoke`.
//!
//! Invariant: an event is accepted before the reply to the request that caused it, so that after the last reply there
//! are no further events.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, server};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::lambda::Lambda;
use crate::support::forward::hand_on;

/// The servers that requests are forwarded to.
#[derive(Clone, Debug)]
pub(crate) struct Behind {
    /// Host and port of the emulator.
    pub(crate) emulator: String,
    /// Host and port of Rekognition.
    pub(crate) rekognition: String,
    pub(crate) region: String,
    pub(crate) bucket: String,
}

/// The proxy, which runs as long as the test's runtime.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) url: String,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    behind: Behind,
    lambda: Lambda,
    uploads: AtomicU64,
    detected: AtomicU64,
    throttled: AtomicU64,
}

impl Front {
    pub(crate) fn start(listener: TcpListener, behind: Behind, lambda: Lambda) -> Self {
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let [uploads, detected, throttled] = [const { AtomicU64::new(0) }; 3];
        let state = Arc::new(State { behind, lambda, uploads, detected, throttled });
        let serving = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&serving);
                tokio::spawn(async move {
                    let service = service_fn(|request| answer(Arc::clone(&state), request));
                    // A broken connection is an error of the client, which reports it.
                    let _ = server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { url, state }
    }

    /// The numbers of successful and throttled `DetectFaces` requests since the last call.
    pub(crate) fn take_counts(&self) -> (u64, u64) {
        (self.state.detected.swap(0, Ordering::Relaxed), self.state.throttled.swap(0, Ordering::Relaxed))
    }
}

type Reply = Response<Full<Bytes>>;

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Reply, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        return Ok(plain(StatusCode::BAD_REQUEST));
    };
    if header(&head.headers, "x-amz-invocation-type") == Some("Event") {
        state.lambda.take(serde_json::from_slice(&body).expect("`redrive` sends JSON"));
        return Ok(plain(StatusCode::ACCEPTED));
    }
    let detects = header(&head.headers, "x-amz-target") == Some("RekognitionService.DetectFaces");
    let behind = if detects { &state.behind.rekognition } else { &state.behind.emulator };
    let size = body.len();
    let Ok(reply) = hand_on(behind, head.clone(), body).await else {
        // Every SDK retries after this error.
        return Ok(plain(StatusCode::BAD_GATEWAY));
    };
    if detects {
        match header(reply.headers(), "x-amzn-errortype") {
            None => state.detected.fetch_add(1, Ordering::Relaxed),
            Some("ProvisionedThroughputExceededException") => state.throttled.fetch_add(1, Ordering::Relaxed),
            Some(other) => panic!("unexpected error {other} from Rekognition"),
        };
    }
    if let Some(event) = notification(&state, &head, size, &reply) {
        state.lambda.take(event);
    }
    Ok(reply)
}

fn plain(status: StatusCode) -> Reply {
    let mut reply = Reply::default();
    *reply.status_mut() = status;
    reply
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// S3's notification of an upload to the bucket.
fn notification(state: &State, head: &Parts, size: usize, reply: &Reply) -> Option<Value> {
    let Behind { bucket, region, .. } = &state.behind;
    let path = head.uri.path().strip_prefix(&format!("/{bucket}/"))?;
    if head.method != Method::PUT || !reply.status().is_success() {
        return None;
    }
    // S3 form-encodes keys in events; the encoding of the path differs only for spaces.
    let key = path.replace("%20", "+");
    let tag = header(reply.headers(), "etag").expect("an entity tag").trim_matches('"');
    let number = state.uploads.fetch_add(1, Ordering::Relaxed);
    let time = DateTime::from(SystemTime::now()).fmt(Format::DateTime).expect("a time of this century");
    Some(json!({ "Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventTime": time,
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "uploads",
            "bucket": { "name": bucket, "arn": format!("arn:aws:s3:::{bucket}") },
            "object": { "key": key, "size": size, "eTag": tag, "sequencer": format!("{number:016X}") },
        },
    }] }))
}

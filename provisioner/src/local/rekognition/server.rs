//! Implements Rekognition's protocol, JSON 1.1 over HTTP.
//!
//! Invariant: every request gets a reply in AWS's format, even if its handler panics.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::error::ApiError;
use super::faces::Face;
use super::fetch::{Fetch, FetchError};
use super::picture::Picture;
use super::request::{DetectFaces, Image, MAX_REQUEST_BYTES, check_headers};
use super::throttle::Throttle;
use super::{faces, reply};

/// The path of the health check; the real service does not have it.
pub(super) const HEALTH: &str = "/health";
const AFTER_REFUSAL: Duration = Duration::from_millis(20);

/// The options of the server.
#[derive(Debug, Clone, Default)]
pub struct ServeOptions {
    /// The quota; further requests get `ProvisionedThroughputExceededException`. `None` for no quota.
    pub max_requests_per_second: Option<u32>,
    /// Maximum number of pictures processed at the same time; the others wait. `None` for the number of processors.
    pub concurrency: Option<NonZeroUsize>,
}

/// Answers requests on `listener` until `shutdown` completes; requests in progress are then dropped.
pub async fn serve<F: Fetch>(
    listener: TcpListener,
    fetch: F,
    options: ServeOptions,
    shutdown: impl Future<Output = ()> + Send,
) {
    let server = Arc::new(Server::new(fetch, &options));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    // The client gave up, or there are too many connections at once: the next moment may be better.
                    tokio::time::sleep(AFTER_REFUSAL).await;
                    continue;
                };
                let server = Arc::clone(&server);
                connections.spawn(async move {
                    let service = service_fn(|request| answer(Arc::clone(&server), request));
                    // A connection that breaks concerns nobody but its client.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        }
    }
}

struct Server<F> {
    fetch: F,
    throttle: Option<Throttle>,
    workers: Arc<Semaphore>,
    requests: AtomicU64,
    found: Arc<Mutex<Found>>,
}

/// The faces in the last pictures, by the SHA-256 of the bytes. A client that did not wait for the result of a large
/// picture asks again, and then gets it at once; otherwise many large pictures at a time would never be finished.
type Found = HashMap<Vec<u8>, Vec<Face>>;

/// A picture's entry has at most a few kilobytes.
const MAX_FOUND: usize = 1_000;

fn find_once(found: &Mutex<Found>, picture: &[u8]) -> Result<Vec<Face>, ApiError> {
    let hash = Sha256::digest(picture).to_vec();
    // A panic of the decoder does not happen while the map is locked.
    if let Some(faces) = found.lock().unwrap_or_else(PoisonError::into_inner).get(&hash) {
        return Ok(faces.clone());
    }
    let faces = faces::find(&Picture::decode(picture)?.grey);
    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
    if found.len() >= MAX_FOUND {
        found.clear();
    }
    found.insert(hash, faces.clone());
    Ok(faces)
}

impl<F: Fetch> Server<F> {
    fn new(fetch: F, options: &ServeOptions) -> Self {
        let processors = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self {
            fetch,
            throttle: options.max_requests_per_second.map(|limit| Throttle::new(limit, Instant::now())),
            workers: Arc::new(Semaphore::new(options.concurrency.unwrap_or_else(processors).get())),
            requests: AtomicU64::new(0),
            found: Arc::default(),
        }
    }

    async fn detect_faces(&self, request: Request<Incoming>) -> Result<Value, ApiError> {
        let (head, body) = request.into_parts();
        check_headers(&head.headers)?;
        let body = Limited::new(body, MAX_REQUEST_BYTES).collect().await.map_err(|error| {
            match error.downcast_ref::<LengthLimitError>() {
                Some(_) => ApiError::request_too_long(),
                None => ApiError::serialization(),
            }
        })?;
        let request = DetectFaces::parse(&body.to_bytes())?;
        if self.throttle.as_ref().is_some_and(|throttle| !throttle.admits(Instant::now())) {
            return Err(ApiError::over_quota());
        }
        // Held from here on, so that waiting requests hold no picture in memory.
        let permit = Arc::clone(&self.workers).acquire_owned().await.map_err(|_| ApiError::internal())?;
        let picture = match request.image {
            Image::Inline(bytes) => bytes,
            Image::Stored(object) => self.fetch.fetch(object).await.map_err(|error| refusal(&error))?,
        };
        let found = Arc::clone(&self.found);
        // Ends even if the client does not wait for it.
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let faces = find_once(&found, &picture)?;
            Ok(reply::write(&faces, &picture, request.attributes))
        });
        // A decoder or detector that panics over a strange picture is our fault, not the server's end.
        work.await.unwrap_or_else(|_| Err(ApiError::internal()))
    }

    fn request_id(&self) -> String {
        let count = self.requests.fetch_add(1, Ordering::Relaxed);
        let mut hash = Sha256::new();
        hash.update(std::process::id().to_be_bytes());
        hash.update(count.to_be_bytes());
        let digits: Vec<String> = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        [&digits[..4], &digits[4..6], &digits[6..8], &digits[8..10], &digits[10..]].map(<[String]>::concat).join("-")
    }
}

/// The service does not distinguish between a missing object and a forbidden one.
fn refusal(error: &FetchError) -> ApiError {
    match error {
        FetchError::NotFound | FetchError::AccessDenied => ApiError::invalid_s3_object(),
        FetchError::TooLarge => ApiError::image_too_large(),
        FetchError::Other(_) => ApiError::internal(),
    }
}

async fn answer<F: Fetch>(
    server: Arc<Server<F>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let request_id = server.request_id();
    if request.method() == Method::GET && request.uri().path() == HEALTH {
        return Ok(respond(200, None, &request_id, &json!({ "service": "rekognition" })));
    }
    Ok(match server.detect_faces(request).await {
        Ok(reply) => respond(200, None, &request_id, &reply),
        Err(error) => respond(error.status, Some(error.code), &request_id, &error.body(&request_id)),
    })
}

fn respond(status: u16, error: Option<&'static str>, request_id: &str, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amzn-requestid", request_id);
    if let Some(code) = error {
        response = response.header("x-amzn-errortype", code);
    }
    // Every header above is plain ASCII.
    response.body(Full::from(body.to_string())).unwrap_or_default()
}

#[cfg(test)]
mod tests;

//! Tests that a bucket with 100,000 versions is emptied in parallel and that the error names a locked object.
//!
//! A small S3 server in this file implements the four requests that this needs, according to the API reference of S3.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use provisioner::aws::bucket::{self, Bucket};
use provisioner::aws::{Clients, tell_nobody};
use provisioner::core::invocation::Invocation;
use tokio::net::TcpListener;

/// The contents of the S3 server and its behavior.
#[derive(Default)]
struct Store {
    keys: BTreeSet<String>,
    /// The key of an object with an object lock.
    locked: Option<String>,
    /// The key of an object that cannot be deleted at the first attempt.
    slow: Option<String>,
    /// The duration of a request.
    delay: Duration,
    lists: usize,
    deletes: usize,
    side_by_side: usize,
    most_side_by_side: usize,
}

type Shared = Arc<Mutex<Store>>;

fn locked(store: &Shared) -> std::sync::MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(store: Shared) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let service = service_fn(move |request| answer(Arc::clone(&store), request));
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    format!("http://{address}")
}

async fn answer(store: Shared, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let delay = {
        let mut store = locked(&store);
        store.side_by_side += 1;
        store.most_side_by_side = store.most_side_by_side.max(store.side_by_side);
        store.delay
    };
    // S3 needs time for a thousand deletions.
    tokio::time::sleep(if query.contains("delete") { delay * 10 } else { delay }).await;
    let mut store = locked(&store);
    store.side_by_side -= 1;
    let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    let reply = if query.contains("delete") {
        store.deletes += 1;
        delete(&mut store, &String::from_utf8_lossy(&body))
    } else if query.contains("uploads") {
        "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>".to_owned()
    } else {
        store.lists += 1;
        list(&store, parameter("key-marker").unwrap_or_default())
    };
    Ok(Response::new(Full::new(Bytes::from(reply))))
}

fn list(store: &Store, after: &str) -> String {
    let mut text = String::from("<ListVersionsResult>");
    let page: Vec<&String> = store.keys.range(after.to_owned()..).filter(|key| *key != after).take(1_000).collect();
    for key in &page {
        let _ = write!(text, "<Version><Key>{key}</Key><VersionId>v-{key}</VersionId></Version>");
    }
    let last = page.last().map(|key| key.as_str()).unwrap_or_default();
    let truncated = store.keys.range(last.to_owned()..).any(|key| key != last) && !page.is_empty();
    let _ = write!(text, "<IsTruncated>{truncated}</IsTruncated><NextKeyMarker>{last}</NextKeyMarker>");
    text + "<NextVersionIdMarker>v</NextVersionIdMarker></ListVersionsResult>"
}

fn delete(store: &mut Store, body: &str) -> String {
    let mut text = String::from("<DeleteResult>");
    for object in body.split("<Key>").skip(1) {
        let key = object.split("</Key>").next().unwrap_or_default();
        let error = if store.locked.as_deref() == Some(key) {
            Some(("AccessDenied", "Access Denied because object protected by object lock."))
        } else if store.slow.as_deref() == Some(key) {
            store.slow = None;
            Some(("InternalError", "We encountered an internal error. Please try again."))
        } else {
            store.keys.remove(key);
            None
        };
        if let Some((code, message)) = error {
            let version = format!("<VersionId>v-{key}</VersionId>");
            let _ =
                write!(text, "<Error><Key>{key}</Key>{version}<Code>{code}</Code><Message>{message}</Message></Error>");
        }
    }
    text + "</DeleteResult>"
}

async fn empty(store: &Shared) -> (provisioner::error::Result<usize>, Vec<usize>) {
    let clients = Clients::of_local_cloud(&serve(Arc::clone(store)).await, "us-east-1", ("0", "0"), tell_nobody());
    let bucket = Bucket::new("pictures", "000000000000");
    let mut seen = Vec::new();
    let outcome = bucket::empty(&clients.s3, &bucket, "", |removed| seen.push(removed)).await;
    (outcome, seen)
}

fn store(objects: usize) -> Store {
    Store { keys: (0..objects).map(|i| format!("{i:06}")).collect(), ..Store::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_with_a_hundred_thousand_versions_is_emptied() {
    let shared = Arc::new(Mutex::new(Store { delay: Duration::from_millis(40), ..store(100_000) }));
    let (outcome, seen) = empty(&shared).await;
    assert_eq!(outcome.expect("it works"), 100_000);
    let store = locked(&shared);
    assert!(store.keys.is_empty());
    assert_eq!((store.lists, store.deletes), (100, 100), "one request per thousand versions, each sent once");
    assert!(store.most_side_by_side > 2, "delete requests run in parallel");
    assert!(seen.is_sorted() && seen.last() == Some(&100_000), "{} steps", seen.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_s3_temporarily_cannot_delete_are_deleted_later() {
    let shared = Arc::new(Mutex::new(Store { slow: Some("000007".into()), ..store(20) }));
    assert_eq!(empty(&shared).await.0.expect("it works"), 20);
    assert!(locked(&shared).keys.is_empty());
    assert_eq!(locked(&shared).deletes, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_names_a_locked_object() {
    let shared = Arc::new(Mutex::new(Store { locked: Some("000003".into()), ..store(5) }));
    let error = empty(&shared).await.0.expect_err("it is locked");
    assert_eq!(error.message, "`000003` in bucket `pictures` is locked and cannot be deleted until the lock ends");
    assert!(error.hints[0].complete(&Invocation::default()).contains("--version-id v-000003"), "{:?}", error.hints);
    assert_eq!(locked(&shared).keys.len(), 1, "all other objects are deleted");
}

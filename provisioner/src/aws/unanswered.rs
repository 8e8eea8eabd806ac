//! Tells the user which request has had no reply for a while, so that no wait is silent, and refuses replies that are not
//! the service's.
//!
//! Invariant: every request passes here, those for credentials included, because all clients share one HTTP client.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::time::timeout;

use super::foreign::refuse_pages;
use crate::core::unanswered::{Attempt, Unanswered};

/// Receives the requests that have had no reply for a while.
pub type Tell = Arc<dyn Fn(Unanswered) + Send + Sync>;

/// For requests that nobody waits for.
#[must_use]
pub fn tell_nobody() -> Tell {
    Arc::new(|_| ())
}

/// A service that is well replies sooner. Only an upload over a slow line takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client that behaves like `inner` and tells about requests without a reply.
pub(super) fn telling(inner: SharedHttpClient, tell: Tell) -> SharedHttpClient {
    SharedHttpClient::new(Telling { inner, tell: Teller(tell), patience: PATIENCE })
}

#[derive(Clone)]
struct Teller(Tell);

impl std::fmt::Debug for Teller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Teller")
    }
}

#[derive(Debug)]
struct Telling<T> {
    inner: T,
    tell: Teller,
    patience: Duration,
}

impl HttpClient for Telling<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Telling { inner, tell: self.tell.clone(), patience: self.patience })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

impl HttpConnector for Telling<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (unanswered, tell, patience) = (describe(&request), self.tell.clone(), self.patience);
        let reply = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let mut reply = pin!(reply);
            if let Ok(reply) = timeout(patience, &mut reply).await {
                return refuse_pages(reply?);
            }
            (tell.0)(unanswered);
            refuse_pages(reply.await?)
        })
    }
}

fn describe(request: &HttpRequest) -> Unanswered {
    let uri = request.uri();
    let (_, place) = uri.split_once("://").unwrap_or_default();
    let (host, rest) = place.split_once('/').unwrap_or((place, ""));
    let path = rest.split('?').next().unwrap_or_default();
    let operation = named(request, path).unwrap_or_else(|| format!("{} /{path}", request.method()));
    Unanswered {
        host: host.to_owned(),
        operation,
        attempt: request.headers().get("amz-sdk-request").and_then(attempt),
        seconds: PATIENCE.as_secs(),
    }
}

/// The name of the operation, which all protocols contain except those of S3 and Lambda.
fn named(request: &HttpRequest, path: &str) -> Option<String> {
    if let Some(target) = request.headers().get("x-amz-target") {
        return target.rsplit('.').next().map(str::to_owned);
    }
    if let Some((_, operation)) = path.split_once("/operation/") {
        return Some(operation.to_owned());
    }
    if request.headers().get("content-type") != Some("application/x-www-form-urlencoded") {
        return None;
    }
    let form = std::str::from_utf8(request.body().bytes()?).ok()?;
    form.split('&').find_map(|pair| pair.strip_prefix("Action=")).map(str::to_owned)
}

/// For example `attempt=2; max=6`.
fn attempt(header: &str) -> Option<Attempt> {
    let value = |name: &str| {
        let mut pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, _)| *key == name)?.1.parse().ok()
    };
    Some(Attempt { number: value("attempt")?, of: value("max")? })
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Mutex;

    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn request(uri: &str, headers: &[(&'static str, &'static str)], body: &'static str) -> HttpRequest {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("PUT").expect("a method");
        request.set_uri(uri).expect("a URI");
        for (name, value) in headers {
            request.headers_mut().insert(*name, *value);
        }
        request
    }

    #[test]
    fn requests_are_named_as_precisely_as_the_protocol_allows() {
        const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
        for (uri, headers, body, expected) in [
            ("http://a:1/", &[FORM][..], "Action=DescribeStacks&Version=1", "a:1 DescribeStacks None"),
            ("https://b", &[("x-amz-target", "DynamoDB_20120810.Scan")], "{}", "b Scan None"),
            ("https://c/service/S/operation/GetMetricData", &[], "", "c GetMetricData None"),
            ("https://d/bucket/a%20b?x=1", &[], "Action=No", "d PUT /bucket/a%20b None"),
            ("https://e/", &[("amz-sdk-request", "ttl=1; attempt=2; max=6")], "", "e PUT / Some((2, 6))"),
        ] {
            let found = describe(&request(uri, headers, body));
            let attempt = found.attempt.map(|attempt| (attempt.number, attempt.of));
            assert_eq!(format!("{} {} {attempt:?}", found.host, found.operation), expected);
        }
    }

    /// Never replies.
    #[derive(Debug)]
    struct Silent;

    impl HttpConnector for Silent {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            HttpConnectorFuture::new(pending())
        }
    }

    #[tokio::test]
    async fn a_request_without_a_reply_is_told_once() {
        for (patience, expected) in [(Duration::ZERO, 1), (Duration::from_hours(1), 0)] {
            let told = Arc::new(Mutex::new(0));
            let hearing = Arc::clone(&told);
            let tell: Tell = Arc::new(move |_| *hearing.lock().expect("no panic") += 1);
            let connector = Telling { inner: SharedHttpConnector::new(Silent), tell: Teller(tell), patience };
            let mut reply = pin!(connector.call(request("http://a/", &[], "")));
            for _ in 0..3 {
                assert!(timeout(Duration::from_millis(20), &mut reply).await.is_err());
            }
            assert_eq!(*told.lock().expect("no panic"), expected, "after {patience:?}");
        }
    }
}

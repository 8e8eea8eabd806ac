//! The SDK's HTTP client: hyper over rustls with built-in root certificates.
//!
//! Invariant: a request, including its body, ends within its time-out. Building needs no C compiler without `tls-ring`.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::uri::{Scheme, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::CryptoProvider};

use crate::connection::Stream;

/// The maximum size of a response body in bytes. A hundred faces take about a quarter of a megabyte.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// How long an idle connection remains usable. Lambda freezes the function between events, so the function may not
/// notice that a server has closed a connection.
const IDLE: Duration = Duration::from_secs(15);

/// The connection pool that the SDK's clients share.
#[derive(Clone, Debug)]
pub struct Pool {
    client: Client<Dial, Full<Bytes>>,
    dial: Dial,
}

/// Why the pool cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The file does not exist, is not PEM, or contains no root certificate.
    #[error("cannot use the CA bundle `{path}`: {reason}")]
    Bundle {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The cryptography provider does not support TLS.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

impl Pool {
    /// Creates an empty pool that trusts the built-in roots and those in `bundle`.
    pub fn new(connect: Duration, bundle: Option<&Path>) -> Result<Self, PoolError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = bundle {
            add(&mut roots, path).map_err(|reason| PoolError::Bundle { path: path.to_owned(), reason })?;
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let dial = Dial { tls: TlsConnector::from(Arc::new(tls)), limit: connect, ahead: Arc::default() };
        let client = Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).build(dial.clone());
        Ok(Self { client, dial })
    }

    /// Opens a connection to the server of `uri` for the first request to it. A failure is ignored: that request will
    /// report it.
    pub async fn connect_ahead(&self, uri: Uri) {
        if let (Some(server), Ok(stream)) = (Server::of(&uri), self.dial.open(&uri).await) {
            self.dial.ahead().insert(server, (Instant::now(), stream));
        }
    }
}

#[cfg(feature = "tls-graviola")]
fn provider() -> CryptoProvider {
    rustls_graviola::default_provider()
}

#[cfg(all(feature = "tls-ring", not(feature = "tls-graviola")))]
fn provider() -> CryptoProvider {
    tokio_rustls::rustls::crypto::ring::default_provider()
}

#[cfg(not(any(feature = "tls-graviola", feature = "tls-ring")))]
compile_error!("TLS needs a provider: enable `tls-graviola` (the default) or `tls-ring`");

fn add(roots: &mut RootCertStore, bundle: &Path) -> Result<(), String> {
    let before = roots.len();
    for certificate in CertificateDer::pem_file_iter(bundle).map_err(|error| error.to_string())? {
        // Like other clients, this ignores certificates that cannot be roots. System bundles contain some.
        let _ = roots.add(certificate.map_err(|error| error.to_string())?);
    }
    if roots.len() == before { Err("it contains no root certificate".to_owned()) } else { Ok(()) }
}

impl HttpClient for Pool {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Timed { pool: self.clone(), limit: settings.read_timeout() })
    }
}

/// The pool with the time-out of one service. The time-out includes connecting, which [`Dial`] limits separately.
#[derive(Debug)]
struct Timed {
    pool: Pool,
    limit: Option<Duration>,
}

impl HttpConnector for Timed {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (pool, limit) = (self.pool.clone(), self.limit);
        HttpConnectorFuture::new(async move {
            let exchange = exchange(&pool, request);
            match limit {
                Some(limit) => tokio::time::timeout(limit, exchange)
                    .await
                    .unwrap_or_else(|elapsed| Err(ConnectorError::timeout(elapsed.into()))),
                None => exchange.await,
            }
        })
    }
}

async fn exchange(pool: &Pool, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let user = |error: BoxError| ConnectorError::user(error);
    let (parts, body) = request.try_into_http1x().map_err(|error| user(error.into()))?.into_parts();
    let body = body.bytes().ok_or_else(|| user("the request body is a stream".into()))?;
    let request = http::Request::from_parts(parts, Full::new(Bytes::copy_from_slice(body)));
    let (parts, body) = pool.client.request(request).await.map_err(|error| temporary(error.into()))?.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await.map_err(temporary)?.to_bytes();
    let response = http::Response::from_parts(parts, SdkBody::from(body));
    response.try_into().map_err(|error: aws_smithy_runtime_api::http::HttpError| temporary(error.into()))
}

/// Any connection error may be temporary. A time-out is distinguished only for the log.
fn temporary(error: BoxError) -> ConnectorError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
    while let Some(this) = cause {
        if this.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return ConnectorError::timeout(error);
        }
        cause = this.source();
    }
    ConnectorError::io(error)
}

/// Opens connections: name resolution, TCP, and TLS if the scheme is `https`.
#[derive(Clone)]
struct Dial {
    tls: TlsConnector,
    limit: Duration,
    /// Connections that no request has used yet, with the time at which they were opened.
    ahead: Arc<Mutex<HashMap<Server, (Instant, Stream)>>>,
}

/// The server at the other end of a connection.
#[derive(PartialEq, Eq, Hash)]
struct Server(Scheme, http::uri::Authority);

impl Server {
    fn of(uri: &Uri) -> Option<Self> {
        Some(Self(uri.scheme()?.clone(), uri.authority()?.clone()))
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dial").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl tower_service::Service<Uri> for Dial {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dial = self.clone();
        Box::pin(async move {
            let stream = match dial.take(&uri, IDLE) {
                Some(stream) => stream,
                None => dial.open(&uri).await?,
            };
            Ok(TokioIo::new(stream))
        })
    }
}

impl Dial {
    fn ahead(&self) -> MutexGuard<'_, HashMap<Server, (Instant, Stream)>> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the connection that was opened ahead, unless it has been idle for longer than `idle`.
    fn take(&self, uri: &Uri, idle: Duration) -> Option<Stream> {
        let (since, stream) = self.ahead().remove(&Server::of(uri)?)?;
        (since.elapsed() <= idle).then_some(stream)
    }

    async fn open(&self, uri: &Uri) -> io::Result<Stream> {
        tokio::time::timeout(self.limit, connect(&self.tls, uri))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

async fn connect(tls: &TlsConnector, uri: &Uri) -> io::Result<Stream> {
    let secure = uri.scheme() == Some(&Scheme::HTTPS);
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let tcp = TcpStream::connect((host, uri.port_u16().unwrap_or(if secure { 443 } else { 80 }))).await?;
    tcp.set_nodelay(true)?;
    if !secure {
        return Ok(Stream::Plain(tcp));
    }
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    Ok(Stream::Tls(Box::new(tls.connect(name, tcp).await?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_opened_ahead_is_used_once_and_only_while_it_is_fresh() {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{}/path", server.local_addr().unwrap()).parse().unwrap();
        let pool = Pool::new(Duration::from_secs(5), None).unwrap();
        for (idle, expected) in [(Duration::MAX, true), (Duration::ZERO, false)] {
            pool.connect_ahead(uri.clone()).await;
            assert_eq!(pool.dial.take(&uri, idle).is_some(), expected);
            assert!(pool.dial.take(&uri, Duration::MAX).is_none());
        }
    }
}

//! Forwards a request to another server, for tests with a proxy in front of the local cloud.

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{Request, Response, client};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Sends the request to the server at `behind` (host and port) and returns its reply.
pub(crate) async fn hand_on(
    behind: &str,
    head: Parts,
    body: Bytes,
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(behind).await?;
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (mut head, body) = sender.send_request(Request::from_parts(head, Full::new(body))).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    // These headers concern the connection to the server, not the reply.
    for name in ["connection", "keep-alive", "transfer-encoding"] {
        head.headers.remove(name);
    }
    Ok(Response::from_parts(head, Full::new(body)))
}

//! Checks whether a server on this machine responds. Invariant: it connects to 127.0.0.1 only.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A server on this machine that takes longer than this to respond is not ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether a server listens on the port.
pub(super) async fn is_listening(port: u16) -> bool {
    matches!(timeout(PATIENCE, connect(port)).await, Ok(Ok(_)))
}

/// Whether a GET request for `path` is answered with status 200.
pub(super) async fn answers(port: u16, path: &str) -> bool {
    matches!(timeout(PATIENCE, status(port, path)).await, Ok(Ok(200)))
}

async fn connect(port: u16) -> std::io::Result<TcpStream> {
    TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

/// The simplest form of HTTP: one request, and only the first line of the response is read.
async fn status(port: u16, path: &str) -> std::io::Result<u16> {
    let mut stream = connect(port).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = [0; 12];
    stream.read_exact(&mut line).await?;
    let code = std::str::from_utf8(&line).ok().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    Ok(code.and_then(|code| code.parse().ok()).unwrap_or(0))
}

//! A proxy in front of the local cloud, which records every request and does with it what the test decides.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, server};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::forward::hand_on;
use super::request::Asked;

/// What happens to a request.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Forward,
    /// The request does not reach the cloud; this is the reply.
    Answer(Response<Bytes>),
    /// The request reaches the cloud. This is the reply unless the cloud replies that there is no such thing.
    UnlessMissing(Response<Bytes>),
    /// The connection closes without a reply; the request does not reach the cloud.
    Cut,
    /// The connection closes in the middle of the cloud's reply.
    Half,
    /// No reply; the request does not reach the cloud.
    Hang,
    /// No reply; the request reaches the cloud. The second value is called when the cloud has answered.
    Swallow(Called),
    /// The request is forwarded after this time.
    Late(Duration),
}

/// A function without arguments.
#[derive(Clone)]
pub(crate) struct Called(pub(crate) Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Called {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Called")
    }
}

type Judge = Arc<dyn Fn(&Asked) -> Verdict + Send + Sync>;

struct Shared {
    behind: String,
    asked: Mutex<Vec<Asked>>,
    judge: Mutex<Judge>,
}

/// A running proxy, which ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Starts a proxy that forwards everything to a server (`http://HOST:PORT`).
    pub(crate) async fn start(behind: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared {
            behind: behind.replace("http://", ""),
            asked: Mutex::default(),
            judge: Mutex::new(Arc::new(|_| Verdict::Forward)),
        });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&shared), request));
                    // A broken connection is an error of the client, which reports it.
                    let _ = server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { url, shared }
    }

    /// From now on, decides about requests in this way, and forgets the recorded ones.
    pub(crate) fn set(&self, judge: impl Fn(&Asked) -> Verdict + Send + Sync + 'static) {
        *self.shared.judge.lock().expect("no panic") = Arc::new(judge);
        self.taken();
    }

    /// The requests since the last call.
    pub(crate) fn taken(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.shared.asked.lock().expect("no panic"))
    }
}

type Reply = Response<BoxBody<Bytes, io::Error>>;

fn whole(reply: Response<Bytes>) -> Reply {
    reply.map(|body| Full::new(body).map_err(|never: Infallible| match never {}).boxed())
}

/// The head of a reply and half of its body.
fn half(reply: Response<Bytes>) -> Reply {
    let (mut head, body) = reply.into_parts();
    // Without its length, the missing part of the reply would not be noticed.
    head.headers.insert("content-length", body.len().max(2).into());
    let part = body.slice(..body.len() / 2);
    let frames = [Ok(Frame::data(part)), Err(io::Error::other("cut off"))];
    Response::from_parts(head, StreamBody::new(stream::iter(frames)).boxed())
}

/// An error closes the connection.
async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Reply> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let asked = Asked::new(head.clone(), body.clone());
    let judge = Arc::clone(&shared.judge.lock().expect("no panic"));
    shared.asked.lock().expect("no panic").push(asked.clone());
    let forward = async || -> io::Result<Response<Bytes>> {
        let reply = hand_on(&shared.behind, head, body).await.map_err(io::Error::other)?;
        let (head, body) = reply.into_parts();
        Ok(Response::from_parts(head, body.collect().await.map_err(io::Error::other)?.to_bytes()))
    };
    match judge(&asked) {
        Verdict::Forward => Ok(whole(forward().await?)),
        Verdict::Answer(reply) => Ok(whole(reply)),
        Verdict::UnlessMissing(reply) => {
            let real = forward().await?;
            Ok(whole(if real.status() == 404 { real } else { reply }))
        }
        Verdict::Cut => Err(io::Error::other("cut off")),
        Verdict::Half => Ok(half(forward().await?)),
        Verdict::Hang => pending().await,
        Verdict::Swallow(called) => {
            forward().await?;
            called.0();
            pending().await
        }
        Verdict::Late(pause) => {
            tokio::time::sleep(pause).await;
            Ok(whole(forward().await?))
        }
    }
}

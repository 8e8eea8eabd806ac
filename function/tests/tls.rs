//! Tests of the function's connections, with the TLS provider that it is built with: handshakes, requests, rejected
//! certificates, and connections that are opened before the first request.

mod support;

use std::time::{Duration, SystemTime};

use function::{Invocation, Outcome, RecordReport, Services, Settings};
use support::{Cloud, SERVICES, event, record};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

#[tokio::test]
async fn roots_in_the_ca_bundle_are_trusted() {
    let cloud = Cloud::over_tls().await;
    let report = cloud.upload().await;
    assert_eq!(report.records[0].outcome, Outcome::Stored { faces: 1 });
    assert_eq!(SERVICES.map(|service| cloud.calls(service)), [2, 1, 1]);
}

#[tokio::test]
async fn a_server_with_an_unknown_root_gets_no_request() {
    let cloud = Cloud::over_tls().await;
    let mut settings = cloud.settings.clone();
    settings.ca_bundle = None;
    let services = Services::new(&settings).unwrap();
    settings.patience.margin = Duration::from_secs(18);
    let report = upload(&services, &settings).await;
    let Outcome::Failed(failure) = &report.outcome else { panic!("{report:?}") };
    assert_eq!(failure.code, "ConnectionFailure");
    assert!(cloud.state().calls.is_empty());
}

#[tokio::test]
async fn connections_opened_ahead_are_used() {
    let cloud = Cloud::over_tls().await;
    let services = Services::connect(&cloud.settings).await.unwrap();
    assert!(cloud.state().calls.is_empty());
    assert_eq!(upload(&services, &cloud.settings).await.outcome, Outcome::Stored { faces: 1 });
    assert_eq!(cloud.state().connections, 3);
}

/// Without TLS, the connection is lost after it was opened. With TLS, it is lost during the handshake.
#[tokio::test]
async fn a_connection_opened_ahead_may_be_lost() {
    for cloud in [Cloud::start().await, Cloud::over_tls().await] {
        let mut settings = cloud.settings.clone();
        let (url, lost) = losing_the_first(&settings.endpoints.rekognition.unwrap()).await;
        settings.endpoints.rekognition = Some(url);
        let services = Services::connect(&settings).await.unwrap();
        tokio::time::timeout(Duration::from_secs(20), lost).await.expect("nothing connected").unwrap();
        assert_eq!(upload(&services, &settings).await.outcome, Outcome::Stored { faces: 1 });
    }
}

/// Handles one upload with the given clients.
async fn upload(services: &Services, settings: &Settings) -> RecordReport {
    let invocation = Invocation { request_id: String::new(), deadline: SystemTime::now() + Duration::from_secs(20) };
    function::handle(&event(&[record("a.jpg")]), services, settings, &invocation).await.records.remove(0)
}

/// Starts a proxy to the server of `url` that drops its first connection, and notifies the receiver when it has.
async fn losing_the_first(url: &str) -> (String, oneshot::Receiver<()>) {
    let (scheme, server) = url.split_once("://").unwrap();
    let (server, listener) = (server.to_owned(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let url = format!("{scheme}://{}", listener.local_addr().unwrap());
    let (notify, lost) = oneshot::channel();
    tokio::spawn(async move {
        drop(listener.accept().await.unwrap());
        notify.send(()).unwrap();
        while let Ok((mut stream, _)) = listener.accept().await {
            let server = server.clone();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(server).await.unwrap();
                // Either side may close the connection.
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
            });
        }
    });
    (url, lost)
}

#[test]
fn an_unusable_ca_bundle_is_named_in_the_error() {
    let fixture =
        |name: &str| -> std::path::PathBuf { [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", name].iter().collect() };
    for (name, reason) in [("server.key.pem", "it contains no root certificate"), ("absent.pem", "No such file")] {
        let path = fixture(name);
        let error = function::http::Pool::new(Duration::from_secs(1), Some(&path)).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()) && error.contains(reason), "{error}");
    }
}

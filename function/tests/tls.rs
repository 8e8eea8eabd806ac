//! TLS as the function does it, with whichever provider it is built with: a handshake, a call, and refusals.

mod support;

use std::time::Duration;

use function::{Outcome, Services};
use support::{Cloud, SERVICES, event, record};

#[tokio::test]
async fn a_bundle_names_the_roots_to_trust() {
    let cloud = Cloud::over_tls().await;
    let report = cloud.upload().await;
    assert_eq!(report.records[0].outcome, Outcome::Stored { faces: 1 });
    assert_eq!(SERVICES.map(|service| cloud.calls(service)), [2, 1, 1]);
}

#[tokio::test]
async fn a_server_whose_root_is_unknown_is_not_talked_to() {
    let cloud = Cloud::over_tls().await;
    let mut settings = cloud.settings.clone();
    settings.ca_bundle = None;
    let services = Services::new(&settings).unwrap();
    let deadline = std::time::SystemTime::now() + Duration::from_secs(2);
    let invocation = function::Invocation { request_id: String::new(), deadline };
    let report = function::handle(&event(&[record("a.jpg")]), &services, &settings, &invocation).await;
    let Outcome::Failed(failure) = &report.records[0].outcome else { panic!("{report:?}") };
    assert_eq!(failure.code, "ConnectionFailure");
    assert!(cloud.state().calls.is_empty());
}

#[test]
fn a_bundle_without_a_root_is_an_error_that_names_it() {
    let fixture =
        |name: &str| -> std::path::PathBuf { [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", name].iter().collect() };
    for (name, reason) in [("server.key.pem", "it holds no certificate of a root"), ("absent.pem", "No such file")] {
        let path = fixture(name);
        let error = function::http::Pool::new(Duration::from_secs(1), Some(&path)).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()) && error.contains(reason), "{error}");
    }
}

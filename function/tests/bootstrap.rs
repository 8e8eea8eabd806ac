//! Tests of the executable, which runs here as it runs in Lambda.
//!
//! By default, these test the executable that cargo builds for this machine. `BOOTSTRAP` names another executable, and
//! `BOOTSTRAP_RUNNER` names a program to run it with. `make test-arm64` uses them to test the arm64 executable under
//! qemu.

mod support;

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};
use support::runtime_api::{Running, RuntimeApi, Said};
use support::{Act, Cloud, Service, event, face, record};

fn run(api: &RuntimeApi, environment: &[(&str, String)]) -> Running {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let program = variable("BOOTSTRAP").unwrap_or_else(|| env!("CARGO_BIN_EXE_bootstrap").into());
    match variable("BOOTSTRAP_RUNNER") {
        Some(runner) => api.run(&runner, &[program.to_str().unwrap()], environment),
        None => api.run(&program, &[], environment),
    }
}

/// Stops the executable as Lambda does and returns its output.
async fn stop(child: Running) -> Output {
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    child.output().await
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}"))
}

#[tokio::test]
async fn an_upload_produces_rows_a_response_and_a_log_line() {
    let (cloud, mut api) = (Cloud::over_tls().await, RuntimeApi::start().await);
    cloud.state().faces = json!([face(0.25, "SAD"), face(0.5, "HAPPY")]);
    let child = run(&api, &cloud.environment());
    let mut connections = Vec::new();
    for _ in 0..2 {
        api.send(event(&[record("a+b%2B%C3%BC.jpg")]).to_string());
        let Said::Response(document) = api.answer().await else { panic!("no response") };
        let document = json(&document);
        assert_eq!((&document["statusCode"], &document["body"]["records"][0]["faces"]), (&json!(200), &json!(2)));
        connections.push(cloud.state().connections);
    }
    assert_eq!(cloud.state().tables.rows.len(), 2);
    assert_eq!(connections[0], connections[1], "the second event must reuse the connections of the first");
    // It waits for the next event until Lambda stops it.
    assert_eq!(api.hear().await.1, Said::Polled);
    let output = stop(child).await;
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = lines(&output);
    assert_eq!(lines.len(), 2, "{lines:?}");
    for line in lines {
        assert_eq!(
            (&line["requestId"], &line["outcome"], &line["FacesStored"], &line["FunctionName"]),
            (&json!("8476a536"), &json!("stored"), &json!(2), &json!("faces"))
        );
    }
}

#[tokio::test]
async fn the_next_event_is_handled_whatever_came_before() {
    let (cloud, mut api) = (Cloud::over_tls().await, RuntimeApi::start().await);
    let child = run(&api, &cloud.environment());
    let permanent = |said: Said| {
        let Said::Error(document) = said else { panic!("{said:?}") };
        let document = json(&document);
        assert_eq!(document["errorType"], "PermanentFailure");
        json(document["errorMessage"].as_str().unwrap())
    };

    api.send(json!({ "Service": "Amazon S3", "Event": "s3:TestEvent" }).to_string());
    let Said::Response(document) = api.answer().await else { panic!("no response") };
    assert_eq!(json(&document), json!({ "statusCode": 200, "body": { "records": [] } }));

    // Lambda's runtime rejects invalid JSON before the function sees it.
    for text in ["", "{", "\u{0}", "[1,"] {
        api.send(text);
        assert!(matches!(api.answer().await, Said::Error(_)), "{text}");
    }
    for text in ["null", "7", "{}", r#"{"Records": [{}]}"#, r#"{"Records": [null, [], {"s3": 1}]}"#] {
        api.send(text);
        assert_eq!(permanent(api.answer().await)["statusCode"], 500, "{text}");
    }

    cloud.next(Service::Rekognition, [Act::Error(400, "AccessDeniedException")]);
    api.send(event(&[record("a.jpg"), record("b.jpg")]).to_string());
    let document = permanent(api.answer().await);
    let records = document["body"]["records"].as_array().unwrap();
    let mut outcomes: Vec<_> = records.iter().map(|record| record["outcome"].as_str().unwrap()).collect();
    outcomes.sort_unstable();
    assert_eq!((&document["statusCode"], outcomes), (&json!(500), vec!["failed", "stored"]));

    api.send(event(&[record("c.jpg")]).to_string());
    assert!(matches!(api.answer().await, Said::Response(_)));
    assert_eq!(cloud.state().tables.rows.len(), 2);
    assert_eq!(api.hear().await.1, Said::Polled);
    let lines = lines(&stop(child).await);
    assert!(lines.iter().any(|line| line["code"] == "AccessDeniedException"), "{lines:?}");
}

#[tokio::test]
async fn an_invalid_setting_prevents_the_start() {
    let (cloud, mut api) = (Cloud::over_tls().await, RuntimeApi::start().await);
    for (name, value, message) in [
        ("TABLE_NAME", "", "cannot start: `TABLE_NAME` is not set"),
        ("LOG_KEYS", "perhaps", "cannot start: `LOG_KEYS` is `perhaps`, expected `true` or `false`"),
        ("AWS_CA_BUNDLE", "absent.pem", "cannot start: cannot use the CA bundle `absent.pem`"),
    ] {
        let mut environment = cloud.environment();
        environment.retain(|(other, _)| *other != name);
        environment.push((name, value.to_owned()));
        let output = run(&api, &environment).output().await;
        assert_eq!(output.status.code(), Some(1));
        let lines = lines(&output);
        assert_eq!((lines.len(), &lines[0]["level"]), (1, &json!("FATAL")));
        assert!(lines[0]["message"].as_str().unwrap().starts_with(message), "{lines:?}");
        let Said::InitError(document) = api.hear().await.1 else { panic!("no initialization error") };
        let document = json(&document);
        assert_eq!(document["errorType"], "Runtime.SettingsInvalid");
        assert_eq!(document["errorMessage"], lines[0]["message"]);
        assert!(api.silent(), "it requested an event");
    }
}

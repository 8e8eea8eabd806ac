//! The executable itself, run as Lambda runs it.
//!
//! By default it is the one that cargo builds for this machine. `BOOTSTRAP` names another, `BOOTSTRAP_RUNNER` what to run it with:
//! `make test-arm64` tests the executable for arm64 under qemu this way.

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

/// Ends the executable as Lambda does and returns what it logged.
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
async fn an_upload_becomes_rows_an_answer_and_a_line() {
    let (cloud, mut api) = (Cloud::over_tls().await, RuntimeApi::start().await);
    cloud.state().faces = json!([face(0.25, "SAD"), face(0.5, "HAPPY")]);
    let child = run(&api, &cloud.environment());
    // By then it has connected to all three, of which there is no event yet.
    assert_eq!(api.hear().await.1, Said::Polled);
    assert_eq!(cloud.state().connections, 3);
    for _ in 0..2 {
        api.send(event(&[record("a+b%2B%C3%BC.jpg")]).to_string());
        let Said::Response(document) = api.answer().await else { panic!("no answer") };
        let document = json(&document);
        assert_eq!((&document["statusCode"], &document["body"]["records"][0]["faces"]), (&json!(200), &json!(2)));
    }
    assert_eq!(cloud.state().rows.len(), 2);
    assert_eq!(cloud.state().connections, 3);
    // It listens for the next event, as Lambda expects, and goes when it is told to.
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
async fn after_any_event_the_next_is_handled() {
    let (cloud, mut api) = (Cloud::over_tls().await, RuntimeApi::start().await);
    let child = run(&api, &cloud.environment());
    let permanent = |said: Said| {
        let Said::Error(document) = said else { panic!("{said:?}") };
        let document = json(&document);
        assert_eq!(document["errorType"], "PermanentFailure");
        json(document["errorMessage"].as_str().unwrap())
    };

    api.send(json!({ "Service": "Amazon S3", "Event": "s3:TestEvent" }).to_string());
    let Said::Response(document) = api.answer().await else { panic!("no answer") };
    assert_eq!(json(&document), json!({ "statusCode": 200, "body": { "records": [] } }));

    // Not JSON: Lambda's runtime refuses it before the function sees it.
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
    assert_eq!(cloud.state().rows.len(), 2);
    assert_eq!(api.hear().await.1, Said::Polled);
    let lines = lines(&stop(child).await);
    assert!(lines.iter().any(|line| line["code"] == "AccessDeniedException"), "{lines:?}");
}

#[tokio::test]
async fn a_wrong_setting_stops_the_start() {
    let (cloud, mut api) = (Cloud::over_tls().await, RuntimeApi::start().await);
    for (name, value, said) in [
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
        assert!(lines[0]["message"].as_str().unwrap().starts_with(said), "{lines:?}");
        let Said::InitError(document) = api.hear().await.1 else { panic!("Lambda was not told") };
        let document = json(&document);
        assert_eq!(document["errorType"], "Runtime.SettingsInvalid");
        assert_eq!(document["errorMessage"], lines[0]["message"]);
        assert!(api.silent(), "it asked for an event");
    }
}

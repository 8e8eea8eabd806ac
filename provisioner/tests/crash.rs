//! What a panic looks like from outside. The test runs itself once more, as a program whose work panics.

use std::process::Command;
use std::sync::Arc;

use provisioner::core::invocation::Invocation;
use provisioner::ui::{Detail, Events, Output, Ui};
use serde_json::Value;

/// Names the output format.
const FORMAT: &str = "CRASH_TEST_FORMAT";

#[test]
#[ignore = "the other tests run it"]
fn work_that_panics() {
    let format = std::env::var(FORMAT).expect("a format");
    let output = if format == "json" { Output::Json } else { Output::Text };
    let events = Events::new(Arc::new(Ui::new(output, Detail::Normal)), Invocation::default());
    let exit = provisioner::crash::guard(&events, || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        runtime.block_on(async {
            tokio::spawn(async { panic!("the\n moon is down") }).await.expect("the task ends well");
            unreachable!("the task panicked")
        })
    });
    assert_eq!(exit as u8, 101);
}

/// What the program said on both streams.
fn crash(format: &str) -> (String, String) {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["work_that_panics", "--exact", "--ignored", "--nocapture"])
        .env(FORMAT, format)
        .env_remove("RUST_BACKTRACE")
        .output()
        .expect("it runs");
    assert!(output.status.success(), "guard returned 101: {output:?}");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (text(output.stdout), text(output.stderr))
}

#[test]
fn json_ends_with_its_result() {
    let (stdout, _) = crash("json");
    let events: Vec<Value> = stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let [error, .., result] = events.as_slice() else { panic!("{stdout}") };
    assert_eq!(error["type"], "error");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("bug in provisioner")), "{error}");
    assert!(error["causes"][0].as_str().is_some_and(|text| text.contains("the moon is down (")), "{error}");
    assert_eq!((&result["type"], &result["ok"], &result["exit_code"]), (&"result".into(), &false.into(), &101.into()));
}

#[test]
fn people_are_told_whom_to_tell() {
    let (_, stderr) = crash("text");
    for words in
        ["error: this is a bug in provisioner", "the moon is down (provisioner/tests/crash.rs:", "please report it"]
    {
        assert!(stderr.contains(words), "{words}:\n{stderr}");
    }
}

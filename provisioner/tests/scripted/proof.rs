//! Tests the proof that alarms are gone: CloudWatch uses RPC v2 CBOR, which the emulator does not support.

use super::cloud::{Cloud, Script, at};
use super::run::provisioner;

fn with_alarm(left: bool) -> Script {
    let mut script = Script { status: Some("CREATE_COMPLETE"), ..Script::default() }
        .on("DeleteStack", vec![at("DELETE_IN_PROGRESS"), at("DELETE_COMPLETE")]);
    script.resources = vec![("ErrorsAlarm", "AWS::CloudWatch::Alarm", "face-recognition-ErrorsAlarm-1")];
    script.alarms = if left { vec!["face-recognition-ErrorsAlarm-1"] } else { Vec::new() };
    script
}

#[tokio::test]
async fn down_checks_that_an_alarm_is_gone() {
    let cloud = Cloud::start(with_alarm(false)).await;
    let run = provisioner(&cloud, &["down", "--yes", "--output", "json"]).await;
    run.ended(0);
    let said = run.stdout.lines().find(|line| line.contains("AWS::CloudWatch::Alarm")).expect("a proof");
    assert!(said.contains("\"gone\":true"), "{said}");
    assert_eq!(cloud.count("DescribeAlarms"), 1);
}

#[tokio::test]
async fn down_names_an_alarm_that_is_left() {
    let cloud = Cloud::start(with_alarm(true)).await;
    let run = provisioner(&cloud, &["down", "--yes", "--output", "json"]).await;
    run.ended(1);
    assert!(run.error().contains("AWS::CloudWatch::Alarm `face-recognition-ErrorsAlarm-1`"), "{}", run.error());
}

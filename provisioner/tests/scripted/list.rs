//! Which stacks `list` finds in which regions, and which regions it skips.

use serde_json::{Value, json};

use super::cloud::{Cloud, Script};
use super::run::{Run, provisioner};
use super::standing;

/// `provisioner list` in all regions; `--region` would select one.
async fn list(cloud: &Cloud, arguments: &[&str]) -> Run {
    let all = [&["list"], arguments].concat();
    super::run::everywhere(cloud, &all).await
}

fn rows(run: &Run, name: &str, field: &str) -> Vec<String> {
    let rows = run.event("stacks")[name].clone();
    let text = |row: &Value| row[field].as_str().unwrap_or_default().to_owned();
    rows.as_array().expect("rows").iter().map(text).collect()
}

const JSON: [&str; 2] = ["--output", "json"];

#[tokio::test]
async fn stacks_are_found_in_all_regions_and_others_are_skipped() {
    let script = Script {
        stack_regions: vec!["eu-west-1", "us-east-1"],
        disabled_regions: vec!["ap-east-1"],
        closed_regions: vec!["eu-west-2"],
        ..standing()
    };
    let cloud = Cloud::start(script).await;
    let run = list(&cloud, &JSON).await;
    run.ended(0);
    assert_eq!(rows(&run, "stacks", "region"), ["eu-west-1", "us-east-1"]);
    assert_eq!(
        run.event("stacks")["skipped"],
        json!([
            {"region": "eu-west-2", "reason": "denied"},
            {"region": "ap-east-1", "reason": "not_enabled"},
        ])
    );
    let asked = cloud.calls().into_iter().filter(|call| call.name == "DescribeStacks");
    assert!(
        asked.clone().count() > 30
            && asked.into_iter().all(|call| !call.parameters[super::cloud::REGION].starts_with("us-gov-"))
    );
    let text = list(&cloud, &[]).await.stdout;
    assert!(text.contains("not enabled for this account: ap-east-1") && text.contains("✓ 2 stacks, "), "{text}");
}

#[tokio::test]
async fn a_region_on_the_command_line_is_the_only_one() {
    let cloud = Cloud::start(standing()).await;
    let run = provisioner(&cloud, &[&["list", "--region", "eu-west-1"], &JSON[..]].concat()).await;
    run.ended(0);
    assert_eq!(rows(&run, "stacks", "region"), ["eu-west-1"]);
    assert_eq!(cloud.count("DescribeStacks"), 1);
}

#[tokio::test]
async fn only_stacks_of_this_program_are_listed() {
    for (template, expected) in
        [(provisioner::core::template::BUILT_IN, 1), ("Resources: {A: {Type: 'AWS::SNS::Topic'}}", 0)]
    {
        let script = Script {
            foreign: true,
            template: Some(template.to_owned()),
            outputs: vec![("TableName", "FaceData")],
            ..standing()
        };
        let cloud = Cloud::start(script).await;
        let run = provisioner(&cloud, &[&["list", "--region", "eu-west-1"], &JSON[..]].concat()).await;
        run.ended(0);
        assert_eq!(rows(&run, "stacks", "stack").len(), expected);
    }
}

#[tokio::test]
async fn a_cause_that_all_regions_share_is_reported_once() {
    let script = standing().fault("DescribeStacks", (0, 999), (403, "AccessDenied", "no"));
    let cloud = Cloud::start(script).await;
    let run = list(&cloud, &JSON).await;
    run.ended(1);
    assert_eq!(run.stdout.matches("\"type\":\"error\"").count(), 1, "{}", run.stdout);
    assert!(run.error().contains("cannot list the stacks in `"), "{}", run.error());
}

#[tokio::test]
async fn status_and_logs_work_in_several_regions() {
    let cloud = Cloud::start(standing()).await;
    let run = provisioner(&cloud, &["status", "--no-counts", "--region", "eu-west-1,us-east-1"]).await;
    run.ended(0);
    for region in ["eu-west-1", "us-east-1"] {
        assert!(run.stdout.contains(&format!("[{region}] region")), "{}", run.stdout);
        assert!(run.stdout.contains(&format!("[{region}] ✓ stack face-recognition is ready")), "{}", run.stdout);
    }
}

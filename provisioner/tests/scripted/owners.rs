//! Which stacks a command acts on or reads: those of this tool, those from its template, and others.

use super::cloud::{Cloud, Script};
use super::run::provisioner;

/// A deployed stack that another tool created, with this template.
fn foreign(template: &str) -> Script {
    let mut script = Script { status: Some("CREATE_COMPLETE"), foreign: true, ..Script::default() };
    script.template = Some(template.to_owned());
    script.buckets.insert("pictures".to_owned());
    script
}

const OTHER: &str = "Resources: {A: {Type: 'AWS::SNS::Topic'}}";

#[tokio::test]
async fn commands_that_write_refuse_stacks_of_other_tools() {
    let picture = format!("{}/fixtures/face.jpg", env!("CARGO_MANIFEST_DIR"));
    for arguments in
        [&["detect", picture.as_str()][..], &["smoke"], &["redrive"], &["backfill"], &["forget", "s3://pictures/a"]]
    {
        for template in [OTHER, provisioner::core::template::BUILT_IN] {
            let cloud = Cloud::start(foreign(template)).await;
            let run = provisioner(&cloud, &[arguments, &["--output", "json"]].concat()).await;
            run.ended(4);
            assert!(run.error().contains("was not created by provisioner"), "{}", run.error());
            assert_eq!(cloud.count("PutObject"), 0, "{arguments:?}");
        }
    }
}

#[tokio::test]
async fn commands_that_read_accept_stacks_from_the_template() {
    for (template, code) in [(provisioner::core::template::BUILT_IN, 0), (OTHER, 4)] {
        let cloud = Cloud::start(foreign(template)).await;
        let run = provisioner(&cloud, &["status", "--no-counts", "--output", "json"]).await;
        run.ended(code);
        if code == 4 {
            assert!(run.error().contains("nor from its template"), "{}", run.error());
            assert!(!run.stdout.contains("\"type\":\"status\""), "{}", run.stdout);
        }
    }
    let cloud = Cloud::start(foreign(OTHER)).await;
    provisioner(&cloud, &["logs", "--output", "json"]).await.ended(4);
    // The scripted stack has no log group, so the command gets past the check of the owner and no further.
    let cloud = Cloud::start(foreign(provisioner::core::template::BUILT_IN)).await;
    let run = provisioner(&cloud, &["logs", "--output", "json"]).await;
    assert!(run.error().contains("LogGroupName"), "{}", run.error());
}

#[tokio::test]
async fn a_prefix_that_hardly_any_key_starts_with_is_reported() {
    for (prefix, expected) in [("/uploads/", true), ("uploads/", false)] {
        let cloud = Cloud::start(Script::default()).await;
        let parameter = format!("KeyPrefix={prefix}");
        let run = provisioner(&cloud, &["plan", "--output", "json", "--parameter", &parameter]).await;
        run.ended(0);
        assert_eq!(run.stdout.contains("unusual_key_prefix"), expected, "{}", run.stdout);
        if expected {
            assert_eq!(run.event("unusual_key_prefix")["usual"], "uploads/");
        }
    }
}

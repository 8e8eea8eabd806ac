//! Compares the requests that each command sends with the policy that `provisioner policy` prints for it.
//!
//! The commands use the local cloud, which allows everything; a proxy in front of it records every request. The actions
//! that a request needs are from the Service Authorization Reference, independently of the policy's code.

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

use std::collections::BTreeSet;

use provisioner::core::policy::statements;
use support::local::{ACCOUNT, HERE, Local, fixture};
use support::proxy::Proxy;
use support::request::Asked;
use support::run;

/// An action and, for S3, its resource. For other services, the names in the emulator differ from those in AWS.
type Need = (String, Option<String>);

/// The actions that a request needs, with their resources.
fn needs(asked: &Asked) -> Vec<Need> {
    assert_ne!(asked.operation, "Unknown", "{} {} of {}", asked.head.method, asked.head.uri, asked.service);
    let resource = (asked.service == "s3").then(|| {
        let path = asked.head.uri.path().trim_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        // The keys of a deletion are in the body; one of them represents all.
        let keyed = !key.is_empty() || asked.operation == "DeleteObjects";
        format!("arn:aws:s3:::{bucket}{}", if keyed { "/a" } else { "" })
    });
    asked.actions().into_iter().map(|action| (action, resource.clone())).collect()
}

/// Whether an IAM pattern matches a text.
fn covers(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| covers(rest, &text[at..]))
        }),
    }
}

#[test]
fn patterns() {
    for (pattern, text, expected) in [
        ("s3:Get*Configuration", "s3:GetLifecycleConfiguration", true),
        ("s3:Get*Configuration", "s3:GetBucketPolicy", false),
        ("a*", "a", true),
        ("a", "ab", false),
        ("*b*d", "abcd", true),
    ] {
        assert_eq!(covers(pattern, text), expected, "{pattern} {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_works_with_its_own_policy() {
    let local = Local::new("rights");
    local.run(&["local", "start"], 0);
    let proxy = Proxy::start(&local.endpoint()).await;
    let remote = |arguments: &[&str]| {
        let mut command = local.remote(&proxy.url, arguments);
        command.args(["--region", "us-east-1"]).env("PROVISIONER_POLL_LIMIT_MS", "200");
        tokio::task::block_in_place(|| run(&mut command).expect(0))
    };
    local.clients().s3.create_bucket().bucket("mine").send().await.expect("a bucket");
    let exported = local.home.0.join("rows.csv").to_string_lossy().into_owned();
    let page = local.home.0.join("faces.html").to_string_lossy().into_owned();
    let create = ["up", "-P", HERE, "-P", "TlsOnly=no", "-P", "FailureQueue=yes", "-P", "Versioning=yes"];
    for (purposes, commands) in [
        (&["up"][..], &[&create[..], &["plan"], &["up", "-P", "LogRetentionDays=30"], &["up"]][..]),
        (&["up", "attach"], &[&["up", "--attach", "s3://mine/in/"], &["up", "--attach", "s3://mine/other/"]]),
        (&["smoke"], &[&["smoke", "--full", "--write-attached"]]),
        (
            &["data"],
            &[
                &["detect", &fixture("face.jpg"), &fixture("no-face.jpg")],
                &["faces", "--html", &page],
                &["export", &exported],
                &["status"],
                &["logs"],
                &["redrive"],
            ],
        ),
        // The picture without a face has no row, so it is processed again.
        (&["up", "backfill"], &[&["backfill"]]),
        (&["backfill"], &[&["backfill", "--dry-run"], &["backfill", "--cancel"]]),
        (&["data"], &[&["forget", "--prefix", "face", "--picture"], &["redrive"]]),
        (&["down"], &[&["down", "--keep-data"]]),
        (&["up", "adopt"], &[&[&create[..], &["--adopt"]].concat()]),
        (&["down"], &[&["down"], &["down"]]),
    ] {
        for command in commands {
            remote(command);
        }
        let noted: BTreeSet<Need> = proxy.taken().iter().flat_map(needs).collect();
        assert!(noted.len() >= 4, "{purposes:?} asked for {noted:?} only");
        // CloudFormation's own requests do not use the proxy, so the policy for a service role must suffice, too.
        for (service_role, path) in [(None, ""), (Some("arn:aws:iam::000000000000:role/cloudformation"), "/deployer")] {
            let granted: Vec<_> = purposes
                .iter()
                .flat_map(|purpose| {
                    let role = service_role.map(|arn| ["--role-arn", arn]);
                    let arguments = ["policy", "--for", purpose, "--account", ACCOUNT, "--attach", "mine"];
                    let printed = remote(&[&arguments[..], role.as_ref().map_or(&[], |role| role)].concat());
                    let text = printed.of_type("document")[0]["text"].as_str().expect("a policy").to_owned();
                    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                    statements(document.pointer(path).expect("a document"))
                })
                .collect();
            let is_granted = |(action, resource): &&Need| {
                granted.iter().any(|(actions, resources)| {
                    actions.iter().any(|pattern| covers(pattern, action))
                        && resource.as_ref().is_none_or(|name| resources.iter().any(|pattern| covers(pattern, name)))
                })
            };
            let denied: Vec<_> = noted.iter().filter(|need| !is_granted(need)).collect();
            assert!(denied.is_empty(), "{purposes:?}, service role {service_role:?}: the policy denies {denied:?}");
        }
    }
}

//! Compares the requests that each command sends with the policy that `provisioner policy` prints for it.
//!
//! The commands use the local cloud, which allows everything; a proxy in front of it records every request. The actions
//! that a request needs are from the Service Authorization Reference, independently of the policy's code.

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response, server};
use hyper_util::rt::TokioIo;
use provisioner::core::policy::statements;
use support::forward::hand_on;
use support::local::{ACCOUNT, HERE, Local, fixture};
use support::run;
use tokio::net::TcpListener;

/// An action and, for S3, its resource. For other services, the names in the emulator differ from those in AWS.
type Need = (String, Option<String>);

type Needs = Arc<Mutex<BTreeSet<Need>>>;

/// Starts a proxy that records the actions that each request needs.
async fn noting(behind: String) -> (String, Needs) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let needs = Needs::default();
    let noted = Arc::clone(&needs);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (behind, noted) = (behind.clone(), Arc::clone(&noted));
            tokio::spawn(async move {
                let service = service_fn(|request| answer(behind.clone(), Arc::clone(&noted), request));
                // A broken connection is an error of the client, which reports it.
                let _ = server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (url, needs)
}

async fn answer(behind: String, noted: Needs, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a whole request").to_bytes();
    noted.lock().expect("no panic").extend(needs(&head, &body));
    Ok(hand_on(&behind, head, body).await.expect("the local cloud answers"))
}

/// The actions that a request needs; `GetCallerIdentity` needs none.
fn needs(head: &Parts, body: &[u8]) -> Vec<Need> {
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // "AWS4-HMAC-SHA256 Credential=KEY/DAY/REGION/SERVICE/aws4_request, …"
    let service = header("authorization").split('/').nth(3).expect("a signed request");
    let form = String::from_utf8_lossy(body);
    let operation = match header("x-amz-target").rsplit('.').next() {
        Some(operation) if !operation.is_empty() => Some(operation.to_owned()),
        // RPC v2 CBOR: "/service/SERVICE/operation/OPERATION".
        _ if head.uri.path().contains("/operation/") => head.uri.path().rsplit('/').next().map(ToOwned::to_owned),
        _ => form.split('&').find_map(|pair| pair.strip_prefix("Action=")).map(ToOwned::to_owned),
    };
    match (service, operation.as_deref()) {
        ("sts", _) => Vec::new(),
        ("s3", _) => s3(head, &form),
        ("lambda", _) => vec![(format!("lambda:{}", lambda(head)), None)],
        ("monitoring", Some(operation)) => vec![(format!("cloudwatch:{operation}"), None)],
        // DynamoDB authorizes each write of a transaction.
        ("dynamodb", Some("TransactWriteItems")) => {
            let body: serde_json::Value = serde_json::from_str(&form).expect("JSON");
            let writes = body["TransactItems"].as_array().expect("writes").iter();
            let kinds = writes.flat_map(|write| write.as_object().expect("a write").keys());
            kinds.map(|kind| (format!("dynamodb:{kind}Item"), None)).collect()
        }
        // SQS authorizes each message of a batch like a single one.
        ("sqs", Some(operation)) => vec![(format!("sqs:{}", operation.trim_end_matches("Batch")), None)],
        (service, Some(operation)) => vec![(format!("{service}:{operation}"), None)],
        (service, None) => panic!("a call of {service} without an operation: {} {}", head.method, head.uri),
    }
}

fn s3(head: &Parts, body: &str) -> Vec<Need> {
    let path = head.uri.path().trim_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let (method, query) = (head.method.as_str(), head.uri.query().unwrap_or_default());
    let asks = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let actions: &[&str] = match (method, key.is_empty()) {
        ("GET", true) if asks("versions") => &["ListBucketVersions"],
        ("GET", true) if asks("uploads") => &["ListBucketMultipartUploads"],
        ("GET", true) if asks("notification") => &["GetBucketNotification"],
        ("GET", true) if asks("policy") => &["GetBucketPolicy"],
        ("GET", true) if asks("policyStatus") => &["GetBucketPolicyStatus"],
        ("GET", true) if asks("acl") => &["GetBucketAcl"],
        ("GET", true) if asks("cors") => &["GetBucketCORS"],
        ("GET", true) if asks("encryption") => &["GetEncryptionConfiguration"],
        ("GET", true) if asks("lifecycle") => &["GetLifecycleConfiguration"],
        ("GET", true) if asks("object-lock") => &["GetBucketObjectLockConfiguration"],
        ("GET", true) if asks("ownershipControls") => &["GetBucketOwnershipControls"],
        ("GET", true) if asks("publicAccessBlock") => &["GetBucketPublicAccessBlock"],
        ("GET", true) if asks("versioning") => &["GetBucketVersioning"],
        ("PUT", true) if asks("acl") => &["PutBucketAcl"],
        ("PUT", true) if asks("notification") => &["PutBucketNotification"],
        ("PUT", true) if asks("policy") => &["PutBucketPolicy"],
        ("GET", false) if asks("legal-hold") => &["GetObjectLegalHold"],
        ("GET", false) if asks("retention") => &["GetObjectRetention"],
        ("POST", true) if asks("delete") && body.contains("<VersionId>") => &["DeleteObject", "DeleteObjectVersion"],
        ("POST", true) if asks("delete") => &["DeleteObject"],
        ("GET", true) if asks("list-type") => &["ListBucket"],
        ("HEAD", true) => &["ListBucket"],
        ("PUT", true) if query.is_empty() => &["CreateBucket"],
        ("DELETE", true) if query.is_empty() => &["DeleteBucket"],
        ("GET", false) if asks("versionId") => &["GetObjectVersion"],
        ("GET" | "HEAD", false) => &["GetObject"],
        ("PUT", false) => &["PutObject"],
        other => panic!("what does {other:?} with {query} need?"),
    };
    // The keys of a deletion are in the body; one of them represents all.
    let keyed = !key.is_empty() || asks("delete");
    let resource = format!("arn:aws:s3:::{bucket}{}", if keyed { "/a" } else { "" });
    actions.iter().map(|action| (format!("s3:{action}"), Some(resource.clone()))).collect()
}

fn lambda(head: &Parts) -> &'static str {
    let path = head.uri.path().trim_matches('/');
    match (head.method.as_str(), path.split('/').nth(3).unwrap_or_default()) {
        ("GET", _) if path.contains("/event-source-mappings/") => "GetEventSourceMapping",
        ("GET", "configuration") => "GetFunctionConfiguration",
        ("GET", "event-invoke-config") => "GetFunctionEventInvokeConfig",
        ("GET", "policy") => "GetPolicy",
        ("GET", "concurrency") => "GetFunctionConcurrency",
        ("GET", "") if path.contains("/functions/") => "GetFunction",
        ("GET", "") if path.ends_with("account-settings") => "GetAccountSettings",
        other => panic!("what does {other:?} at {path} need?"),
    }
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
    let (url, needs) = noting(local.endpoint().replace("http://", "")).await;
    let remote = |arguments: &[&str]| {
        let mut command = local.remote(&url, arguments);
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
        let noted = std::mem::take(&mut *needs.lock().expect("no panic"));
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

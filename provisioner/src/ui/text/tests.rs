//! Shows every event as users see it: one snapshot of all wordings, which a test keeps complete.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::*;
use crate::core::concurrency::NoReservation;
use crate::core::denial::Denied;
use crate::core::diagnosis::{Diagnosis, Kind as FailureKind, StackEvent};
use crate::core::error_code::Code;
use crate::core::event::{
    AttachedBucket, Bundle, Certificates, CheckState, CountedTable, Drifted, FlagKept, LocalStep, RegionRow, SmokeStep,
    StatusReport,
};
use crate::core::identity::{CredentialSource, Method};
use crate::core::invocation_record::NotARecord;
use crate::core::operation::Kind;
use crate::core::pictures::PictureCounts;
use crate::core::plan::{Action, Change, Effect, Operation, Plan, Property, Switch};
use crate::core::setting::{Setting, Source};
use crate::core::smoke::{Attribute, Row};
use crate::core::stacks::{Skipped, SkippedRegion, StackRow};
use crate::core::unanswered::{Attempt, Unanswered};

mod existing;
mod findings;
mod hostile;
mod pictures;

fn invocation() -> Invocation {
    Invocation { stack: Some("faces".into()), region: Some("eu-west-1".into()), ..Invocation::default() }
}

thread_local! {
    /// Replaces the harmless text of the next events.
    static HOSTILE: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn text(text: &str) -> String {
    HOSTILE.with_borrow(Clone::clone).unwrap_or_else(|| text.to_owned())
}

fn pairs_of(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| (text(name), text(value))).collect()
}

fn resource_event(status: &str, reason: Option<&str>) -> Event {
    Event::Resource {
        event: StackEvent {
            id: text("1"),
            at: 0,
            logical_id: text("Function"),
            physical_id: None,
            resource_type: text("AWS::Lambda::Function"),
            status: status.into(),
            reason: reason.map(text),
            hook_result: None,
            token: None,
        },
    }
}

fn plan() -> Plan {
    let change = |action, logical_id: &str, resource_type: &str, properties| Change {
        action,
        logical_id: text(logical_id),
        resource_type: text(resource_type),
        policy_action: None,
        properties,
    };
    let property = |path: &str, before: Option<&str>, after: Option<&str>, recreates| Property {
        path: text(path),
        before: before.map(text),
        after: after.map(text),
        recreates,
        effect: None,
    };
    let (before, path) =
        ("s3:ObjectCreated:* to arn:aws:sqs:eu-west-1:1:a-queue", "/Properties/NotificationConfiguration");
    let removal = Property { effect: Some(Effect::Removes), ..property(path, Some(before), None, false) };
    Plan::new(
        Operation::Update,
        vec![
            change(
                Action::Modify,
                "Function",
                "AWS::Lambda::Function",
                vec![property("/Properties/Timeout", Some("10"), Some("20"), false)],
            ),
            change(
                Action::Replace,
                "Table",
                "AWS::DynamoDB::Table",
                vec![property("/Properties/TableName", Some("FaceData"), None, true)],
            ),
            change(Action::Add, "Alarm", "AWS::CloudWatch::Alarm", Vec::new()),
            change(Action::Import, "Bucket", "AWS::S3::Bucket", vec![removal]),
            change(Action::Import, "Other", "AWS::S3::Bucket", Vec::new()),
            change(Action::Remove, "Queue", "AWS::SQS::Queue", Vec::new()),
        ],
    )
}

fn diagnosis() -> Diagnosis {
    Diagnosis {
        logical_id: text("Role"),
        resource_type: text("AWS::IAM::Role"),
        reason: text("not authorized to perform: iam:CreateRole"),
        kind: FailureKind::Denied,
        denied: Some(Denied { action: text("iam:CreateRole"), resource: text("*"), by: None }),
        advice: vec![text("tags: the role must be tagged")],
        hook_result: None,
        others: 2,
    }
}

fn row() -> Row {
    [
        ("Age", Attribute::Text(text("22-30"))),
        ("Emotion", Attribute::Text(text("HAPPY"))),
        ("EmotionConfidence", Attribute::Number(text("98.765432"))),
        ("FaceID", Attribute::Text(text("0123456789abcdef0123456789abcdef#000"))),
    ]
    .into_iter()
    .map(|(name, value)| (text(name), value))
    .collect()
}

/// Every variant, once for each of its wordings.
#[expect(clippy::too_many_lines, reason = "one entry per event")]
fn every_event() -> Vec<Event> {
    let (bucket, stack) = (|| text("pictures-1"), || text("faces"));
    let mut events = vec![
        Event::Started { command: "up", version: "1.2.3", stack: stack(), local: true },
        Event::Unanswered {
            request: Unanswered {
                host: text("cloudformation.eu-west-1.amazonaws.com"),
                operation: text("DescribeStacks"),
                attempt: Some(Attempt { number: 2, of: 6 }),
                seconds: 10,
            },
        },
        Event::LocalCloud { step: LocalStep::Waiting { lock: text("/cache/lock") } },
        Event::LocalCloud { step: LocalStep::Installing { version: "1.5.33", with: "uv" } },
        Event::LocalCloud { step: LocalStep::Installed { seconds: 12.34 } },
        Event::LocalCloud { step: LocalStep::Replacing { ended: "the emulator" } },
        Event::LocalCloud { step: LocalStep::Starting { port: 4566 } },
        Event::LocalReady { endpoint: text("http://127.0.0.1:4566"), account: text("000000000000") },
        Event::LocalStopped { was_running: true },
        Event::LocalStopped { was_running: false },
        Event::LocalWillStop { stacks: 1, buckets: 1, tables: 1 },
        Event::LocalKept { stacks: 1, buckets: 2, tables: 0 },
        Event::TargetAdding { target: "aarch64-unknown-linux-musl" },
        Event::BuildStarted { target: "aarch64-unknown-linux-musl" },
        Event::BuildProgress { crates: 12, latest: text("serde"), packages: 40, of: Some(144) },
        Event::Packaged {
            source: text("target/bootstrap"),
            architecture: "arm64",
            executable_bytes: 4_480_192,
            zip_bytes: 2_069_146,
            sha256: text("0123456789abcdef0123456789abcdef"),
        },
        Event::PackageWritten {
            file: text("target/function.zip"),
            executable_bytes: 4_480_192,
            zip_bytes: 2_069_146,
            sha256: text("0123456789abcdef0123456789abcdef"),
        },
        Event::Identity {
            account: text("123456789012"),
            arn: Some(text("arn:aws-us-gov:iam::123456789012:user/dev")),
            partition: text("aws-us-gov"),
            credentials: CredentialSource::Profile {
                name: text("dev"),
                named_by: Source::option("--profile"),
                method: Method::Keys,
                roles: vec![text("arn:aws-us-gov:iam::123456789012:role/Deployer")],
            },
        },
        Event::CertificatesChosen { certificates: Certificates { system: 140, bundle: None, mozilla: 0 } },
        Event::CertificatesChosen {
            certificates: Certificates {
                system: 140,
                bundle: Some(Bundle { file: text("corporate.pem"), count: 2 }),
                mozilla: 0,
            },
        },
        Event::CertificatesChosen { certificates: Certificates { system: 0, bundle: None, mozilla: 118 } },
        Event::ConcurrencyChosen { concurrent_executions: 1, requests_per_second: 0.5 },
        Event::ConcurrencyUnknown { kept: Some(5), reason: NoReservation::UnknownQuota },
        Event::ConcurrencyUnknown { kept: None, reason: NoReservation::NoRoom { wanted: 50, unreserved: 10 } },
        Event::PicturesLeave { region: text("eu-west-3"), to: text("eu-central-1") },
        Event::RegionChecked { region: text("eu-west-1"), rekognition: true, source: RegionSource::ServiceQuotas },
        Event::PackageBucketCreated { bucket: bucket() },
        Event::PackageUploading { sent: 500_000, of: 2_000_000 },
        Event::PackageStored { bucket: bucket(), key: text("faces/0123.zip") },
        Event::PackagesRemoved { bucket: bucket(), objects: 1 },
        Event::OldPackagesKept { bucket: bucket(), cause: text("cannot list bucket `pictures-1`") },
        Event::ExpressUnavailable { reason: NoExpress::NewStack },
        Event::ExpressUnavailable { reason: NoExpress::Replacement },
        Event::DriftRevertUnsupported,
        Event::UnusualKeyPrefix { prefix: text("/uploads/"), usual: text("uploads/") },
        Event::ParametersAdopted { parameters: pairs_of(&[("RetentionDays", "30"), ("Versioning", "yes")]) },
        Event::Planned { plan: plan() },
        Event::Planned { plan: Plan::new(Operation::None, Vec::new()) },
        Event::Planned { plan: Plan::new(Operation::Update, Vec::new()) },
        Event::Planned {
            plan: Plan {
                switches: vec![
                    Switch { bucket: text("photos"), on: true },
                    Switch { bucket: text("old-photos"), on: false },
                ],
                ..Plan::new(Operation::None, Vec::new())
            },
        },
        Event::KeyNotAllowed {
            bucket: text("photos"),
            key: text("arn:aws:kms:eu-west-1:123456789012:key/2"),
            known: text(""),
        },
        Event::KeyNotAllowed {
            bucket: text("photos"),
            key: text("arn:aws:kms:eu-west-1:123456789012:key/2"),
            known: text("arn:aws:kms:eu-west-1:123456789012:key/1"),
        },
        Event::NotAttached { location: text("s3://photos/2042/"), attached: vec![] },
        Event::NotAttached { location: text("s3://photos/2042/"), attached: vec![text("s3://photos/2024/")] },
        Event::FlagSwitched { bucket: text("photos"), on: true },
        Event::FlagSwitched { bucket: text("photos"), on: false },
        Event::FlagKept {
            bucket: text("photos"),
            reason: FlagKept::Needed { rule: text("arn:aws:events:eu-west-1:123456789012:rule/thumbnails") },
        },
        Event::FlagKept {
            bucket: text("photos"),
            reason: FlagKept::Unknown { cause: text("cannot list the rules of the default event bus: AccessDenied") },
        },
        Event::FlagUnknown {
            bucket: text("photos"),
            cause: text("cannot read the notifications of bucket `photos`: AccessDenied"),
        },
        Event::PlanSaved { file: text("my plan.json") },
        Event::NoChanges { stack: stack() },
        Event::Joined { stack: stack(), status: "UPDATE_IN_PROGRESS".into() },
        Event::OperationStarted { operation: Kind::Rollback, stack: stack() },
        resource_event("CREATE_IN_PROGRESS", None),
        resource_event("CREATE_COMPLETE", None),
        resource_event("CREATE_FAILED", Some("limit exceeded")),
        resource_event("DELETE_SKIPPED", None),
        Event::LeavingUpdate { stack: stack() },
        Event::UpdateCancelled { stack: stack() },
        Event::RollbackSkipped { resources: vec![text("Function"), text("Role")] },
        Event::OperationEnded { stack: stack(), status: "CREATE_COMPLETE".into(), ok: true, seconds: 31.25 },
        Event::OperationEnded { stack: stack(), status: "ROLLBACK_COMPLETE".into(), ok: false, seconds: 1.0 },
        Event::Failed { diagnosis: diagnosis(), console: Some(text("https://console.aws.amazon.com/x")) },
        Event::Outputs { outputs: pairs_of(&[("BucketName", "pictures-1"), ("TableName", "FaceData")]) },
        Event::Status {
            report: Box::new(StatusReport {
                stack: stack(),
                region: text("eu-west-1"),
                status: "UPDATE_COMPLETE".into(),
                ready: true,
                changed_at: 1_777_636_800_000,
                outputs: pairs_of(&[("BucketName", "pictures-1")]),
                parameters: BTreeMap::new(),
                deployed_sha256: Some(text("0123")),
                embedded_sha256: Some(text("4567")),
                objects: Some(1),
                rows: Some(10_000),
                attached: [Some(true), Some(false), None]
                    .map(|sends_events| AttachedBucket {
                        locations: vec![text("s3://photos/2024/"), text("s3://photos/x")],
                        sends_events,
                    })
                    .into(),
                waiting: Some(7),
                failed: Some(0),
            }),
        },
        Event::SmokeStep {
            step: SmokeStep::Configuration { timeout: 10, memory: 512, architecture: text("arm64"), bucket: bucket() },
            seconds: 0.42,
        },
        Event::SmokeStep { step: SmokeStep::Picture { picture: "one face", rows: 1 }, seconds: 2.5 },
        Event::WritingToAttached { bucket: text("photos") },
        Event::SmokeStep { step: SmokeStep::Attached { bucket: text("photos") }, seconds: 0.2 },
        Event::SmokeRemainsRemoved { bucket: bucket(), pictures: 2 },
        Event::SmokePassed { pictures: 1, rows: 1, seconds: 3.0 },
        Event::SmokePassedBefore { stack: stack() },
        Event::WillRemove {
            stack: stack(),
            resources: 9,
            bucket: Some(bucket()),
            objects: 1,
            tables: [("FaceData", 100_000), ("FaceDataPictures", 1)]
                .map(|(name, rows)| CountedTable { name: text(name), rows })
                .into(),
            keep_data: false,
            attached: vec![text("photos")],
        },
        Event::Emptying { bucket: bucket(), removed: 1_000, of: Some(2_000) },
        Event::Removed { kind: Kept::PackageBucket, name: text("packages-1") },
        Event::PackageBucketKept { bucket: text("packages-1") },
        Event::KeptData { kind: Kept::Bucket, name: bucket(), count: 3 },
        Event::KeptData { kind: Kept::Table, name: text("FaceData"), count: 1 },
        Event::Adoptable { bucket: Some(text("my bucket")), table: None },
        Event::Proof { kind: text("AWS::S3::Bucket"), name: bucket(), arn: Some(text("arn:aws:s3:::x")), gone: true },
        Event::Proof { kind: text("AWS::S3::Bucket"), name: bucket(), arn: None, gone: false },
        Event::ProofImpossible { kind: text("AWS::X::Y"), name: text("z") },
        Event::NothingLeft { checked: 9 },
        Event::NoStack { stack: stack() },
        Event::Drift { stack: stack(), drifted: Vec::new(), unchecked: vec![text("Permission")] },
        Event::Drift {
            stack: stack(),
            drifted: vec![
                Drifted {
                    logical_id: text("Function"),
                    resource_type: text("AWS::Lambda::Function"),
                    physical_id: text("faces"),
                    deleted: false,
                    properties: vec![Property {
                        path: text("/Timeout"),
                        before: Some(text("10")),
                        after: Some(text("3")),
                        recreates: false,
                        effect: None,
                    }],
                },
                Drifted {
                    logical_id: text("Queue"),
                    resource_type: text("AWS::SQS::Queue"),
                    physical_id: text("q"),
                    deleted: true,
                    properties: Vec::new(),
                },
            ],
            unchecked: Vec::new(),
        },
        Event::DriftUnknown,
        Event::Settings {
            settings: vec![
                Setting::new("profile", "default", Source::Default),
                Setting::new("region", "eu-west-1", Source::variable("AWS_REGION")),
                Setting::new(
                    "endpoint URL",
                    "http://127.0.0.1:4566",
                    Source::Profile {
                        name: text("default"),
                        key: text("endpoint_url"),
                        file: text("/home/me/.aws/config"),
                    },
                ),
            ],
        },
        Event::Redriven { queue: text("q"), sent: 1, kept: 2 },
        Event::MessageKept { reason: NotARecord::NoPayload },
        Event::Detecting { done: 1, of: 3 },
        Event::Faces { file: text("a.jpg"), key: text("in/a.jpg"), rows: vec![row()], outcome: None, reason: None },
        Event::MoreFailures { same: 4, not_tried: 488 },
        Event::Faces {
            file: text("b.jpg"),
            key: text("b.jpg"),
            rows: Vec::new(),
            outcome: Some(text("no_face")),
            reason: None,
        },
        Event::Faces {
            file: text("c.jpg"),
            key: text("c.jpg"),
            rows: Vec::new(),
            outcome: Some(text("unusable")),
            reason: Some(text("InvalidImageFormatException")),
        },
        Event::PageWritten { file: text("faces.html"), bytes: 1_234_567 },
        Event::PicturesDone {
            counts: PictureCounts { pictures: 3, faces: 1, without_face: 1, unusable: 1, ..PictureCounts::default() },
        },
        Event::FacesFound { rows: 1, read: 2_000, more: true },
        Event::Exporting { rows: 5_000, of: Some(20_000) },
        Event::Exported { file: text("faces.csv"), rows: 1, seconds: 0.5 },
        Event::Regions {
            regions: vec![
                RegionRow {
                    name: "eu-south-2",
                    place: "Europe (Spain)",
                    partition: "aws",
                    rekognition: Some(true),
                    opt_in: true,
                    requests_per_second: Some(5.0),
                    nearest: vec!["eu-south-2"],
                },
                RegionRow {
                    name: "eu-west-3",
                    place: "Europe (Paris)",
                    partition: "aws",
                    rekognition: Some(false),
                    opt_in: false,
                    requests_per_second: None,
                    nearest: vec!["eu-central-1"],
                },
            ],
            source: RegionSource::BuiltIn,
        },
        Event::Stacks {
            stacks: vec![StackRow {
                region: text("eu-west-1"),
                stack: stack(),
                id: text("arn:aws:cloudformation:eu-west-1:123456789012:stack/faces/1"),
                status: "CREATE_COMPLETE".into(),
                changed_at: 1_777_636_800_000,
                bucket: Some(bucket()),
                table: Some(text("FaceData")),
            }],
            regions: 17,
            skipped: [
                ("ap-east-1", Skipped::NotEnabled),
                ("eu-west-2", Skipped::Denied),
                ("xx-west-1", Skipped::NoHost),
            ]
            .map(|(region, reason)| SkippedRegion { region: text(region), reason })
            .to_vec(),
        },
        Event::Stacks { stacks: Vec::new(), regions: 1, skipped: Vec::new() },
        Event::Log { at: 0, line: text(r#"{"outcome":"stored","faces":1,"_aws":{}}"#) },
        Event::Log { at: 0, line: text("START RequestId: 1") },
        Event::Document { text: text("a document") },
        Event::Error {
            code: Code::Usage,
            subject: Some(text("x")),
            message: text("cannot read `x`"),
            causes: vec![text("no such\nfile")],
            hints: vec![text("check the path")],
        },
        Event::Result { ok: false, exit_code: 3 },
    ];
    events.extend(existing::events());
    events.extend(findings::all());
    events
}

#[test]
fn every_event_as_a_user_sees_it() {
    let mut shown = String::new();
    for event in every_event() {
        let name = serde_json::to_value(&event).expect("an event is JSON")["type"].as_str().expect("a type").to_owned();
        let words = anstream::adapter::strip_str(&render(&event, &invocation(), false)).to_string();
        let _ = writeln!(shown, "{:?} {name}\n{}\n", channel(&event), words.replace('\n', "\n  | "));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn the_list_contains_every_event() {
    let listed: Vec<String> = every_event().iter().map(|event| format!("{event:?}")).collect();
    for name in declared(include_str!("../../core/event.rs"), "pub enum Event {") {
        assert!(listed.iter().any(|listed| first_word(listed) == name), "`every_event` lacks {name}");
    }
    for name in declared(include_str!("../../core/finding.rs"), "pub enum Finding {") {
        let finding = format!("finding: {name}");
        let is_it = |listed: &String| listed.split_once(&finding).is_some_and(|(_, rest)| rest.starts_with([' ', ',']));
        assert!(listed.iter().any(is_it), "`findings::all` lacks {name}");
    }
}

/// The names of an enum's variants, from its source.
fn declared<'a>(source: &'a str, head: &str) -> Vec<&'a str> {
    let body = source.split_once(head).and_then(|(_, rest)| rest.split_once("\n}\n")).expect("the enum").0;
    let names = body.lines().filter_map(|line| line.strip_prefix("    ").map(first_word));
    names.filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase())).collect()
}

fn first_word(text: &str) -> &str {
    text.split([' ', ',', '{']).next().unwrap_or_default()
}

//! Tests of erasure: whatever happens to an object, and in whatever order the function hears of it, the tables end up
//! with what S3 holds.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use function::{Outcome, Report};
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};
use serde_json::{Value, json};
use support::Gate;
use support::model::{KEY, Model, Versioning, World, content};
use tokio::task::JoinHandle;

/// Handles an event and returns its outcome.
async fn handle(model: &Model, event: &Value) -> Outcome {
    model.handle(event, None).await.records.remove(0).outcome
}

/// The contents that have an item.
fn contents(world: &World) -> Vec<&str> {
    world.tables.pictures.keys().map(|(_, content)| content.as_str()).collect()
}

/// Checks the tables against the bucket. The current object must have been processed. An older version may have been,
/// as long as there is a current object. Nothing else has an item, and no row is without an item.
fn check_tables(world: &World) -> Result<(), String> {
    let current = world.current().map(content);
    let held: BTreeSet<_> = world.versions.iter().filter(|version| version.faces.is_some()).map(content).collect();
    let mut rows = BTreeSet::new();
    let mut is_processed = false;
    for ((picture, content), item) in &world.tables.pictures {
        if *picture != format!("pictures/{KEY}") || current.is_none() || !held.contains(content) {
            return Err(format!("{content} must be erased"));
        }
        is_processed |= current.as_ref() == Some(content);
        let (outcome, count) = (item["Outcome"]["S"].as_str(), item["FaceCount"]["N"].as_str().unwrap());
        let count: usize = count.parse().unwrap();
        if outcome != Some(if count == 0 { "no_face" } else { "stored" }) {
            return Err(format!("{content} has the outcome {outcome:?}"));
        }
        let id = item["FaceID"]["S"].as_str().unwrap();
        rows.extend((0..count).map(|rank| format!("{id}#{rank:03}")));
    }
    if current.is_some() && !is_processed {
        return Err(format!("{} is not processed", current.unwrap_or_default()));
    }
    let found: BTreeSet<_> = world.tables.rows.keys().cloned().collect();
    if found == rows { Ok(()) } else { Err(format!("the rows are {found:?}, expected {rows:?}")) }
}

#[tokio::test]
async fn a_removed_object_is_erased_with_its_rows() {
    for versioning in [Versioning::Off, Versioning::Enabled, Versioning::Suspended] {
        for faces in [0, 1, 3, 98, 99, 100] {
            let model = Model::new(versioning);
            let created = model.world().put(faces);
            handle(&model, &created).await;
            assert_eq!(check_tables(&model.world()), Ok(()));
            let removed = model.world().delete();
            let report = model.handle(&removed, None).await;
            assert_eq!(report.records[0].outcome, Outcome::Erased);
            assert_eq!((report.status(), report.records[0].erased_rows), (200, faces));
            let world = model.world();
            assert!(world.tables.pictures.is_empty() && world.tables.rows.is_empty(), "{versioning:?} {faces}");
        }
    }
}

#[tokio::test]
async fn an_overwritten_picture_is_erased() {
    for versioning in [Versioning::Off, Versioning::Suspended] {
        let model = Model::new(versioning);
        let first = model.world().put(3);
        handle(&model, &first).await;
        let second = model.world().put(1);
        let report = model.handle(&second, None).await;
        assert_eq!((&report.records[0].outcome, report.records[0].erased_rows), (&Outcome::Stored { faces: 1 }, 3));
        let world = model.world();
        assert_eq!((contents(&world), check_tables(&world)), (vec!["etag:e1"], Ok(())));
        assert_eq!(report.document()["body"]["records"][0]["erasedRows"], 3);
    }
}

#[tokio::test]
async fn an_older_version_keeps_its_rows_until_it_is_removed() {
    let model = Model::new(Versioning::Enabled);
    for faces in [1, 2, 3] {
        let created = model.world().put(faces);
        handle(&model, &created).await;
    }
    assert_eq!(contents(&model.world()), ["v1", "v2", "v3"]);
    let removed = model.world().delete_version(1);
    assert_eq!(handle(&model, &removed).await, Outcome::Erased);
    assert_eq!(contents(&model.world()), ["v1", "v3"]);
    assert_eq!(handle(&model, &removed).await, Outcome::Skipped { code: "NothingToErase" });
    // The current one: what was older is now current.
    let removed = model.world().delete_version(1);
    handle(&model, &removed).await;
    let world = model.world();
    assert_eq!((contents(&world), check_tables(&world)), (vec!["v1"], Ok(())));
}

#[tokio::test]
async fn a_restored_object_is_processed_again() {
    let model = Model::new(Versioning::Enabled);
    let created = model.world().put(2);
    handle(&model, &created).await;
    let deleted = model.world().delete();
    handle(&model, &deleted).await;
    assert!(model.world().tables.rows.is_empty());
    let restored = model.world().delete_version(1);
    assert_eq!(handle(&model, &restored).await, Outcome::Stored { faces: 2 });
    assert_eq!(check_tables(&model.world()), Ok(()));
    // The event of the deletion comes again, late.
    assert_eq!(handle(&model, &deleted).await, Outcome::Skipped { code: "NothingToErase" });
    assert_eq!(check_tables(&model.world()), Ok(()));
}

#[tokio::test]
async fn removals_are_skipped_unless_they_are_followed() {
    let mut model = Model::new(Versioning::Off);
    model.settings.erase_rows = false;
    let created = model.world().put(1);
    handle(&model, &created).await;
    let removed = model.world().delete();
    assert_eq!(handle(&model, &removed).await, Outcome::Skipped { code: "NotAnUpload" });
    let world = model.world();
    assert_eq!(world.tables.rows.len(), 1);
    assert_eq!(world.requests, ["Query", "HEAD", "DetectFaces", "HEAD", "TransactWriteItems"]);
}

/// Rows that were written before a filter was set must not outlive their object.
#[tokio::test]
async fn a_removal_is_followed_whatever_the_extension() {
    let mut model = Model::new(Versioning::Enabled);
    let created = model.world().put(1);
    handle(&model, &created).await;
    model.settings.extensions = vec!["png".to_owned()];
    let deleted = model.world().delete();
    assert_eq!(handle(&model, &deleted).await, Outcome::Erased);
    let restored = model.world().delete_version(1);
    assert_eq!(handle(&model, &restored).await, Outcome::Skipped { code: "NothingToErase" });
    assert!(model.world().tables.rows.is_empty());
}

#[tokio::test]
async fn a_denied_request_never_means_that_an_object_is_gone() {
    for versioning in [Versioning::Off, Versioning::Enabled] {
        let model = Model::new(versioning);
        for faces in [1, 2] {
            let created = model.world().put(faces);
            handle(&model, &created).await;
        }
        let before = model.world().tables.rows.clone();
        let removed = model.world().delete();
        model.world().heads = vec![403];
        let Outcome::Failed(failure) = handle(&model, &removed).await else { panic!() };
        assert_eq!((failure.code.as_str(), failure.step.to_string().as_str()), ("AccessDenied", "settle"));
        assert_eq!(model.world().tables.rows, before);
    }
}

#[tokio::test]
async fn documented_events_of_expiration_are_removals() {
    let expired = json!({
        "version": "0", "id": "2ee9cc15-d022-99ea-1fb8-1b1bac4850f9", "detail-type": "Object Deleted",
        "source": "aws.s3", "account": "111122223333", "time": "2026-11-24T00:00:00Z", "region": "eu-west-1",
        "resources": ["arn:aws:s3:::pictures"],
        "detail": {
            "version": "0", "bucket": { "name": "pictures" },
            "object": {
                "key": KEY, "etag": "d41d8cd98f00b204e9800998ecf8427e",
                "version-id": "1QW9g1Z99LUNbvaaYVpW9xDlOLU.qxgF", "sequencer": "00617F0837B476E463"
            },
            "request-id": "20EB74C14654DC47", "requester": "s3.amazonaws.com",
            "reason": "Lifecycle Expiration", "deletion-type": "Delete Marker Created"
        }
    });
    let notification = json!({ "Records": [{
        "awsRegion": "eu-west-1", "eventName": "LifecycleExpiration:DeleteMarkerCreated",
        "s3": { "bucket": { "name": "pictures" }, "object": { "key": KEY, "versionId": "v9" } },
    }] });
    for event in [expired, notification] {
        let model = Model::new(Versioning::Enabled);
        let created = model.world().put(1);
        handle(&model, &created).await;
        model.world().delete();
        assert_eq!(handle(&model, &event).await, Outcome::Erased);
        assert_eq!(check_tables(&model.world()), Ok(()));
    }
}

/// A mark protects a version under a delete marker from being processed again after a restoration.
#[tokio::test]
async fn a_forgotten_mark_lives_as_long_as_its_content() {
    for (versioning, content) in [(Versioning::Off, "etag:e1"), (Versioning::Enabled, "v1")] {
        let model = Model::new(versioning);
        let created = model.world().put(1);
        handle(&model, &created).await;
        {
            let mut world = model.world();
            world.tables.rows.clear();
            let item = world.tables.pictures.values_mut().next().unwrap();
            (item["Outcome"], item["FaceCount"]) = (json!({ "S": "forgotten" }), json!({ "N": "0" }));
        }
        let deleted = model.world().delete();
        handle(&model, &deleted).await;
        if versioning == Versioning::Off {
            assert!(contents(&model.world()).is_empty());
            continue;
        }
        assert_eq!(contents(&model.world()), [content]);
        let restored = model.world().delete_version(1);
        assert_eq!(handle(&model, &restored).await, Outcome::Skipped { code: "NothingToErase" });
        assert!(model.world().tables.rows.is_empty());
        let removed = model.world().delete_version(0);
        handle(&model, &removed).await;
        assert!(contents(&model.world()).is_empty());
    }
}

/// A key can have thousands of versions. Each removal has its own event, so few of the others are checked.
#[tokio::test]
async fn the_number_of_requests_does_not_grow_with_the_versions() {
    let model = Model::new(Versioning::Enabled);
    let mut removed = Vec::new();
    for _ in 0..30 {
        let created = model.world().put(1);
        handle(&model, &created).await;
    }
    for _ in 0..20 {
        removed.push(model.world().delete_version(0));
    }
    for event in removed {
        model.world().requests.clear();
        handle(&model, &event).await;
        let heads = model.world().requests.iter().filter(|request| *request == "HEAD").count();
        assert!(heads <= 12, "{heads}");
    }
    let world = model.world();
    assert_eq!((contents(&world).len(), check_tables(&world)), (10, Ok(())));
}

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    /// Somebody uploads the picture with this number of faces. A repeated number means the same bytes.
    Put(usize),
    Delete,
    DeleteVersion(prop::sample::Index),
    SetVersioning(Versioning),
    /// An event is delivered again.
    Repeat(prop::sample::Index),
    /// The next request of a delivery is served.
    Serve(prop::sample::Index),
    /// The next request of a delivery is served, but its reply is lost.
    LoseReply(prop::sample::Index),
    /// A delivery ends without a trace. Its event is delivered again later.
    Crash(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<prop::sample::Index>;
    let versioning = prop::sample::select(vec![Versioning::Enabled, Versioning::Suspended]);
    let step = prop_oneof![
        4 => (0..4usize).prop_map(Step::Put),
        3 => Just(Step::Delete),
        3 => index().prop_map(Step::DeleteVersion),
        1 => versioning.prop_map(Step::SetVersioning),
        1 => index().prop_map(Step::Repeat),
        30 => index().prop_map(Step::Serve),
        2 => index().prop_map(Step::LoseReply),
        3 => index().prop_map(Step::Crash),
    ];
    prop::collection::vec(step, 0..80)
}

/// A delivery of an event that is under way or has ended.
struct Delivery {
    event: Value,
    gate: Arc<Gate>,
    task: JoinHandle<Report>,
}

impl Delivery {
    fn start(model: &Model, event: Value) -> Self {
        let gate = Arc::new(Gate::closed());
        let (model, copy, clone) = (model.clone(), event.clone(), Arc::clone(&gate));
        Self { event, gate, task: tokio::spawn(async move { model.handle(&copy, Some(clone)).await }) }
    }

    /// Permits one request, and waits until it was served or the delivery has ended.
    async fn serve(&self) {
        if !self.task.is_finished() {
            self.gate.go.add_permits(1);
            let ended = async {
                while !self.task.is_finished() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! { () = self.gate.served.notified() => {}, () = ended => {} }
        }
    }
}

/// A decision to erase is void if the object returns before it is carried out, although its item has not changed.
#[tokio::test]
async fn an_object_that_returns_during_its_erasure_is_kept() {
    for versioning in [Versioning::Off, Versioning::Enabled] {
        for faces in [0, 1, 100] {
            let model = Model::new(versioning);
            let created = model.world().put(faces);
            handle(&model, &created).await;
            let deletion = Delivery::start(&model, model.world().delete());
            // It reads the item and learns that the object is gone.
            deletion.serve().await;
            deletion.serve().await;
            let returned = match versioning {
                Versioning::Off => model.world().put(faces),
                _ => model.world().delete_version(1),
            };
            assert!(matches!(handle(&model, &returned).await, Outcome::Skipped { .. }));
            deletion.gate.go.add_permits(100);
            let report = deletion.task.await.unwrap();
            assert_eq!(report.records[0].outcome, Outcome::Skipped { code: "NothingToErase" });
            assert_eq!(check_tables(&model.world()), Ok(()), "{versioning:?} {faces}");
        }
    }
}

/// The same, if the erasure is carried out before the upload looks again.
#[tokio::test]
async fn an_object_that_returns_after_its_erasure_is_processed_again() {
    let model = Model::new(Versioning::Off);
    let created = model.world().put(2);
    handle(&model, &created).await;
    let deletion = Delivery::start(&model, model.world().delete());
    deletion.serve().await;
    deletion.serve().await;
    let upload = Delivery::start(&model, model.world().put(2));
    // It finds the item of the first upload.
    upload.serve().await;
    deletion.gate.go.add_permits(100);
    assert_eq!(deletion.task.await.unwrap().records[0].outcome, Outcome::Erased);
    upload.gate.go.add_permits(100);
    assert_eq!(upload.task.await.unwrap().records[0].outcome, Outcome::Stored { faces: 2 });
    assert_eq!(check_tables(&model.world()), Ok(()));
}

async fn run(versioning: Versioning, steps: &[Step]) -> Result<(), String> {
    let model = Model::new(versioning);
    let mut deliveries: Vec<Delivery> = Vec::new();
    let mut undelivered = Vec::new();
    for step in steps {
        let event = match step {
            Step::Put(faces) => Some(model.world().put(*faces)),
            Step::Delete => Some(model.world().delete()),
            Step::DeleteVersion(index) => {
                let mut world = model.world();
                let count = world.versions.len();
                (count > 0 && world.versioning != Versioning::Off).then(|| world.delete_version(index.index(count)))
            }
            Step::SetVersioning(versioning) => {
                model.world().versioning = *versioning;
                None
            }
            _ if deliveries.is_empty() => None,
            Step::Repeat(index) => Some(index.get(&deliveries).event.clone()),
            Step::Serve(index) => {
                index.get(&deliveries).serve().await;
                None
            }
            Step::LoseReply(index) => {
                let delivery = index.get(&deliveries);
                delivery.gate.lose_reply.store(true, std::sync::atomic::Ordering::Relaxed);
                delivery.serve().await;
                None
            }
            Step::Crash(index) => {
                let delivery = index.get(&deliveries);
                delivery.task.abort();
                undelivered.push(delivery.event.clone());
                None
            }
        };
        deliveries.extend(event.map(|event| Delivery::start(&model, event)));
    }
    deliveries.extend(undelivered.into_iter().map(|event| Delivery::start(&model, event)));
    // A failed delivery is repeated, for example if the object was missing only while Rekognition read it.
    for _ in 0..3 {
        for delivery in &deliveries {
            delivery.gate.go.add_permits(10_000);
        }
        let mut failed = Vec::new();
        for delivery in deliveries {
            match delivery.task.await {
                Ok(report) => failed.extend(report.error_type().map(|_| delivery.event)),
                Err(error) if error.is_cancelled() => {}
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        deliveries = failed.into_iter().map(|event| Delivery::start(&model, event)).collect();
    }
    if !deliveries.is_empty() {
        return Err("a delivery fails every time".to_owned());
    }
    check_tables(&model.world())
}

/// `PROPTEST_CASES` sets the number of histories.
#[test]
fn every_history_ends_with_what_s3_holds() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(60);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let versioning = prop::sample::select(vec![Versioning::Off, Versioning::Enabled, Versioning::Suspended]);
    let result = TestRunner::new(config).run(&(versioning, steps()), |(versioning, steps)| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(versioning, &steps)).map_err(TestCaseError::fail)
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, history)) => panic!("{why}\nafter {history:#?}"),
        Err(error) => panic!("{error}"),
    }
}

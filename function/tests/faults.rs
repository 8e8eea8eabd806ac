//! Tests of every fault of every service. After a temporary fault the record recovers. If the fault persists, the
//! invocation fails before its deadline, so that Lambda retries it.

mod support;

use std::time::{Duration, Instant};

use function::Outcome;
use support::model::{Model, Versioning};
use support::{Act, Cloud, SERVICES, Service, event, record};

/// The faults of a service, each with the code that the failure has if the fault persists.
fn faults(service: Service) -> Vec<(Act, &'static str)> {
    let mut faults = vec![
        (Act::Error(500, "InternalServerError"), "InternalServerError"),
        (Act::Cut, "ConnectionFailure"),
        (Act::Half, "ConnectionFailure"),
        (Act::Stall, "Timeout"),
        (Act::Hang, "Timeout"),
        (Act::NotHttp, "ConnectionFailure"),
    ];
    match service {
        // A reply to HEAD has no body and therefore no code.
        Service::S3 => {
            faults[0].1 = "Http500";
            faults.push((Act::Error(503, ""), "SlowDown"));
        }
        Service::Rekognition => faults.extend([
            (Act::Error(400, "ThrottlingException"), "ThrottlingException"),
            (Act::Error(500, "ThrottlingException"), "ThrottlingException"),
            (Act::Error(400, "ProvisionedThroughputExceededException"), "ProvisionedThroughputExceededException"),
            (Act::Body("<html>Sorry</html>"), "InvalidReply"),
            (Act::Body(r#"{"FaceDetails": [{"AgeRange": {"Low": 1e30}}]}"#), "InvalidReply"),
        ]),
        Service::DynamoDb => faults.extend([
            (Act::Error(400, "ThrottlingException"), "ThrottlingException"),
            (Act::Error(400, "ProvisionedThroughputExceededException"), "ProvisionedThroughputExceededException"),
            (Act::Body("<html>Sorry</html>"), "InvalidReply"),
            (Act::ServeThenCut, "ConnectionFailure"),
        ]),
    }
    faults
}

fn table() -> impl Iterator<Item = (Service, Act, &'static str)> {
    SERVICES.into_iter().flat_map(|service| faults(service).into_iter().map(move |(act, code)| (service, act, code)))
}

/// A cloud with other settings, and the number of requests to each service that an upload needs there.
#[derive(Clone, Copy, Debug)]
enum Setup {
    Plain,
    Erasing,
    OtherRegion,
}

impl Setup {
    async fn start(self) -> Cloud {
        let mut cloud = match self {
            Self::Erasing => Cloud::with_pictures().await,
            _ => Cloud::start().await,
        };
        cloud.settings.erase_rows = matches!(self, Self::Erasing);
        cloud.settings.rekognition_region = matches!(self, Self::OtherRegion).then(|| "eu-central-1".to_owned());
        cloud
    }

    fn requests(self, service: Service) -> usize {
        match (self, service) {
            (_, Service::Rekognition) | (Self::Plain | Self::OtherRegion, Service::DynamoDb) => 1,
            (Self::Plain | Self::OtherRegion, Service::S3) => 2,
            (Self::Erasing, _) => 3,
        }
    }
}

#[tokio::test]
async fn a_temporary_fault_of_any_request_does_not_change_the_outcome() {
    for setup in [Setup::Plain, Setup::Erasing, Setup::OtherRegion] {
        let cases = table().flat_map(|(service, act, _)| {
            (0..setup.requests(service)).map(move |position| (service, act.clone(), position))
        });
        futures_util::future::join_all(cases.map(|(service, act, position)| async move {
            let cloud = setup.start().await;
            cloud.next(service, vec![Act::Serve; position]);
            cloud.next(service, [act.clone(), act.clone()]);
            let case = format!("{setup:?} {service:?} {act:?} {position}");
            let report = cloud.upload().await;
            assert_eq!(report.records[0].outcome, Outcome::Stored { faces: 1 }, "{case}");
            assert_eq!(cloud.calls(service), setup.requests(service) + 2, "{case}");
            assert_eq!(cloud.state().tables.rows.len(), 1, "{case}");
        }))
        .await;
    }
}

#[tokio::test]
async fn a_persistent_fault_fails_the_invocation_before_its_deadline() {
    futures_util::future::join_all(table().map(|(service, act, code)| async move {
        let mut cloud = Cloud::start().await;
        cloud.always(service, act.clone());
        // Two and a half seconds for attempts, and enough time to report even if the machine is busy.
        cloud.settings.patience.margin = Duration::from_millis(2_500);
        let (start, time) = (Instant::now(), Duration::from_secs(5));
        let report = cloud.handle(&event(&[record("a.jpg")]), time).await;
        assert!(start.elapsed() < time, "{service:?} {act:?}: {:?}", start.elapsed());
        let Outcome::Failed(failure) = &report.records[0].outcome else { panic!("{service:?} {act:?}: {report:?}") };
        assert_eq!((failure.code.as_str(), failure.retryable), (code, true), "{service:?} {act:?}: {failure:?}");
        assert_eq!(report.error_type(), Some("RetryableFailure"));
    }))
    .await;
}

#[tokio::test]
async fn a_reply_without_a_list_of_faces_is_an_error() {
    for body in ["", "{}", "null", r#"{"FaceDetails": null}"#] {
        let cloud = Cloud::start().await;
        cloud.always(Service::Rekognition, Act::Body(body));
        let report = cloud.handle(&event(&[record("a.jpg")]), Duration::from_secs(2)).await;
        assert_eq!(report.error_type(), Some("RetryableFailure"), "{body}: {report:?}");
    }
}

#[tokio::test]
async fn a_permanent_error_is_not_retried() {
    for (service, act, code, requests) in [
        (Service::S3, Act::Error(403, ""), "AccessDenied", 1),
        // A GET asks what is wrong.
        (Service::S3, Act::Error(400, ""), "Http400", 2),
        (Service::Rekognition, Act::Error(400, "AccessDeniedException"), "AccessDeniedException", 1),
        (Service::DynamoDb, Act::Error(400, "ResourceNotFoundException"), "ResourceNotFoundException", 1),
        (Service::DynamoDb, Act::Error(400, "ValidationException"), "ValidationException", 1),
    ] {
        let cloud = Cloud::start().await;
        cloud.always(service, act);
        let report = cloud.upload().await;
        let Outcome::Failed(failure) = &report.records[0].outcome else { panic!("{report:?}") };
        assert_eq!((failure.code.as_str(), failure.retryable), (code, false));
        assert_eq!((report.error_type(), cloud.calls(service)), (Some("PermanentFailure"), requests));
    }
}

/// The model serves a request at once, before anything else can look at the time.
#[tokio::test]
async fn no_request_is_sent_after_the_deadline() {
    let model = Model::new(Versioning::Off);
    let created = model.world().put(1);
    let report = model.handle_within(&created, None, Duration::ZERO).await;
    assert_eq!(report.error_type(), Some("RetryableFailure"));
    assert!(model.world().requests.is_empty());
}

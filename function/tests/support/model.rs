//! A model of AWS in this process: a bucket with versions, Rekognition, and the tables, behind the real SDK clients.
//!
//! Invariant: a request of a gated client is served only when the test permits it, so a test determines every order.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use function::{Invocation, Report, Services, Settings};
use serde_json::{Value, json};

use super::tables::{PICTURES, Tables};
use super::{Gate, face};

/// The key of the only object.
pub(crate) const KEY: &str = "a.jpg";

/// Whether the bucket keeps versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Versioning {
    Off,
    Enabled,
    Suspended,
}

/// One version of the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// `null` if it was written while the bucket kept no versions.
    pub(crate) id: String,
    /// The number of faces in the picture, from which its entity tag is derived. A delete marker has none.
    pub(crate) faces: Option<usize>,
}

/// The state of all services.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) versioning: Versioning,
    /// All versions, the current one last.
    pub(crate) versions: Vec<Version>,
    pub(crate) tables: Tables,
    /// The methods or operations of the requests that were served.
    pub(crate) requests: Vec<String>,
    /// Replies to HEAD that override the bucket's state, one each.
    pub(crate) heads: Vec<u16>,
    /// An action that the role lacks.
    pub(crate) denied: Option<&'static str>,
    ids: usize,
}

impl World {
    fn next_id(&mut self) -> String {
        self.ids += 1;
        match self.versioning {
            Versioning::Enabled => format!("v{}", self.ids),
            Versioning::Off | Versioning::Suspended => "null".to_owned(),
        }
    }

    /// Uploads a picture and returns S3's notification.
    pub(crate) fn put(&mut self, faces: usize) -> Value {
        self.add(Some(faces))
    }

    /// Deletes the object without naming a version, and returns S3's notification.
    pub(crate) fn delete(&mut self) -> Value {
        if self.versioning == Versioning::Off {
            self.versions.clear();
            return self.notification("ObjectRemoved:Delete", None, None);
        }
        self.add(None)
    }

    fn add(&mut self, faces: Option<usize>) -> Value {
        let id = self.next_id();
        if id == "null" {
            self.versions.retain(|version| version.id != "null");
        }
        self.versions.push(Version { id: id.clone(), faces });
        let name = if faces.is_some() { "ObjectCreated:Put" } else { "ObjectRemoved:DeleteMarkerCreated" };
        self.notification(name, Some(&id), faces)
    }

    /// Deletes one version or delete marker, and returns S3's notification.
    pub(crate) fn delete_version(&mut self, index: usize) -> Value {
        let removed = self.versions.remove(index);
        self.notification("ObjectRemoved:Delete", Some(&removed.id), None)
    }

    fn notification(&self, name: &str, version: Option<&str>, faces: Option<usize>) -> Value {
        let version = version.filter(|_| self.versioning != Versioning::Off);
        json!({ "Records": [{
            "awsRegion": "eu-west-1", "eventName": name, "eventTime": "2026-11-23T10:20:30.456Z",
            "s3": {
                "bucket": { "name": "pictures" },
                "object": { "key": KEY, "versionId": version, "eTag": faces.map(etag) },
            },
        }] })
    }

    /// The current object, unless there is none or a delete marker.
    pub(crate) fn current(&self) -> Option<&Version> {
        self.versions.last().filter(|version| version.faces.is_some())
    }

    fn find(&self, version: Option<&str>) -> Result<&Version, u16> {
        let found = match version {
            Some(id) => self.versions.iter().find(|version| version.id == id).ok_or(404_u16)?,
            None => self.current().ok_or(404_u16)?,
        };
        if found.faces.is_some() { Ok(found) } else { Err(405) }
    }

    fn serve(&mut self, request: &HttpRequest) -> (u16, Vec<(&'static str, String)>, String) {
        let body = request.body().bytes().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or(Value::Null);
        let target = request.headers().get("x-amz-target").map(str::to_owned);
        let operation = target.as_deref().unwrap_or_else(|| request.method());
        self.requests.push(operation.rsplit('.').next().unwrap().to_owned());
        let missing = self.denied.filter(|action| actions(request, target.as_deref(), &body).contains(action));
        match target.as_deref() {
            // The reply to HEAD has no body.
            None if missing.is_some() => (403, Vec::new(), String::new()),
            Some(_) if let Some(action) = missing => (400, Vec::new(), denial(action)),
            None if !self.heads.is_empty() => (self.heads.remove(0), Vec::new(), String::new()),
            None => match self.head(request) {
                Ok(headers) => (200, headers, String::new()),
                // S3 tells that an object is missing only to those who may list the bucket.
                Err(404) if self.denied == Some("s3:ListBucket") => (403, Vec::new(), String::new()),
                Err(status) => (status, Vec::new(), String::new()),
            },
            Some("RekognitionService.DetectFaces") => match self.find(body["Image"]["S3Object"]["Version"].as_str()) {
                Ok(version) => {
                    let faces = vec![face(0.5, "HAPPY"); version.faces.unwrap()];
                    (200, Vec::new(), json!({ "FaceDetails": faces }).to_string())
                }
                Err(_) => (400, Vec::new(), json!({ "__type": "InvalidS3ObjectException" }).to_string()),
            },
            Some(operation) => {
                let (status, reply) = self.tables.serve(operation, &body);
                (status, Vec::new(), reply.to_string())
            }
        }
    }

    fn head(&self, request: &HttpRequest) -> Result<Vec<(&'static str, String)>, u16> {
        let version = request.uri().split_once("versionId=").map(|(_, id)| id.split('&').next().unwrap());
        let found = self.find(version)?;
        let etag = etag(found.faces.unwrap());
        if request.headers().get("if-match").is_some_and(|expected| expected.trim_matches('"') != etag) {
            return Err(412);
        }
        let mut headers = vec![("etag", format!("\"{etag}\"")), ("content-length", "5000".to_owned())];
        if self.versioning != Versioning::Off {
            headers.push(("x-amz-version-id", found.id.clone()));
        }
        Ok(headers)
    }
}

/// The actions that a request needs, according to the Service Authorization Reference. A transaction needs those of its
/// parts.
fn actions(request: &HttpRequest, target: Option<&str>, body: &Value) -> Vec<&'static str> {
    let Some(target) = target else {
        let names_version = request.uri().contains("versionId=");
        return vec![if names_version { "s3:GetObjectVersion" } else { "s3:GetObject" }];
    };
    match target.rsplit('.').next() {
        Some("DetectFaces") => vec!["rekognition:DetectFaces"],
        Some("Query") => vec!["dynamodb:Query"],
        Some("PutItem") => vec!["dynamodb:PutItem"],
        Some("TransactWriteItems") => {
            let parts = body["TransactItems"].as_array().unwrap().iter();
            parts.map(|part| if part["Put"].is_null() { "dynamodb:DeleteItem" } else { "dynamodb:PutItem" }).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn denial(action: &str) -> String {
    let message = format!(
        "User: arn:aws:sts::111122223333:assumed-role/faces is not authorized to perform: {action} because no identity-based policy allows the {action} action"
    );
    json!({ "__type": "AccessDeniedException", "message": message }).to_string()
}

/// The entity tag of the picture with this number of faces.
pub(crate) fn etag(faces: usize) -> String {
    format!("e{faces}")
}

/// The name of a version's content in the picture table.
pub(crate) fn content(version: &Version) -> String {
    if version.id == "null" { format!("etag:{}", etag(version.faces.unwrap())) } else { version.id.clone() }
}

/// Clients of a world.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    world: Arc<Mutex<World>>,
    pub(crate) settings: Settings,
}

impl Model {
    pub(crate) fn new(versioning: Versioning) -> Self {
        let mut settings = super::settings();
        settings.picture_table = Some(PICTURES.to_owned());
        settings.erase_rows = true;
        settings.patience.throttled_pause = Duration::from_millis(1);
        settings.patience.max_pause = Duration::from_millis(1);
        let world = World {
            versioning,
            versions: Vec::new(),
            tables: Tables::default(),
            requests: Vec::new(),
            heads: Vec::new(),
            denied: None,
            ids: 0,
        };
        Self { world: Arc::new(Mutex::new(world)), settings }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Handles an event. Its requests wait for the gate if there is one.
    pub(crate) async fn handle(&self, event: &Value, gate: Option<Arc<Gate>>) -> Report {
        self.handle_within(event, gate, Duration::from_mins(1)).await
    }

    pub(crate) async fn handle_within(&self, event: &Value, gate: Option<Arc<Gate>>, time: Duration) -> Report {
        let deadline = SystemTime::now() + time;
        let invocation = Invocation { request_id: "request".to_owned(), deadline };
        let services = SERVICES.get_or_init(|| services(&self.settings));
        let handle = function::handle(event, services, &self.settings, &invocation);
        DELIVERY.scope((Arc::clone(&self.world), gate), handle).await
    }
}

/// Clients take a while to build, so all models share them.
static SERVICES: OnceLock<Services> = OnceLock::new();

tokio::task_local! {
    /// The world of a delivery's requests, and their gate.
    static DELIVERY: (Arc<Mutex<World>>, Option<Arc<Gate>>);
}

fn services(settings: &Settings) -> Services {
    let plain = Services::new(settings).unwrap();
    let s3 = plain.s3.config().to_builder().http_client(Client);
    let rekognition = plain.rekognition.config().to_builder().http_client(Client);
    let dynamodb = plain.dynamodb.config().to_builder().http_client(Client);
    Services {
        s3: aws_sdk_s3::Client::from_conf(s3.build()),
        rekognition: aws_sdk_rekognition::Client::from_conf(rekognition.build()),
        dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
    }
}

/// Serves requests from the world of the current delivery.
#[derive(Clone, Debug)]
struct Client;

impl HttpClient for Client {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Client {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(async move {
            let (world, gate) = DELIVERY.get();
            if let Some(gate) = &gate {
                gate.go.acquire().await.unwrap().forget();
            }
            let (status, headers, body) = world.lock().unwrap().serve(&request);
            if let Some(gate) = &gate {
                gate.served.notify_one();
                if gate.lose_reply.swap(false, std::sync::atomic::Ordering::Relaxed) {
                    return Err(ConnectorError::io("the reply is lost".into()));
                }
            }
            let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
            for (name, value) in headers {
                response.headers_mut().insert(name, value);
            }
            Ok(response)
        })
    }
}

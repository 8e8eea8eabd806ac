//! A scripted CloudFormation on 127.0.0.1, with the parts of other services that a deployment uses.
//!
//! Invariant: time is counted in polls, never with a clock. `SPEC.md` describes the behavior and where AWS documents
//! it.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{settings, xml};

/// The ARN of the only stack.
pub(crate) const STACK_ID: &str = "arn:aws:cloudformation:eu-west-1:123456789012:stack/face-recognition/0a1b2c3d";

/// The name under which the region of a request is stored with its parameters; no service has a parameter with this
/// name.
pub(crate) const REGION: &str = "(region)";

/// The encoded path, the query and the body of a request, kept with its parameters.
pub(crate) const PATH: &str = "(path)";
pub(crate) const QUERY: &str = "(query)";
pub(crate) const BODY: &str = "(body)";

/// The state after one more `DescribeStacks`: a status and new events.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) status: &'static str,
    pub(crate) events: Vec<Value>,
}

/// A call that fails.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) call: &'static str,
    /// The number of calls that succeed before.
    pub(crate) after: usize,
    pub(crate) times: usize,
    pub(crate) http: u16,
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
}

/// A received call with its parameters.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) parameters: BTreeMap<String, String>,
}

/// The result of creating a change set: its changes, or the reason of the failure.
#[derive(Clone, Debug)]
pub(crate) enum ChangeSet {
    Changes(Vec<Value>),
    Fails(&'static str),
}

/// The state of the cloud. Tests set it up before the program runs.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a script is a list of switches")]
pub(crate) struct Script {
    /// The stack's status; `None` if there is no stack.
    pub(crate) status: Option<&'static str>,
    /// Whether the stack has a different owner than this tool.
    pub(crate) foreign: bool,
    pub(crate) protected: bool,
    /// Resources of the stack: logical id, type, physical id.
    pub(crate) resources: Vec<(&'static str, &'static str, &'static str)>,
    /// The statuses of resources, if not `CREATE_COMPLETE`.
    pub(crate) resource_status: Option<&'static str>,
    /// The frames after each call that starts an operation, in order.
    pub(crate) acts: VecDeque<(&'static str, Vec<Frame>)>,
    /// The frames of an operation that is already running.
    pub(crate) running: VecDeque<Frame>,
    pub(crate) change_sets: VecDeque<ChangeSet>,
    /// Existing change sets: name, age in seconds.
    pub(crate) stale: Vec<(&'static str, u64)>,
    /// The events of `DescribeEvents` by operation id or change set; `None` if the endpoint does not support it.
    pub(crate) operation_events: Option<BTreeMap<&'static str, Vec<Value>>>,
    /// The ids of the last operations, newest first.
    pub(crate) operations: Vec<&'static str>,
    pub(crate) buckets: HashSet<String>,
    pub(crate) tables: HashSet<String>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) events: Vec<Value>,
    pub(crate) current: Option<ChangeSet>,
    pub(crate) calls: Vec<Call>,
    /// The reply of `GetHookResult`; `None` if there is no result.
    pub(crate) hook_annotations: Option<Vec<Value>>,
    /// The ids of the results in `ListHookResults`.
    pub(crate) hook_results: Vec<&'static str>,
    /// Whether change sets can revert drift.
    pub(crate) knows_drift: bool,
    /// The mode of the last change set.
    pub(crate) deployment_mode: String,
    /// The quota of `DetectFaces` if Service Quotas has it, and the account's unreserved concurrent executions.
    pub(crate) detect_faces: Option<f64>,
    pub(crate) free_copies: i32,
    /// The deployed parameters of the stack.
    pub(crate) deployed: Vec<(&'static str, &'static str)>,
    /// The only regions with a quota of `DetectFaces`; if empty, every region has it.
    pub(crate) rekognition_regions: Vec<&'static str>,
    /// Regions that refuse requests to Service Quotas and for all stacks.
    pub(crate) closed_regions: Vec<&'static str>,
    /// Further outputs of the stack.
    pub(crate) outputs: Vec<(&'static str, &'static str)>,
    /// The only regions with a stack; if empty, every region has it.
    pub(crate) stack_regions: Vec<&'static str>,
    /// Regions that do not know the account.
    pub(crate) disabled_regions: Vec<&'static str>,
    /// Whether events have no tokens; they have the time of this machine.
    pub(crate) tokenless: bool,
    /// Whether another stack has packages in the bucket.
    pub(crate) others_packages: bool,
    /// The number of rows in each table.
    pub(crate) rows: usize,
    /// The keys in the bucket for packages.
    pub(crate) packages: Vec<&'static str>,
    /// The roles that exist.
    pub(crate) roles: Vec<&'static str>,
    /// The functions and log groups that exist.
    pub(crate) taken: Vec<&'static str>,
    /// The alarms that exist.
    pub(crate) alarms: Vec<&'static str>,
    /// Whether the tables exist only after `CreateStack`.
    pub(crate) tables_appear_after_create: bool,
    /// The stored objects by path.
    pub(crate) objects: BTreeMap<String, Bytes>,
    /// Tags of the bucket for packages, and the last request that set them.
    pub(crate) bucket_tags: Vec<(&'static str, &'static str)>,
    pub(crate) tagging: String,
    /// The last `CreateChangeSet` request.
    pub(crate) made: BTreeMap<String, String>,
    /// Whether the change set can no longer be executed.
    pub(crate) obsolete: bool,
    /// Whether the first `CreateStack` starts the creation but replies with an error.
    pub(crate) creation_reply_is_lost: bool,
    /// The deployed template; without one, a template without resources.
    pub(crate) template: Option<String>,
    /// Further tags of the stack.
    pub(crate) tags: Vec<(&'static str, &'static str)>,
    /// Replies to calls with these names that replace the scripted ones.
    pub(crate) replies: BTreeMap<&'static str, (u16, String)>,
    /// Replies to the first calls with these names.
    pub(crate) first_replies: BTreeMap<&'static str, VecDeque<String>>,
    /// Whether the stack is described by its ARN although no stack has its name.
    pub(crate) describes_by_id: bool,
    /// The `ClientRequestToken` of the request that started the operation.
    pub(crate) token: String,
}

impl Script {
    /// Adds the frames of the operation that a call starts.
    pub(crate) fn on(mut self, call: &'static str, frames: Vec<Frame>) -> Self {
        self.acts.push_back((call, frames));
        self
    }

    /// Makes a call fail `times` times after it has succeeded `after` times.
    pub(crate) fn fault(
        mut self,
        call: &'static str,
        (after, times): (usize, usize),
        (http, code, message): (u16, &'static str, &'static str),
    ) -> Self {
        self.faults.push(Fault { call, after, times, http, code, message });
        self
    }
}

/// A frame without events.
pub(crate) fn at(status: &'static str) -> Frame {
    Frame { status, events: Vec::new() }
}

/// A running cloud.
pub(crate) struct Cloud {
    pub(crate) endpoint: String,
    script: Arc<Mutex<Script>>,
    calls: watch::Receiver<usize>,
}

impl Cloud {
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let script = Arc::new(Mutex::new(script));
        let (count, calls) = watch::channel(0);
        let shared = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, count) = (Arc::clone(&shared), count.clone());
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        let (script, count) = (Arc::clone(&script), count.clone());
                        async move { Ok::<_, hyper::Error>(answer(&script, &count, request).await) }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { endpoint, script, calls }
    }

    /// The names of the calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.script.lock().expect("no panic").calls.clone()
    }

    pub(crate) fn count(&self, name: &str) -> usize {
        self.calls().iter().filter(|call| call.name == name).count()
    }

    /// The first call that changes the stack; empty if there was none.
    pub(crate) fn first_change(&self) -> String {
        const CHANGES: [&str; 5] =
            ["CreateChangeSet", "CreateStack", "UpdateStack", "ContinueUpdateRollback", "DeleteStack"];
        let calls = self.calls().into_iter().map(|call| call.name);
        calls.into_iter().find(|name| CHANGES.contains(&name.as_str())).unwrap_or_default()
    }

    /// Changes the script between two runs.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().expect("no panic"));
    }

    /// Waits until a call was made this many times.
    pub(crate) async fn until(&mut self, name: &str, times: usize) {
        while self.count(name) < times {
            self.calls.changed().await.expect("the cloud runs");
        }
    }
}

async fn answer(
    script: &Mutex<Script>,
    count: &watch::Sender<usize>,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let text = String::from_utf8_lossy(&body).into_owned();
    let mut parameters: BTreeMap<String, String> = text
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    // Credential=KEY/DATE/REGION/SERVICE/aws4_request
    let signature = head.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    parameters.insert(PATH.to_owned(), head.uri.path().to_owned());
    parameters.insert(QUERY.to_owned(), head.uri.query().unwrap_or_default().to_owned());
    parameters.insert(BODY.to_owned(), text.clone());
    parameters.insert(REGION.to_owned(), signature.split('/').nth(2).unwrap_or_default().to_owned());
    if let Some(acl) = head.headers.get("x-amz-acl").and_then(|value| value.to_str().ok()) {
        parameters.insert("x-amz-acl".to_owned(), acl.to_owned());
    }
    let target = head.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    let cbor = head.headers.get("smithy-protocol").is_some();
    let name = match (parameters.get("Action"), target) {
        _ if cbor => head.uri.path().rsplit('/').next().unwrap_or_default().to_owned(),
        (Some(action), _) => action.clone(),
        (None, Some(target)) => target.rsplit('.').next().unwrap_or_default().to_owned(),
        _ => rest(&head),
    };
    let path = head.uri.path().trim_start_matches('/').to_owned();
    let (status, reply) = {
        let mut script = script.lock().expect("no panic");
        let earlier = script.calls.iter().filter(|call| call.name == name).count();
        script.calls.push(Call { name: name.clone(), parameters: parameters.clone() });
        let fault = script.faults.iter().find(|fault| {
            fault.call == name && (fault.after..fault.after.saturating_add(fault.times)).contains(&earlier)
        });
        match fault {
            Some(fault) if fault.call.contains("Object") => {
                (fault.http, format!("<Error><Code>{}</Code><Message>{}</Message></Error>", fault.code, fault.message))
            }
            Some(fault) if target.is_some() => {
                (fault.http, json!({"__type": fault.code, "message": fault.message}).to_string())
            }
            Some(fault) => (fault.http, xml::error(fault.code, fault.message)),
            None if name == "PutObject" => {
                script.objects.insert(path, body.clone());
                (200, String::new())
            }
            None if name == "GetObject" && script.objects.contains_key(&path) => {
                let object = script.objects[&path].clone();
                count.send_modify(|count| *count += 1);
                return Response::builder().body(Full::from(object)).expect("a response");
            }
            None if name == "GetObject" => {
                (404, "<Error><Code>NoSuchKey</Code><Message>no</Message></Error>".to_owned())
            }
            None => {
                let first = script.first_replies.get_mut(name.as_str()).and_then(VecDeque::pop_front);
                match first.map(|reply| (200, reply)).or_else(|| script.replies.get(name.as_str()).cloned()) {
                    Some(reply) => reply,
                    None => script.play(&name, &parameters, &path, &text),
                }
            }
        }
    };
    count.send_modify(|count| *count += 1);
    if cbor {
        let alarms = alarms(&script.lock().expect("no panic").alarms);
        let reply = Response::builder().header("smithy-protocol", "rpc-v2-cbor");
        return reply.header("content-type", "application/cbor").body(Full::from(alarms)).expect("a response");
    }
    let reply = if head.method == "HEAD" { String::new() } else { reply };
    Response::builder().status(status).header("etag", "\"e\"").body(Full::from(reply)).expect("a response")
}

/// The reply of `DescribeAlarms` in CBOR: a map with one list of maps, which have one member each.
fn alarms(names: &[&str]) -> Vec<u8> {
    const MAP_OF_ONE: u8 = 0xa1;
    const LIST: u8 = 0x80;
    const TEXT: u8 = 0x60;
    const TEXT_WITH_LENGTH: u8 = 0x78;
    let small = |length: usize| u8::try_from(length).expect("a small number");
    let key = |name: &str| [&[TEXT + small(name.len())], name.as_bytes()].concat();
    let mut reply = [&[MAP_OF_ONE], &key("MetricAlarms")[..], &[LIST + small(names.len())]].concat();
    for name in names {
        reply.extend(
            [&[MAP_OF_ONE], &key("AlarmName")[..], &[TEXT_WITH_LENGTH, small(name.len())], name.as_bytes()].concat(),
        );
    }
    reply
}

/// The name of a REST call.
fn rest(head: &Parts) -> String {
    let deep = head.uri.path().trim_matches('/').contains('/');
    let query = head.uri.query().unwrap_or_default();
    let name = match (head.method.as_str(), deep) {
        ("GET", _) if head.uri.path().starts_with("/2015-03-31/functions/") => "GetFunctionConfiguration",
        ("GET", _) if head.uri.path().ends_with("/account-settings") => "GetAccountSettings",
        ("HEAD", false) => "HeadBucket",
        (method, deep) if settings::call(method, deep, query).is_some() => {
            return settings::call(method, deep, query).unwrap_or_default();
        }
        ("DELETE", true) => "DeleteObject",
        ("PUT", true) => "PutObject",
        ("GET", true) => "GetObject",
        ("PUT", false) if query.contains("policy") => "PutBucketPolicy",
        ("PUT", false) if query.contains("tagging") => "PutBucketTagging",
        ("GET", false) if query.contains("tagging") => "GetBucketTagging",
        ("PUT", false) => "CreateBucket",
        ("GET", false) if query.contains("versions") => "ListObjectVersions",
        ("GET", false) if query.contains("uploads") => "ListMultipartUploads",
        ("GET", false) => "ListObjectsV2",
        ("DELETE", false) => "DeleteBucket",
        ("POST", false) if query.contains("delete") => "DeleteObjects",
        _ => "Unknown",
    };
    name.to_owned()
}

/// `application/x-www-form-urlencoded`.
fn decode(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut plain = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next().unwrap_or(b'0'), bytes.next().unwrap_or(b'0')];
                u8::from_str_radix(&String::from_utf8_lossy(&digits), 16).unwrap_or(b'?')
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&plain).into_owned()
}

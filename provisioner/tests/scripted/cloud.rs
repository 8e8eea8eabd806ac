//! A scripted CloudFormation on 127.0.0.1, with the parts of other services that a deployment uses.
//!
//! Invariant: time is counted in polls, never with a clock. `SPEC.md` describes the behavior and where AWS documents
//! it.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

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
    call: &'static str,
    /// The number of calls that succeed before.
    after: usize,
    times: usize,
    http: u16,
    code: &'static str,
    message: &'static str,
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

impl Script {
    #[expect(clippy::too_many_lines, reason = "one arm per call")]
    fn play(&mut self, call: &str, parameters: &BTreeMap<String, String>, path: &str, body: &str) -> (u16, String) {
        let given = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
        match call {
            "GetRole" if self.roles.contains(&given("RoleName")) => xml::ok(
                call,
                "<Role><Path>/</Path><RoleName>R</RoleName><RoleId>R</RoleId><Arn>arn:aws:iam::123456789012:role/R</Arn>\
                 <CreateDate>2026-01-01T00:00:00Z</CreateDate></Role>",
            ),
            "GetRole" => (404, xml::error("NoSuchEntity", "no such role")),
            "GetCallerIdentity" => xml::ok(
                call,
                "<Account>123456789012</Account><Arn>arn:aws:iam::123456789012:user/dev</Arn><UserId>U</UserId>",
            ),
            "DescribeStacks" if given("StackName").is_empty() => self.list(given(REGION)),
            "DescribeStacks" => self.describe(given("StackName")),
            "DescribeStackEvents" => {
                let events: String = self.events.iter().rev().map(xml::stack_event).collect();
                xml::ok(call, &format!("<StackEvents>{events}</StackEvents>"))
            }
            "DescribeEvents" => match &self.operation_events {
                None => (400, xml::error("InvalidAction", "Could not find operation DescribeEvents")),
                Some(told) => {
                    let key = if given("OperationId").is_empty() { "change-set" } else { given("OperationId") };
                    let events: String = told.get(key).into_iter().flatten().map(xml::operation_event).collect();
                    xml::ok(call, &format!("<OperationEvents>{events}</OperationEvents>"))
                }
            },
            "ListStackResources" => {
                let resources: String =
                    self.resources.iter().map(|one| xml::resource(one, self.resource_status)).collect();
                xml::ok(call, &format!("<StackResourceSummaries>{resources}</StackResourceSummaries>"))
            }
            "ListStacks" => {
                let deleted = self.status == Some("DELETE_COMPLETE");
                let summary = format!(
                    "<member><StackId>{STACK_ID}</StackId><StackName>face-recognition</StackName>\
                     <CreationTime>2026-01-01T00:00:00Z</CreationTime><DeletionTime>2026-01-02T00:00:00Z</DeletionTime>\
                     <StackStatus>DELETE_COMPLETE</StackStatus></member>"
                );
                let summaries = if deleted { summary } else { String::new() };
                xml::ok(call, &format!("<StackSummaries>{summaries}</StackSummaries>"))
            }
            "GetTemplate" if !given("ChangeSetName").is_empty() => {
                let body = self.made.get("TemplateBody").cloned().unwrap_or_default();
                xml::ok(call, &xml::text("TemplateBody", &body))
            }
            "GetTemplate" => {
                xml::ok(call, &xml::text("TemplateBody", self.template.as_deref().unwrap_or("Resources: {}")))
            }
            "ListChangeSets" => {
                let sets: String = self.stale.iter().map(xml::summary).collect();
                xml::ok(call, &format!("<Summaries>{sets}</Summaries>"))
            }
            "CreateChangeSet" => {
                self.current = self.change_sets.pop_front();
                self.made.clone_from(parameters);
                if self.knows_drift {
                    given("DeploymentMode").clone_into(&mut self.deployment_mode);
                }
                if self.status.is_none() {
                    self.status = Some("REVIEW_IN_PROGRESS");
                }
                let id =
                    format!("arn:aws:cloudformation:eu-west-1:123456789012:changeSet/{}/1", given("ChangeSetName"));
                xml::ok(call, &format!("<Id>{id}</Id><StackId>{STACK_ID}</StackId>"))
            }
            "DescribeChangeSet" => xml::change_set(self),
            "GetHookResult" => match &self.hook_annotations {
                None => (400, xml::error("HookResultNotFound", "no such result")),
                Some(annotations) => xml::ok(call, &xml::annotations(annotations)),
            },
            "ListHookResults" => xml::ok(call, &xml::hook_results(&self.hook_results)),
            "DeleteChangeSet" => {
                self.stale.retain(|(name, _)| !given("ChangeSetName").contains(name));
                xml::ok(call, "")
            }
            "ContinueUpdateRollback"
                if !given("ForceRollback").is_empty() && !given("ResourcesToSkip.member.1").is_empty() =>
            {
                (400, xml::error("ValidationError", "ForceRollback and ResourcesToSkip exclude each other"))
            }
            "CreateStack"
            | "UpdateStack"
            | "ExecuteChangeSet"
            | "DeleteStack"
            | "ContinueUpdateRollback"
            | "CancelUpdateStack" => {
                let Some(at) = self.acts.iter().position(|(name, _)| *name == call) else {
                    return (400, xml::error("ValidationError", "the script has no frames for this call"));
                };
                self.running = self.acts.remove(at).map(|(_, frames)| frames.into()).unwrap_or_default();
                given("ClientRequestToken").clone_into(&mut self.token);
                if call == "CreateStack" && std::mem::take(&mut self.creation_reply_is_lost) {
                    let _ = self.describe(STACK_ID);
                    self.faults.push(Fault {
                        call: "CreateStack",
                        after: 1,
                        times: 9,
                        http: 400,
                        code: "AlreadyExistsException",
                        message: "Stack [face-recognition] already exists",
                    });
                    return (500, xml::error("InternalFailure", "the reply was lost"));
                }
                xml::ok(call, &format!("<StackId>{STACK_ID}</StackId>"))
            }
            _ => self.play_other(call, path, body, given(REGION)),
        }
    }

    /// Answers the services other than CloudFormation and STS.
    fn play_other(&mut self, call: &str, path: &str, body: &str, region: &str) -> (u16, String) {
        let bucket = path.split('/').next().unwrap_or_default().to_owned();
        match call {
            "ListServiceQuotas" | "ListAWSDefaultServiceQuotas" => self.quotas(region),
            "GetAccountSettings" => {
                let free = self.free_copies;
                (
                    200,
                    json!({"AccountLimit": {"ConcurrentExecutions": 1_000, "UnreservedConcurrentExecutions": free}})
                        .to_string(),
                )
            }
            "DeleteObjects" => {
                self.packages.clear();
                (200, "<DeleteResult></DeleteResult>".to_owned())
            }
            "GetFunctionConfiguration"
                if self.taken.iter().any(|name| path.ends_with(&format!("/{name}/configuration"))) =>
            {
                (200, "{}".to_owned())
            }
            "GetFunctionConfiguration" => (404, r#"{"__type":"ResourceNotFoundException"}"#.to_owned()),
            "DescribeLogGroups" => {
                let groups: Vec<Value> = self.taken.iter().map(|name| json!({"logGroupName": name})).collect();
                (200, json!({"logGroups": groups}).to_string())
            }
            "DescribeTable"
                if self.tables_appear_after_create && !self.calls.iter().any(|call| call.name == "CreateStack") =>
            {
                (400, r#"{"__type":"ResourceNotFoundException","message":"no such table"}"#.to_owned())
            }
            "DescribeTable" if self.tables.iter().any(|table| body.contains(&format!("\"{table}\""))) => {
                (200, r#"{"Table":{"TableStatus":"ACTIVE"}}"#.to_owned())
            }
            "Scan" => (200, json!({"Count": self.rows, "ScannedCount": self.rows}).to_string()),
            "DeleteTable" => {
                self.tables.retain(|table| !body.contains(&format!("\"{table}\"")));
                (200, "{}".to_owned())
            }
            "DescribeTable" => (400, r#"{"__type":"ResourceNotFoundException","message":"no such table"}"#.to_owned()),
            "HeadBucket" if self.buckets.contains(&bucket) => (200, String::new()),
            "HeadBucket" => (404, String::new()),
            "DeleteBucket" if self.others_packages && bucket.starts_with("provisioner-artefacts-") => {
                (409, "<Error><Code>BucketNotEmpty</Code><Message>not empty</Message></Error>".to_owned())
            }
            "DeleteBucket" => {
                self.buckets.remove(&bucket);
                (204, String::new())
            }
            "GetBucketTagging" => {
                let tag = |(key, value): &(&str, &str)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
                let tags: Vec<_> = self.bucket_tags.iter().map(tag).collect();
                (200, format!("<Tagging><TagSet>{}</TagSet></Tagging>", tags.concat()))
            }
            "PutBucketTagging" => {
                body.clone_into(&mut self.tagging);
                (200, String::new())
            }
            "CreateBucket" | "PutBucketPolicy" => (200, String::new()),
            "ListObjectVersions" => (200, xml::objects("ListVersionsResult", "Version", &self.packages)),
            "ListMultipartUploads" => (200, "<ListMultipartUploadsResult></ListMultipartUploadsResult>".into()),
            "ListObjectsV2" => (200, xml::objects("ListBucketResult", "Contents", &self.packages)),
            _ => settings::without(call)
                .unwrap_or_else(|| (400, xml::error("InvalidAction", "the scripted cloud does not support this call"))),
        }
    }

    /// The quotas of Rekognition in a region.
    fn quotas(&self, region: &str) -> (u16, String) {
        let refused = |code: &str| (400, json!({"__type": code, "Message": "as scripted"}).to_string());
        if self.closed_regions.contains(&region) {
            return refused("AccessDeniedException");
        }
        if !self.rekognition_regions.is_empty() && !self.rekognition_regions.contains(&region) {
            return refused("NoSuchResourceException");
        }
        let quotas: Vec<_> = self
            .detect_faces
            .iter()
            .map(|rate| json!({"QuotaName": "Transactions per second for DetectFaces", "Value": rate}))
            .collect();
        (200, json!({"Quotas": quotas}).to_string())
    }

    /// All stacks of a region.
    fn list(&mut self, region: &str) -> (u16, String) {
        if self.disabled_regions.contains(&region) {
            return (403, xml::error("InvalidClientTokenId", "The security token included in the request is invalid."));
        }
        if self.closed_regions.contains(&region) {
            return (403, xml::error("AccessDenied", "as scripted"));
        }
        match self.status {
            Some(status) if self.stack_regions.is_empty() || self.stack_regions.contains(&region) => {
                let (code, reply) = xml::stack(status, self);
                (code, reply.replace(":eu-west-1:", &format!(":{region}:")))
            }
            _ => xml::ok("DescribeStacks", "<Stacks></Stacks>"),
        }
    }

    /// Advances the time by one step, at each `DescribeStacks`.
    fn describe(&mut self, name: &str) -> (u16, String) {
        if let Some(frame) = self.running.pop_front() {
            self.status = Some(frame.status);
            // As in CloudFormation, every change of the status has an event about the stack itself.
            let own = json!({"id": "", "at": 0, "logical_id": "face-recognition", "status": frame.status,
                "resource_type": "AWS::CloudFormation::Stack"});
            let events = if frame.events.is_empty() { vec![own] } else { frame.events };
            for mut event in events {
                // Every event has its own id, even if a history is used twice.
                event["id"] = format!("{}", self.events.len()).into();
                if self.tokenless {
                    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
                    event["at"] = u64::try_from(now).unwrap_or_default().into();
                } else {
                    event["token"] = self.token.clone().into();
                }
                self.events.push(event);
            }
        }
        match self.status {
            None if self.describes_by_id && name == STACK_ID => xml::stack("CREATE_COMPLETE", self),
            Some("DELETE_COMPLETE") if name != STACK_ID => missing(),
            None => missing(),
            Some(status) => xml::stack(status, self),
        }
    }
}

fn missing() -> (u16, String) {
    (400, xml::error("ValidationError", "Stack with id face-recognition does not exist"))
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

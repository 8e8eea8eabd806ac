//! The system under test: a local cloud with a quota of Rekognition, the deployed stack, and Lambda's queue.
//!
//! Invariant: the queue's rules are read from the deployed stack, never from the test's own parameters.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use provisioner::aws::{Clients, stack};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::census::Census;
use super::environments::Program;
use super::front::{Behind, Front};
use super::lambda::{Lambda, Rules};
use super::support::local::{ACCOUNT, Local, clients_at, fixture};
use super::support::run;

const SECRET: &str = "test";
const REGION: &str = "us-east-1";
const STACK: &str = "face-recognition";
/// The prefix of keys for which the emulator itself starts the function; the test uses other keys.
const ELSEWHERE: &str = "KeyPrefix=nothing/is/uploaded/here/";
/// Width and height of the picture in pixels.
const SIDE: u32 = 256;
/// Maximum number of parallel uploads.
const SIDE_BY_SIDE: usize = 64;

/// The size of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) uploads: usize,
    /// `DetectFaces` requests per second.
    pub(crate) quota: u32,
    /// Maximum concurrent executions if the stack does not set a limit. In Lambda it would be a thousand.
    pub(crate) concurrency: usize,
    /// The divisor of Lambda's waits.
    pub(crate) hurry: u32,
    /// `MaximumRetryAttempts`
    pub(crate) retries: u32,
}

pub(crate) struct System {
    pub(crate) lambda: Lambda,
    pub(crate) front: Front,
    /// The keys of all uploads so far.
    pub(crate) uploads: BTreeSet<String>,
    size: Size,
    local: Local,
    clients: Clients,
    outputs: BTreeMap<String, String>,
}

impl System {
    /// Starts a local cloud and deploys the stack with these parameters and those that every test here needs.
    pub(crate) async fn start(name: &str, size: Size, parameters: &[&str]) -> Self {
        let local = Local::new(name);
        run(&mut local.command(&["local", "start", "--rekognition-quota", &size.quota.to_string()])).expect(0);
        let retries = format!("MaximumRetryAttempts={}", size.retries);
        let executable = deploy(&local, &[&["FailureQueue=yes", ELSEWHERE, &retries], parameters].concat());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let directly = clients_at(&local.endpoint());
        let (rules, outputs) = read(&directly, executable, &url, size).await;
        let lambda = Lambda::new(rules, directly.sqs);
        let behind = Behind {
            emulator: authority(&local.endpoint()),
            rekognition: authority(&rekognition(&local)),
            region: REGION.to_owned(),
            bucket: outputs["BucketName"].clone(),
        };
        let front = Front::start(listener, behind, lambda.clone());
        let clients = clients_at(&url);
        Self { lambda, front, uploads: BTreeSet::new(), size, local, clients, outputs }
    }

    /// Deploys other parameters, and applies them to the queue.
    pub(crate) async fn change(&self, parameters: &[&str]) {
        let executable = deploy(&self.local, parameters);
        self.lambda.change(read(&self.clients, executable, &self.front.url, self.size).await.0);
    }

    /// Uploads the picture under one key per upload, as fast as S3 accepts them.
    pub(crate) async fn upload(&mut self, folder: &str) {
        let picture = picture();
        let slots = Arc::new(Semaphore::new(SIDE_BY_SIDE));
        let mut requests = JoinSet::new();
        for number in 1..=self.size.uploads {
            let key = format!("{folder}/picture {number:04}.jpg");
            let request = self.clients.s3.put_object().bucket(&self.outputs["BucketName"]).key(&key);
            let (request, slots) = (request.body(ByteStream::from(picture.clone())), Arc::clone(&slots));
            requests.spawn(async move {
                let _slot = slots.acquire().await.expect("the semaphore is never closed");
                request.send().await.expect("S3 accepts a picture");
            });
            self.uploads.insert(key);
        }
        requests.join_all().await;
    }

    /// Runs `provisioner redrive`, waits until all events that it sent have ended, and returns their number.
    pub(crate) async fn redrive(&self) -> usize {
        let mut command = self.local.remote(&self.front.url, &["redrive", "--region", REGION]);
        let said = tokio::task::spawn_blocking(move || run(&mut command).expect(0)).await.expect("it does not panic");
        self.lambda.settle().await;
        let sent = said.of_type("redriven")[0]["sent"].as_u64().expect("a number");
        usize::try_from(sent).expect("a number of uploads")
    }

    pub(crate) async fn census(&self) -> Census {
        Census::take(&self.clients, &self.outputs["TableName"], &self.outputs["FailureQueueUrl"]).await
    }
}

/// A small picture, in which the local cloud finds the face within a few hundredths of a second, so that the quota
/// limits the throughput and not the detector.
fn picture() -> Bytes {
    let face = image::open(fixture("face.jpg")).expect("a fixture").thumbnail(SIDE, SIDE);
    let mut bytes = Cursor::new(Vec::new());
    face.write_to(&mut bytes, image::ImageFormat::Jpeg).expect("a picture");
    bytes.into_inner().into()
}

/// Runs `up`, and returns the executable that it deployed.
fn deploy(local: &Local, parameters: &[&str]) -> PathBuf {
    let parameters = parameters.iter().flat_map(|parameter| ["-P", parameter]);
    // The full run has hundreds of processes at a time, so it uses the optimized build that is deployed to AWS, which takes
    // minutes.
    let profile = if std::env::var_os("SCALE_UPLOADS").is_some() { "lambda" } else { "dev" };
    let arguments: Vec<_> = ["up", "--no-smoke", "--cargo-profile", profile].into_iter().chain(parameters).collect();
    let said = local.run(&arguments, 0);
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout");
    checkout.join(said.of_type("packaged")[0]["source"].as_str().expect("a path"))
}

/// Reads the queue's rules and the stack's outputs from the deployed stack.
async fn read(clients: &Clients, executable: PathBuf, url: &str, size: Size) -> (Rules, BTreeMap<String, String>) {
    let stack = stack::describe(&clients.cloudformation, STACK).await.expect("a reply").expect("the stack");
    let name = &stack.outputs["FunctionName"];
    let function = clients.lambda.get_function_configuration().function_name(name).send().await.expect("the function");
    let number = |name: &str| stack.parameters[name].parse::<i64>().expect("a number");
    let seconds = |number: i64| Duration::from_secs(number.try_into().expect("a positive time"));
    let own = function.environment.and_then(|environment| environment.variables).expect("its variables");
    let variables = [
        ("AWS_LAMBDA_FUNCTION_NAME", name.as_str()),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", ACCOUNT),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_ENDPOINT_URL", url),
        ("AWS_ENDPOINT_URL_REKOGNITION", url),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().chain(own);
    let rules = Rules {
        program: Program {
            path: executable,
            variables: variables.collect(),
            arn: function.function_arn.expect("its ARN"),
            timeout: seconds(function.timeout.expect("its timeout").into()),
        },
        // The emulator's Lambda knows only the time-out; the other numbers are those of the stack's parameters.
        concurrency: number("ReservedConcurrency").try_into().unwrap_or(size.concurrency),
        retries: number("MaximumRetryAttempts").try_into().expect("a positive number"),
        max_age: seconds(number("MaximumEventAge")),
        queue_url: stack.outputs["FailureQueueUrl"].clone(),
        hurry: size.hurry,
    };
    (rules, stack.outputs)
}

/// The endpoint of Rekognition, from `local env`.
fn rekognition(local: &Local) -> String {
    let said = run(&mut local.command(&["local", "env"])).expect(0);
    let text = said.of_type("document")[0]["text"].as_str().expect("the variables").to_owned();
    let value = text.lines().find_map(|line| line.strip_prefix("export AWS_ENDPOINT_URL_REKOGNITION="));
    value.expect("the endpoint's variable").to_owned()
}

fn authority(url: &str) -> String {
    url.strip_prefix("http://").expect("the local cloud uses HTTP").to_owned()
}

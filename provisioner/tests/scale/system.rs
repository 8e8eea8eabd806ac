//! The system under test: a local cloud with a Rekognition quota, the deployed stack, and Lambda's queue before it.
//!
//! Invariant: what the queue follows is read from the deployed stack, never from what the test asked for.

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
use super::copies::Program;
use super::front::{Behind, Front};
use super::lambda::{Lambda, Rules};
use super::support::local::{ACCOUNT, Local, clients_at, fixture};
use super::support::run;

const SECRET: &str = "test";
const REGION: &str = "us-east-1";
const STACK: &str = "face-recognition";
/// What the emulator itself would start the function for: nothing that is uploaded here.
const ELSEWHERE: &str = "KeyPrefix=nothing/is/uploaded/here/";
/// Pixels on each side of the picture.
const SIDE: u32 = 256;
/// Uploads that are on their way at once.
const SIDE_BY_SIDE: usize = 64;

/// How large a run is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) uploads: usize,
    /// `DetectFaces` requests a second.
    pub(crate) quota: u32,
    /// Copies at once where the stack sets no limit: Lambda would start a thousand.
    pub(crate) copies: usize,
    /// What Lambda's waits are divided by.
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
    /// Starts a local cloud and deploys the stack, with `parameters` beside those that every test here needs.
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

    /// Deploys with other parameters, as a user does, and lets the queue go on by them.
    pub(crate) async fn change(&self, parameters: &[&str]) {
        let executable = deploy(&self.local, parameters);
        self.lambda.change(read(&self.clients, executable, &self.front.url, self.size).await.0);
    }

    /// Uploads the picture under as many keys as the run has, as fast as S3 takes them.
    pub(crate) async fn upload(&mut self, folder: &str) {
        let picture = picture();
        let slots = Arc::new(Semaphore::new(SIDE_BY_SIDE));
        let mut requests = JoinSet::new();
        for number in 1..=self.size.uploads {
            let key = format!("{folder}/picture {number:04}.jpg");
            let request = self.clients.s3.put_object().bucket(&self.outputs["BucketName"]).key(&key);
            let (request, slots) = (request.body(ByteStream::from(picture.clone())), Arc::clone(&slots));
            requests.spawn(async move {
                let _slot = slots.acquire().await.expect("it is never closed");
                request.send().await.expect("S3 takes a picture");
            });
            self.uploads.insert(key);
        }
        requests.join_all().await;
    }

    /// Runs `provisioner redrive`, waits until all that it sent has ended, and returns how many that were.
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

/// A face small enough to be found in a few hundredths of a second: Rekognition's quota must be what holds the uploads up, not the
/// time that the local cloud's detector takes.
fn picture() -> Bytes {
    let face = image::open(fixture("face.jpg")).expect("a fixture").thumbnail(SIDE, SIDE);
    let mut bytes = Cursor::new(Vec::new());
    face.write_to(&mut bytes, image::ImageFormat::Jpeg).expect("a picture");
    bytes.into_inner().into()
}

/// Runs `up`, and returns the executable that it deployed.
fn deploy(local: &Local, parameters: &[&str]) -> PathBuf {
    let parameters = parameters.iter().flat_map(|parameter| ["-P", parameter]);
    // Hundreds of copies run at once, so this is the function as it is deployed.
    let arguments: Vec<_> = ["up", "--no-smoke", "--cargo-profile", "lambda"].into_iter().chain(parameters).collect();
    let said = local.run(&arguments, 0);
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout");
    checkout.join(said.of_type("packaged")[0]["source"].as_str().expect("a path"))
}

/// The rules that the stack sets, with its outputs.
async fn read(clients: &Clients, executable: PathBuf, url: &str, size: Size) -> (Rules, BTreeMap<String, String>) {
    let stack = stack::describe(&clients.cloudformation, STACK).await.expect("a reply").expect("the stack");
    let name = &stack.outputs["FunctionName"];
    let function = clients.lambda.get_function_configuration().function_name(name).send().await.expect("the function");
    let number = |name: &str| stack.parameters[name].parse::<i64>().expect("a number");
    let seconds = |number: i64| Duration::from_secs(number.try_into().expect("no negative time"));
    let own = function.environment.and_then(|environment| environment.variables).expect("its variables");
    let environment = [
        ("AWS_LAMBDA_FUNCTION_NAME", name.as_str()),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", ACCOUNT),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_ENDPOINT_URL", url),
        ("AWS_ENDPOINT_URL_REKOGNITION", url),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().chain(own);
    let rules = Rules {
        program: Program {
            path: executable,
            environment: environment.collect(),
            arn: function.function_arn.expect("its ARN"),
            timeout: seconds(function.timeout.expect("its timeout").into()),
        },
        // No number but the timeout is asked of the emulator's Lambda, which drops the reservation and cannot tell the others.
        copies: number("ReservedConcurrency").try_into().unwrap_or(size.copies),
        retries: number("MaximumRetryAttempts").try_into().expect("no negative number"),
        max_age: seconds(number("MaximumEventAge")),
        queue_url: stack.outputs["FailureQueueUrl"].clone(),
        hurry: size.hurry,
    };
    (rules, stack.outputs)
}

/// Where Rekognition listens, as `local env` says it.
fn rekognition(local: &Local) -> String {
    let said = run(&mut local.command(&["local", "env"])).expect(0);
    let text = said.of_type("document")[0]["text"].as_str().expect("the variables").to_owned();
    let value = text.lines().find_map(|line| line.strip_prefix("export AWS_ENDPOINT_URL_REKOGNITION='"));
    value.expect("it is among them").trim_end_matches('\'').to_owned()
}

fn authority(url: &str) -> String {
    url.strip_prefix("http://").expect("a local cloud is plain HTTP").to_owned()
}

//! A local cloud behind a proxy, and the program as a process that can be killed.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::types::{NotificationConfiguration, QueueConfiguration};
use provisioner::aws::Clients;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;
use tokio::sync::Notify;

use super::scenario::{Scenario, Step};
use super::state::{PHOTOS, State};
use super::support::local::{ACCOUNT, HERE, Local, fixture};
use super::support::proxy::Proxy;
use super::support::{elf, run};

/// The secrets in the program's environment, which must not appear in any output.
pub(crate) const SECRETS: [&str; 2] = ["the-secret-access-key-of-the-test", "the-session-token-of-the-test"];

/// The program must end by itself before.
const LIMIT: Duration = Duration::from_mins(8);

/// How long the effects of a command may take to be visible, for example rows after an event.
const PATIENCE: Duration = Duration::from_secs(40);

/// A run of the program.
#[derive(Debug, Default)]
pub(crate) struct Ran {
    /// `None` if the program was killed.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The longest time without a line of output.
    pub(crate) silence: Duration,
    /// A secret that was printed, or a request that did not go to the configured endpoint.
    pub(crate) leak: Option<String>,
}

impl Ran {
    pub(crate) fn events(&self, kind: &str) -> Vec<Value> {
        let events = self.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter(|event| event["type"] == kind).collect()
    }

    /// The last words of the run, for a report.
    pub(crate) fn said(&self) -> String {
        let error = self.events("error").first().map(ToString::to_string);
        error.unwrap_or_else(|| self.stdout.lines().last().unwrap_or(&self.stderr).to_owned())
    }
}

/// The local cloud, the proxy in front of it, and files for the commands.
pub(crate) struct Lab {
    pub(crate) local: Local,
    pub(crate) proxy: Proxy,
    /// The HTTP proxy of the program's environment, for all addresses but this machine's.
    elsewhere: Proxy,
    pub(crate) clients: Clients,
    /// The function, and two executables that do nothing.
    real: PathBuf,
    empty: PathBuf,
    other: PathBuf,
    /// The folder for files that commands write, emptied by a reset.
    out: PathBuf,
    /// The last message in the failure queue.
    message: Mutex<String>,
}

impl Lab {
    pub(crate) async fn new(name: &str) -> Self {
        let local = Local::new(name);
        tokio::task::block_in_place(|| local.run(&["local", "start"], 0));
        let proxy = Proxy::start(&local.endpoint()).await;
        let elsewhere = Proxy::start("http://127.0.0.1:9").await;
        let clients = local.clients();
        let real = local.home.0.join("function.zip");
        tokio::task::block_in_place(|| {
            run(local.command(&["build", "--local"]).arg("--zip").arg(&real)).expect(0);
        });
        let mut executable = elf(if cfg!(target_arch = "aarch64") { 183 } else { 62 });
        let empty = local.home.write("empty", &executable);
        executable.push(0);
        let other = local.home.write("other", executable);
        let out = local.home.0.join("out");
        Self { local, proxy, elsewhere, clients, real, empty, other, out, message: Mutex::default() }
    }

    /// The program with the proxy's endpoint, or directly in front of the local cloud.
    fn program(&self, endpoint: &str, arguments: &[&str]) -> Command {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let filled = arguments.iter().map(|argument| {
            argument
                .replace("{face}", &fixture("face.jpg"))
                .replace("{two}", &fixture("two-faces.jpg"))
                .replace("{empty}", &path(&self.empty))
                .replace("{other}", &path(&self.other))
                .replace("{home}", &path(&self.out))
        });
        let filled: Vec<String> = filled.collect();
        let mut command = self.local.command(&filled.iter().map(String::as_str).collect::<Vec<_>>());
        if matches!(arguments.first(), Some(&("up" | "plan"))) {
            command.args(["-P", HERE, "-P", "TlsOnly=no"]);
            if !arguments.contains(&"--bootstrap") {
                command.arg("--bootstrap").arg(&self.real);
            }
        }
        command
            .args(["--verbose", "--region", "us-east-1", "--endpoint-url", endpoint])
            .env("AWS_ACCESS_KEY_ID", ACCOUNT)
            .env("AWS_SECRET_ACCESS_KEY", SECRETS[0])
            .env("AWS_SESSION_TOKEN", SECRETS[1])
            .env("HTTP_PROXY", &self.elsewhere.url)
            .env("HTTPS_PROXY", &self.elsewhere.url)
            .env("NO_PROXY", "127.0.0.1")
            .env("PROVISIONER_POLL_LIMIT_MS", "100");
        let mut command = Command::from(command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Runs the program through the proxy; `kill` ends it at once.
    pub(crate) async fn run(&self, arguments: &[&str], kill: Option<Arc<Notify>>) -> Ran {
        self.finish(self.program(&self.proxy.url, arguments), kill).await
    }

    async fn finish(&self, mut command: Command, kill: Option<Arc<Notify>>) -> Ran {
        let mut child = command.spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut errors = child.stderr.take().expect("a pipe");
        let stderr = tokio::spawn(async move {
            let mut text = Vec::new();
            let _ = errors.read_to_end(&mut text).await;
            String::from_utf8_lossy(&text).into_owned()
        });
        let (mut ran, mut last) = (Ran::default(), Instant::now());
        let limit = tokio::time::sleep(LIMIT);
        tokio::pin!(limit);
        let kill = kill.unwrap_or_default();
        loop {
            tokio::select! {
                line = lines.next_line() => {
                    ran.silence = ran.silence.max(last.elapsed());
                    last = Instant::now();
                    let Ok(Some(line)) = line else { break };
                    ran.stdout.push_str(&line);
                    ran.stdout.push('\n');
                }
                () = kill.notified() => child.start_kill().expect("the program can be killed"),
                () = &mut limit => child.start_kill().expect("the program can be killed"),
            }
        }
        ran.code = child.wait().await.expect("the program ends").code();
        ran.stderr = stderr.await.expect("no panic");
        ran.leak = self.leak(&ran);
        ran
    }

    fn leak(&self, ran: &Ran) -> Option<String> {
        let printed = SECRETS.iter().find(|secret| ran.stdout.contains(**secret) || ran.stderr.contains(**secret));
        let sent = || self.elsewhere.taken().into_iter().next().map(|asked| format!("a request to {}", asked.head.uri));
        printed.map(|secret| format!("{secret} is in the output")).or_else(sent)
    }

    /// The files below the local cloud's folder that contain a secret.
    pub(crate) fn files_with_secrets(&self) -> Vec<PathBuf> {
        let (mut folders, mut found) = (vec![self.local.home.0.clone()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(path);
                    continue;
                }
                let bytes = std::fs::read(&path).unwrap_or_default();
                let has = |secret: &&str| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
                found.extend(SECRETS.iter().any(has).then_some(path));
            }
        }
        found
    }

    /// Brings the cloud from nothing to the state before the command.
    pub(crate) async fn prepare(&self, scenario: &Scenario) {
        self.reset().await;
        self.steps(scenario.setup).await;
    }

    async fn reset(&self) {
        self.proxy.set(|_| super::support::proxy::Verdict::Forward);
        let _ = std::fs::remove_dir_all(&self.out);
        std::fs::create_dir_all(&self.out).expect("a folder");
        let address = self.local.endpoint().replace("http://", "");
        let request = hyper::Request::post("/_ministack/reset").header("host", &address).body(());
        let (head, ()) = request.expect("a request").into_parts();
        let reply = super::support::forward::hand_on(&address, head, hyper::body::Bytes::new()).await;
        assert!(reply.expect("a reply").status().is_success(), "the local cloud cannot be reset");
    }

    pub(crate) async fn steps(&self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Run(arguments) => {
                    let ran = self.finish(self.program(&self.local.endpoint(), arguments), None).await;
                    assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.said());
                }
                Step::Enqueue => self.enqueue().await,
                Step::Data => self.store_data().await,
                Step::Sweep => self.sweep().await,
                Step::OldPictures => self.store_old_pictures().await,
                Step::Unprocess => self.unprocess().await,
                Step::Untest => self.delete_smoke_record().await,
                Step::Photos => self.create_photos().await,
            }
        }
    }

    async fn output(&self, name: &str) -> Option<String> {
        let reply = self.clients.cloudformation.describe_stacks().stack_name("face-recognition").send().await.ok()?;
        let stack = reply.stacks.unwrap_or_default().into_iter().next()?;
        stack.outputs().iter().find(|output| output.output_key() == Some(name))?.output_value().map(ToOwned::to_owned)
    }

    async fn store_data(&self) {
        let bucket = self.output("BucketName").await.expect("an output");
        let table = self.output("TableName").await.expect("an output");
        let storing = self.clients.s3.put_object().bucket(bucket).key("kept.jpg").body(b"kept".to_vec().into());
        storing.send().await.expect("an object");
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let row = self.clients.dynamodb.put_item().table_name(table).item("FaceID", text("kept"));
        row.item("Key", text("kept.jpg")).send().await.expect("a row");
    }

    /// Uploads a picture, deletes its rows, and puts its event into the queue.
    async fn enqueue(&self) {
        let bucket = self.output("BucketName").await.expect("an output");
        let table = self.output("TableName").await.expect("an output");
        let picture = std::fs::read(fixture("face.jpg")).expect("a picture");
        let storing = self.clients.s3.put_object().bucket(&bucket).key("lost.jpg").body(picture.into());
        let tag = storing.send().await.expect("an object").e_tag.expect("an entity tag");
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        while super::state::rows(&self.clients, &table).await.is_empty() {
            tick.tick().await;
        }
        self.delete_rows(&table).await;
        let event = json!({ "Records": [{
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventName": "ObjectCreated:Put",
            "eventTime": "2026-01-01T00:00:00.000Z",
            "s3": { "bucket": { "name": bucket }, "object": {
                "key": "lost.jpg", "eTag": tag.trim_matches('"'), "size": 1 } },
        }]});
        let record = json!({ "version": "1.0", "requestContext": { "condition": "RetriesExhausted" },
            "requestPayload": event });
        self.send(record.to_string()).await;
    }

    async fn send(&self, message: String) {
        let queue = self.output("FailureQueueUrl").await.expect("an output");
        let sending = self.clients.sqs.send_message().queue_url(queue).message_body(&message);
        sending.send().await.expect("a message");
        *self.message.lock().expect("no panic") = message;
    }

    /// Makes messages visible that a killed run received, as their visibility time-out does after two minutes.
    pub(crate) async fn show_messages(&self) {
        let Some(queue) = self.output("FailureQueueUrl").await else { return };
        if super::state::messages(&self.clients, &queue).await.1 > 0 {
            self.clients.sqs.purge_queue().queue_url(&queue).send().await.expect("an empty queue");
            let message = self.message.lock().expect("no panic").clone();
            self.send(message).await;
        }
    }

    async fn sweep(&self) {
        let bucket = self.output("BucketName").await.expect("an output");
        let table = self.output("TableName").await.expect("an output");
        for (key, _) in super::state::objects(&self.clients, &bucket).await {
            self.clients.s3.delete_object().bucket(&bucket).key(key).send().await.expect("a deletion");
        }
        self.delete_rows(&table).await;
    }

    async fn delete_smoke_record(&self) {
        let bucket = format!("provisioner-artefacts-{ACCOUNT}-us-east-1-an");
        let deletion = self.clients.s3.delete_object().bucket(bucket).key("face-recognition/smoke.json");
        deletion.send().await.expect("a deletion");
    }

    async fn delete_rows(&self, table: &str) {
        for row in super::state::rows(&self.clients, table).await {
            let id = row.get("FaceID").expect("a key").clone();
            self.clients.dynamodb.delete_item().table_name(table).key("FaceID", id).send().await.expect("a deletion");
        }
    }

    async fn store_old_pictures(&self) {
        let bucket = self.output("BucketName").await.expect("an output");
        for name in ["face.jpg", "two-faces.jpg"] {
            let picture = std::fs::read(fixture(name)).expect("a picture");
            let storing = self.clients.s3.put_object().bucket(&bucket).key(format!("old/{name}"));
            storing.body(picture.into()).send().await.expect("an object");
        }
    }

    async fn unprocess(&self) {
        self.delete_rows(&self.output("TableName").await.expect("an output")).await;
        let table = self.output("PictureTableName").await.expect("an output");
        for item in super::state::rows(&self.clients, &table).await {
            let deletion = self.clients.dynamodb.delete_item().table_name(&table);
            let keys = ["Picture", "Content"].map(|name| (name.to_owned(), item[name].clone()));
            deletion.set_key(Some(keys.into())).send().await.expect("a deletion");
        }
    }

    async fn create_photos(&self) {
        self.clients.s3.create_bucket().bucket(PHOTOS).send().await.expect("a bucket");
        self.clients.sqs.create_queue().queue_name("theirs").send().await.expect("a queue");
        let arn = format!("arn:aws:sqs:us-east-1:{ACCOUNT}:theirs");
        let theirs = QueueConfiguration::builder().id("theirs").queue_arn(arn).events("s3:ObjectCreated:*".into());
        let theirs = theirs.build().expect("a configuration");
        let configuration = NotificationConfiguration::builder().queue_configurations(theirs).build();
        let request = self.clients.s3.put_bucket_notification_configuration().bucket(PHOTOS);
        let request = request.skip_destination_validation(true);
        request.notification_configuration(configuration).send().await.expect("a notification");
    }

    /// The state once it is the expected one, otherwise the last state after a while.
    pub(crate) async fn settled(&self, expected: &State) -> State {
        let (began, mut tick) = (Instant::now(), tokio::time::interval(Duration::from_millis(300)));
        loop {
            tick.tick().await;
            let state = State::of(&self.clients).await;
            if state == *expected || began.elapsed() > PATIENCE {
                return state;
            }
        }
    }

    /// The state once it no longer changes.
    pub(crate) async fn steady(&self) -> State {
        let mut tick = tokio::time::interval(Duration::from_millis(700));
        let mut last = State::of(&self.clients).await;
        loop {
            tick.tick().await;
            let state = State::of(&self.clients).await;
            if state == last {
                return state;
            }
            last = state;
        }
    }
}

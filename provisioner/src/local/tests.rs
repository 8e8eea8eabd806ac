//! The local cloud's own rules, without starting an emulator; the end-to-end test of the whole command does that.

use std::path::PathBuf;

use super::process::Process;
use super::*;

/// A fresh folder for one test, removed at its end.
pub(super) struct Folder(PathBuf);

pub(super) fn folder(name: &str) -> Folder {
    let path = std::env::temp_dir().join(format!("provisioner-local-{}-{name}", std::process::id()));
    fs::create_dir_all(&path).expect("the system's temporary folder can be written to");
    Folder(path)
}

impl std::ops::Deref for Folder {
    type Target = std::path::Path;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    fn paths(&self) -> Paths {
        Paths { state: self.join("state"), cache: self.join("cache") }
    }
}

fn dead() -> Process {
    Process { pid: 1, started: "before the system".into() }
}

fn state(paths: &Paths) -> State {
    State {
        endpoint_url: "http://127.0.0.1:1".into(),
        rekognition_url: "http://127.0.0.1:2".into(),
        port: 1,
        region: "eu-west-1".into(),
        ministack_version: MINISTACK_VERSION.into(),
        provisioner_version: "0".into(),
        max_requests_per_second: None,
        ministack: dead(),
        rekognition: dead(),
        ministack_log: paths.run().join("ministack.log"),
        rekognition_log: paths.run().join("rekognition.log"),
    }
}

fn options(paths: Paths, port: Option<u16>) -> Options {
    Options { paths, port, region: "eu-west-1".into(), max_requests_per_second: None }
}

fn quiet(_: Progress) {}

#[tokio::test]
async fn stopping_nothing_makes_nothing() {
    let folder = folder("nothing");
    let paths = folder.paths();
    assert_eq!(stop(&paths, &quiet).await.expect("it is fine"), Stopped::NotRunning);
    assert_eq!(status(&paths).await.expect("it is fine"), Status::NotRunning);
    assert!(!paths.state.exists());
}

#[tokio::test]
async fn a_state_whose_processes_are_gone_is_broken_and_cleaned_up() {
    let folder = folder("broken");
    let paths = folder.paths();
    let state = state(&paths);
    paths::create_private(&paths.run()).expect("a folder");
    state.save(&paths).expect("a state");
    assert_eq!(State::load(&paths).expect("it can be read"), Some(state.clone()));
    let found = status(&paths).await.expect("it can be told");
    assert_eq!(found, Status::Broken { state: Box::new(state.clone()), part: ministack::PART });
    assert_eq!(stop(&paths, &quiet).await.expect("it is cleaned up"), Stopped::Stopped(Box::new(state)));
    assert!(!paths.state.exists(), "nothing is left");
}

#[tokio::test]
async fn other_things_in_the_folder_are_left_alone() {
    let folder = folder("other");
    let paths = folder.paths();
    state(&paths).save(&paths).unwrap_err();
    paths::create_private(&paths.state).expect("a folder");
    state(&paths).save(&paths).expect("a state");
    let other = paths.state.join("mine.txt");
    fs::write(&other, "mine").expect("a file");
    stop(&paths, &quiet).await.expect("it is cleaned up");
    let left: Vec<_> = fs::read_dir(&paths.state)
        .expect("the folder stays")
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    assert_eq!(left, [other]);
}

#[tokio::test]
async fn a_taken_port_is_named_before_anything_is_installed() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("its address").port();
    let folder = folder("taken");
    let paths = folder.paths();
    let error = start(&options(paths.clone(), Some(port)), &quiet).await.expect_err("the port is taken");
    assert!(matches!(error, Error::PortTaken { port: named } if named == port), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("--port")));
    assert!(!paths.cache.exists());
}

#[tokio::test]
async fn an_unreadable_state_is_not_overwritten() {
    let folder = folder("unreadable");
    let paths = folder.paths();
    paths::create_private(&paths.state).expect("a folder");
    fs::write(paths.state_file(), "{").expect("a file");
    let error = start(&options(paths.clone(), Some(0)), &quiet).await.expect_err("it cannot be read");
    assert!(matches!(error, Error::State { .. }), "{error}");
    assert_eq!(fs::read_to_string(paths.state_file()).expect("it is still there"), "{");
}

#[test]
fn only_what_was_asked_for_is_compared() {
    let folder = folder("fits");
    let paths = folder.paths();
    let check = |plays, port, limit, expected: bool| {
        let running = State { max_requests_per_second: plays, ..state(&paths) };
        let asked = Options { max_requests_per_second: limit, ..options(paths.clone(), port) };
        assert_eq!(fits(&running, &asked).is_ok(), expected, "{plays:?} {port:?} {limit:?}");
    };
    check(None, None, None, true);
    check(None, Some(0), None, true);
    check(None, Some(1), None, true);
    check(None, Some(2), None, false);
    check(None, None, Some(5), false);
    check(Some(5), None, Some(5), true);
    check(Some(5), None, Some(6), false);
    // `up --local` says nothing of a quota, and joins one that was started with `local start --rekognition-quota`.
    check(Some(5), None, None, true);
}

#[test]
fn the_variables_for_a_shell_hide_every_real_account() {
    let env = state(&folder("env").paths()).env();
    let get = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
    assert_eq!(get("AWS_ENDPOINT_URL"), Some("http://127.0.0.1:1"));
    assert_eq!(get("AWS_ACCESS_KEY_ID"), Some(credentials().access_key_id));
    assert_eq!(get("AWS_SESSION_TOKEN"), Some(""));
    assert_eq!(get("AWS_SHARED_CREDENTIALS_FILE"), Some("/dev/null"));
}

#[tokio::test]
async fn commands_take_turns() {
    let folder = folder("turns");
    let paths = folder.paths();
    let first = Lock::take(&paths, &quiet).await.expect("nobody holds it");
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let second = tokio::spawn({
        let paths = paths.clone();
        async move {
            let lock = Lock::take(&paths, &move |progress| tell.send(progress).expect("the test listens")).await;
            // The first holder removed the file that the second waited on.
            (lock.is_ok(), paths.lock_file().exists())
        }
    });
    assert!(matches!(told.recv().await, Some(Progress::WaitingForOther { .. })));
    fs::remove_dir_all(&paths.state).expect("the folder goes while the second waits");
    drop(first);
    assert_eq!(second.await.expect("it does not panic"), (true, true));
}

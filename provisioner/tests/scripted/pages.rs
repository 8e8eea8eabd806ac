//! Pages that commands write: what is refused beforehand, who can read them, and what a failed deployment leaves.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::cloud::{Cloud, Script};
use super::run::provisioner;
use super::{played, standing};

#[tokio::test]
async fn a_page_that_cannot_be_written_is_refused_before_the_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = folder.path().join("notes.html");
    fs::write(&other, "my notes").expect("a file");
    let missing = folder.path().join("missing/page.html");
    let picture = format!("{}/fixtures/face.jpg", env!("CARGO_MANIFEST_DIR"));
    for (path, code, said) in [
        (missing.as_path(), 2, "cannot write `"),
        (folder.path(), 2, "is a folder"),
        (other.as_path(), 4, "already exists and is not a page of this program"),
    ] {
        let path = path.to_str().expect("UTF-8");
        for arguments in [&["detect", picture.as_str()][..], &["faces"], &["up", "--yes"]] {
            let cloud = Cloud::start(standing()).await;
            let run = provisioner(&cloud, &[arguments, &["--html", path, "--output", "json"]].concat()).await;
            run.ended(code);
            assert!(run.error().contains(said), "{}", run.error());
            assert_eq!(cloud.calls().len(), 0, "{arguments:?}");
        }
    }
    assert_eq!(fs::read_to_string(&other).expect("the file"), "my notes");
}

#[tokio::test]
async fn a_summary_is_appended_for_ci() {
    let folder = tempfile::tempdir().expect("a folder");
    let (page, file) = (folder.path().join("up.html"), folder.path().join("summary.md"));
    let (page, path) = (page.to_str().expect("UTF-8"), file.to_str().expect("UTF-8"));
    let script = Script::default().on("CreateStack", played("denied-action", "CREATE_IN_PROGRESS", "DELETE_COMPLETE"));
    let cloud = Cloud::start(script).await;
    provisioner(&cloud, &["up", "--yes", "--no-smoke", "--html", page, "--summary", path]).await.ended(1);
    let cloud = Cloud::start(Script::default()).await;
    provisioner(&cloud, &["plan", "--summary", path]).await.ended(0);
    let text = fs::read_to_string(&file).expect("a summary");
    for part in [
        "## ❌ up face-recognition in eu-west-1\n",
        "**Cause:** Role (AWS::IAM::Role): ",
        "**Error:** the creation of stack 'face-recognition' failed",
        "## ✅ plan face-recognition in eu-west-1\n",
        "| add | Bucket | AWS::S3::Bucket |",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let nowhere = folder.path().join("missing/summary.md");
    let run = provisioner(&cloud, &["plan", "--summary", nowhere.to_str().expect("UTF-8"), "--output", "json"]).await;
    run.ended(1);
    assert!(run.error().contains("cannot write `"), "{}", run.error());
}

#[tokio::test]
async fn a_failed_deployment_leaves_a_timeline_with_its_cause() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("up.html");
    let arguments = ["up", "--yes", "--no-smoke", "--html", page.to_str().expect("UTF-8")];
    // The second run replaces the page of the first.
    for _ in 0..2 {
        let script =
            Script::default().on("CreateStack", played("denied-action", "CREATE_IN_PROGRESS", "DELETE_COMPLETE"));
        let cloud = Cloud::start(script).await;
        provisioner(&cloud, &arguments).await.ended(1);
        let text = fs::read_to_string(&page).expect("a page");
        for part in ["<h2>Cause</h2>", "iam:CreateRole", "<tr class=\"critical", "this IAM statement would allow it"] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        assert_eq!(fs::metadata(&page).expect("the file").permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1, "nothing else is left");
}

//! Tests the complete cycle as a user runs it, with the real program, the real function, and the local cloud.
//!
//! The first run builds the function and installs the emulator, which takes minutes; later runs use them again.

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

use std::io::Read as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use support::local::{Local, fixture};
use support::{Run, run};

fn kinds(run: &Run) -> Vec<String> {
    run.events().iter().map(|event| event["type"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_picture_becomes_rows_and_nothing_is_left() {
    let local = Local::new("loop");

    let up = local.run(&["up"], 0);
    let outputs = up.of_type("outputs")[0]["outputs"].clone();
    assert_eq!(outputs["TableName"], "FaceData");
    assert_eq!(up.of_type("smoke_passed")[0]["rows"], 1, "{}", up.stdout);
    assert!(kinds(&up).contains(&"planned".to_owned()));

    let again = local.run(&["up"], 0);
    assert_eq!(again.of_type("no_changes").len(), 1, "{}", again.stdout);
    assert!(again.of_type("operation_started").is_empty());
    assert_eq!(local.run(&["plan", "--detailed-exitcode"], 0).of_type("planned")[0]["plan"]["operation"], "none");

    let detected = local.run(&["detect", &fixture("face.jpg"), &fixture("two-faces.jpg"), &fixture("no-face.jpg")], 0);
    let mut rows: Vec<(String, usize, Value)> = detected
        .of_type("faces")
        .into_iter()
        .map(|faces| {
            (
                faces["key"].as_str().expect("a key").to_owned(),
                faces["rows"].as_array().expect("rows").len(),
                faces["outcome"].clone(),
            )
        })
        .collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        rows,
        [
            ("face.jpg".into(), 1, Value::Null),
            ("no-face.jpg".into(), 0, "no_face".into()),
            ("two-faces.jpg".into(), 2, Value::Null)
        ]
    );

    let page = local.home.0.join("faces.html");
    let page = page.to_str().expect("UTF-8");
    let again = local.run(&["detect", &fixture("face.jpg"), "--html", page], 0);
    assert_eq!(again.of_type("page_written")[0]["file"], page);
    let embedded = std::fs::read_to_string(page).expect("a page");
    assert!(embedded.contains("data:image/jpeg;base64,") && embedded.matches("<rect x=").count() == 1, "a box");
    local.run(&["detect", &fixture("face.jpg"), "--html", page, "--link"], 0);
    let linked = std::fs::read_to_string(page).expect("a page");
    assert!(linked.contains("src=\"file:///") && !linked.contains("data:image"), "{linked}");
    local.run(&["faces", "--html", page], 0);
    let searched = std::fs::read_to_string(page).expect("a page");
    assert_eq!((searched.matches("data:image/jpeg").count(), searched.matches("<rect x=").count()), (2, 3));
    assert_eq!(
        again.of_type("faces")[0]["rows"].as_array().map(Vec::len),
        Some(1),
        "the same picture is not uploaded again"
    );
    let other = local.home.write("face.jpg", std::fs::read(fixture("two-faces.jpg")).expect("a fixture"));
    let other = other.to_string_lossy().into_owned();
    local.run(&["detect", &other], 4);
    let replaced = local.run(&["detect", &other, "--overwrite"], 0);
    assert_eq!(replaced.of_type("faces")[0]["rows"].as_array().map(Vec::len), Some(2));
    local.run(&["detect", &fixture("face.jpg"), "--overwrite"], 0);

    rows_are_found_and_exported(&local);

    // The remains of an old smoke test: its picture, whose key has the time of the test, and the rows.
    local.run(&["detect", &fixture("two-faces.jpg"), "--prefix", "provisioner-smoke/1000/"], 0);
    let smoke = local.run(&["smoke", "--full", "--junit", &local.home.0.join("smoke.xml").to_string_lossy()], 0);
    assert_eq!(
        (&smoke.of_type("smoke_passed")[0]["pictures"], &smoke.of_type("smoke_passed")[0]["rows"]),
        (&4.into(), &3.into())
    );
    assert_eq!(smoke.of_type("smoke_remains_removed")[0]["pictures"], 1);
    assert!(std::fs::read_to_string(local.home.0.join("smoke.xml")).expect("a report").contains("failures=\"0\""));

    let status = local.run(&["status"], 0);
    let report = &status.of_type("status")[0]["report"];
    // The two rows of the replaced picture stay, because `EraseRows` is off.
    assert_eq!(
        (&report["objects"], &report["rows"]),
        (&3.into(), &5.into()),
        "the smoke test deletes its picture and rows"
    );

    let other = local.run(&["down", "--stack", "another"], 0);
    assert!(
        other.of_type("local_stopped").is_empty(),
        "`down` of a stack that does not exist does not stop the local cloud of another stack"
    );

    let down = local.run(&["down"], 0);
    assert_eq!(down.of_type("will_remove")[0]["objects"], 3);
    let proofs = down.of_type("proof");
    assert!(proofs.len() >= 7 && proofs.iter().all(|proof| proof["gone"] == true), "{proofs:?}");
    assert_eq!(down.of_type("local_stopped")[0]["was_running"], true);
    assert!(!local.home.0.join("local").exists(), "the local cloud leaves no folder");
    local.run(&["down"], 0);
}

#[test]
fn a_region_without_rekognition_can_use_another_one() {
    let local = Local::new("elsewhere");
    let refused = local.run(&["up", "--region", "eu-west-3"], 4);
    let error = refused.of_type("error")[0].to_string();
    assert!(error.contains("has no Amazon Rekognition") && error.contains("RekognitionRegion=eu-central-1"), "{error}");
    for wrong in ["eu-north-1", "us-gov-west-1", "xx-nowhere-9"] {
        let parameter = format!("RekognitionRegion={wrong}");
        local.run(&["up", "--region", "eu-west-3", "--parameter", &parameter], 4);
    }
    let up = local.run(&["up", "--region", "eu-west-3", "--parameter", "RekognitionRegion=eu-central-1"], 0);
    assert_eq!(up.of_type("smoke_passed")[0]["rows"], 1);
    assert_eq!(up.of_type("pictures_leave")[0]["to"], "eu-central-1");
    // The stack remembers it.
    assert_eq!(local.run(&["up", "--region", "eu-west-3"], 0).of_type("no_changes").len(), 1);

    // One local cloud serves every region, and is stopped together with the last stack in any of them.
    let both = local.run(&["up", "--region", "us-east-1,eu-west-1", "--no-smoke"], 0);
    assert_eq!(both.of_type("outputs").len(), 2);
    let kept = local.run(&["down", "--region", "us-east-1"], 0);
    assert_eq!(kept.of_type("local_kept")[0]["stacks"], 2);
    let stopped = local.run(&["down", "--region", "eu-west-1,eu-west-3"], 0);
    assert_eq!(stopped.of_type("local_stopped")[0]["was_running"], true);
}

/// The table has one row of `face.jpg`, two of `two-faces.jpg`, and two of the earlier picture with the key `face.jpg`.
fn rows_are_found_and_exported(local: &Local) {
    let found = local.run(&["faces", "--prefix", "two"], 0);
    assert_eq!(found.of_type("faces")[0]["rows"].as_array().map(Vec::len), Some(2), "{}", found.stdout);
    assert_eq!(found.of_type("faces_found")[0]["read"], 5);
    let limited = local.run(&["faces", "--limit", "1"], 0);
    assert_eq!(limited.of_type("faces_found")[0]["more"], true);
    let bucket = local.run(&["status"], 0).of_type("status")[0]["report"]["outputs"]["BucketName"].clone();
    let url = format!("s3://{}/face.jpg", bucket.as_str().expect("a name"));
    let one = local.run(&["faces", &url], 0);
    assert_eq!(one.of_type("faces")[0]["rows"].as_array().map(Vec::len), Some(1), "only the current picture's row");
    local.run(&["faces", &format!("{url}.missing")], 1);
    for wrong in ["face.jpg", "s3://another-bucket/face.jpg", "s3://face.jpg"] {
        local.run(&["faces", wrong], 2);
    }

    let csv = local.home.0.join("rows.csv");
    let csv = csv.to_str().expect("UTF-8");
    assert_eq!(local.run(&["export", csv], 0).of_type("exported")[0]["rows"], 5);
    let text = std::fs::read_to_string(csv).expect("a file");
    assert_eq!(text.lines().count(), 6, "a header and five rows");
    assert!(text.starts_with("FaceID,Bucket,Key,"), "{text}");
    local.run(&["export", csv], 4);
    local.run(&["export", csv, "--overwrite"], 0);
    let jsonl = csv.replace(".csv", ".jsonl");
    local.run(&["export", &jsonl], 0);
    let text = std::fs::read_to_string(&jsonl).expect("a file");
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows.len(), 5);
    assert!(rows.iter().all(|row| row["BoundingBox"]["Left"].is_number()), "{text}");
    local.run(&["export", "rows.txt"], 2);
    let nowhere = local.run(&["export", "/nonexistent/rows.csv"], 1);
    assert!(nowhere.of_type("error")[0]["message"].as_str().is_some_and(|text| text.contains("does not exist")));
    let folder = local.home.0.join("folder.csv");
    std::fs::create_dir(&folder).expect("a folder");
    local.run(&["export", &folder.to_string_lossy(), "--overwrite"], 4);
}

#[test]
fn an_update_uses_a_change_set_and_refuses_data_loss() {
    let local = Local::new("update");
    local.run(&["up", "--no-smoke"], 0);

    let changed = ["-P", "RetentionDays=30"];
    let plan = local.run(&["plan", "--detailed-exitcode", changed[0], changed[1]], 2);
    assert_eq!(plan.of_type("planned")[0]["plan"]["operation"], "update");
    let update = local.run(&["up", changed[0], changed[1]], 0);
    assert_eq!(update.of_type("smoke_passed").len(), 1, "{}", update.stdout);
    let detected = local.run(&["detect", &fixture("face.jpg")], 0);
    assert!(detected.of_type("faces")[0]["rows"][0]["ExpiresAt"].is_string(), "rows expire now: {}", detected.stdout);
    let unchanged = local.run(&["up"], 0);
    assert_eq!(unchanged.of_type("no_changes").len(), 1, "parameters keep their deployed values");
    assert_eq!(
        unchanged.of_type("smoke_passed_before").len(),
        1,
        "this deployment has already passed the smoke test: {}",
        unchanged.stdout
    );

    // A different table name replaces the table, so its rows would be lost.
    let refused = local.run(&["up", "-P", "TableName=Others"], 4);
    assert!(refused.of_type("error")[0]["hints"][0].as_str().expect("a hint").contains("--allow-data-loss"));
    assert_eq!(local.run(&["status"], 0).of_type("status")[0]["report"]["rows"], 1);

    // Kept data blocks a new stack, and the error names it.
    local.run(&["down", "--keep-data"], 0);
    let clash = local.run(&["up", "--no-smoke"], 4);
    assert!(
        clash.of_type("error")[0]["message"]
            .as_str()
            .expect("a message")
            .contains("already exists in us-east-1, outside the stack"),
        "{}",
        clash.stdout
    );
}

/// Every setting that could lead to a real account leads to a trap: a server, a profile, a credential process,
/// variables.
#[test]
fn a_local_run_cannot_reach_a_real_account() {
    let local = Local::new("isolated");
    let trap = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", trap.local_addr().expect("an address"));
    let caught = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&caught);
    std::thread::spawn(move || {
        for mut connection in trap.incoming().flatten() {
            counter.fetch_add(1, Ordering::SeqCst);
            let _ = connection.read(&mut [0; 1024]);
        }
    });
    let witness = local.home.0.join("credential-process-ran");
    let config = local.home.write(
        "config",
        format!(
            "[default]\nregion = eu-west-1\nendpoint_url = {url}\ncredential_process = touch {}\n",
            witness.display()
        ),
    );
    let trapped = |arguments: &[&str]| {
        let mut command = local.command(arguments);
        command
            .arg("--local")
            .env("AWS_CONFIG_FILE", &config)
            .env("AWS_SHARED_CREDENTIALS_FILE", &config)
            .env("AWS_PROFILE", "default")
            .env("AWS_ACCESS_KEY_ID", "AKIAREALLOOKINGKEY00")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "eu-west-1")
            .env_remove("AWS_EC2_METADATA_DISABLED")
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)
            .env("HTTP_PROXY", &url)
            .env("HTTPS_PROXY", &url);
        for name in [
            "AWS_ENDPOINT_URL",
            "AWS_ENDPOINT_URL_S3",
            "AWS_ENDPOINT_URL_STS",
            "AWS_ENDPOINT_URL_CLOUDFORMATION",
            "AWS_ENDPOINT_URL_DYNAMODB",
        ] {
            command.env(name, &url);
        }
        run(&mut command).expect(0)
    };
    let up = trapped(&["up"]);
    assert_eq!(up.of_type("identity")[0]["account"], "000000000000");
    assert_eq!(up.of_type("smoke_passed").len(), 1);
    trapped(&["status"]);
    trapped(&["down"]);
    assert_eq!(caught.load(Ordering::SeqCst), 0, "a request reached the trap");
    assert!(!witness.exists(), "a profile was read");
}

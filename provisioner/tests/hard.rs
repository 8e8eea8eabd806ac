//! Tests pictures and events that must not produce rows, with the local cloud; the function's log has the reason of
//! each.

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

use aws_sdk_lambda::primitives::{Blob, ByteStream};
use aws_sdk_lambda::types::LogType;
use serde_json::{Value, json};
use support::local::{Local, fixture};

fn jpeg(picture: &image::DynamicImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Jpeg).expect("a picture");
    bytes.into_inner()
}

fn square(side: u32) -> Vec<u8> {
    jpeg(&image::DynamicImage::new_rgb8(side, side))
}

/// The face rotated by 90 degrees, with EXIF data that says how to rotate it back: one big-endian TIFF directory with
/// one entry, tag 0x0112 (orientation), type SHORT, one value, 6 (clockwise).
fn turned(face: &[u8]) -> Vec<u8> {
    let lying = jpeg(&image::load_from_memory(face).expect("a picture").rotate270());
    let exif: &[u8] = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    [&lying[..2], exif, &lying[2..]].concat()
}

#[test]
fn unusable_pictures_produce_no_rows_and_log_the_reason() {
    let local = Local::new("hard");
    local.run(&["up", "--no-smoke"], 0);
    let face = std::fs::read(fixture("face.jpg")).expect("a fixture");
    let cases: [(&str, Vec<u8>, Option<&str>); 6] = [
        ("text.jpg", b"not a picture, whatever its name says".to_vec(), Some("unusable")),
        ("cut.jpg", face[..face.len() / 3].to_vec(), Some("unusable")),
        ("79.jpg", square(79), Some("unusable")),
        ("80.jpg", square(80), Some("no_face")),
        ("animation.gif", b"GIF89a\x50\x00\x50\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff;".to_vec(), Some("unusable")),
        // This one has a face if EXIF data is respected.
        ("turned.jpg", turned(&face), None),
    ];
    for (name, bytes, outcome) in cases {
        let path = local.home.write(name, bytes);
        let unusable = outcome == Some("unusable");
        let run = local.run(&["detect", &path.to_string_lossy()], if unusable { 3 } else { 0 });
        let faces = &run.of_type("faces")[0];
        assert_eq!(faces["reason"].is_string(), unusable, "{name}: {faces}");
        let rows = usize::from(outcome.is_none());
        assert_eq!(
            (faces["outcome"].as_str(), faces["rows"].as_array().map(Vec::len)),
            (outcome, Some(rows)),
            "{name}"
        );
    }
    for (name, bytes) in [("empty.jpg", Vec::new()), ("large.jpg", vec![0xff; 15 * 1024 * 1024 + 1])] {
        let path = local.home.write(name, bytes);
        local.run(&["detect", &path.to_string_lossy()], 2);
    }
    // A file that cannot be read says nothing about the next one, so each is reported, and the others are processed.
    let mut arguments = vec!["detect".to_owned()];
    arguments.extend((0..20).map(|n| local.home.0.join(format!("missing-{n}.jpg")).to_string_lossy().into_owned()));
    arguments.push(local.home.0.join("turned.jpg").to_string_lossy().into_owned());
    let run = local.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), 3);
    assert_eq!((run.of_type("error").len(), run.of_type("faces").len()), (20, 1), "{}", run.stdout);
}

#[test]
fn every_character_can_be_in_a_key() {
    let local = Local::new("keys");
    local.run(&["up", "--no-smoke"], 0);
    let names =
        ["\u{1}.jpg", "esc\u{1b}[31m.jpg", "new\nline.jpg", "a&b<c>+ %41.jpg", "\u{fffe}\u{202e}.jpg", "ü😀.jpg"];
    let face = std::fs::read(fixture("face.jpg")).expect("a fixture");
    let paths = names.map(|name| local.home.write(name, &face).to_string_lossy().into_owned());
    local.run(&[&["detect"][..], &paths.each_ref().map(String::as_str)].concat(), 0);
    let run = local.run(&["faces"], 0);
    let mut found: Vec<String> =
        run.of_type("faces").iter().map(|picture| picture["key"].as_str().expect("a key").to_owned()).collect();
    found.sort();
    let mut expected = names.map(str::to_owned);
    expected.sort();
    assert_eq!(found, expected);
    let run = local.run(&["down"], 0);
    assert_eq!(run.of_type("nothing_left").len(), 1, "{}", run.stdout);
}

/// The lines in the log of one invocation that have the outcome of a record.
fn outcomes(tail: &str) -> Vec<Value> {
    let log = base64_simd::STANDARD.decode_to_vec(tail).expect("base64");
    let lines = String::from_utf8_lossy(&log).into_owned();
    lines
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &Value| line["outcome"].is_string())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_events_produce_no_rows_and_log_the_reason() {
    let local = Local::new("events");
    let up = local.run(&["up", "--no-smoke"], 0);
    let outputs = up.of_type("outputs")[0]["outputs"].clone();
    let output = |name: &str| outputs[name].as_str().expect("an output").to_owned();
    let (bucket, function) = (output("BucketName"), output("FunctionName"));
    let clients = local.clients();
    let put = async |key: &str, bytes: &'static [u8]| {
        let body = ByteStream::from_static(bytes);
        clients.s3.put_object().bucket(&bucket).key(key).body(body).send().await.expect("an upload");
    };
    put("replaced.jpg", b"newer").await;
    put("folder/", b"").await;
    let record = |key: &str, etag: &str| {
        json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": "us-east-1",
            "s3": {"bucket": {"name": bucket}, "object": {"key": key, "eTag": etag}}})
    };
    let with = |name: &str, value: Value| {
        let mut changed = record("replaced.jpg", "0");
        changed[name] = value;
        changed
    };
    for (records, outcome, code) in [
        (json!([record("never-was.jpg", "0")]), "skipped", "Gone"),
        (json!([record("replaced.jpg", "00000000000000000000000000000000")]), "skipped", "Replaced"),
        (json!([with("eventName", "ObjectRemoved:Delete".into())]), "skipped", "NotAnUpload"),
        (json!([record("folder/", "d41d8cd98f00b204e9800998ecf8427e")]), "unusable", "Folder"),
        (json!([with("awsRegion", "eu-west-1".into())]), "failed", "WrongRegion"),
        (json!([record("%FF%FE.jpg", "0")]), "failed", "MalformedRecord"),
        (json!([with("s3", 7.into())]), "failed", "MalformedRecord"),
        (json!("no list"), "failed", "MalformedRecord"),
    ] {
        let event = Blob::new(json!({"Records": records}).to_string());
        let invoke = clients.lambda.invoke().function_name(&function).log_type(LogType::Tail).payload(event);
        let reply = invoke.send().await.expect("a reply");
        assert_eq!(reply.function_error().is_some(), outcome == "failed", "{records}");
        let lines = outcomes(reply.log_result().expect("the end of the log"));
        let said: Vec<_> = lines.iter().map(|line| (&line["outcome"], &line["code"])).collect();
        assert_eq!(said, [(&outcome.into(), &code.into())], "{records}");
    }
    assert_eq!(local.run(&["status"], 0).of_type("status")[0]["report"]["rows"], 0);
}

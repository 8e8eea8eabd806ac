//! The server as a client sees it: real pictures, over HTTP, on 127.0.0.1.

use std::io::Cursor;
use std::net::SocketAddr;

use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::super::fetch::{MAX_OBJECT_BYTES, S3Object};
use super::*;

const FACE: &[u8] = include_bytes!("../../../../fixtures/face.jpg");
const TWO_FACES: &[u8] = include_bytes!("../../../../fixtures/two-faces.jpg");
const NO_FACE: &[u8] = include_bytes!("../../../../fixtures/no-face.jpg");
const SIGNED: &str =
    "AWS4-HMAC-SHA256 Credential=000000000000/20260101/eu-west-1/rekognition/aws4_request, Signature=0";

struct Reply {
    status: u16,
    head: String,
    body: Value,
}

/// A bucket whose objects are the test's hard cases, by key.
async fn bucket(object: S3Object) -> Result<Bytes, FetchError> {
    if object.bucket != "pictures" {
        return Err(FetchError::NotFound);
    }
    Ok(match object.key.as_str() {
        "face.jpg" => Bytes::from_static(FACE),
        "two-faces.jpg" => Bytes::from_static(TWO_FACES),
        "no-face.jpg" => Bytes::from_static(NO_FACE),
        "empty.jpg" => Bytes::new(),
        "text.jpg" => Bytes::from_static(b"this is not a picture"),
        "cut.jpg" => Bytes::from_static(&FACE[..FACE.len() / 2]),
        "cut.png" => small(ImageFormat::Png, 200, 200).slice(..120),
        "header.jpg" => Bytes::from_static(&FACE[..20]),
        "animation.jpg" => Bytes::from_static(
            b"GIF89a\x50\x00\x50\x00\x00\x00\x00\x2c\x00\x00\x00\x00\x50\x00\x50\x00\x00\x02\x00\x3b",
        ),
        "79x79.png" => small(ImageFormat::Png, 79, 79),
        "79x600.jpg" => small(ImageFormat::Jpeg, 79, 600),
        "80x80.png" => small(ImageFormat::Png, 80, 80),
        "turned.jpg" => turned(),
        "12MP.jpg" => encode(&face().resize_exact(3_500, 3_500, FilterType::Nearest), ImageFormat::Jpeg),
        "bomb.jpg" => bomb(),
        "most.jpg" => padded(MAX_OBJECT_BYTES),
        "huge.jpg" => padded(MAX_OBJECT_BYTES + 1),
        "secret.jpg" => return Err(FetchError::AccessDenied),
        "refused.jpg" => return Err(FetchError::TooLarge),
        "broken.jpg" => return Err(FetchError::Other("connection reset".into())),
        _ => return Err(FetchError::NotFound),
    })
}

fn encode(image: &DynamicImage, format: ImageFormat) -> Bytes {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).expect("memory can be written to");
    bytes.into_inner().into()
}

fn small(format: ImageFormat, width: u32, height: u32) -> Bytes {
    encode(&DynamicImage::new_rgb8(width, height), format)
}

fn face() -> DynamicImage {
    image::load_from_memory(FACE).expect("the fixture is a picture")
}

/// The face with a header that claims 60,000 × 60,000 pixels.
fn bomb() -> Bytes {
    let mut bytes = encode(&face(), ImageFormat::Jpeg).to_vec();
    // The marker of a frame is followed by its length, the precision, the height, and the width.
    let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame");
    bytes.splice(frame + 5..frame + 9, [60_000_u16.to_be_bytes(), 60_000_u16.to_be_bytes()].concat());
    bytes.into()
}

/// The one face lying on its side, with the EXIF note that says how to turn it upright.
fn turned() -> Bytes {
    let lying = face().rotate270();
    let jpeg = encode(&lying, ImageFormat::Jpeg);
    // One big-endian TIFF directory with one entry: tag 0x0112 (orientation), type SHORT, one value, 6 (turn
    // clockwise).
    let exif: &[u8] = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    [&jpeg[..2], exif, &jpeg[2..]].concat().into()
}

/// The face, made to this size by what follows a JPEG's end.
fn padded(size: u64) -> Bytes {
    let mut bytes = FACE.to_vec();
    bytes.resize(usize::try_from(size).expect("it fits into memory"), 0);
    bytes.into()
}

/// Serves until the test ends.
async fn started(options: ServeOptions) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(serve(listener, bucket, options, std::future::pending()));
    address
}

async fn send(address: SocketAddr, authorization: &str, body: &str) -> Reply {
    let length = body.len();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nauthorization: {authorization}\r\n\
         x-amz-target: RekognitionService.DetectFaces\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("it answers");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Reply { status, head: head.to_lowercase(), body: serde_json::from_str(body).expect("JSON") }
}

async fn detect(address: SocketAddr, key: &str) -> Reply {
    let image = json!({ "S3Object": { "Bucket": "pictures", "Name": key } });
    let body = json!({ "Image": image, "Attributes": ["AGE_RANGE", "EMOTIONS"] });
    send(address, SIGNED, &body.to_string()).await
}

fn faces(reply: &Reply) -> &Vec<Value> {
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body["FaceDetails"].as_array().expect("a list of faces")
}

fn ratio(face: &Value, side: &str) -> f64 {
    face["BoundingBox"][side].as_f64().expect("a number")
}

#[tokio::test]
async fn real_faces_are_found_where_they_are() {
    let address = started(ServeOptions::default()).await;
    for (key, expected) in
        [("face.jpg", 1), ("two-faces.jpg", 2), ("no-face.jpg", 0), ("80x80.png", 0), ("most.jpg", 1)]
    {
        assert_eq!(faces(&detect(address, key).await).len(), expected, "{key}");
    }
    let one = detect(address, "face.jpg").await;
    // Eileen Collins looks at us from the upper half, left of the middle.
    let face = &faces(&one)[0];
    assert!((0.3..0.45).contains(&ratio(face, "Left")) && (0.1..0.25).contains(&ratio(face, "Top")), "{face}");
    let two = detect(address, "two-faces.jpg").await;
    let apart = ratio(&faces(&two)[0], "Left") - ratio(&faces(&two)[1], "Left");
    assert!((0.45..0.55).contains(&apart.abs()), "{apart}");
}

#[tokio::test]
async fn a_picture_is_turned_as_its_exif_says() {
    let address = started(ServeOptions::default()).await;
    let (upright, turned) = (detect(address, "face.jpg").await, detect(address, "turned.jpg").await);
    assert_eq!(faces(&turned).len(), 1);
    for side in ["Left", "Top", "Width", "Height"] {
        let difference = ratio(&faces(&upright)[0], side) - ratio(&faces(&turned)[0], side);
        assert!(difference.abs() < 0.03, "{side}: {difference}");
    }
}

#[tokio::test]
async fn a_photograph_of_12_megapixels_has_the_same_face() {
    let address = started(ServeOptions::default()).await;
    let (small, large) = (detect(address, "face.jpg").await, detect(address, "12MP.jpg").await);
    assert_eq!(faces(&large).len(), 1);
    for side in ["Left", "Top", "Width", "Height"] {
        let difference = ratio(&faces(&small)[0], side) - ratio(&faces(&large)[0], side);
        assert!(difference.abs() < 0.03, "{side}: {difference}");
    }
}

#[tokio::test]
async fn a_face_has_what_was_asked_for_and_no_more() {
    let address = started(ServeOptions::default()).await;
    let reply = detect(address, "face.jpg").await;
    let face = &faces(&reply)[0];
    for always in ["BoundingBox", "Confidence", "Landmarks", "Pose", "Quality", "AgeRange", "Emotions"] {
        assert!(face.get(always).is_some(), "{always}");
    }
    let emotions = face["Emotions"].as_array().expect("a list");
    assert_eq!(emotions.len(), 8);
    assert_eq!(detect(address, "face.jpg").await.body, reply.body, "the same picture gives the same answer");

    let inline = json!({ "Image": { "Bytes": base64_simd::STANDARD.encode_to_string(FACE) } });
    let reply = send(address, SIGNED, &inline.to_string()).await;
    let face = &faces(&reply)[0];
    assert!(face.get("AgeRange").is_none() && face.get("Emotions").is_none(), "{face}");
}

#[tokio::test]
async fn what_the_service_refuses_is_refused_with_its_code() {
    let address = started(ServeOptions::default()).await;
    let cases = [
        ("empty.jpg", 400, "InvalidImageFormatException"),
        ("text.jpg", 400, "InvalidImageFormatException"),
        ("cut.jpg", 400, "InvalidImageFormatException"),
        ("cut.png", 400, "InvalidImageFormatException"),
        ("header.jpg", 400, "InvalidImageFormatException"),
        ("animation.jpg", 400, "InvalidImageFormatException"),
        ("79x79.png", 400, "InvalidParameterException"),
        ("79x600.jpg", 400, "InvalidParameterException"),
        ("bomb.jpg", 400, "ImageTooLargeException"),
        ("huge.jpg", 400, "ImageTooLargeException"),
        ("refused.jpg", 400, "ImageTooLargeException"),
        ("missing.jpg", 400, "InvalidS3ObjectException"),
        ("secret.jpg", 400, "InvalidS3ObjectException"),
        ("broken.jpg", 500, "InternalServerError"),
    ];
    for (key, status, code) in cases {
        let reply = detect(address, key).await;
        assert_eq!((reply.status, reply.body["__type"].as_str()), (status, Some(code)), "{key}");
        assert_eq!(reply.body["Code"], code, "{key}");
        assert!(reply.body["Message"].is_string(), "{key}");
        assert!(reply.head.contains(&format!("x-amzn-errortype: {}", code.to_lowercase())), "{key}: {}", reply.head);
        assert!(reply.head.contains("x-amzn-requestid: "), "{key}: {}", reply.head);
        assert!(reply.head.contains("content-type: application/x-amz-json-1.1"), "{key}: {}", reply.head);
    }
}

#[tokio::test]
async fn an_unsigned_request_is_refused_before_anything_else() {
    let address = started(ServeOptions::default()).await;
    let reply = send(address, "", "[").await;
    assert_eq!(reply.body["__type"], "IncompleteSignatureException");
    assert_eq!(send(address, SIGNED, "[").await.body["__type"], "SerializationException");
}

#[tokio::test]
async fn requests_beyond_the_quota_are_throttled() {
    let address = started(ServeOptions { max_requests_per_second: Some(2), concurrency: None }).await;
    let mut replies = JoinSet::new();
    for _ in 0..12 {
        replies.spawn(async move { detect(address, "missing.jpg").await.body["__type"].as_str().map(str::to_owned) });
    }
    let codes = replies.join_all().await;
    let count = |code: &str| codes.iter().filter(|found| found.as_deref() == Some(code)).count();
    let (admitted, throttled) = (count("InvalidS3ObjectException"), count("ProvisionedThroughputExceededException"));
    assert_eq!(admitted + throttled, 12);
    assert!(admitted >= 2 && throttled >= 1, "{codes:?}");
}

#[test]
fn a_picture_is_examined_once() {
    let found = Mutex::default();
    let faces = find_once(&found, FACE).expect("a picture");
    assert_eq!(faces.len(), 1);
    // These bytes could not be decoded, so the answer can only be the remembered one.
    found.lock().expect("no panic").insert(Sha256::digest(b"no picture").to_vec(), faces.clone());
    assert_eq!(find_once(&found, b"no picture").expect("remembered"), faces);
    for number in 0..MAX_FOUND {
        found.lock().expect("no panic").insert(number.to_be_bytes().to_vec(), Vec::new());
    }
    find_once(&found, NO_FACE).expect("a picture");
    assert_eq!(found.lock().expect("no panic").len(), 1, "the memory is limited");
}

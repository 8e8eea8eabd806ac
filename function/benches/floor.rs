//! The lower bound of the benchmark: the function's four requests, signed by hand and sent in sequence over rustls,
//! without SDK and async runtime.
//!
//! Invariant: it does only what storing a picture requires: no retries, no time-outs, no other outcomes. Not for
//! production.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

type Tls = BufReader<StreamOwned<ClientConnection, TcpStream>>;

fn main() {
    let runtime = variable("AWS_LAMBDA_RUNTIME_API");
    let mut lambda = BufReader::new(TcpStream::connect(&runtime).unwrap());
    let mut services = Services::new();
    loop {
        let path = "/2018-06-01/runtime/invocation/next";
        let request = format!("GET {path} HTTP/1.1\r\nHost: {runtime}\r\nContent-Length: 0\r\n\r\n");
        let (_, headers, body) = exchange(&mut lambda, &request, "", false);
        let id = &headers["lambda-runtime-aws-request-id"];
        let event = serde_json::from_slice(&body).unwrap();
        let document = json!({ "statusCode": 200, "body": { "records": [services.handle(&event)] } }).to_string();
        let (path, length) = (format!("/2018-06-01/runtime/invocation/{id}/response"), document.len());
        let request = format!("POST {path} HTTP/1.1\r\nHost: {runtime}\r\nContent-Length: {length}\r\n\r\n");
        exchange(&mut lambda, &request, &document, false);
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

struct Services {
    tls: Arc<ClientConfig>,
    open: HashMap<&'static str, Tls>,
}

impl Services {
    fn new() -> Self {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in CertificateDer::pem_file_iter(variable("AWS_CA_BUNDLE")).unwrap() {
            roots.add(certificate.unwrap()).unwrap();
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls_graviola::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { tls: Arc::new(tls), open: HashMap::new() }
    }

    fn handle(&mut self, event: &Value) -> Value {
        let record = &event["Records"][0];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (bucket, key) = (text(&record["s3"]["bucket"]["name"]), text(&record["s3"]["object"]["key"]));
        let etag = text(&record["s3"]["object"]["eTag"]);
        let path = format!("/{bucket}/{key}");
        let condition = format!("\"{etag}\"");
        let head = |this: &mut Self| this.call("s3", "HEAD", &path, &[("if-match", condition.as_str())], "");
        head(self);
        let image = json!({ "S3Object": { "Bucket": bucket, "Name": key } });
        let question = json!({ "Image": image, "Attributes": ["AGE_RANGE", "EMOTIONS"] }).to_string();
        let target = ("x-amz-target", "RekognitionService.DetectFaces");
        let reply =
            self.call("rekognition", "POST", "/", &[("content-type", "application/x-amz-json-1.1"), target], &question);
        let reply: Value = serde_json::from_slice(&reply).unwrap();
        head(self);
        let face = &reply["FaceDetails"][0];
        let emotions = face["Emotions"].as_array().unwrap().iter();
        let emotion =
            emotions.max_by(|a, b| a["Confidence"].as_f64().unwrap().total_cmp(&b["Confidence"].as_f64().unwrap()));
        let emotion = emotion.unwrap();
        let number = |value: &Value| json!({ "N": value.to_string() });
        let area: serde_json::Map<_, _> = face["BoundingBox"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(side, value)| (side.clone(), number(value)))
            .collect();
        let identity = hex(&Sha256::digest(format!("{bucket}{key}{etag}")));
        let (low, high) = (&face["AgeRange"]["Low"], &face["AgeRange"]["High"]);
        let item = json!({
            "FaceID": { "S": format!("{}#000", &identity[..32]) }, "Age": { "S": format!("{low}-{high}") },
            "AgeLow": number(low), "AgeHigh": number(high), "Emotion": { "S": emotion["Type"] },
            "EmotionConfidence": number(&emotion["Confidence"]), "Confidence": number(&face["Confidence"]),
            "BoundingBox": { "M": area }, "FaceCount": { "N": "1" }, "Bucket": { "S": bucket }, "Key": { "S": key },
            "EventTime": { "S": record["eventTime"] },
        });
        let put = json!({ "TableName": variable("TABLE_NAME"), "Item": item }).to_string();
        let target = ("x-amz-target", "DynamoDB_20120810.PutItem");
        self.call("dynamodb", "POST", "/", &[("content-type", "application/x-amz-json-1.0"), target], &put);
        json!({ "outcome": "stored", "statusCode": 200, "faces": 1 })
    }

    fn call(
        &mut self,
        service: &'static str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Vec<u8> {
        let url = variable(&format!("AWS_ENDPOINT_URL_{}", service.to_uppercase()));
        let host = url.trim_start_matches("https://");
        let stream = self.open.entry(service).or_insert_with(|| {
            let tcp = TcpStream::connect(host).unwrap();
            tcp.set_nodelay(true).unwrap();
            let name = ServerName::try_from(host.split(':').next().unwrap().to_owned()).unwrap();
            let tls = ClientConnection::new(Arc::clone(&self.tls), name).unwrap();
            BufReader::new(StreamOwned::new(tls, tcp))
        });
        let request = signed(service, method, path, host, headers, body);
        let (status, _, reply) = exchange(stream, &request, body, method == "HEAD");
        assert_eq!(status, 200, "{service}");
        reply
    }
}

/// The head of a request with its signature (Signature Version 4).
fn signed(service: &str, method: &str, path: &str, host: &str, headers: &[(&str, &str)], body: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let time = DateTime::from_secs(i64::try_from(now).unwrap()).fmt(Format::DateTime).unwrap().replace(['-', ':'], "");
    let (day, region) = (&time[..8], variable("AWS_REGION"));
    let digest = hex(&Sha256::digest(body));
    let mut all = headers.to_vec();
    all.extend([("host", host), ("x-amz-content-sha256", &digest), ("x-amz-date", &time)]);
    all.sort_unstable();
    let lines = all.iter().map(|(name, value)| [name, ":", value, "\n"].concat()).collect::<String>();
    let names = all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let canonical = format!("{method}\n{path}\n\n{lines}\n{names}\n{digest}");
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let secret = format!("AWS4{}", variable("AWS_SECRET_ACCESS_KEY"));
    let parts = [day, &region, service, "aws4_request", &text];
    let signature = hex(&parts.iter().fold(secret.into_bytes(), |key, part| hmac(&key, part.as_bytes())));
    let credential = format!("{}/{scope}", variable("AWS_ACCESS_KEY_ID"));
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}");
    let lines = all.iter().map(|(name, value)| [name, ": ", value, "\r\n"].concat()).collect::<String>();
    format!(
        "{method} {path} HTTP/1.1\r\n{lines}authorization: {authorization}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// Sends a request and reads its reply: status, headers, body.
fn exchange<S: Read + Write>(
    stream: &mut BufReader<S>,
    head: &str,
    body: &str,
    bodiless: bool,
) -> (u16, HashMap<String, String>, Vec<u8>) {
    stream.get_mut().write_all(format!("{head}{body}").as_bytes()).unwrap();
    stream.get_mut().flush().unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    let status = line[9..12].parse().unwrap();
    let mut headers = HashMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").filter(|_| !bodiless).map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (status, headers, body)
}

//! A request to AWS, as a proxy in front of the local cloud sees it.

use hyper::body::Bytes;
use hyper::http::request::Parts;

/// How a service encodes its replies and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// XML, with the operation in a form (CloudFormation, IAM, STS).
    Query,
    /// XML, with the operation in method and path (S3).
    RestXml,
    /// JSON, with the operation in method and path (Lambda).
    RestJson,
    /// JSON, with the operation in a header.
    Json,
    /// CBOR (`CloudWatch`).
    Cbor,
}

/// A request with the name of its operation.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The service's name in signatures.
    pub(crate) service: String,
    /// For example `DescribeStacks`.
    pub(crate) operation: String,
    pub(crate) head: Parts,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn new(head: Parts, body: Bytes) -> Self {
        // "AWS4-HMAC-SHA256 Credential=KEY/DAY/REGION/SERVICE/aws4_request, …"
        let service = header(&head, "authorization").split('/').nth(3).unwrap_or_default().to_owned();
        let operation = match service.as_str() {
            "s3" => s3(&head).to_owned(),
            "lambda" => lambda(&head).to_owned(),
            _ => named(&head, &body),
        };
        Self { service, operation, head, body }
    }

    /// For example `cloudformation:DescribeStacks`.
    pub(crate) fn label(&self) -> String {
        format!("{}:{}", self.service, self.operation)
    }

    /// The IAM actions that the request needs, from the Service Authorization Reference; `GetCallerIdentity` needs none.
    pub(crate) fn actions(&self) -> Vec<String> {
        let own = [self.operation.as_str()];
        let text = String::from_utf8_lossy(&self.body);
        let parts = ["Put", "Update", "Delete", "ConditionCheck"].iter().zip([
            "PutItem",
            "UpdateItem",
            "DeleteItem",
            "ConditionCheckItem",
        ]);
        let parts: Vec<&str> =
            parts.filter(|(kind, _)| text.contains(&format!("{{\"{kind}\":"))).map(|(_, action)| action).collect();
        let (service, actions): (&str, &[&str]) = match (self.service.as_str(), self.operation.as_str()) {
            ("sts", _) => ("sts", &[]),
            ("s3", "HeadBucket" | "ListObjectsV2") => ("s3", &["ListBucket"]),
            ("s3", "GetObject" | "HeadObject") if self.head.uri.query().unwrap_or_default().contains("versionId=") => {
                ("s3", &["GetObjectVersion"])
            }
            ("s3", "HeadObject") => ("s3", &["GetObject"]),
            ("s3", "DeleteObjects") if text.contains("<VersionId>") => ("s3", &["DeleteObject", "DeleteObjectVersion"]),
            ("s3", "DeleteObjects") => ("s3", &["DeleteObject"]),
            ("s3", "ListObjectVersions") => ("s3", &["ListBucketVersions"]),
            ("s3", "ListMultipartUploads") => ("s3", &["ListBucketMultipartUploads"]),
            ("s3", "GetBucketCors") => ("s3", &["GetBucketCORS"]),
            ("s3", "GetBucketEncryption") => ("s3", &["GetEncryptionConfiguration"]),
            ("s3", "GetBucketLifecycleConfiguration") => ("s3", &["GetLifecycleConfiguration"]),
            ("s3", "GetBucketNotificationConfiguration") => ("s3", &["GetBucketNotification"]),
            ("s3", "PutBucketNotificationConfiguration") => ("s3", &["PutBucketNotification"]),
            ("s3", "GetObjectLockConfiguration") => ("s3", &["GetBucketObjectLockConfiguration"]),
            ("s3", "GetPublicAccessBlock") => ("s3", &["GetBucketPublicAccessBlock"]),
            ("dynamodb", "TransactWriteItems") => ("dynamodb", &parts),
            ("sqs", "SendMessageBatch") => ("sqs", &["SendMessage"]),
            ("lambda", "Invoke") => ("lambda", &["InvokeFunction"]),
            ("monitoring", _) => ("cloudwatch", &own),
            (service, _) => (service, &own),
        };
        actions.iter().map(|action| format!("{service}:{action}")).collect()
    }

    pub(crate) fn protocol(&self) -> Protocol {
        match self.service.as_str() {
            "s3" => Protocol::RestXml,
            "lambda" => Protocol::RestJson,
            "cloudformation" | "iam" | "sts" => Protocol::Query,
            "monitoring" => Protocol::Cbor,
            _ => Protocol::Json,
        }
    }
}

pub(crate) fn header<'a>(head: &'a Parts, name: &str) -> &'a str {
    head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The operation of a request that names it.
fn named(head: &Parts, body: &[u8]) -> String {
    let target = header(head, "x-amz-target").rsplit('.').next().unwrap_or_default();
    if !target.is_empty() {
        return target.to_owned();
    }
    // RPC v2 CBOR: "/service/SERVICE/operation/OPERATION".
    if head.uri.path().contains("/operation/") {
        return head.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    }
    let form = String::from_utf8_lossy(body);
    form.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap_or("Unknown").to_owned()
}

/// The operation of a request to S3.
fn s3(head: &Parts) -> &'static str {
    let has_key = head.uri.path().trim_matches('/').contains('/');
    let query = head.uri.query().unwrap_or_default();
    let asks = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let settings: [(&str, &str, &str); 13] = [
        ("acl", "GetBucketAcl", "PutBucketAcl"),
        ("cors", "GetBucketCors", "PutBucketCors"),
        ("encryption", "GetBucketEncryption", "PutBucketEncryption"),
        ("lifecycle", "GetBucketLifecycleConfiguration", "PutBucketLifecycleConfiguration"),
        ("notification", "GetBucketNotificationConfiguration", "PutBucketNotificationConfiguration"),
        ("object-lock", "GetObjectLockConfiguration", "PutObjectLockConfiguration"),
        ("ownershipControls", "GetBucketOwnershipControls", "PutBucketOwnershipControls"),
        ("policy", "GetBucketPolicy", "PutBucketPolicy"),
        ("policyStatus", "GetBucketPolicyStatus", "Unknown"),
        ("publicAccessBlock", "GetPublicAccessBlock", "PutPublicAccessBlock"),
        ("tagging", "GetBucketTagging", "PutBucketTagging"),
        ("versioning", "GetBucketVersioning", "PutBucketVersioning"),
        ("website", "GetBucketWebsite", "PutBucketWebsite"),
    ];
    if !has_key && let Some((_, get, put)) = settings.iter().find(|(name, _, _)| asks(name)) {
        return if head.method == "GET" { get } else { put };
    }
    match (head.method.as_str(), has_key) {
        ("GET", false) if asks("versions") => "ListObjectVersions",
        ("GET", false) if asks("uploads") => "ListMultipartUploads",
        ("GET", false) if asks("list-type") => "ListObjectsV2",
        ("GET", true) if asks("legal-hold") => "GetObjectLegalHold",
        ("GET", true) if asks("retention") => "GetObjectRetention",
        ("POST", false) if asks("delete") => "DeleteObjects",
        ("DELETE", true) if asks("uploadId") => "AbortMultipartUpload",
        ("HEAD", false) => "HeadBucket",
        ("PUT", false) => "CreateBucket",
        ("DELETE", false) => "DeleteBucket",
        ("GET", true) => "GetObject",
        ("HEAD", true) => "HeadObject",
        ("PUT", true) => "PutObject",
        ("DELETE", true) => "DeleteObject",
        _ => "Unknown",
    }
}

/// The operation of a request to Lambda.
fn lambda(head: &Parts) -> &'static str {
    let path = head.uri.path().trim_matches('/');
    match (head.method.as_str(), path.split('/').nth(3).unwrap_or_default()) {
        ("GET", "configuration") => "GetFunctionConfiguration",
        ("GET", "event-invoke-config") => "GetFunctionEventInvokeConfig",
        ("GET", "policy") => "GetPolicy",
        ("GET", "concurrency") => "GetFunctionConcurrency",
        ("POST", "invocations") => "Invoke",
        ("GET", "") if path.contains("/functions/") => "GetFunction",
        ("GET", "") if path.ends_with("account-settings") => "GetAccountSettings",
        ("GET", "") if path.contains("/event-source-mappings/") => "GetEventSourceMapping",
        _ => "Unknown",
    }
}

//! The settings of buckets and tables: the names of the calls that read them, and what a bucket or table without any
//! answers.

use super::xml;

/// The call that a query parameter of a GET or PUT on a bucket stands for, without its verb.
const OF_BUCKETS: [(&str, &str); 11] = [
    ("acl", "BucketAcl"),
    ("cors", "BucketCors"),
    ("encryption", "BucketEncryption"),
    ("lifecycle", "BucketLifecycleConfiguration"),
    ("notification", "BucketNotificationConfiguration"),
    ("object-lock", "ObjectLockConfiguration"),
    ("ownershipControls", "BucketOwnershipControls"),
    ("policy", "BucketPolicy"),
    ("policyStatus", "BucketPolicyStatus"),
    ("publicAccessBlock", "PublicAccessBlock"),
    ("versioning", "BucketVersioning"),
];

/// The name of a call about a setting of a bucket, or about the lock of an object.
pub(crate) fn call(method: &str, is_object: bool, query: &str) -> Option<String> {
    let verb = match method {
        "GET" => "Get",
        "PUT" => "Put",
        _ => return None,
    };
    let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let of_objects = [("retention", "ObjectRetention"), ("legal-hold", "ObjectLegalHold")];
    let names = if is_object { &of_objects[..] } else { &OF_BUCKETS[..] };
    names.iter().find(|(name, _)| has(name)).map(|(_, call)| format!("{verb}{call}"))
}

/// The owner of every bucket, and who else there is.
const OWNER: &str = "<Owner><ID>me</ID></Owner>";

/// What a bucket or table without any settings answers.
pub(crate) fn without(call: &str) -> Option<(u16, String)> {
    let missing = |code: &str| (404, format!("<Error><Code>{code}</Code><Message>none</Message></Error>"));
    Some(match call {
        "GetBucketAcl" => (200, acl(&[])),
        "GetBucketCors" => missing("NoSuchCORSConfiguration"),
        "GetBucketEncryption" => missing("ServerSideEncryptionConfigurationNotFoundError"),
        "GetBucketLifecycleConfiguration" => missing("NoSuchLifecycleConfiguration"),
        "GetBucketNotificationConfiguration" => (200, "<NotificationConfiguration/>".to_owned()),
        "GetObjectLockConfiguration" => missing("ObjectLockConfigurationNotFoundError"),
        "GetBucketOwnershipControls" => missing("OwnershipControlsNotFoundError"),
        "GetBucketPolicy" | "GetBucketPolicyStatus" => missing("NoSuchBucketPolicy"),
        "GetPublicAccessBlock" => missing("NoSuchPublicAccessBlockConfiguration"),
        "GetBucketVersioning" => (200, "<VersioningConfiguration/>".to_owned()),
        "GetObjectRetention" | "GetObjectLegalHold" => missing("NoSuchObjectLockConfiguration"),
        "PutBucketAcl" => (200, String::new()),
        "DescribeTimeToLive" | "DescribeContinuousBackups" | "ListTagsOfResource" => (200, "{}".to_owned()),
        "DescribeStackResources" => (400, xml::error("ValidationError", "Stack for it does not exist")),
        _ => return None,
    })
}

/// An access control list: its owner's own right, and grants of others.
pub(crate) fn acl(others: &[&str]) -> String {
    let grant =
        |grantee: &str, permission: &str| format!("<Grant>{grantee}<Permission>{permission}</Permission></Grant>");
    let kind = |kind: &str, content: &str| {
        format!(
            "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"{kind}\">{content}</Grantee>"
        )
    };
    let own = grant(&kind("CanonicalUser", "<ID>me</ID>"), "FULL_CONTROL");
    let group = |name: &&str| {
        grant(&kind("Group", &format!("<URI>http://acs.amazonaws.com/groups/global/{name}</URI>")), "READ")
    };
    let others: String = others.iter().map(group).collect();
    format!("<AccessControlPolicy>{OWNER}<AccessControlList>{own}{others}</AccessControlList></AccessControlPolicy>")
}

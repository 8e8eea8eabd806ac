//! Whether a rule of EventBridge may match the events of a bucket.
//!
//! Pure. A pattern that is not understood may match: the flag of a bucket is switched off only if surely nobody uses it.

use serde_json::Value;

/// The bucket whose events count.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The bucket's name.
    pub bucket: &'a str,
    /// Twelve digits.
    pub account: &'a str,
    /// For example `eu-west-1`.
    pub region: &'a str,
    /// For example `aws`.
    pub partition: &'a str,
}

/// Whether an event of this bucket may match the pattern.
#[must_use]
pub fn may_match(pattern: &str, sender: Sender<'_>) -> bool {
    let Ok(pattern) = serde_json::from_str::<Value>(pattern) else { return true };
    let arn = format!("arn:{}:s3:::{}", sender.partition, sender.bucket);
    let known = [
        (&pattern["source"], vec!["aws.s3"]),
        (&pattern["account"], vec![sender.account]),
        (&pattern["region"], vec![sender.region]),
        (&pattern["resources"], vec![arn.as_str()]),
        (&pattern["detail-type"], TYPES.to_vec()),
        (&pattern["detail"]["bucket"]["name"], vec![sender.bucket]),
    ];
    known.into_iter().all(|(matchers, values)| values.iter().any(|value| may_be(matchers, value)))
}

/// The types of S3's events, according to its user guide.
const TYPES: [&str; 10] = [
    "Object Created",
    "Object Deleted",
    "Object Restore Initiated",
    "Object Restore Completed",
    "Object Restore Expired",
    "Object Storage Class Changed",
    "Object Access Tier Changed",
    "Object ACL Updated",
    "Object Tags Added",
    "Object Tags Deleted",
];

/// Whether a list of matchers may accept a value. A pattern without one accepts every value.
fn may_be(matchers: &Value, value: &str) -> bool {
    match matchers {
        Value::Array(matchers) => matchers.iter().any(|matcher| accepts(matcher, value)),
        _ => true,
    }
}

fn accepts(matcher: &Value, value: &str) -> bool {
    let text = |name: &str| matcher[name].as_str();
    match matcher {
        Value::String(exact) => exact == value,
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::Object(members) if members.len() == 1 => {
            if let Some(prefix) = text("prefix") {
                value.starts_with(prefix)
            } else if let Some(suffix) = text("suffix") {
                value.ends_with(suffix)
            } else if let Some(other) = text("equals-ignore-case") {
                value.eq_ignore_ascii_case(other)
            } else if let Some(except) = members.get("anything-but") {
                match except {
                    Value::String(except) => except != value,
                    Value::Array(excepts) => !excepts.iter().any(|except| except == value),
                    _ => true,
                }
            } else {
                matcher["exists"] != false
            }
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_patterns_that_surely_exclude_the_bucket_do() {
        let sender = Sender { bucket: "photos", account: "123456789012", region: "eu-west-1", partition: "aws" };
        for (pattern, expected) in [
            (r#"{"source":["aws.s3"]}"#, true),
            (r#"{"source":["aws.ec2"]}"#, false),
            (r#"{"source":[{"prefix":"aws."}]}"#, true),
            (r#"{"source":[{"prefix":"com."}]}"#, false),
            (r#"{"source":[{"anything-but":["aws.s3"]}]}"#, false),
            (r#"{"source":[{"anything-but":"aws.ec2"}]}"#, true),
            (r#"{"source":[{"anything-but":{"prefix":"aws"}}]}"#, true),
            (r#"{"source":[{"wildcard":"aws.*"}]}"#, true),
            (r#"{"source":[{"exists":true}]}"#, true),
            (r#"{"source":[{"exists":false}]}"#, false),
            (r#"{"account":["123456789012"]}"#, true),
            (r#"{"account":["210987654321"]}"#, false),
            (r#"{"region":["us-east-1"]}"#, false),
            (r#"{"resources":["arn:aws:s3:::other"]}"#, false),
            (r#"{"resources":[{"suffix":":photos"}]}"#, true),
            (r#"{"detail-type":["Object Created"]}"#, true),
            (r#"{"detail-type":["AWS API Call via CloudTrail"]}"#, false),
            (r#"{"detail-type":[{"equals-ignore-case":"object tags added"}]}"#, true),
            (r#"{"source":["aws.s3"],"detail":{"bucket":{"name":["photos"]}}}"#, true),
            (r#"{"source":["aws.s3"],"detail":{"bucket":{"name":["other"]}}}"#, false),
            (r#"{"source":["aws.s3"],"detail":{"bucket":{"name":[{"prefix":"ph"}]}}}"#, true),
            (r#"{"source":["aws.s3"],"detail":{"object":{"key":["x"]}}}"#, true),
            (r#"{"$or":[{"source":["aws.ec2"]}]}"#, true),
            ("{}", true),
            ("not JSON", true),
        ] {
            assert_eq!(may_match(pattern, sender), expected, "{pattern}");
        }
    }
}

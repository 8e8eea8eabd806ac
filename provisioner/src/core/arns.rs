//! Computes the ARNs of a stack's resources from their physical ids.
//!
//! Pure. Only the types in the template are known; a physical id that is already an ARN is returned unchanged.

/// What the ARNs of a stack have in common.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// For example `aws`.
    pub partition: &'a str,
    /// For example `eu-west-1`.
    pub region: &'a str,
    /// Twelve digits.
    pub account: &'a str,
    /// The path of the function's role: `/`, or a name between slashes.
    pub role_path: &'a str,
}

/// The ARN of a resource; `None` for a type without ARNs (a permission, a bucket policy, an invoke configuration).
#[must_use]
pub fn arn(resource_type: &str, physical_id: &str, place: Place<'_>) -> Option<String> {
    let Place { partition, region, account, role_path } = place;
    if physical_id.starts_with("arn:") {
        return Some(physical_id.to_owned());
    }
    let regional =
        |service: &str, kind: &str| Some(format!("arn:{partition}:{service}:{region}:{account}:{kind}{physical_id}"));
    match resource_type {
        "AWS::S3::Bucket" => Some(format!("arn:{partition}:s3:::{physical_id}")),
        "AWS::IAM::Role" => Some(format!("arn:{partition}:iam::{account}:role{role_path}{physical_id}")),
        "AWS::DynamoDB::Table" => regional("dynamodb", "table/"),
        "AWS::Lambda::Function" => regional("lambda", "function:"),
        "AWS::Logs::LogGroup" => regional("logs", "log-group:"),
        "AWS::CloudWatch::Alarm" => regional("cloudwatch", "alarm:"),
        "AWS::CloudFormation::Stack" => regional("cloudformation", "stack/"),
        "AWS::Lambda::EventSourceMapping" => regional("lambda", "event-source-mapping:"),
        // The physical id of a queue is its URL, which ends with its name.
        "AWS::SQS::Queue" => {
            physical_id.rsplit('/').next().map(|name| format!("arn:{partition}:sqs:{region}:{account}:{name}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_in_the_template_is_known() {
        for (resource_type, id, expected) in [
            ("AWS::S3::Bucket", "b", Some("arn:aws:s3:::b")),
            ("AWS::IAM::Role", "r", Some("arn:aws:iam::1:role/r")),
            ("AWS::DynamoDB::Table", "t", Some("arn:aws:dynamodb:eu-west-1:1:table/t")),
            ("AWS::Lambda::Function", "f", Some("arn:aws:lambda:eu-west-1:1:function:f")),
            ("AWS::Logs::LogGroup", "/aws/lambda/f", Some("arn:aws:logs:eu-west-1:1:log-group:/aws/lambda/f")),
            ("AWS::CloudWatch::Alarm", "a", Some("arn:aws:cloudwatch:eu-west-1:1:alarm:a")),
            ("AWS::SQS::Queue", "https://sqs.eu-west-1.amazonaws.com/1/q", Some("arn:aws:sqs:eu-west-1:1:q")),
            ("AWS::CloudFormation::Stack", "arn:aws:cloudformation:x", Some("arn:aws:cloudformation:x")),
            ("AWS::Lambda::EventSourceMapping", "m", Some("arn:aws:lambda:eu-west-1:1:event-source-mapping:m")),
            ("AWS::Lambda::Permission", "p", None),
            ("AWS::S3::BucketPolicy", "b", None),
            ("AWS::Lambda::EventInvokeConfig", "f|$LATEST", None),
        ] {
            let place = Place { partition: "aws", region: "eu-west-1", account: "1", role_path: "/" };
            assert_eq!(arn(resource_type, id, place).as_deref(), expected, "{resource_type}");
            let place = Place { role_path: "/teams/", ..place };
            let with_path = expected.map(|arn| arn.replace(":role/", ":role/teams/"));
            assert_eq!(arn(resource_type, id, place), with_path, "{resource_type}");
        }
    }
}

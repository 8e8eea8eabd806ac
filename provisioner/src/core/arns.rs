//! Computes the ARNs of a stack's resources from their physical ids.
//!
//! Pure. Only the types in the template are known; a physical id that is already an ARN is returned unchanged.

/// The ARN of a resource; `None` for a type without ARNs (a permission, a bucket policy, an invoke configuration).
#[must_use]
pub fn arn(resource_type: &str, physical_id: &str, partition: &str, region: &str, account: &str) -> Option<String> {
    if physical_id.starts_with("arn:") {
        return Some(physical_id.to_owned());
    }
    let regional =
        |service: &str, kind: &str| Some(format!("arn:{partition}:{service}:{region}:{account}:{kind}{physical_id}"));
    match resource_type {
        "AWS::S3::Bucket" => Some(format!("arn:{partition}:s3:::{physical_id}")),
        "AWS::IAM::Role" => Some(format!("arn:{partition}:iam::{account}:role/{physical_id}")),
        "AWS::DynamoDB::Table" => regional("dynamodb", "table/"),
        "AWS::Lambda::Function" => regional("lambda", "function:"),
        "AWS::Logs::LogGroup" => regional("logs", "log-group:"),
        "AWS::CloudWatch::Alarm" => regional("cloudwatch", "alarm:"),
        "AWS::CloudFormation::Stack" => regional("cloudformation", "stack/"),
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
            ("AWS::Lambda::Permission", "p", None),
            ("AWS::S3::BucketPolicy", "b", None),
            ("AWS::Lambda::EventInvokeConfig", "f|$LATEST", None),
        ] {
            assert_eq!(arn(resource_type, id, "aws", "eu-west-1", "1").as_deref(), expected, "{resource_type}");
        }
    }
}

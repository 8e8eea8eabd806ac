//! Checks whether a resource is gone, by asking its own service for it by name.

use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::error::{code, explain, is_missing};
use super::stack::{self, Resource};
use super::{Clients, bucket, table};
use crate::error::Result;

/// Whether a resource is gone; `None` for an unknown type and for a type that the emulator does not support.
pub async fn is_gone(clients: &Clients, resource: &Resource) -> Result<Option<bool>> {
    is_free(clients, &resource.resource_type, &resource.physical_id).await
}

/// Whether nothing of this type has this name; `None` as above.
pub async fn is_free(clients: &Clients, resource_type: &str, name: &str) -> Result<Option<bool>> {
    let attempt = || format!("cannot check whether {resource_type} `{name}` exists");
    Ok(Some(match resource_type {
        "AWS::S3::Bucket" => !bucket::exists(&clients.s3, name).await?,
        "AWS::DynamoDB::Table" => !table::exists(&clients.dynamodb, name).await?,
        "AWS::CloudFormation::Stack" => stack::describe(&clients.cloudformation, name).await?.is_none(),
        "AWS::Lambda::Function" => {
            gone(attempt, clients.lambda.get_function_configuration().function_name(name).send().await)?
        }
        "AWS::IAM::Role" => gone(attempt, clients.iam.get_role().role_name(name).send().await)?,
        "AWS::Logs::LogGroup" => match clients.logs.describe_log_groups().log_group_name_prefix(name).send().await {
            Ok(reply) => !reply.log_groups().iter().any(|group| group.log_group_name() == Some(name)),
            Err(error) => return Err(explain(attempt(), &error)),
        },
        // The policy of a queue is a part of it, so the name is the queue's.
        "AWS::SQS::Queue" | "AWS::SQS::QueuePolicy" => {
            gone(attempt, clients.sqs.get_queue_attributes().queue_url(name).send().await)?
        }
        "AWS::CloudWatch::Alarm" => match clients.cloudwatch.describe_alarms().alarm_names(name).send().await {
            Ok(reply) => reply.metric_alarms().is_empty(),
            // Emulators support only older protocols of this service; their errors have no code.
            Err(error) if clients.custom_endpoint && code(&error).is_none() => return Ok(None),
            Err(error) => return Err(explain(attempt(), &error)),
        },
        // These two are parts of the function, so the name is the function's.
        "AWS::Lambda::EventInvokeConfig" => {
            gone(attempt, clients.lambda.get_function_event_invoke_config().function_name(name).send().await)?
        }
        "AWS::Lambda::EventSourceMapping" => {
            gone(attempt, clients.lambda.get_event_source_mapping().uuid(name).send().await)?
        }
        "AWS::Events::Rule" => gone(attempt, clients.events.describe_rule().name(name).send().await)?,
        "AWS::Lambda::Permission" => gone(attempt, clients.lambda.get_policy().function_name(name).send().await)?,
        "AWS::S3::BucketPolicy" => match clients.s3.get_bucket_policy().bucket(name).send().await {
            Ok(_) => false,
            Err(error) if is_missing(&error) || code(&error) == Some("NoSuchBucketPolicy") => true,
            Err(error) => return Err(explain(attempt(), &error)),
        },
        _ => return Ok(None),
    }))
}

/// Whether the reply means that the resource is gone.
fn gone<T, E>(attempt: impl Fn() -> String, reply: std::result::Result<T, SdkError<E, HttpResponse>>) -> Result<bool>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match reply {
        Ok(_) => Ok(false),
        Err(error) if is_missing(&error) => Ok(true),
        Err(error) => Err(explain(attempt(), &error)),
    }
}

//! The only place that names `aws_sdk_*`: clients for one region, and a module for each thing they ask.
//!
//! Invariant: clients are made in `connection` alone, so all of them agree on credentials, endpoint, time-outs and retries.

pub mod bucket;
pub mod bucket_settings;
pub mod change_set;
pub mod connection;
mod credentials;
pub mod describe_events;
pub mod drift;
pub mod error;
pub mod follow;
pub mod function;
mod https;
pub mod identity;
mod investigate;
pub mod object_lock;
pub mod owner;
pub mod pace;
pub mod packages;
pub mod proof;
pub mod queue;
pub mod quotas;
pub mod rights;
pub mod scan;
mod settings;
pub mod stack;
pub mod table;
pub mod table_settings;
pub mod upload;
pub mod versions;

use std::sync::Arc;

use aws_config::SdkConfig;

pub use self::connection::Connection;
pub use self::credentials::{AskForCode, MfaDevice};
pub use self::settings::Request;

/// The clients for one region. Making them costs nothing; connections are opened on first use and shared by all of them.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The region's name.
    pub region: String,
    /// Whether all requests go to an endpoint that the user gave, or to the local cloud.
    pub custom_endpoint: bool,
    /// CloudFormation
    pub cloudformation: aws_sdk_cloudformation::Client,
    /// `CloudWatch`
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// `CloudWatch` Logs
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// DynamoDB
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// IAM
    pub iam: aws_sdk_iam::Client,
    /// Lambda
    pub lambda: aws_sdk_lambda::Client,
    /// S3
    pub s3: aws_sdk_s3::Client,
    /// Service Quotas
    pub quotas: aws_sdk_servicequotas::Client,
    /// SQS
    pub sqs: aws_sdk_sqs::Client,
    /// STS
    pub sts: aws_sdk_sts::Client,
    /// What the clients were made from; `None` for the local cloud.
    pub connection: Option<Arc<Connection>>,
}

impl Clients {
    fn new(config: &SdkConfig, region: &str, connection: Option<Arc<Connection>>) -> Self {
        let custom_endpoint = config.endpoint_url().is_some();
        // A server that is not AWS's own does not have one host name per bucket.
        let own_s3 =
            custom_endpoint || connection.as_ref().is_some_and(|connection| connection.settings.has_endpoint_of("S3"));
        let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(own_s3).build();
        Self {
            region: region.to_owned(),
            custom_endpoint,
            cloudformation: aws_sdk_cloudformation::Client::new(config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            iam: aws_sdk_iam::Client::new(config),
            lambda: aws_sdk_lambda::Client::new(config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            quotas: aws_sdk_servicequotas::Client::new(config),
            sqs: aws_sdk_sqs::Client::new(config),
            sts: aws_sdk_sts::Client::new(config),
            connection,
        }
    }
}

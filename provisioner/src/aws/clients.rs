//! The clients for one region, made from a connection or for the local cloud.

use std::sync::Arc;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SystemTimeSource;

use super::connection::{Connection, app_name};
use super::https;
use super::unanswered::Tell;
use crate::core::error_code::Code;
use crate::core::identity::CredentialSource;
use crate::error::{Error, Exit, Result};

/// The clients for one region. Making them costs nothing; connections are opened on first use and shared by all of them.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The region's name.
    pub region: String,
    /// Whether all requests go to an endpoint that the user gave, or to the local cloud.
    pub custom_endpoint: bool,
    /// Whether requests to S3 are sent without TLS, to an emulator.
    pub plain_http: bool,
    /// CloudFormation
    pub cloudformation: aws_sdk_cloudformation::Client,
    /// `CloudWatch`
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// `CloudWatch` Logs
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// DynamoDB
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// EventBridge
    pub events: aws_sdk_eventbridge::Client,
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
    /// The clients for a region, or for the configured one.
    ///
    /// # Errors
    /// No region is configured.
    pub fn new(connection: &Arc<Connection>, region: Option<&str>) -> Result<Self> {
        let configured = connection.settings.region.as_ref().map(|setting| setting.value.as_str());
        let Some(region) = region.or(configured) else {
            return Err(Error::new("no region is configured")
                .code(Code::NoRegion)
                .exit(Exit::Usage)
                .hint("name one with `--region eu-west-1`, `AWS_REGION`, or `aws configure set region eu-west-1`"));
        };
        let config = connection.config.to_builder().region(Region::new(region.to_owned())).build();
        Ok(Self::from_config(&config, region, Some(Arc::clone(connection))))
    }

    /// Where the credentials come from.
    #[must_use]
    pub fn credential_source(&self) -> CredentialSource {
        self.connection.as_ref().map_or(CredentialSource::LocalCloud, |connection| connection.source().clone())
    }

    /// The clients for the local cloud at an endpoint, with the dummy key and secret that it knows.
    #[must_use]
    pub fn of_local_cloud(endpoint: &str, region: &str, (key, secret): (&str, &str), tell: Tell) -> Self {
        let credentials = Credentials::new(key, secret, None, None, "local-cloud");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .region(Region::new(region.to_owned()))
            .endpoint_url(endpoint)
            .http_client(https::plain(tell))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .time_source(SystemTimeSource::new())
            .app_name(app_name())
            .retry_config(RetryConfig::standard())
            .timeout_config(https::timeouts())
            .build();
        Self::from_config(&config, region, None)
    }

    fn from_config(config: &SdkConfig, region: &str, connection: Option<Arc<Connection>>) -> Self {
        let custom_endpoint = config.endpoint_url().is_some();
        let s3_endpoint = connection.as_ref().and_then(|connection| connection.settings.endpoint_of("S3"));
        // A server that is not AWS's own does not have one host name per bucket.
        let own_s3 = custom_endpoint || s3_endpoint.is_some();
        let plain_http = s3_endpoint.or(config.endpoint_url()).is_some_and(|url| url.starts_with("http://"));
        let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(own_s3).build();
        Self {
            region: region.to_owned(),
            custom_endpoint,
            plain_http,
            cloudformation: aws_sdk_cloudformation::Client::new(config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            events: aws_sdk_eventbridge::Client::new(config),
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

//! The only place that names `aws_sdk_*`: clients for one region, and a module for each thing they ask.
//!
//! Invariant: a connection to the local cloud is made of its own endpoint and dummy credentials; no profile, no environment
//! variable and no metadata service is consulted for it, so that a local run cannot touch a real account.

pub mod bucket;
pub mod bucket_settings;
pub mod change_set;
pub mod describe_events;
pub mod drift;
pub mod error;
pub mod follow;
pub mod function;
pub mod identity;
pub mod object_lock;
pub mod owner;
pub mod pace;
pub mod packages;
pub mod proof;
pub mod queue;
pub mod quotas;
pub mod rights;
pub mod scan;
pub mod stack;
pub mod table;
pub mod table_settings;
pub mod upload;
pub mod versions;

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use crate::error::{Error, Exit, Result};

/// Where a connection leads.
#[derive(Clone, Debug)]
pub enum Target {
    /// AWS, or another endpoint, with the user's credentials and settings.
    Remote {
        /// A named profile instead of the default one.
        profile: Option<String>,
        /// A region instead of the configured one.
        region: Option<String>,
        /// An endpoint instead of the region's own.
        endpoint: Option<String>,
    },
    /// The local cloud.
    Local {
        /// Its URL on 127.0.0.1.
        endpoint: String,
        /// The region that it plays.
        region: String,
        /// The dummy access key and secret that it knows.
        credentials: (&'static str, &'static str),
    },
}

/// The clients for one region. Making them costs nothing; connections are opened on first use and shared by all of them.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The region's name.
    pub region: String,
    /// Whether requests go to an endpoint that the user gave, or to the local cloud.
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
}

impl Clients {
    /// Loads the configuration for a target and makes the clients.
    ///
    /// # Errors
    /// No region is configured, or the file in `AWS_CA_BUNDLE` cannot be read.
    pub async fn connect(target: &Target) -> Result<Self> {
        let config = match target {
            Target::Remote { profile, region, endpoint } => {
                remote(profile.as_deref(), region.as_deref(), endpoint.as_deref()).await?
            }
            Target::Local { endpoint, region, credentials } => local(endpoint, region, *credentials),
        };
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(Error::new("no region is configured")
                .exit(Exit::Usage)
                .hint("name one with `--region eu-west-1`, `AWS_REGION`, or `aws configure set region eu-west-1`"));
        };
        let custom_endpoint = config.endpoint_url().is_some();
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(custom_endpoint).build();
        Ok(Self {
            custom_endpoint,
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            quotas: aws_sdk_servicequotas::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
            region,
        })
    }
}

async fn remote(profile: Option<&str>, region: Option<&str>, endpoint: Option<&str>) -> Result<SdkConfig> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(https_client()?)
        .app_name(app_name())
        .retry_config(RetryConfig::standard().with_max_attempts(6).with_initial_backoff(Duration::from_millis(300)))
        .timeout_config(timeouts());
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    if let Some(endpoint) = endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    Ok(loader.load().await)
}

fn local(endpoint: &str, region: &str, (key, secret): (&str, &str)) -> SdkConfig {
    let http = Builder::new().build_http();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(key, secret, None, None, "local-cloud")))
        .region(Region::new(region.to_owned()))
        .endpoint_url(endpoint)
        .http_client(http)
        .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(aws_smithy_async::rt::sleep::TokioSleep::new()))
        .time_source(aws_smithy_async::time::SystemTimeSource::new())
        .app_name(app_name())
        .retry_config(RetryConfig::standard())
        .timeout_config(timeouts())
        .build()
}

fn app_name() -> AppName {
    AppName::new(concat!("provisioner-", env!("CARGO_PKG_VERSION")))
        .expect("letters, digits, hyphens and dots are allowed")
}

/// A hung connection is noticed; a large upload (30 MB at most) is not cut.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).read_timeout(Duration::from_mins(1)).build()
}

/// HTTPS with the system's roots, those of `AWS_CA_BUNDLE`, and the proxy of the environment.
fn https_client() -> Result<SharedHttpClient> {
    let mut roots = TrustStore::default();
    if let Some(path) = std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) {
        let pem = std::fs::read(&path).map_err(|error| {
            Error::new(format!("cannot read the certificates in `{}`", path.to_string_lossy()))
                .because(&error)
                .exit(Exit::Usage)
                .hint("`AWS_CA_BUNDLE` must name a PEM file; unset it to use the system's certificates alone")
        })?;
        roots.add_pem_certificate(pem);
    }
    let tls = TlsContext::builder()
        .with_trust_store(roots)
        .build()
        .map_err(|error| Error::new("cannot set up TLS").because(&error))?;
    Ok(Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls.clone()).build()
    }))
}

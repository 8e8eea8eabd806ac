//! The SDK clients of the three services, which share one connection pool.
//!
//! Invariant: the clients depend only on the settings and on the CA bundle that the settings name.

use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, IdentityCache, Region, StalledStreamProtectionConfig};
use futures_util::future::{join, join_all};
use http::Uri;
use tokio::task::spawn_blocking;

use crate::http::{Pool, PoolError};
use crate::retry::{Canceled, Unreadable};
use crate::settings::Settings;

/// The maximum number of attempts per request. With pauses of one second on average, they last for minutes.
const ATTEMPTS: u32 = 250;

/// The services that the function calls.
#[derive(Clone, Debug)]
pub struct Services {
    /// Inspects objects.
    pub s3: aws_sdk_s3::Client,
    /// Detects faces.
    pub rekognition: aws_sdk_rekognition::Client,
    /// Stores the rows.
    pub dynamodb: aws_sdk_dynamodb::Client,
}

/// Configures what the three clients have in common. A macro, because their builders share no type.
macro_rules! configure {
    ($service:ident, $settings:expr, $pool:expr, $endpoint:ident, $reply:expr) => {{
        let Settings { patience, region, credentials, endpoints, .. } = $settings;
        let timeouts = TimeoutConfig::builder().connect_timeout(patience.connect).read_timeout($reply).build();
        let mut builder = $service::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.clone()))
            .credentials_provider(credentials.clone())
            // The credentials never change, and the SDK's cache computes the pauses of all its attempts for each
            // request.
            .identity_cache(IdentityCache::no_cache())
            .http_client($pool.clone())
            .timeout_config(timeouts)
            .retry_config(
                // More attempts than there is time for: the deadline of the invocation ends them. The number is not
                // larger because the SDK adds up the pauses of all attempts before each one.
                RetryConfig::standard()
                    .with_max_attempts(ATTEMPTS)
                    .with_initial_backoff(patience.throttled_pause)
                    .with_max_backoff(patience.max_pause),
            )
            .retry_partition(
                RetryPartition::custom(stringify!($service)).token_bucket(TokenBucket::unlimited()).build(),
            )
            .retry_classifier(Unreadable)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        builder.set_endpoint_url(endpoints.$endpoint.clone());
        builder
    }};
}

/// The servers that the SDK will connect to, each once. The host name of S3 contains the bucket name.
fn servers(settings: &Settings) -> Vec<Uri> {
    let Settings { region, endpoints, bucket, .. } = settings;
    let aws = |host: &str| {
        // Only these partitions have Rekognition.
        matches!(settings.partition(), "aws" | "aws-us-gov").then(|| format!("https://{host}.{region}.amazonaws.com"))
    };
    let rekognition = || match &settings.rekognition_region {
        Some(region) => Some(format!("https://rekognition.{region}.amazonaws.com")),
        None => aws("rekognition"),
    };
    let s3 = || match bucket.as_deref()? {
        // A wildcard certificate does not match a bucket name with dots.
        dotted if dotted.contains('.') => aws("s3"),
        bucket => aws(&format!("{bucket}.s3")),
    };
    let urls = [
        endpoints.s3.clone().or_else(s3),
        endpoints.dynamodb.clone().or_else(|| aws("dynamodb")),
        endpoints.rekognition.clone().or_else(rekognition),
    ];
    let mut servers: Vec<Uri> = urls.into_iter().filter_map(|url| url?.parse().ok()).collect();
    // An emulator is one server for all services, or for all but Rekognition.
    servers.dedup_by(|a, b| a.authority() == b.authority());
    servers
}

impl Services {
    /// Creates the clients and connects to the services concurrently, before the first event. Lambda gives a starting
    /// function more CPU than one that handles an event. The first request retries a connection that takes longer than
    /// [`Patience::ahead`](crate::settings::Patience::ahead).
    ///
    /// # Panics
    /// Panics outside a Tokio runtime.
    pub async fn connect(settings: &Settings) -> Result<Self, PoolError> {
        let pool = pool(settings)?;
        let connections = servers(settings).into_iter().map(|uri| pool.connect_ahead(uri));
        let connections = tokio::time::timeout(settings.patience.ahead, join_all(connections));
        // Each client parses the SDK's list of partitions, which takes longer than everything else, so another thread
        // creates the clients.
        let clients = async {
            let (settings, pool) = (settings.clone(), pool.clone());
            spawn_blocking(move || Self::over(&pool, &settings)).await.expect("building a client does not panic")
        };
        // The connections start first. A failed connection is not reported here: the first request will fail too.
        let (_, services) = join(connections, clients).await;
        Ok(services)
    }

    /// Creates the clients without connecting to the services.
    pub fn new(settings: &Settings) -> Result<Self, PoolError> {
        Ok(Self::over(&pool(settings)?, settings))
    }

    fn over(pool: &Pool, settings: &Settings) -> Self {
        Self { s3: s3(settings, pool), rekognition: rekognition(settings, pool), dynamodb: dynamodb(settings, pool) }
    }
}

fn pool(settings: &Settings) -> Result<Pool, PoolError> {
    Pool::new(settings.patience.connect, settings.ca_bundle.as_deref())
}

fn s3(settings: &Settings, pool: &Pool) -> aws_sdk_s3::Client {
    let config = configure!(aws_sdk_s3, settings, pool, s3, settings.patience.reply)
        // A custom endpoint usually has no host name per bucket.
        .force_path_style(settings.endpoints.s3.is_some());
    aws_sdk_s3::Client::from_conf(config.build())
}

fn rekognition(settings: &Settings, pool: &Pool) -> aws_sdk_rekognition::Client {
    let mut config = configure!(aws_sdk_rekognition, settings, pool, rekognition, settings.patience.detect);
    if let Some(region) = &settings.rekognition_region {
        config = config.region(Region::new(region.clone()));
    }
    aws_sdk_rekognition::Client::from_conf(config.build())
}

fn dynamodb(settings: &Settings, pool: &Pool) -> aws_sdk_dynamodb::Client {
    let config = configure!(aws_sdk_dynamodb, settings, pool, dynamodb, settings.patience.reply);
    aws_sdk_dynamodb::Client::from_conf(config.retry_classifier(Canceled).build())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_smithy_runtime_api::client::http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    /// Replies to every request with an empty document and records its URI.
    #[derive(Clone, Debug, Default)]
    struct Seen(Arc<Mutex<Vec<Uri>>>);

    impl HttpClient for Seen {
        fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
            SharedHttpConnector::new(self.clone())
        }
    }

    impl HttpConnector for Seen {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            self.0.lock().unwrap().push(request.uri().parse().unwrap());
            HttpConnectorFuture::ready(Ok(HttpResponse::new(200.try_into().unwrap(), SdkBody::from("{}"))))
        }
    }

    fn settings(region: &str, bucket: &str, rekognition: &str) -> Settings {
        let settings = Settings::read(|name| match name {
            "AWS_REGION" => Some(region.to_owned()),
            "BUCKET_NAME" => Some(bucket.to_owned()),
            "REKOGNITION_REGION" => Some(rekognition.to_owned()),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE" => Some("512".to_owned()),
            "TABLE_NAME" | "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("any".to_owned()),
            "AWS_LAMBDA_FUNCTION_NAME" | "AWS_LAMBDA_FUNCTION_VERSION" => Some("1".to_owned()),
            _ => None,
        });
        settings.unwrap()
    }

    #[tokio::test]
    async fn connections_are_opened_to_the_servers_that_requests_use() {
        for (region, bucket, rekognition) in [
            ("eu-west-1", "pictures", ""),
            ("us-east-1", "pictures", ""),
            ("us-gov-west-1", "pictures", ""),
            ("eu-west-1", "my.pictures", ""),
            ("eu-north-1", "pictures", "eu-central-1"),
        ] {
            let settings = settings(region, bucket, rekognition);
            let (services, seen) = (Services::new(&settings).unwrap(), Seen::default());
            macro_rules! send {
                ($service:ident, $call:expr) => {
                    let config = $service::config::Builder::new().http_client(seen.clone());
                    $call.customize().config_override(config).send().await.unwrap();
                };
            }
            send!(aws_sdk_s3, services.s3.head_object().bucket(bucket).key("a.jpg"));
            send!(aws_sdk_dynamodb, services.dynamodb.put_item().table_name("FaceData"));
            send!(aws_sdk_rekognition, services.rekognition.detect_faces());
            let ahead = servers(&settings);
            let server = |uri: &Uri| (uri.scheme().cloned(), uri.authority().cloned());
            let used: Vec<_> = seen.0.lock().unwrap().iter().map(server).collect();
            assert_eq!(ahead.iter().map(server).collect::<Vec<_>>(), used);
        }
        // This region has no Rekognition.
        assert!(servers(&settings("cn-north-1", "pictures", "")).is_empty());
    }
}

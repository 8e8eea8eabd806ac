//! The three services, as SDK clients over one pool of connections.
//!
//! Invariant: building them opens no connection and reads nothing but the settings and the CA bundle that they name.

use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};

use futures_util::FutureExt as _;

use crate::http::{Pool, PoolError};
use crate::retry::{Cancelled, Unreadable};
use crate::settings::Settings;

/// Attempts at one call: at pauses of a second on average, minutes.
const ATTEMPTS: u32 = 250;

/// The services that the function calls.
#[derive(Clone, Debug)]
pub struct Services {
    /// Tells what an object is.
    pub s3: aws_sdk_s3::Client,
    /// Finds faces.
    pub rekognition: aws_sdk_rekognition::Client,
    /// Keeps the rows.
    pub dynamodb: aws_sdk_dynamodb::Client,
    pool: Pool,
}

/// What the three clients have in common. Their builders do not share a type.
macro_rules! configure {
    ($service:ident, $settings:expr, $pool:expr, $endpoint:ident, $reply:expr) => {{
        let Settings {
            patience,
            region,
            credentials,
            endpoints,
            ..
        } = $settings;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(patience.connect)
            .read_timeout($reply)
            .build();
        let mut builder = $service::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.clone()))
            .credentials_provider(credentials.clone())
            .http_client($pool.clone())
            .timeout_config(timeouts)
            .retry_config(
                // More often than the time allows: the invocation's deadline ends it, not the count. (Not a huge one: the SDK adds up the
                // pauses of all attempts in a loop before each.)
                RetryConfig::standard()
                    .with_max_attempts(ATTEMPTS)
                    .with_initial_backoff(patience.throttled_pause)
                    .with_max_backoff(patience.max_pause),
            )
            .retry_partition(
                RetryPartition::custom(stringify!($service))
                    .token_bucket(TokenBucket::unlimited())
                    .build(),
            )
            .retry_classifier(Unreadable)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        builder.set_endpoint_url(endpoints.$endpoint.clone());
        builder
    }};
}

/// Where the SDK will find a service.
macro_rules! endpoint {
    ($service:ident, $settings:expr, $endpoint:ident) => {{
        use $service::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
        let parameters = Params::builder()
            .region($settings.region.clone())
            .set_endpoint($settings.endpoints.$endpoint.clone())
            .build();
        let resolver = DefaultResolver::new();
        parameters.ok().and_then(|parameters| {
            let endpoint = resolver.resolve_endpoint(&parameters).now_or_never()?;
            endpoint.ok()?.url().parse::<http::Uri>().ok()
        })
    }};
}

impl Services {
    /// Builds the clients.
    pub fn new(settings: &Settings) -> Result<Self, PoolError> {
        let (patience, endpoints) = (settings.patience, &settings.endpoints);
        let pool = Pool::new(patience.connect, settings.ca_bundle.as_deref())?;
        let s3 = configure!(aws_sdk_s3, settings, pool, s3, patience.reply)
            // A bucket is no host name at an endpoint of one's own.
            .force_path_style(endpoints.s3.is_some())
            .build();
        let rekognition = configure!(aws_sdk_rekognition, settings, pool, rekognition, patience.detect).build();
        let dynamodb =
            configure!(aws_sdk_dynamodb, settings, pool, dynamodb, patience.reply).retry_classifier(Cancelled).build();
        Ok(Self {
            s3: aws_sdk_s3::Client::from_conf(s3),
            rekognition: aws_sdk_rekognition::Client::from_conf(rekognition),
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb),
            pool,
        })
    }

    /// Begins to connect to Rekognition and `DynamoDB`, so that it is done when the first event needs them. S3's host bears the bucket's
    /// name, which only an event tells.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn connect_ahead(&self, settings: &Settings) {
        let rekognition = endpoint!(aws_sdk_rekognition, settings, rekognition);
        let dynamodb = endpoint!(aws_sdk_dynamodb, settings, dynamodb);
        // An endpoint that cannot be resolved is the first call's error.
        for uri in [rekognition, dynamodb].into_iter().flatten() {
            self.pool.connect_ahead(uri);
        }
    }
}

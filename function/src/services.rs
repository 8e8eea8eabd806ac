//! The three services, as SDK clients over one pool of connections.
//!
//! Invariant: building them opens no connection and reads nothing but the settings and the CA bundle that they name.

use std::time::Duration;

use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use http::Uri;

use crate::http::{Pool, PoolError};
use crate::retry::{Cancelled, Unreadable};
use crate::settings::Settings;

/// Attempts at one call: at pauses of a second on average, minutes.
const ATTEMPTS: u32 = 250;

/// How long the start may wait for connections: some thirty round trips within a region.
const AHEAD: Duration = Duration::from_millis(300);

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
macro_rules! server {
    ($service:ident, $settings:expr, $endpoint:ident $(, $setter:ident($value:expr))*) => {{
        use $service::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
        let parameters = Params::builder()
            .region($settings.region.clone())
            .set_endpoint($settings.endpoints.$endpoint.clone())
            $(.$setter($value))*
            .build();
        let resolver = DefaultResolver::new();
        parameters.ok().and_then(|parameters| {
            let endpoint = resolver.resolve_endpoint(&parameters).now_or_never()?;
            endpoint.ok()?.url().parse::<Uri>().ok()
        })
    }};
}

/// The services' servers, each once. S3's bears the name of the bucket, so there is none where that is not known beforehand.
fn servers(settings: &Settings) -> Vec<Uri> {
    let s3 = settings.bucket.as_ref().and_then(|bucket| {
        let own = settings.endpoints.s3.is_some();
        server!(aws_sdk_s3, settings, s3, bucket(bucket.clone()), force_path_style(own))
    });
    let rekognition = server!(aws_sdk_rekognition, settings, rekognition);
    let dynamodb = server!(aws_sdk_dynamodb, settings, dynamodb);
    let mut servers: Vec<_> = [s3, rekognition, dynamodb].into_iter().flatten().collect();
    // An emulator is one server for all.
    servers.dedup_by(|a, b| a.authority() == b.authority());
    servers
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

    /// Connects to the services side by side, for the first event to find it done. Lambda gives a function that starts more of a processor
    /// than one that handles an event. What has not come about after [`AHEAD`] is left to the first call.
    pub async fn connect_ahead(&self, settings: &Settings) {
        let connections = servers(settings).into_iter().map(|uri| self.pool.connect_ahead(uri));
        // Whatever stops it stops a call too, which says so.
        let _ = tokio::time::timeout(AHEAD, join_all(connections)).await;
    }
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

    /// Answers every request with an empty document, and keeps where it was sent.
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

    #[tokio::test]
    async fn connections_ahead_lead_where_the_requests_go() {
        for region in ["eu-west-1", "us-gov-west-1", "cn-north-1"] {
            let settings = Settings::read(|name| match name {
                "AWS_REGION" => Some(region.to_owned()),
                "BUCKET_NAME" => Some("pictures".to_owned()),
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE" => Some("512".to_owned()),
                "TABLE_NAME" | "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("any".to_owned()),
                "AWS_LAMBDA_FUNCTION_NAME" | "AWS_LAMBDA_FUNCTION_VERSION" => Some("1".to_owned()),
                _ => None,
            });
            let settings = settings.unwrap();
            let (services, seen) = (Services::new(&settings).unwrap(), Seen::default());
            macro_rules! send {
                ($service:ident, $call:expr) => {
                    let config = $service::config::Builder::new().http_client(seen.clone());
                    $call.customize().config_override(config).send().await.unwrap();
                };
            }
            send!(aws_sdk_s3, services.s3.head_object().bucket("pictures").key("a.jpg"));
            send!(aws_sdk_rekognition, services.rekognition.detect_faces());
            send!(aws_sdk_dynamodb, services.dynamodb.put_item().table_name("FaceData"));
            let ahead = servers(&settings);
            let server = |uri: &Uri| (uri.scheme().cloned(), uri.authority().cloned());
            let used: Vec<_> = seen.0.lock().unwrap().iter().map(server).collect();
            assert_eq!(ahead.iter().map(server).collect::<Vec<_>>(), used);
        }
    }
}

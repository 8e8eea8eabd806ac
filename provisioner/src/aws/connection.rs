//! One connection of a run: settings, credentials and HTTPS client, shared by the clients of all its regions.
//!
//! Invariant: a connection to the local cloud is made of its own endpoint and dummy credentials; no profile, no environment
//! variable and no metadata service is consulted for it, so that a local run cannot touch a real account.

use std::sync::Arc;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SystemTimeSource;

use super::Clients;
use super::credentials::{AskForCode, Supplier};
use super::https::{self, Https};
use super::settings::{Request, Settings, is_on};
use crate::core::event::Certificates;
use crate::core::identity::CredentialSource;
use crate::core::setting::{Setting, Source};
use crate::error::{Error, Exit, Result};

/// A credential process or a person with an MFA device may take a while.
const LONGEST_SIGN_IN: Duration = Duration::from_mins(10);

/// What leads to AWS, or to another endpoint, with the user's credentials and settings.
#[derive(Debug)]
pub struct Connection {
    pub(super) settings: Settings,
    config: SdkConfig,
    supplier: Supplier,
    certificates: Certificates,
}

impl Connection {
    /// Reads the configuration and chooses the credentials. Nothing is sent, except to the machine's metadata service if
    /// no region is configured.
    ///
    /// # Errors
    /// The configuration is wrong, or has no credentials.
    pub async fn open(request: &Request, ask: AskForCode) -> Result<Self> {
        let mut settings = Settings::read(request).await?;
        let Https { client, trusted } = https::https(settings.ca_bundle.as_ref())?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(client.clone())
            .app_name(app_name())
            .retry_config(RetryConfig::standard().with_max_attempts(6).with_initial_backoff(Duration::from_millis(300)))
            .timeout_config(https::timeouts())
            .identity_cache(IdentityCache::lazy().load_timeout(LONGEST_SIGN_IN).build())
            .profile_files(settings.files_for_the_sdk())
            .profile_name(&settings.profile.value)
            .no_credentials();
        if let Some(region) = &settings.region {
            loader = loader.region(Region::new(region.value.clone()));
        }
        if let Some(endpoint) = &request.endpoint {
            loader = loader.endpoint_url(&endpoint.value);
        }
        let config = loader.load().await;
        if settings.region.is_none() {
            let found = config.region().map(|region| Setting::new("region", region.as_ref(), Source::Instance));
            settings.region = found;
        }
        let provider = ProviderConfig::without_region()
            .with_region(config.region().cloned())
            .with_http_client(client)
            .with_use_fips(settings.fips.as_ref().map(is_on))
            .with_use_dual_stack(settings.dual_stack.as_ref().map(is_on));
        let supplier = Supplier::new(&settings, &config, &provider, ask)?;
        let config =
            config.into_builder().credentials_provider(SharedCredentialsProvider::new(supplier.clone())).build();
        Ok(Self { settings, config, supplier, certificates: trusted })
    }

    /// The clients for a region, or for the configured one.
    ///
    /// # Errors
    /// No region is configured.
    pub fn clients(self: &Arc<Self>, region: Option<&str>) -> Result<Clients> {
        let configured = self.settings.region.as_ref().map(|setting| setting.value.as_str());
        let Some(region) = region.or(configured) else {
            return Err(Error::new("no region is configured")
                .exit(Exit::Usage)
                .hint("name one with `--region eu-west-1`, `AWS_REGION`, or `aws configure set region eu-west-1`"));
        };
        let config = self.config.to_builder().region(Region::new(region.to_owned())).build();
        Ok(Clients::new(&config, region, Some(Arc::clone(self))))
    }

    /// Where the credentials come from.
    #[must_use]
    pub fn source(&self) -> &CredentialSource {
        self.supplier.source()
    }

    /// Everything that was set, each with its source.
    #[must_use]
    pub fn settings(&self) -> Vec<Setting> {
        self.settings.all()
    }

    /// Which certificates are trusted.
    #[must_use]
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }
}

impl Clients {
    /// Where the credentials come from.
    #[must_use]
    pub fn credential_source(&self) -> CredentialSource {
        self.connection.as_ref().map_or(CredentialSource::LocalCloud, |connection| connection.source().clone())
    }

    /// The clients for the local cloud at an endpoint, with the dummy key and secret that it knows.
    #[must_use]
    pub fn of_local_cloud(endpoint: &str, region: &str, (key, secret): (&str, &str)) -> Self {
        let credentials = Credentials::new(key, secret, None, None, "local-cloud");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .region(Region::new(region.to_owned()))
            .endpoint_url(endpoint)
            .http_client(https::plain())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .time_source(SystemTimeSource::new())
            .app_name(app_name())
            .retry_config(RetryConfig::standard())
            .timeout_config(https::timeouts())
            .build();
        Self::new(&config, region, None)
    }
}

fn app_name() -> AppName {
    AppName::new(concat!("provisioner-", env!("CARGO_PKG_VERSION")))
        .expect("letters, digits, hyphens and dots are allowed")
}

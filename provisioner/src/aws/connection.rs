//! One connection of a run: settings, credentials and HTTPS client, shared by the clients of all its regions.
//!
//! Invariant: a connection to the local cloud is made of its own endpoint and dummy credentials; no profile, no environment
//! variable and no metadata service is consulted for it, so that a local run cannot touch a real account.

use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;

use super::credentials::{AskForCode, Supplier};
use super::https::{self, Https};
use super::settings::{Request, Settings, is_on};
use super::unanswered::Tell;
use crate::core::event::Certificates;
use crate::core::identity::CredentialSource;
use crate::core::setting::{Setting, Source};
use crate::error::Result;

/// A credential process or a person with an MFA device may take a while.
const LONGEST_SIGN_IN: Duration = Duration::from_mins(10);

/// What leads to AWS, or to another endpoint, with the user's credentials and settings.
#[derive(Debug)]
pub struct Connection {
    pub(super) settings: Settings,
    pub(super) config: SdkConfig,
    supplier: Supplier,
    certificates: Certificates,
}

impl Connection {
    /// Reads the configuration and chooses the credentials. Nothing is sent, except to the machine's metadata service if
    /// no region is configured.
    ///
    /// # Errors
    /// The configuration is wrong, or has no credentials.
    pub async fn open(request: &Request, ask: AskForCode, tell: Tell) -> Result<Self> {
        let mut settings = Settings::read(request).await?;
        let Https { client, trusted } = https::https(&settings, tell)?;
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

    /// Where the credentials come from.
    #[must_use]
    pub fn source(&self) -> &CredentialSource {
        self.supplier.source()
    }

    /// The region that is configured for this run.
    #[must_use]
    pub fn region(&self) -> Option<&Setting> {
        self.settings.region.as_ref()
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

pub(super) fn app_name() -> AppName {
    AppName::new(concat!("provisioner-", env!("CARGO_PKG_VERSION")))
        .expect("letters, digits, hyphens and dots are allowed")
}

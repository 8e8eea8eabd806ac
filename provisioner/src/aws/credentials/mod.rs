//! The credentials of a run: chosen once, fetched when first needed, renewed before they end, and shared by all regions.
//!
//! Invariant: an error names the profile and its remedy. Nobody is asked for a code while credentials in the cache are still good.

mod cache;
mod chain;
mod origin;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_config::identity::IdentityCache;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use tokio::sync::Mutex;

use self::chain::{Chain, Role};
use self::origin::First;
use super::error::explain;
use super::settings::Settings;
use crate::core::identity::CredentialSource;
use crate::error::{Error, Result};

/// Asks a person for the current code of an MFA device.
pub type AskForCode = Arc<dyn Fn(&MfaDevice<'_>) -> Result<String> + Send + Sync>;

/// The device whose code is needed.
#[derive(Clone, Copy, Debug)]
pub struct MfaDevice<'a> {
    /// The profile that names it.
    pub profile: &'a str,
    /// Its serial number or ARN.
    pub serial: &'a str,
}

/// Renewal begins so long before credentials end.
const RESERVE: Duration = Duration::from_mins(5);

/// Supplies one set of credentials, the same to everybody who has a clone.
#[derive(Clone)]
pub(super) struct Supplier(Arc<Inner>);

struct Inner {
    first: First,
    roles: Vec<Role>,
    source: CredentialSource,
    /// What requests to STS are made with.
    sts: SdkConfig,
    cache: PathBuf,
    ask: AskForCode,
    held: Mutex<Option<Credentials>>,
}

impl Supplier {
    /// Chooses the credentials. Nothing is fetched yet.
    ///
    /// # Errors
    /// The configuration has none, or contradicts itself.
    pub(super) fn new(
        settings: &Settings,
        config: &SdkConfig,
        provider: &ProviderConfig,
        ask: AskForCode,
    ) -> Result<Self> {
        let Chain { origin, roles, source } = chain::decide(settings)?;
        Ok(Self(Arc::new(Inner {
            first: First::new(origin, provider),
            roles,
            source,
            sts: config.clone(),
            cache: cache::folder(settings.environment.home()),
            ask,
            held: Mutex::new(None),
        })))
    }

    /// Where the credentials come from.
    pub(super) fn source(&self) -> &CredentialSource {
        &self.0.source
    }

    /// The credentials, from the first source that has good ones: this run, the cache, the origin.
    ///
    /// # Errors
    /// They cannot be had; the error says whose they are and what to do.
    pub(super) async fn get(&self) -> Result<Credentials> {
        // Others wait here meanwhile: one question and one request are enough.
        let mut held = self.0.held.lock().await;
        let now = SystemTime::now();
        if let Some(credentials) = held.as_ref()
            && credentials.expiry().is_none_or(|end| end > now + RESERVE)
        {
            return Ok(credentials.clone());
        }
        let cached = self.0.roles.iter().enumerate().rev();
        let mut cached = cached.map(|(at, role)| (at + 1, cache::load(&self.0.cache, role, now)));
        let (mut next, mut credentials) = match cached.find_map(|(next, found)| Some((next, found?))) {
            Some(found) => found,
            None => (0, self.0.first.get().await?),
        };
        while let Some(role) = self.0.roles.get(next) {
            credentials = self.assume(role, credentials, now).await?;
            next += 1;
        }
        *held = Some(credentials.clone());
        Ok(credentials)
    }

    async fn assume(&self, role: &Role, with: Credentials, now: SystemTime) -> Result<Credentials> {
        let code = match &role.mfa_serial {
            Some(serial) => Some((self.0.ask)(&MfaDevice { profile: &role.profile, serial })?),
            None => None,
        };
        let config = self
            .0
            .sts
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(with))
            .identity_cache(IdentityCache::no_cache())
            .build();
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let reply = aws_sdk_sts::Client::new(&config)
            .assume_role()
            .role_arn(&role.arn)
            .role_session_name(role.session_name.clone().unwrap_or_else(|| format!("provisioner-{seconds}")))
            .set_external_id(role.external_id.clone())
            .set_duration_seconds(role.duration)
            .set_serial_number(role.mfa_serial.clone())
            .set_token_code(code)
            .send()
            .await
            .map_err(|error| {
                let error = explain(format!("cannot assume role `{}` of profile `{}`", role.arn, role.profile), &error);
                match &role.mfa_serial {
                    Some(_) => {
                        error.hint("if the code was refused: wait for the next one, then run the same command again")
                    }
                    None => error,
                }
            })?;
        let (Some(given), Some(user)) = (reply.credentials, reply.assumed_role_user) else {
            return Err(Error::new(format!("STS returned no credentials for role `{}`", role.arn)));
        };
        let end = SystemTime::try_from(given.expiration).ok();
        let credentials = Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            end,
            "AssumeRole",
        );
        // A cache that cannot be written only costs a question next time.
        let _ = cache::save(&self.0.cache, role, &credentials, (&user.assumed_role_id, &user.arn));
        Ok(credentials)
    }
}

impl ProvideCredentials for Supplier {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async { self.get().await.map_err(CredentialsError::provider_error) })
    }
}

impl fmt::Debug for Supplier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supplier").field("source", &self.0.source).finish_non_exhaustive()
    }
}

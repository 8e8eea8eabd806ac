//! The SDK's providers for credentials that need no others, with an explanation of each one's failures.
//!
//! Invariant: what a credential process printed on its standard output is never shown, because it can be a secret.

use aws_config::Region;
use aws_config::credential_process::CredentialProcessProvider;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::login::LoginCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sso::SsoCredentialsProvider;
use aws_config::web_identity_token::{StaticConfiguration, WebIdentityTokenCredentialsProvider};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};

use super::chain::{self, Origin};
use crate::aws::error::is_unreachable;
use crate::core::hint::Hint;
use crate::error::{Error, Result, causes};

/// The first credentials of a chain.
pub(super) struct First {
    provider: SharedCredentialsProvider,
    kind: Kind,
}

/// What an error is about.
enum Kind {
    Keys,
    WebIdentity { token_file: String },
    Sso { profile: String },
    Login { profile: String },
    Process { profile: String },
    Container,
    Instance,
}

impl First {
    pub(super) fn new(origin: Origin, config: &ProviderConfig) -> Self {
        let (provider, kind) = match origin {
            Origin::Keys { key, secret, token } => {
                (SharedCredentialsProvider::new(Credentials::new(key, secret, token, None, "provisioner")), Kind::Keys)
            }
            Origin::WebIdentity { token_file, role_arn, session_name } => {
                let session_name = session_name.unwrap_or_else(|| "provisioner".to_owned());
                let fixed =
                    StaticConfiguration { web_identity_token_file: (&token_file).into(), role_arn, session_name };
                let provider = WebIdentityTokenCredentialsProvider::builder()
                    .static_configuration(fixed)
                    .configure(config)
                    .build();
                (SharedCredentialsProvider::new(provider), Kind::WebIdentity { token_file })
            }
            Origin::Sso { profile, session, start_url, region, account, role } => {
                let mut provider = SsoCredentialsProvider::builder()
                    .configure(config)
                    .start_url(start_url)
                    .region(Region::new(region))
                    .account_id(account)
                    .role_name(role);
                if let Some(session) = session {
                    provider = provider.session_name(session);
                }
                (SharedCredentialsProvider::new(provider.build()), Kind::Sso { profile })
            }
            Origin::Login { profile, session_arn } => (
                SharedCredentialsProvider::new(
                    LoginCredentialsProvider::builder(session_arn).configure(config).build(),
                ),
                Kind::Login { profile },
            ),
            Origin::Process { profile, command } => {
                (SharedCredentialsProvider::new(CredentialProcessProvider::new(command)), Kind::Process { profile })
            }
            Origin::Container => (
                SharedCredentialsProvider::new(EcsCredentialsProvider::builder().configure(config).build()),
                Kind::Container,
            ),
            Origin::Instance => (
                SharedCredentialsProvider::new(ImdsCredentialsProvider::builder().configure(config).build()),
                Kind::Instance,
            ),
        };
        Self { provider, kind }
    }

    pub(super) async fn get(&self) -> Result<Credentials> {
        self.provider.provide_credentials().await.map_err(|error| self.kind.explain(&error))
    }
}

impl Kind {
    fn explain(&self, error: &CredentialsError) -> Error {
        let found = causes(error);
        let said = |words: &str| found.iter().any(|cause| cause.contains(words));
        let with_causes = |message: String| found.iter().cloned().fold(Error::new(message), Error::cause);
        match self {
            Self::Sso { profile } if is_unreachable(error) => {
                with_causes(format!("cannot reach the SSO service of profile `{profile}`"))
                    .hint("check the network, `sso_region` and the proxy settings")
            }
            Self::Sso { profile } if said("ForbiddenException") => with_causes(format!(
                "SSO refuses the role of profile `{profile}`"
            ))
            .hint("`sso_account_id` and `sso_role_name` must be an assignment of yours: your access portal lists them"),
            Self::Sso { profile } => {
                with_causes(format!("the SSO session of profile `{profile}` is missing or has expired"))
                    .hint(Hint::shell(["aws", "sso", "login", "--profile", profile]).then(" opens a new one"))
            }
            Self::Login { profile } if is_unreachable(error) => {
                with_causes(format!("cannot reach the sign-in service of profile `{profile}`"))
                    .hint("check the network and the proxy settings")
            }
            Self::Login { profile } => {
                with_causes(format!("the `aws login` session of profile `{profile}` is missing or has expired"))
                    .hint(Hint::shell(["aws", "login", "--profile", profile]).then(" opens a new one"))
            }
            Self::Process { profile } => process(profile, &found),
            Self::WebIdentity { token_file } => {
                with_causes(format!("cannot exchange the web identity token in `{token_file}` for credentials"))
                    .hint("check the token, and that the role trusts its issuer")
            }
            Self::Container => with_causes("cannot get the credentials of this container".into())
                .hint("check the role of the task or pod"),
            Self::Instance if matches!(error, CredentialsError::CredentialsNotLoaded(_)) => chain::none_found(),
            Self::Instance => with_causes("cannot get the credentials of this machine".into())
                .hint("check the instance profile and its role"),
            Self::Keys => with_causes("cannot use the access key".into()),
        }
    }
}

/// What a credential process wrote to its standard error, or what is wrong with its output.
fn process(profile: &str, found: &[String]) -> Error {
    let said = found.last().map(String::as_str).unwrap_or_default();
    let said = match said.split_once("external process exited with code ") {
        Some((_, rest)) => match rest.split_once(". Stderr:").map(|(code, stderr)| (code, stderr.trim())) {
            Some((code, "")) => format!("{code}, and it printed no error"),
            Some((code, stderr)) => format!("{code}: {stderr}"),
            None => rest.to_owned(),
        },
        None => said
            .strip_prefix("Error retrieving credentials from external process")
            .unwrap_or(said)
            .trim_start_matches([',', ':', ' '])
            .to_owned(),
    };
    Error::new(format!("the credential process of profile `{profile}` failed")).cause(said).hint(format!(
        "run the command in `credential_process` of profile `{profile}` by itself, and correct what it reports"
    ))
}

//! Which credentials apply: the first source in botocore's order, and the roles that are assumed one after the other.
//!
//! Pure: settings in, a chain or a configuration error out. `tests/botocore/` compares it with botocore.

use crate::aws::settings::Settings;
use crate::aws::settings::files::Files;
use crate::core::error_code::Code;
use crate::core::hint::Hint;
use crate::core::identity::{CredentialSource, Method};
use crate::error::{Error, Exit, Result};

/// The first credentials, and what is made of them.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) origin: Origin,
    /// In the order in which they are assumed.
    pub(super) roles: Vec<Role>,
    /// For people.
    pub(super) source: CredentialSource,
}

/// Where credentials come from that need no others.
#[derive(Debug)]
pub(super) enum Origin {
    Keys { key: String, secret: String, token: Option<String> },
    WebIdentity { token_file: String, role_arn: String, session_name: Option<String> },
    Sso { profile: String, session: Option<String>, start_url: String, region: String, account: String, role: String },
    Login { profile: String, session_arn: String },
    Process { profile: String, command: String },
    Container,
    Instance,
}

/// A role to assume, as a profile describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) profile: String,
    pub(super) arn: String,
    pub(super) session_name: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) mfa_serial: Option<String>,
    pub(super) duration: Option<i32>,
}

/// Decides.
///
/// # Errors
/// The configuration contradicts itself, lacks something, or has no credentials where it must have them.
pub(super) fn decide(settings: &Settings) -> Result<Chain> {
    let profile = &settings.profile.value;
    if !settings.profile_alone
        && let Some(origin) = environment_keys(settings)?
    {
        return Ok(Chain { origin, roles: Vec::new(), source: CredentialSource::Environment });
    }
    let mut walk = Walk { files: &settings.files, visited: Vec::new(), roles: Vec::new() };
    let web_identity = |key: &str| {
        if settings.profile_alone { None } else { settings.environment.get(key).map(ToOwned::to_owned) }
    };
    let found = if is_role(&settings.files, profile) {
        Some(walk.role(profile, settings)?)
    } else {
        in_profile(&settings.files, profile, &web_identity)?
    };
    if let Some((origin, method)) = found {
        walk.roles.reverse();
        let of_environment = method == Method::WebIdentity && web_identity("AWS_WEB_IDENTITY_TOKEN_FILE").is_some();
        let source = if of_environment {
            CredentialSource::WebIdentity
        } else {
            CredentialSource::Profile {
                name: profile.clone(),
                named_by: settings.profile.source.clone(),
                method,
                roles: walk.roles.iter().map(|role| role.arn.clone()).collect(),
            }
        };
        return Ok(Chain { origin, roles: walk.roles, source });
    }
    if settings.profile_alone {
        return Err(Error::new(format!("profile `{profile}` has no credentials"))
            .exit(Exit::Usage)
            .cause(format!("{} names it, so no other credentials are used", settings.profile.source))
            .hint(Hint::from("add them with ").then_shell(["aws", "configure", "--profile", profile]))
            .hint("or set `AWS_PROFILE` instead of `--profile`, to combine its settings with other credentials"));
    }
    let environment = &settings.environment;
    let container = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
    if container.iter().any(|name| environment.get(name).is_some()) {
        return Ok(Chain { origin: Origin::Container, roles: Vec::new(), source: CredentialSource::Container });
    }
    // Whether the machine has any shows only when they are needed.
    Ok(Chain { origin: Origin::Instance, roles: Vec::new(), source: CredentialSource::Instance })
}

/// Neither the configuration nor the machine has credentials.
pub(super) fn none_found() -> Error {
    Error::new("no AWS credentials were found")
        .code(Code::NoCredentials)
        .cause("neither the environment nor the AWS configuration has any")
        .hint("set them up with `aws configure` or `aws sso login`, or name a profile with `--profile`")
        .hint("or run the same command with `--local`, which needs no account")
}

fn environment_keys(settings: &Settings) -> Result<Option<Origin>> {
    let get = |name: &str| settings.environment.get(name).map(ToOwned::to_owned);
    let Some(key) = get("AWS_ACCESS_KEY_ID") else { return Ok(None) };
    let Some(secret) = get("AWS_SECRET_ACCESS_KEY") else {
        return Err(Error::new("`AWS_ACCESS_KEY_ID` is set, but `AWS_SECRET_ACCESS_KEY` is not")
            .exit(Exit::Usage)
            .hint("set both, or neither, in the environment")
            .hint("or name a profile with `--profile`, which ignores them"));
    };
    let token = get("AWS_SECURITY_TOKEN").or_else(|| get("AWS_SESSION_TOKEN"));
    Ok(Some(Origin::Keys { key, secret, token }))
}

/// Whether a profile assumes a role with other credentials.
fn is_role(files: &Files, profile: &str) -> bool {
    files.get(profile, "role_arn").is_some() && files.get(profile, "web_identity_token_file").is_none()
}

/// The credentials that a profile has itself, in botocore's order.
fn in_profile(
    files: &Files,
    profile: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<(Origin, Method)>> {
    let get = |key: &str| files.get(profile, key).map(|found| found.value.to_owned());
    let either = |variable: &str, key: &str| environment(variable).or_else(|| get(key));
    if let Some(token_file) = either("AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file") {
        let role_arn = either("AWS_ROLE_ARN", "role_arn").ok_or_else(|| {
            incomplete(profile, "web_identity_token_file", "role_arn").hint("or set `AWS_ROLE_ARN` in the environment")
        })?;
        let session_name = either("AWS_ROLE_SESSION_NAME", "role_session_name");
        return Ok(Some((Origin::WebIdentity { token_file, role_arn, session_name }, Method::WebIdentity)));
    }
    if let Some(origin) = sso(files, profile)? {
        return Ok(Some((origin, Method::Sso)));
    }
    if let Some(origin) = keys(profile, &|key| files.in_credentials(profile, key).map(|found| found.value.to_owned()))?
    {
        return Ok(Some((origin, Method::Keys)));
    }
    if let Some(session_arn) = get("login_session") {
        return Ok(Some((Origin::Login { profile: profile.into(), session_arn }, Method::Login)));
    }
    if let Some(command) = get("credential_process") {
        return Ok(Some((Origin::Process { profile: profile.into(), command }, Method::Process)));
    }
    let keys = keys(profile, &|key| files.in_config(profile, key).map(|found| found.value.to_owned()))?;
    Ok(keys.map(|origin| (origin, Method::Keys)))
}

fn keys(profile: &str, get: &dyn Fn(&str) -> Option<String>) -> Result<Option<Origin>> {
    let Some(key) = get("aws_access_key_id") else { return Ok(None) };
    let secret = get("aws_secret_access_key")
        .ok_or_else(|| incomplete(profile, "aws_access_key_id", "aws_secret_access_key"))?;
    let token = get("aws_security_token").or_else(|| get("aws_session_token"));
    Ok(Some(Origin::Keys { key, secret, token }))
}

fn sso(files: &Files, profile: &str) -> Result<Option<Origin>> {
    let get = |key: &str| files.get(profile, key).map(|found| found.value.to_owned());
    let (account, role) = (get("sso_account_id"), get("sso_role_name"));
    if account.is_none() && role.is_none() {
        return Ok(None);
    }
    let session = get("sso_session");
    let in_session = match &session {
        Some(name) => Some(files.sso_session(name).ok_or_else(|| {
            Error::new(format!("there is no `[sso-session {name}]`, which profile `{profile}` names"))
                .exit(Exit::Usage)
                .hint(Hint::from("create it with ").then_shell(["aws", "configure", "sso-session"]))
        })?),
        None => None,
    };
    let shared =
        |key: &str| in_session.and_then(|session| session.get(key).map(ToOwned::to_owned)).or_else(|| get(key));
    let needed = |value: Option<String>, key: &str| value.ok_or_else(|| incomplete(profile, "SSO settings", key));
    Ok(Some(Origin::Sso {
        profile: profile.into(),
        start_url: needed(shared("sso_start_url"), "sso_start_url")?,
        region: needed(shared("sso_region"), "sso_region")?,
        account: needed(account, "sso_account_id")?,
        role: needed(role, "sso_role_name")?,
        session,
    }))
}

fn incomplete(profile: &str, has: &str, lacks: &str) -> Error {
    Error::new(format!("profile `{profile}` has `{has}`, but no `{lacks}`"))
        .exit(Exit::Usage)
        .hint(Hint::from("add it with ").then_shell(["aws", "configure", "set", lacks, "VALUE", "--profile", profile]))
}

/// From a profile with a role to the one whose credentials need no others.
struct Walk<'a> {
    files: &'a Files,
    visited: Vec<String>,
    roles: Vec<Role>,
}

impl Walk<'_> {
    fn role(&mut self, profile: &str, settings: &Settings) -> Result<(Origin, Method)> {
        let invalid = |what: String| Error::new(what).exit(Exit::Usage);
        let get = |key: &str| self.files.get(profile, key).map(|found| found.value.to_owned());
        let (source_profile, credential_source) = (get("source_profile"), get("credential_source"));
        self.visited.push(profile.to_owned());
        self.roles.push(Role {
            profile: profile.to_owned(),
            arn: get("role_arn").unwrap_or_default(),
            session_name: get("role_session_name"),
            external_id: get("external_id"),
            mfa_serial: get("mfa_serial"),
            // As in botocore, what is not a number is ignored.
            duration: get("duration_seconds").and_then(|text| text.parse().ok()),
        });
        match (source_profile, credential_source) {
            (Some(_), Some(_)) => Err(invalid(format!(
                "profile `{profile}` has both `source_profile` and `credential_source`, of which only one is allowed"
            ))
            .hint("remove one of them")),
            (None, None) => Err(incomplete(profile, "role_arn", "source_profile").hint("or add `credential_source`")),
            (None, Some(source)) => named(&source, profile, settings),
            (Some(source), None) => self.source(&source, profile, settings),
        }
    }

    fn source(&mut self, source: &str, profile: &str, settings: &Settings) -> Result<(Origin, Method)> {
        let invalid = |what: String| Error::new(what).exit(Exit::Usage);
        if !self.files.has(source) {
            return Err(invalid(format!(
                "there is no profile `{source}`, which `source_profile` of profile `{profile}` names"
            ))
            .hint(Hint::from("create it with ").then_shell(["aws", "configure", "--profile", source])));
        }
        let has_keys =
            ["aws_access_key_id", "aws_secret_access_key"].iter().any(|key| self.files.get(source, key).is_some());
        // A profile may name itself as its source, to keep the keys and the role together.
        let itself = source == profile && has_keys;
        if self.visited.iter().any(|visited| visited == source) && !itself {
            let circle = [self.visited.join("` → `"), source.to_owned()].join("` → `");
            return Err(invalid(format!("the source profiles go in a circle: `{circle}`"))
                .hint("let the last of them name keys, SSO or another source of credentials"));
        }
        if !has_keys && is_role(self.files, source) {
            return self.role(source, settings);
        }
        in_profile(self.files, source, &|_| None)?.ok_or_else(|| {
            invalid(format!("profile `{source}` has no credentials, but profile `{profile}` takes them from it"))
                .hint(Hint::from("add them with ").then_shell(["aws", "configure", "--profile", source]))
        })
    }
}

/// The sources that `credential_source` can name.
fn named(source: &str, profile: &str, settings: &Settings) -> Result<(Origin, Method)> {
    match source {
        "Environment" => environment_keys(settings)?.map(|origin| (origin, Method::Environment)).ok_or_else(|| {
            Error::new(format!("profile `{profile}` takes its credentials from the environment, which has none"))
                .exit(Exit::Usage)
                .hint("set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`")
        }),
        "EcsContainer" => Ok((Origin::Container, Method::Container)),
        "Ec2InstanceMetadata" => Ok((Origin::Instance, Method::Instance)),
        other => Err(Error::new(format!("profile `{profile}` names the unknown credential source `{other}`"))
            .exit(Exit::Usage)
            .hint("the sources are `Environment`, `EcsContainer` and `Ec2InstanceMetadata`")),
    }
}

//! Whose credentials act, and where they come from.
//!
//! Pure. Secrets never get here.

use std::fmt;

use serde::Serialize;

use super::setting::Source;

/// Where credentials come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CredentialSource {
    /// `AWS_ACCESS_KEY_ID` and its companions.
    Environment,
    /// `AWS_WEB_IDENTITY_TOKEN_FILE`, as in a pod or a workflow.
    WebIdentity,
    /// A profile of the AWS configuration.
    Profile {
        /// Its name.
        name: String,
        /// Who selected it.
        named_by: Source,
        /// How it gets its first credentials.
        method: Method,
        /// The ARNs of the roles that are assumed with them, in that order.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        roles: Vec<String>,
    },
    /// The role of a container.
    Container,
    /// The role of the machine, from its metadata service.
    Instance,
    /// The local cloud's own, which no account knows.
    LocalCloud,
}

/// How a profile gets its first credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// An access key in a file.
    Keys,
    /// IAM Identity Center (`aws sso login`).
    Sso,
    /// A session of the console (`aws login`).
    Login,
    /// The output of a program.
    Process,
    /// A token in a file.
    WebIdentity,
    /// Environment variables, because the profile says so.
    Environment,
    /// The role of the container, because the profile says so.
    Container,
    /// The role of the machine, because the profile says so.
    Instance,
}

impl fmt::Display for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("environment variable `AWS_ACCESS_KEY_ID`"),
            Self::WebIdentity => f.write_str("environment variable `AWS_WEB_IDENTITY_TOKEN_FILE`"),
            Self::Profile { name, named_by, method, roles } => {
                write!(f, "profile `{name}` ({method}")?;
                for role in roles {
                    write!(f, ", then {}", role.rsplit(':').next().unwrap_or(role))?;
                }
                match named_by {
                    Source::Default => f.write_str(")"),
                    source => write!(f, "), named by {source}"),
                }
            }
            Self::Container => f.write_str("the role of this container"),
            Self::Instance => f.write_str("the role of this machine"),
            Self::LocalCloud => f.write_str("the local cloud"),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keys => "access key",
            Self::Sso => "SSO",
            Self::Login => "`aws login`",
            Self::Process => "credential process",
            Self::WebIdentity => "web identity token",
            Self::Environment => "environment variables",
            Self::Container => "container role",
            Self::Instance => "machine role",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_read_well() {
        let profile = |named_by, method, roles: &[&str]| CredentialSource::Profile {
            name: "dev".into(),
            named_by,
            method,
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        };
        for (source, text) in [
            (CredentialSource::Environment, "environment variable `AWS_ACCESS_KEY_ID`"),
            (profile(Source::Default, Method::Keys, &[]), "profile `dev` (access key)"),
            (profile(Source::option("--profile"), Method::Sso, &[]), "profile `dev` (SSO), named by `--profile`"),
            (
                profile(Source::variable("AWS_PROFILE"), Method::Keys, &["arn:aws:iam::1:role/a/Deployer"]),
                "profile `dev` (access key, then role/a/Deployer), named by environment variable `AWS_PROFILE`",
            ),
        ] {
            assert_eq!(source.to_string(), text);
        }
    }
}

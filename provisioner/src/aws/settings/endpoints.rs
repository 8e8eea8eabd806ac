//! Endpoints of single services, and what an endpoint must look like.

use hyper::Uri;

use super::environment::Environment;
use super::files::Files;
use crate::core::setting::{Setting, Source};
use crate::error::{Error, Exit, Result};

/// The services that are asked, by the ids that the SDK derives the names of variables and keys from.
const SERVICES: &[&str] = &[
    "CloudFormation",
    "CloudWatch",
    "CloudWatch Logs",
    "DynamoDB",
    "EventBridge",
    "IAM",
    "Lambda",
    "S3",
    "Service Quotas",
    "signin",
    "SQS",
    "SSO",
    "SSO OIDC",
    "STS",
];

/// The services that have an endpoint of their own. A variable for all services goes before a file, as in the SDK.
pub(super) fn of_services(environment: &Environment, files: &Files, profile: &str) -> Vec<Setting> {
    let section = files.get(profile, "services");
    let general = environment.get("AWS_ENDPOINT_URL").is_some();
    let endpoint = |service: &&str| {
        let name = format!("endpoint URL of {service}");
        let variable = format!("AWS_ENDPOINT_URL_{}", service.to_uppercase().replace(' ', "_"));
        if let Some(value) = environment.get(&variable) {
            return Some(Setting::new(name, value, Source::variable(variable)));
        }
        let section = section.filter(|_| !general)?;
        let key = service.to_lowercase().replace(' ', "_");
        let value = files.service_endpoint(section.value, &key).filter(|value| !value.is_empty())?;
        let file = section.path().display().to_string();
        let source = Source::Profile { name: profile.into(), key: format!("services.{key}.endpoint_url"), file };
        Some(Setting::new(name, value, source))
    };
    SERVICES.iter().filter_map(endpoint).collect()
}

/// Refuses what is not a URL of an HTTP server.
pub(super) fn check(setting: &Setting) -> Result<()> {
    let Err(problem) = problem(&setting.value) else { return Ok(()) };
    let shown = without_password(&setting.value);
    Err(Error::new(format!("cannot use endpoint `{shown}`, which {} names: {problem}", setting.source))
        .exit(Exit::Usage)
        .hint("write it as `https://HOST` or `http://HOST:PORT`, or leave it out to use AWS's own endpoints"))
}

fn problem(url: &str) -> std::result::Result<(), &'static str> {
    let uri: Uri = url.parse().map_err(|_| "it is not a URL")?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    // Everything else that follows the host is a port, which can be out of range or missing.
    let has_port = !authority.ends_with(']') && authority.contains(':');
    match uri.scheme_str() {
        _ if uri.host().is_none_or(str::is_empty) => Err("it has no host"),
        None => Err("it does not begin with `http://` or `https://`"),
        Some(scheme) if !["http", "https"].contains(&scheme) => Err("it does not begin with `http://` or `https://`"),
        _ if authority.contains('@') => Err("it has a user name, but requests are signed with AWS credentials"),
        _ if has_port && uri.port_u16().is_none_or(|port| port == 0) => Err("its port is not between 1 and 65535"),
        _ if uri.query().is_some() => Err("it has a query"),
        _ => Ok(()),
    }
}

/// A URL whose password is not for the screen.
pub(super) fn without_password(url: &str) -> String {
    let Some((start, host)) = url.rsplit_once('@') else { return url.to_owned() };
    let scheme = start.split_once("://").map(|(scheme, _)| format!("{scheme}://")).unwrap_or_default();
    format!("{scheme}…@{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (value, problem) in [
            ("http://127.0.0.1:4566", None),
            ("https://vpce-1.s3.eu-west-1.vpce.amazonaws.com/prefix", None),
            ("http://[::1]:80", None),
            ("banana", Some("does not begin with")),
            ("localhost:4566", Some("does not begin with")),
            ("ftp://host", Some("does not begin with")),
            ("http://", Some("not a URL")),
            ("/path", Some("no host")),
            ("two words", Some("not a URL")),
            ("http://host:99999", Some("port")),
            ("http://host:0", Some("port")),
            ("http://host:", Some("port")),
            ("http://[::1]", None),
            ("http://[::1]:70000", Some("port")),
            ("http://user:secret@host", Some("user name")),
            ("http://host/?query", Some("query")),
        ] {
            let checked = check(&Setting::new("endpoint URL", value, Source::variable("AWS_ENDPOINT_URL")));
            match (checked, problem) {
                (Ok(()), None) => {}
                (Err(error), Some(words)) => {
                    assert!(error.message.contains(words), "{value}: {error}");
                    assert!(!error.message.contains("secret"), "{value}: {error}");
                    assert!(error.message.contains("environment variable `AWS_ENDPOINT_URL`"), "{value}: {error}");
                }
                (checked, _) => panic!("{value}: {checked:?}"),
            }
        }
    }

    #[test]
    fn passwords_stay_out_of_sight() {
        for (url, shown) in [
            ("http://proxy:3128", "http://proxy:3128"),
            ("http://bob:s@cret@proxy:3128", "http://…@proxy:3128"),
            ("bob:secret@proxy", "…@proxy"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}

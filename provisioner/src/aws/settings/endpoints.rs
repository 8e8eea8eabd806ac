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
    let problem = match setting.value.parse::<Uri>() {
        Ok(uri) if uri.host().is_none_or(str::is_empty) => "it has no host",
        Ok(uri) => match uri.scheme_str() {
            Some("http" | "https") => return Ok(()),
            _ => "it does not begin with `http://` or `https://`",
        },
        Err(_) => "it is not a URL",
    };
    Err(Error::new(format!("cannot use endpoint `{}`, which {} names: {problem}", setting.value, setting.source))
        .exit(Exit::Usage)
        .hint("write it as `https://HOST` or `http://HOST:PORT`, or leave it out to use AWS's own endpoints"))
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
        ] {
            let checked = check(&Setting::new("endpoint URL", value, Source::variable("AWS_ENDPOINT_URL")));
            match (checked, problem) {
                (Ok(()), None) => {}
                (Err(error), Some(words)) => {
                    assert!(error.message.contains(words), "{value}: {error}");
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

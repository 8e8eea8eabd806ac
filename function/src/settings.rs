//! What the environment says, read once before the first event.
//!
//! Invariant: nothing else in the crate reads an environment variable, and a wrong one stops the start instead of an invocation.

use std::path::PathBuf;
use std::time::Duration;

use aws_sdk_s3::config::Credentials;

/// Everything that the function takes from its environment.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The table that gets the rows (`TABLE_NAME`).
    pub table: String,
    /// The bucket whose uploads are most likely meant (`BUCKET_NAME`), to connect to it ahead; others are served too.
    pub bucket: Option<String>,
    /// Days that a row stays, counted from the event (`RETENTION_DAYS`; empty or 0 keeps rows forever).
    pub retention_days: Option<u32>,
    /// Whether bucket and key may appear in logs and errors (`LOG_KEYS=true`).
    pub log_keys: bool,
    /// Which diagnostics of the libraries are logged (`RUST_LOG`); the line for each record always is.
    pub log_filter: String,
    /// The region that the function runs in (`AWS_REGION`).
    pub region: String,
    /// The function's name, a dimension of its metrics (`AWS_LAMBDA_FUNCTION_NAME`).
    pub function_name: String,
    /// Who signs the calls (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`).
    pub credentials: Credentials,
    /// Where the services are, if not where AWS has them.
    pub endpoints: Endpoints,
    /// A PEM file of roots to trust beside the built-in ones (`AWS_CA_BUNDLE`).
    pub ca_bundle: Option<PathBuf>,
    /// How long each kind of call may take.
    pub patience: Patience,
}

/// Endpoints that replace AWS's own (`AWS_ENDPOINT_URL_S3` and so on, else `AWS_ENDPOINT_URL`).
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    /// For S3, addressed by path.
    pub s3: Option<String>,
    /// For Rekognition.
    pub rekognition: Option<String>,
    /// For `DynamoDB`.
    pub dynamodb: Option<String>,
}

/// Time limits of one attempt. Attempts are repeated until the invocation's own limit.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For name, TCP and TLS together; about 0.9 s at 128 MB of memory, so twice that.
    pub connect: Duration,
    /// For a reply of S3 or `DynamoDB`, which take milliseconds.
    pub reply: Duration,
    /// For a reply of Rekognition, which takes up to seconds for a large picture.
    pub detect: Duration,
    /// The largest first pause after a throttled attempt; it doubles up to [`Patience::max_pause`].
    pub throttled_pause: Duration,
    /// The largest pause between two attempts.
    pub max_pause: Duration,
    /// What is left of the invocation when the last attempt must have ended, to report in.
    pub margin: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            reply: Duration::from_secs(2),
            detect: Duration::from_secs(4),
            throttled_pause: Duration::from_millis(400),
            max_pause: Duration::from_secs(2),
            margin: Duration::from_secs(1),
        }
    }
}

/// Why the function cannot start.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SettingsError {
    /// A required variable is absent or empty.
    #[error("`{0}` is not set")]
    Missing(&'static str),
    /// A variable holds something else than it should.
    #[error("`{name}` is `{value}`, expected {expected}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What it should hold.
        expected: &'static str,
    },
}

/// The libraries' errors, but for the runtime's word on a failed invocation: the records' own lines have said it.
const QUIET: &str = "error,lambda_runtime::layers::panic=off";

impl Settings {
    /// Reads the settings through `lookup`, which is `std::env::var` but for tests. An empty variable counts as absent.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let optional = |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let required = |name: &'static str| optional(name).ok_or(SettingsError::Missing(name));
        let endpoint =
            |service: &str| optional(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| optional("AWS_ENDPOINT_URL"));
        // `lambda_runtime` takes these for granted.
        required("AWS_LAMBDA_FUNCTION_VERSION")?;
        let memory = required("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")?;
        if memory.parse::<i32>().is_err() {
            let (name, expected) = ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "a number of megabytes");
            return Err(SettingsError::Invalid { name, value: memory, expected });
        }
        Ok(Self {
            table: required("TABLE_NAME")?,
            bucket: optional("BUCKET_NAME"),
            retention_days: optional("RETENTION_DAYS").map(|value| retention(&value)).transpose()?.flatten(),
            log_keys: optional("LOG_KEYS").map(flag).transpose()?.unwrap_or(false),
            log_filter: optional("RUST_LOG").unwrap_or_else(|| QUIET.to_owned()),
            region: optional("AWS_REGION")
                .map_or_else(|| required("AWS_DEFAULT_REGION"), Ok)
                .map_err(|_| SettingsError::Missing("AWS_REGION"))?,
            function_name: required("AWS_LAMBDA_FUNCTION_NAME")?,
            credentials: Credentials::new(
                required("AWS_ACCESS_KEY_ID")?,
                required("AWS_SECRET_ACCESS_KEY")?,
                optional("AWS_SESSION_TOKEN"),
                None,
                "environment",
            ),
            endpoints: Endpoints {
                s3: endpoint("S3"),
                rekognition: endpoint("REKOGNITION"),
                dynamodb: endpoint("DYNAMODB"),
            },
            ca_bundle: optional("AWS_CA_BUNDLE").map(PathBuf::from),
            patience: Patience::default(),
        })
    }

    /// The partition that the region belongs to, as ARNs name it.
    #[must_use]
    pub fn partition(&self) -> &'static str {
        const BY_PREFIX: [(&str, &str); 6] = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("us-iso-", "aws-iso"),
            ("us-isob-", "aws-iso-b"),
            ("us-isof-", "aws-iso-f"),
            ("eusc-", "aws-eusc"),
        ];
        BY_PREFIX.iter().find(|(prefix, _)| self.region.starts_with(prefix)).map_or("aws", |(_, partition)| partition)
    }
}

fn retention(value: &str) -> Result<Option<u32>, SettingsError> {
    match value.parse() {
        Ok(0) => Ok(None),
        Ok(days) => Ok(Some(days)),
        Err(_) => Err(SettingsError::Invalid {
            name: "RETENTION_DAYS",
            value: value.to_owned(),
            expected: "a number of days, or 0 to keep rows forever",
        }),
    }
}

fn flag(value: String) -> Result<bool, SettingsError> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(SettingsError::Invalid { name: "LOG_KEYS", value, expected: "`true` or `false`" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: [(&str, &str); 7] = [
        ("AWS_LAMBDA_FUNCTION_NAME", "faces"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("TABLE_NAME", "FaceData"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];

    fn read(changes: &[(&str, &str)]) -> Result<Settings, String> {
        let find = |name: &str| {
            let of =
                |list: &[(&str, &str)]| list.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
            of(changes).or_else(|| of(&BASE))
        };
        Settings::read(find).map_err(|error| error.to_string())
    }

    #[test]
    fn a_wrong_variable_is_named() {
        let check = |changes: &[(&str, &str)], expected: &str| {
            assert_eq!(read(changes).expect_err(expected), expected);
        };
        check(&[("TABLE_NAME", "")], "`TABLE_NAME` is not set");
        check(&[("AWS_REGION", " ")], "`AWS_REGION` is not set");
        check(&[("AWS_ACCESS_KEY_ID", "")], "`AWS_ACCESS_KEY_ID` is not set");
        check(&[("AWS_LAMBDA_FUNCTION_NAME", "")], "`AWS_LAMBDA_FUNCTION_NAME` is not set");
        check(
            &[("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "much")],
            "`AWS_LAMBDA_FUNCTION_MEMORY_SIZE` is `much`, expected a number of megabytes",
        );
        check(&[("LOG_KEYS", "maybe")], "`LOG_KEYS` is `maybe`, expected `true` or `false`");
        check(
            &[("RETENTION_DAYS", "-1")],
            "`RETENTION_DAYS` is `-1`, expected a number of days, or 0 to keep rows forever",
        );
    }

    #[test]
    fn retention_is_optional() {
        let check = |value: &str, expected| {
            assert_eq!(read(&[("RETENTION_DAYS", value)]).unwrap().retention_days, expected);
        };
        check("", None);
        check("0", None);
        check("30", Some(30));
    }

    #[test]
    fn an_endpoint_of_its_own_wins() {
        let changes = [("AWS_ENDPOINT_URL", "http://all"), ("AWS_ENDPOINT_URL_REKOGNITION", "http://faces")];
        let endpoints = read(&changes).unwrap().endpoints;
        assert_eq!(endpoints.s3.as_deref(), Some("http://all"));
        assert_eq!(endpoints.rekognition.as_deref(), Some("http://faces"));
        assert_eq!(endpoints.dynamodb.as_deref(), Some("http://all"));
        assert!(read(&[]).unwrap().endpoints.s3.is_none());
    }

    #[test]
    fn a_region_tells_its_partition() {
        let check = |region, expected| {
            assert_eq!(read(&[("AWS_REGION", region)]).unwrap().partition(), expected);
        };
        check("eu-west-1", "aws");
        check("us-gov-west-1", "aws-us-gov");
        check("cn-north-1", "aws-cn");
        check("us-isob-east-1", "aws-iso-b");
    }
}

//! The settings, read once from the environment before the first event.
//!
//! Invariant: nothing else in the crate reads an environment variable, and an invalid one prevents the start.

use std::path::PathBuf;
use std::time::Duration;

use aws_sdk_s3::config::Credentials;

pub use crate::attributes::Attributes;

/// All settings of the function.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The table for the rows (`TABLE_NAME`).
    pub table: String,
    /// The table for the results of pictures, if there is one (`PICTURE_TABLE_NAME`).
    pub picture_table: Option<String>,
    /// The bucket that most uploads come from (`BUCKET_NAME`). The function connects to it before the first event.
    /// Events of other buckets are handled too.
    pub bucket: Option<String>,
    /// Days after the event until a row expires (`RETENTION_DAYS`). Rows never expire if it is empty or 0.
    pub retention_days: Option<u32>,
    /// The extensions of the keys that are processed, in lower case and without dots (`EXTENSIONS`, separated by
    /// commas). All keys are processed if it is empty.
    pub extensions: Vec<String>,
    /// The face attributes that are requested and stored (`ATTRIBUTES`, separated by commas).
    pub attributes: Attributes,
    /// Whether the rows of removed objects are erased (`ERASE_ROWS=true`, which needs a picture table).
    pub erase_rows: bool,
    /// Whether logs and errors may contain bucket names and keys (`LOG_KEYS=true`).
    pub log_keys: bool,
    /// Which diagnostics of the libraries are logged (`RUST_LOG`). The line for each record is always logged.
    pub log_filter: String,
    /// The region that the function runs in (`AWS_REGION`).
    pub region: String,
    /// The region whose Rekognition detects the faces, if it is another one (`REKOGNITION_REGION`).
    pub rekognition_region: Option<String>,
    /// The function's name, a dimension of its metrics (`AWS_LAMBDA_FUNCTION_NAME`).
    pub function_name: String,
    /// The credentials that sign the requests (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`).
    pub credentials: Credentials,
    /// Endpoints that replace AWS's own.
    pub endpoints: Endpoints,
    /// A PEM file of roots to trust in addition to the built-in ones (`AWS_CA_BUNDLE`).
    pub ca_bundle: Option<PathBuf>,
    /// The time-outs of requests.
    pub patience: Patience,
}

/// Endpoints that replace AWS's own (`AWS_ENDPOINT_URL_S3` and so on, else `AWS_ENDPOINT_URL`).
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    /// For S3, addressed by path.
    pub s3: Option<String>,
    /// For Rekognition.
    pub rekognition: Option<String>,
    /// For DynamoDB.
    pub dynamodb: Option<String>,
}

/// The time-outs of one attempt and the pauses between attempts. Attempts are repeated until time runs out.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For all connections that are opened before the first event: about thirty round trips within a region.
    pub ahead: Duration,
    /// For name resolution, TCP, and TLS together. With 128 MB of memory they take about 0.9 s, so this is twice that.
    pub connect: Duration,
    /// For a reply from S3 or DynamoDB, which usually takes milliseconds.
    pub reply: Duration,
    /// For a reply from Rekognition, which can take seconds for a large picture.
    pub detect: Duration,
    /// The maximum pause after the first throttled attempt. It doubles up to [`Patience::max_pause`].
    pub throttled_pause: Duration,
    /// The maximum pause between two attempts.
    pub max_pause: Duration,
    /// The time reserved at the end of an invocation for reporting.
    pub margin: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            ahead: Duration::from_millis(300),
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
    /// A required variable is unset or empty.
    #[error("`{0}` is not set")]
    Missing(&'static str),
    /// A variable has an invalid value.
    #[error("`{name}` is `{value}`, expected {expected}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// The values that are valid.
        expected: &'static str,
    },
}

/// Only errors, without the runtime's message about a failed invocation: the records' own lines contain the cause.
const DEFAULT_LOG_FILTER: &str = "error,lambda_runtime::layers::panic=off";

impl Settings {
    /// Reads the settings through `lookup`, which is `std::env::var` except in tests. An empty variable counts as
    /// unset.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let optional = |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let required = |name: &'static str| optional(name).ok_or(SettingsError::Missing(name));
        let endpoint =
            |service: &str| optional(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| optional("AWS_ENDPOINT_URL"));
        // `lambda_runtime` panics without these.
        required("AWS_LAMBDA_FUNCTION_VERSION")?;
        let memory = required("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")?;
        if memory.parse::<i32>().is_err() {
            let (name, expected) = ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "a number of megabytes");
            return Err(SettingsError::Invalid { name, value: memory, expected });
        }
        let region = optional("AWS_REGION")
            .map_or_else(|| required("AWS_DEFAULT_REGION"), Ok)
            .map_err(|_| SettingsError::Missing("AWS_REGION"))?;
        let rekognition_region = optional("REKOGNITION_REGION").filter(|other| *other != region);
        if let Some(other) = rekognition_region.as_ref().filter(|other| partition(other) != partition(&region)) {
            let (name, expected) = ("REKOGNITION_REGION", "a region in the partition of `AWS_REGION`");
            return Err(SettingsError::Invalid { name, value: other.clone(), expected });
        }
        let erase_rows = flag("ERASE_ROWS", optional("ERASE_ROWS"))?;
        if erase_rows && optional("PICTURE_TABLE_NAME").is_none() {
            return Err(SettingsError::Missing("PICTURE_TABLE_NAME"));
        }
        let mut patience = Patience::default();
        if rekognition_region.is_some() {
            // The picture itself travels to that region.
            patience.detect = Duration::from_secs(8);
        }
        Ok(Self {
            table: required("TABLE_NAME")?,
            picture_table: optional("PICTURE_TABLE_NAME"),
            bucket: optional("BUCKET_NAME"),
            retention_days: optional("RETENTION_DAYS").map(|value| retention(&value)).transpose()?.flatten(),
            extensions: optional("EXTENSIONS").map(|list| extensions(&list)).unwrap_or_default(),
            attributes: optional("ATTRIBUTES").map(attributes).transpose()?.unwrap_or_default(),
            erase_rows,
            log_keys: flag("LOG_KEYS", optional("LOG_KEYS"))?,
            log_filter: optional("RUST_LOG").unwrap_or_else(|| DEFAULT_LOG_FILTER.to_owned()),
            region,
            rekognition_region,
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
            patience,
        })
    }

    /// The partition of the region, as it appears in ARNs.
    #[must_use]
    pub fn partition(&self) -> &'static str {
        partition(&self.region)
    }
}

fn partition(region: &str) -> &'static str {
    const BY_PREFIX: [(&str, &str); 6] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    BY_PREFIX.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, partition)| partition)
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

fn flag(name: &'static str, value: Option<String>) -> Result<bool, SettingsError> {
    let Some(value) = value else { return Ok(false) };
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(SettingsError::Invalid { name, value, expected: "`true` or `false`" }),
    }
}

fn extensions(list: &str) -> Vec<String> {
    let extensions = list.split(',').map(|extension| extension.trim().trim_start_matches('.').to_ascii_lowercase());
    extensions.filter(|extension| !extension.is_empty()).collect()
}

fn attributes(value: String) -> Result<Attributes, SettingsError> {
    Attributes::parse(&value).ok_or(SettingsError::Invalid {
        name: "ATTRIBUTES",
        value,
        expected: "names of Rekognition's face attributes, separated by commas",
    })
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
    fn an_error_names_the_invalid_variable() {
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
        check(&[("ERASE_ROWS", "maybe")], "`ERASE_ROWS` is `maybe`, expected `true` or `false`");
        check(&[("ERASE_ROWS", "true"), ("PICTURE_TABLE_NAME", "")], "`PICTURE_TABLE_NAME` is not set");
        check(&[("LOG_KEYS", "maybe")], "`LOG_KEYS` is `maybe`, expected `true` or `false`");
        check(
            &[("ATTRIBUTES", "SMILE,SHOE_SIZE")],
            "`ATTRIBUTES` is `SMILE,SHOE_SIZE`, expected names of Rekognition's face attributes, separated by commas",
        );
        check(
            &[("RETENTION_DAYS", "-1")],
            "`RETENTION_DAYS` is `-1`, expected a number of days, or 0 to keep rows forever",
        );
    }

    #[test]
    fn extensions_are_lower_case_and_have_no_dots() {
        let check = |value: &str, expected: &[&str]| {
            assert_eq!(read(&[("EXTENSIONS", value)]).unwrap().extensions, expected);
        };
        check("", &[]);
        check(" , ", &[]);
        check("jpg", &["jpg"]);
        check(" .JPG, jpeg,,png ", &["jpg", "jpeg", "png"]);
        check("tar.gz", &["tar.gz"]);
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
    fn a_service_specific_endpoint_takes_precedence() {
        let changes = [("AWS_ENDPOINT_URL", "http://all"), ("AWS_ENDPOINT_URL_REKOGNITION", "http://faces")];
        let endpoints = read(&changes).unwrap().endpoints;
        assert_eq!(endpoints.s3.as_deref(), Some("http://all"));
        assert_eq!(endpoints.rekognition.as_deref(), Some("http://faces"));
        assert_eq!(endpoints.dynamodb.as_deref(), Some("http://all"));
        assert!(read(&[]).unwrap().endpoints.s3.is_none());
    }

    #[test]
    fn rekognition_may_be_in_another_region_of_the_partition() {
        let check = |region: &str, other: &str, expected: Result<Option<&str>, &str>| {
            let settings = read(&[("AWS_REGION", region), ("REKOGNITION_REGION", other)]);
            let found = settings.as_ref().map(|settings| settings.rekognition_region.as_deref());
            assert_eq!(found.map_err(String::as_str), expected);
        };
        check("eu-north-1", "", Ok(None));
        check("eu-west-1", "eu-west-1", Ok(None));
        check("eu-north-1", "eu-central-1", Ok(Some("eu-central-1")));
        check("us-gov-east-1", "us-gov-west-1", Ok(Some("us-gov-west-1")));
        let error = "`REKOGNITION_REGION` is `us-east-1`, expected a region in the partition of `AWS_REGION`";
        check("us-gov-east-1", "us-east-1", Err(error));
    }

    #[test]
    fn the_region_determines_the_partition() {
        let check = |region, expected| {
            assert_eq!(read(&[("AWS_REGION", region)]).unwrap().partition(), expected);
        };
        check("eu-west-1", "aws");
        check("us-gov-west-1", "aws-us-gov");
        check("cn-north-1", "aws-cn");
        check("us-isob-east-1", "aws-iso-b");
    }
}

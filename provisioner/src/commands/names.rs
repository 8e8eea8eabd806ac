//! The options that name a deployment's parts, for commands that ask about permissions before a stack exists.

use crate::core::attach::Location;
use crate::core::hint::Hint;
use crate::core::{parameter, template};
use crate::error::{Error, Exit, Result};

/// What a deployment calls its parts.
#[derive(Debug, clap::Args)]
pub struct Names {
    /// Name of the table, if it is not `FaceData`
    #[arg(long, value_name = "NAME", default_value = "FaceData")]
    pub table: String,
    /// Name of the bucket for pictures, if it is not derived from the stack's name
    #[arg(long, value_name = "NAME")]
    pub bucket: Option<String>,
    /// Name of an attached bucket (repeatable); without one, the permissions of `attach` hold for every bucket of the
    /// account
    #[arg(long = "attach", value_name = "BUCKET", value_parser = bucket)]
    pub attached: Vec<String>,
    /// Path of the function's role, if the parameter `RolePath` sets one
    #[arg(long, value_name = "PATH", default_value = "/")]
    pub role_path: String,
    /// Permissions boundary of the function's role: the deployer can then create the role only with this boundary
    #[arg(long, value_name = "ARN")]
    pub permissions_boundary: Option<String>,
}

impl Names {
    /// Fails if an option has a value that the template's parameter would not accept.
    pub fn check(&self) -> Result<()> {
        fits("--table", "TableName", &self.table)?;
        fits("--bucket", "BucketName", self.bucket.as_deref().unwrap_or_default())?;
        fits("--role-path", "RolePath", &self.role_path)?;
        fits("--permissions-boundary", "PermissionsBoundary", self.permissions_boundary.as_deref().unwrap_or_default())
    }

    /// Adds the options to a command, except those that have their default.
    pub fn complete(&self, hint: Hint) -> Hint {
        let table = Some(&self.table).filter(|table| *table != "FaceData").map(|table| ("--table", table));
        let bucket = self.bucket.iter().map(|bucket| ("--bucket", bucket));
        let attached = self.attached.iter().map(|bucket| ("--attach", bucket));
        let path = Some(&self.role_path).filter(|path| *path != "/").map(|path| ("--role-path", path));
        let boundary = self.permissions_boundary.iter().map(|boundary| ("--permissions-boundary", boundary));
        let options = table.into_iter().chain(bucket).chain(attached).chain(path).chain(boundary);
        options.fold(hint, |hint, (option, value)| hint.arg(option).arg(value))
    }
}

/// Reads a bucket's name, or what `up --attach` accepts; the bucket's permissions are the same for every prefix.
fn bucket(value: &str) -> std::result::Result<String, String> {
    let location =
        if value.contains("://") { Location::parse(value) } else { Location::parse(&format!("s3://{value}")) };
    location.map(|location| location.bucket)
}

/// Checks an option like the parameter of the template that it stands for.
fn fits(option: &str, parameter: &str, value: &str) -> Result<()> {
    match template::built_in().declaration(parameter).and_then(|declaration| parameter::problem(declaration, value)) {
        None => Ok(()),
        Some(problem) => Err(Error::new(format!("`{option}` is `{value}`: it {problem}"))
            .exit(Exit::Usage)
            .hint(format!("it has the value of the parameter `{parameter}`; `provisioner template` explains it"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attached_buckets_are_named_as_up_names_them() {
        for value in ["photos", "photos/2024", "s3://photos", "s3://photos/2024/"] {
            assert_eq!(bucket(value).as_deref(), Ok("photos"), "{value}");
        }
        for value in ["", "*", "UPPER", "a b", "s3://", "https://photos"] {
            assert!(bucket(value).is_err(), "{value}");
        }
    }
}

//! A setting of the connection, and who made it.
//!
//! Pure: whoever reads an environment or a file says so here.

use std::fmt;

use serde::Serialize;

/// A value together with its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Setting {
    /// For example `region`.
    pub name: String,
    /// As it was written.
    pub value: String,
    /// Who made it.
    pub source: Source,
}

/// Who made a setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// An option on the command line, for example `--region`.
    Option {
        /// With its hyphens.
        name: String,
    },
    /// An environment variable.
    Variable {
        /// For example `AWS_REGION`.
        name: String,
    },
    /// A profile of the AWS configuration.
    Profile {
        /// The profile's name.
        name: String,
        /// The key in the profile.
        key: String,
        /// The path of the file.
        file: String,
    },
    /// The metadata service of the machine.
    Instance,
    /// Nobody: it is the default.
    Default,
}

impl Setting {
    /// A setting with a source.
    pub fn new(name: impl Into<String>, value: impl Into<String>, source: Source) -> Self {
        Self { name: name.into(), value: value.into(), source }
    }
}

impl Source {
    /// An option on the command line.
    pub fn option(name: impl Into<String>) -> Self {
        Self::Option { name: name.into() }
    }

    /// An environment variable.
    pub fn variable(name: impl Into<String>) -> Self {
        Self::Variable { name: name.into() }
    }
}

/// As it reads in a sentence.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option { name } => write!(f, "`{name}`"),
            Self::Variable { name } => write!(f, "environment variable `{name}`"),
            Self::Profile { name, key, file } => write!(f, "`{key}` of profile `{name}` in {file}"),
            Self::Instance => f.write_str("the metadata service of this machine"),
            Self::Default => f.write_str("the default"),
        }
    }
}

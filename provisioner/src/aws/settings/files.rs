//! The two files of the AWS configuration, read by the SDK's own parser.
//!
//! Invariant: a file that exists but cannot be read or understood is an error. The SDK itself would go on without it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aws_config::profile::ProfileSet;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_runtime::env_config::property::PropertiesKey;
use aws_runtime::env_config::section::SsoSession;
use aws_types::os_shim_internal::{Env, Fs};

use super::environment::Environment;
use crate::core::setting::Source;
use crate::error::{Error, Exit, Result};
use crate::file;

/// Both files, of which either can be missing.
#[derive(Debug)]
pub(in crate::aws) struct Files {
    config: File,
    credentials: File,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    kind: EnvConfigFileKind,
    profiles: ProfileSet,
    exists: bool,
}

/// A value of a profile, and the file that has it.
#[derive(Clone, Copy, Debug)]
pub(in crate::aws) struct Found<'a> {
    pub(in crate::aws) value: &'a str,
    file: &'a File,
}

impl Files {
    /// Reads both.
    ///
    /// # Errors
    /// One cannot be read, is not UTF-8, or is malformed.
    pub(super) async fn read(environment: &Environment) -> Result<Self> {
        let file = async |kind, variable, name: &str| {
            let path = environment
                .get(variable)
                .map_or_else(|| environment.home().join(".aws").join(name), |path| environment.expanded(path));
            File::read(path, kind, variable).await
        };
        Ok(Self {
            config: file(EnvConfigFileKind::Config, "AWS_CONFIG_FILE", "config").await?,
            credentials: file(EnvConfigFileKind::Credentials, "AWS_SHARED_CREDENTIALS_FILE", "credentials").await?,
        })
    }

    /// The files as the SDK's loader takes them.
    pub(super) fn for_the_sdk(&self) -> EnvConfigFiles {
        let mut files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, "");
        for file in [&self.config, &self.credentials] {
            if file.exists {
                files = files.with_file(file.kind, &file.path);
            }
        }
        files.build()
    }

    /// The value of a key in a profile. The credentials file goes first, as in the AWS CLI.
    pub(in crate::aws) fn get(&self, profile: &str, key: &str) -> Option<Found<'_>> {
        self.credentials.get(profile, key).or_else(|| self.config.get(profile, key))
    }

    /// The value of a key in the credentials file alone.
    pub(in crate::aws) fn in_credentials(&self, profile: &str, key: &str) -> Option<Found<'_>> {
        self.credentials.get(profile, key)
    }

    /// The value of a key in the config file alone.
    pub(in crate::aws) fn in_config(&self, profile: &str, key: &str) -> Option<Found<'_>> {
        self.config.get(profile, key)
    }

    /// Whether either file has a profile of this name.
    pub(in crate::aws) fn has(&self, profile: &str) -> bool {
        [&self.config, &self.credentials].iter().any(|file| file.profiles.get_profile(profile).is_some())
    }

    /// The section `[sso-session …]` of this name.
    pub(in crate::aws) fn sso_session(&self, name: &str) -> Option<&SsoSession> {
        self.config.profiles.sso_session(name)
    }

    /// The endpoint that a `[services …]` section has for a service.
    pub(super) fn service_endpoint(&self, section: &str, service: &str) -> Option<&str> {
        let key = PropertiesKey::builder()
            .section_key("services")
            .section_name(section)
            .property_name(service)
            .sub_property_name("endpoint_url")
            .build()
            .ok()?;
        self.config.profiles.other_sections().get(&key).map(String::as_str)
    }

    /// The names of all profiles, sorted.
    pub(in crate::aws) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.config.profiles.profiles().chain(self.credentials.profiles.profiles()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The paths, and whether there is such a file.
    pub(in crate::aws) fn paths(&self) -> [(&Path, bool); 2] {
        [&self.config, &self.credentials].map(|file| (file.path.as_path(), file.exists))
    }
}

impl<'a> Found<'a> {
    /// The source of the value, for messages.
    pub(in crate::aws) fn source(&self, profile: &str, key: &str) -> Source {
        Source::Profile { name: profile.into(), key: key.into(), file: self.path().display().to_string() }
    }

    /// The path of the file that has it.
    pub(in crate::aws) fn path(&self) -> &'a Path {
        &self.file.path
    }
}

impl File {
    async fn read(path: PathBuf, kind: EnvConfigFileKind, variable: &str) -> Result<Self> {
        let failed = |what: &str| {
            Error::new(format!("{what} `{}`", path.display()))
                .exit(Exit::Usage)
                .hint(format!("correct the file, or name another one with `{variable}`"))
        };
        let bytes = match file::read_small(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(failed("cannot read the AWS configuration in").because(&error)),
        };
        let exists = bytes.is_some();
        let malformed =
            |line: usize, why: &str| failed("malformed AWS configuration in").cause(format!("line {line}: {why}"));
        let text = String::from_utf8(bytes.unwrap_or_default()).map_err(|error| {
            let valid = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]).into_owned();
            let line = valid.matches('\n').count();
            malformed(line + 1, "not valid UTF-8")
        })?;
        let files = EnvConfigFiles::builder().with_contents(kind, text).build();
        let profiles = aws_config::profile::load(&Fs::real(), &Env::real(), &files, None).await.map_err(|error| {
            // The SDK says "error parsing PATH on line N:\n  WHY".
            let said = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            let (line, why) =
                said.split_once("on line ").and_then(|(_, rest)| rest.split_once(':')).unwrap_or(("?", &said));
            failed("malformed AWS configuration in").cause(format!("line {line}: {}", why.trim()))
        })?;
        Ok(Self { path, kind, profiles, exists })
    }

    fn get(&self, profile: &str, key: &str) -> Option<Found<'_>> {
        let value = self.profiles.get_profile(profile)?.get(key)?;
        // An empty value counts as unset, as an empty variable does.
        (!value.trim().is_empty()).then_some(Found { value, file: self })
    }
}

//! The state of a running local cloud, and its file. Invariant: the file is replaced as a whole, so a reader sees the old state
//! or the new one, never a part.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::credentials::credentials;
use super::error::Error;
use super::paths::Paths;
use super::process::Process;

/// The endpoints and processes of a local cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct State {
    /// The emulator of all services except Rekognition, for example `http://127.0.0.1:4566`.
    pub endpoint_url: String,
    /// Our Rekognition server.
    pub rekognition_url: String,
    /// The emulator's port.
    pub port: u16,
    /// The region of requests that do not name one; all other regions work, too.
    pub region: String,
    /// `MiniStack`'s version.
    pub ministack_version: String,
    /// The version of the provisioner that started it.
    pub provisioner_version: String,
    /// The Rekognition quota that is imitated, in requests per second.
    pub max_requests_per_second: Option<u32>,
    /// The emulator; the functions are its children and in its process group.
    pub ministack: Process,
    /// The Rekognition server.
    pub rekognition: Process,
    /// The log of the emulator and of the functions in it.
    pub ministack_log: PathBuf,
    /// The log of the Rekognition server.
    pub rekognition_log: PathBuf,
}

impl State {
    /// The variables that make the AWS CLI or any SDK use this local cloud and nothing else: no profile, no configuration file,
    /// no instance metadata.
    #[must_use]
    pub fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint_url.clone()),
            ("AWS_ENDPOINT_URL_REKOGNITION", self.rekognition_url.clone()),
            ("AWS_ACCESS_KEY_ID", credentials().access_key_id.into()),
            ("AWS_SECRET_ACCESS_KEY", credentials().secret_access_key.into()),
            // Empty on purpose: a token left over from a real session would be sent and refused.
            ("AWS_SESSION_TOKEN", String::new()),
            ("AWS_REGION", self.region.clone()),
            ("AWS_DEFAULT_REGION", self.region.clone()),
            ("AWS_CONFIG_FILE", "/dev/null".into()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ]
    }

    pub(super) fn load(paths: &Paths) -> Result<Option<Self>, Error> {
        let path = paths.state_file();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::file("read", path)(error)),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|source| Error::State { path, source })
    }

    pub(super) fn save(&self, paths: &Paths) -> Result<(), Error> {
        let path = paths.state_file();
        let text = serde_json::to_vec_pretty(self).map_err(|source| Error::State { path: path.clone(), source })?;
        write_whole(&path, &text)
    }
}

/// Writes another file and renames it, so that nobody reads an incomplete file.
pub(super) fn write_whole(path: &std::path::Path, bytes: &[u8]) -> Result<(), Error> {
    let beside = path.with_extension("new");
    fs::write(&beside, bytes).map_err(Error::file("write", &beside))?;
    fs::rename(&beside, path).map_err(Error::file("replace", path))
}

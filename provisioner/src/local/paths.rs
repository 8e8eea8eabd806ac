//! The folders of the local cloud. Invariant: this module reads `PROVISIONER_LOCAL_DIR`, XDG variables and `HOME`, never an
//! AWS variable or file.

use std::env;
use std::ffi::OsString;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::error::Error;

/// The folders of one local cloud. Local clouds with different `state` folders can run at the same time, on different ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The files of a running local cloud; `stop` removes them.
    pub state: PathBuf,
    /// The installed emulator, shared by all local clouds of this user and kept between runs.
    pub cache: PathBuf,
}

impl Paths {
    /// The state folder is `PROVISIONER_LOCAL_DIR`, or `provisioner/local` in the XDG state folder. The cache is `provisioner`
    /// in the XDG cache folder.
    pub fn from_env() -> Result<Self, Error> {
        Self::resolve(|name| env::var_os(name).filter(|value| !value.is_empty()))
    }

    fn resolve(var: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let under_home = |relative: &str, purpose| match var("HOME") {
            Some(home) => Ok(Path::new(&home).join(relative)),
            None => Err(Error::NoHome { purpose }),
        };
        // The XDG specification requires that relative paths be ignored.
        let absolute = |name| var(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = match (var("PROVISIONER_LOCAL_DIR"), absolute("XDG_STATE_HOME")) {
            (Some(given), _) => std::path::absolute(&given).map_err(Error::file("resolve", given))?,
            (None, Some(base)) => base.join("provisioner/local"),
            (None, None) => under_home(".local/state/provisioner/local", "state")?,
        };
        let cache = match absolute("XDG_CACHE_HOME") {
            Some(base) => base.join("provisioner"),
            None if cfg!(target_os = "macos") => under_home("Library/Caches/provisioner", "cache")?,
            None => under_home(".cache/provisioner", "cache")?,
        };
        Ok(Self { state, cache })
    }

    pub(super) fn state_file(&self) -> PathBuf {
        self.state.join("state.json")
    }

    pub(super) fn lock_file(&self) -> PathBuf {
        self.state.join("lock")
    }

    /// The folder for the files of the running processes: home, temporary files and logs.
    pub(super) fn run(&self) -> PathBuf {
        self.state.join("run")
    }
}

/// Creates a folder and its parents, readable only by this user, because the emulator's logs show what is uploaded to it.
pub(super) fn create_private(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Error::file("create", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_follow_the_environment() {
        let check = |vars: &[(&str, &str)], state: &str, cache: &str| {
            let lookup = |name: &str| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
            let paths = Paths::resolve(lookup).expect("these variables are enough");
            assert_eq!(paths.state, Path::new(state), "{vars:?}");
            if !cfg!(target_os = "macos") {
                assert_eq!(paths.cache, Path::new(cache), "{vars:?}");
            }
        };
        check(&[("HOME", "/h")], "/h/.local/state/provisioner/local", "/h/.cache/provisioner");
        check(
            &[("HOME", "/h"), ("XDG_STATE_HOME", "/s"), ("XDG_CACHE_HOME", "/c")],
            "/s/provisioner/local",
            "/c/provisioner",
        );
        check(
            &[("HOME", "/h"), ("XDG_STATE_HOME", "s"), ("XDG_CACHE_HOME", "c")],
            "/h/.local/state/provisioner/local",
            "/h/.cache/provisioner",
        );
        check(
            &[("HOME", "/h"), ("XDG_STATE_HOME", "/s"), ("PROVISIONER_LOCAL_DIR", "/mine")],
            "/mine",
            "/h/.cache/provisioner",
        );
    }

    #[test]
    fn without_a_home_the_purpose_is_named() {
        assert!(matches!(Paths::resolve(|_| None), Err(Error::NoHome { purpose: "state" })));
    }
}

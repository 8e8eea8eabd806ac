//! The environment variables that matter to a connection.
//!
//! Invariant: an empty variable counts as unset.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The variables of the process that are not empty, and its home directory.
#[derive(Clone, Debug, Default)]
pub(in crate::aws) struct Environment {
    variables: BTreeMap<String, String>,
    home: PathBuf,
}

impl Environment {
    /// Reads the environment of this process.
    pub(in crate::aws) fn of_this_process() -> Self {
        let variables = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .filter(|(_, value)| !value.trim().is_empty())
            .collect();
        Self { variables, home: std::env::home_dir().unwrap_or_default() }
    }

    /// The value of a variable.
    pub(in crate::aws) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The home directory.
    pub(in crate::aws) fn home(&self) -> &Path {
        &self.home
    }

    /// A path whose `~` stands for the home directory.
    pub(super) fn expanded(&self, path: &str) -> PathBuf {
        path.strip_prefix("~/").map_or_else(|| PathBuf::from(path), |rest| self.home.join(rest))
    }
}

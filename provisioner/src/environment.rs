//! The surroundings of this process: environment variables that are set to nothing, and the name of the machine.
//!
//! Invariant: an empty variable counts as unset, for this program, for the libraries in it, and for the programs that it starts.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Replaces this process by one without the empty variables, if there are any that matter.
///
/// Several libraries read the environment by themselves, each with its own idea of an empty variable; the SDK even
/// panics at an empty `AWS_ENDPOINT_URL`. A process cannot remove variables safely once it has threads, but a new one
/// can start without them. If that fails, this process goes on with them.
pub fn drop_empty_variables() {
    let empty: Vec<OsString> =
        std::env::vars_os().filter(|(name, value)| value.is_empty() && matters(name)).map(|(name, _)| name).collect();
    if empty.is_empty() {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        let mut again = Command::new(program);
        again.args(std::env::args_os().skip(1));
        for name in empty {
            again.env_remove(name);
        }
        // Returns only if it fails.
        let _ = again.exec();
    }
}

/// The name of this machine.
#[must_use]
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn matters(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    ["AWS_", "PROVISIONER_", "SSL_CERT_"].iter().any(|start| name.starts_with(start))
        || name.to_ascii_uppercase().ends_with("_PROXY")
}

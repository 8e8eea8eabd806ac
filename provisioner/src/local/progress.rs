//! The progress of starting and stopping the local cloud. Pure.

use std::path::PathBuf;
use std::time::Duration;

/// What starting or stopping a local cloud is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Another command is using this local cloud.
    WaitingForOther {
        /// The lock file that it holds.
        lock: PathBuf,
    },
    /// The emulator is being downloaded and installed, once per user.
    Installing {
        /// Its version.
        version: &'static str,
        /// `uv` or `pip`.
        with: &'static str,
        /// The folder.
        into: PathBuf,
    },
    /// The emulator is installed.
    Installed {
        /// The time that the installation took.
        took: Duration,
    },
    /// A part of the local cloud has ended, so all of it is replaced and its contents are lost.
    Replacing {
        /// The part that has ended.
        ended: &'static str,
    },
    /// The processes are being started.
    Starting {
        /// The emulator's port.
        port: u16,
    },
    /// Both servers respond.
    Ready {
        /// The URL of the emulator.
        endpoint_url: String,
        /// The URL of the Rekognition server.
        rekognition_url: String,
        /// The time since the start of the processes.
        took: Duration,
    },
    /// A local cloud that was running already is used.
    Joined {
        /// The URL of the emulator.
        endpoint_url: String,
    },
}

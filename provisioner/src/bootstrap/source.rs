//! Where the function comes from: the options of the commands that package it.
//!
//! Invariant: nothing is looked at here; a file or a profile that does not exist is found out when it is used.

use std::path::PathBuf;

use crate::package::Architecture;

/// Where the function comes from
#[derive(Clone, Debug, Default, clap::Args)]
pub struct FunctionOptions {
    /// Use this executable, or the one in this zip, as the function
    #[arg(long, value_name = "FILE")]
    pub bootstrap: Option<PathBuf>,
    /// In a checkout, build the function with this cargo profile [default: `dev` with `--local`, otherwise `lambda`]
    #[arg(long, value_name = "PROFILE", conflicts_with = "bootstrap", hide_possible_values = true)]
    pub cargo_profile: Option<CargoProfile>,
}

/// How cargo builds the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum CargoProfile {
    /// For this machine only; shares the dependencies that the dev build of this program has compiled.
    Dev,
    /// The function as Lambda runs it: static and optimized.
    Lambda,
}

impl FunctionOptions {
    /// The function for one architecture; `for_this_machine` says that the local cloud will run it.
    #[must_use]
    pub fn source(&self, architecture: Architecture, for_this_machine: bool) -> Source {
        let Self { bootstrap, cargo_profile } = self.clone();
        Source { file: bootstrap, cargo_profile, architecture, for_this_machine }
    }
}

/// Where the executable comes from and what it will run on.
#[derive(Clone, Debug)]
pub struct Source {
    /// A file given by the user.
    pub file: Option<PathBuf>,
    /// The cargo profile, if the user named one.
    pub cargo_profile: Option<CargoProfile>,
    /// The processor that the executable will run on.
    pub architecture: Architecture,
    /// Whether it will run as a process of this machine instead of in Lambda.
    pub for_this_machine: bool,
}

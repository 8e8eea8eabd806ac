//! `provisioner` deploys a face-recognition system to any AWS region, verifies that it works, removes it, and proves
//! that nothing is left.
//!
//! Each module depends only on modules to its right:
//!
//! ```text
//! main → run → cli → commands → steps → context → {local_cloud, bootstrap, crash, complete} → {aws, ui, local, package} → {error, clock, environment, file} → core
//! ```
//!
//! | module | does | never |
//! |---|---|---|
//! | [`run`] | dispatches a parsed command line and returns the exit code | decides |
//! | [`cli`] | defines the command-line arguments | acts |
//! | [`commands`] | defines each command: its options and the order of its steps | names an SDK type, prints |
//! | [`steps`] | holds the steps that several commands share | names an SDK type, prints |
//! | [`context`] | holds the global options and the clients of one region | acts |
//! | [`local_cloud`] | joins, starts and stops the local cloud for commands | names an SDK type |
//! | [`bootstrap`] | provides the function's executable: built, embedded or given | accepts the wrong architecture |
//! | [`aws`] | calls AWS; the only place that names `aws_sdk_*` | decides, prints |
//! | [`ui`] | prints text, live lines or JSON; the only place that prints | acts |
//! | [`local`] | runs the processes of the local cloud | names an SDK type, reads a profile |
//! | [`file`] | reads files that a user names | reads without a limit |
//! | [`crash`] | reports a panic | |
//! | [`complete`] | offers values to a shell | prompts |
//! | [`package`] | turns bytes into a reproducible zip | reads anything |
//! | [`core`] | decides: names, stack states, plans, diagnoses, smoke results | reads a clock, a file or the network |
//!
//! `tests/tidy.rs` checks these rules. `docs/architecture.md` explains them, with the invariants and the decisions
//! behind them.

pub mod aws;
pub mod bootstrap;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod complete;
pub mod context;
pub mod core;
pub mod crash;
pub mod environment;
pub mod error;
pub mod file;
pub mod local;
pub mod local_cloud;
pub mod package;
pub mod run;
pub mod steps;
pub mod ui;

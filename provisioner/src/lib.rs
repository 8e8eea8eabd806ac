//! `provisioner`: deploys a face-recognition system to any AWS region, verifies that it works, removes it, and proves that nothing is left.
//!
//! Each module depends only on modules to its right:
//!
//! ```text
//! main → run → cli → commands → steps → context → {local_cloud, bootstrap, crash} → {aws, ui, local, package} → {error, clock, environment} → core
//! ```
//!
//! | module | does | never |
//! |---|---|---|
//! | [`run`] | dispatches a parsed command line and ends with its exit code | decides |
//! | [`cli`] | defines what can be typed | acts |
//! | [`commands`] | one file per command: its options, and the order of its steps | names an SDK type, prints |
//! | [`steps`] | the steps that several commands share: preflight, prepare, apply, smoke, clean | names an SDK type, prints |
//! | [`context`] | the global options and clients of one region | acts |
//! | [`local_cloud`] | joins, starts and stops the local cloud for commands | names an SDK type |
//! | [`bootstrap`] | the function's executable: built, embedded or given | passes on an executable of the wrong kind |
//! | [`aws`] | the only place that names `aws_sdk_*` | decides, prints |
//! | [`ui`] | the only place that prints: text, live lines, JSON | acts |
//! | [`local`] | the processes of the local cloud | names an SDK type, reads a profile |
//! | [`crash`] | reports a panic | |
//! | [`package`] | turns bytes into a reproducible zip | reads anything |
//! | [`core`] | decides: names, stack states, plans, diagnoses, smoke verdicts | reads a clock, a file, the environment or the network |
//!
//! `tests/tidy.rs` checks these rules. `docs/architecture.md` explains them, with the invariants and the decisions behind them.

pub mod aws;
pub mod bootstrap;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod context;
pub mod core;
pub mod crash;
pub mod environment;
pub mod error;
pub mod local;
pub mod local_cloud;
pub mod package;
pub mod run;
pub mod steps;
pub mod ui;

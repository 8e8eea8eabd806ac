//! `provisioner`: puts a face-recognition system into any AWS region, proves that it works, takes it away, and proves that nothing is left.
//!
//! # The map
//!
//! | module | does | never |
//! |---|---|---|
//! | [`cli`] | the command line; opens a [`cli::Context`] a region | acts |
//! | [`commands`] | one file a command: the order of its steps | names an SDK type, prints |
//! | [`steps`] | the steps that several commands share: preflight, prepare, apply, clean | names an SDK type, prints |
//! | [`core`] | decides: names, stack states, plans, diagnoses, smoke verdicts | reads a clock, a file, the environment or the network |
//! | [`bootstrap`] | the function's executable: built, embedded or given | hands on an executable of the wrong kind |
//! | [`package`] | bytes to a reproducible zip | reads anything |
//! | [`aws`] | the only place that names `aws_sdk_*` | decides, prints |
//! | [`local`] | starts and stops the local cloud | names an SDK type, reads a profile |
//! | [`ui`] | the only place that prints: text, live lines, JSON | acts |
//!
//! Dependencies point one way: main → commands → steps → {core, bootstrap, package, aws, local, ui}; aws → core; ui → core; core → nothing of
//! ours. `tests/tidy.rs` keeps it so. Nothing here takes code from `function`: the smoke test computes what the function must write a second
//! time, from the contract.
//!
//! # Decisions
//!
//! - *The function's role has `s3:ListBucket`*, although the function lists nothing: without it S3 answers 403 for an object that is gone, as for
//!   one that may not be read, and a picture deleted before its turn would end in the failure queue instead of being passed over.
//! - *The token of a deletion says whether bucket and table were to stay*: the template keeps both in any case, so when the stack is gone nothing
//!   else tells a `down --keep-data` from a `down` that was interrupted before it came to them.
//! - *The function's environment names the bucket*, only to connect to S3 before the first event: S3's host bears the name.
//! - *Packages go once a deletion is accepted*, not before: a stack whose deletion is refused keeps what its next rollback needs.
//!
//! # Invariants
//!
//! - *A local run cannot touch a real account.* `--local` is another endpoint and dummy credentials; no profile is loaded ([`aws::Target::Local`]).
//! - *Everything lives on the server.* No state file; any later `up` or `down`, from any machine, goes on where this one stopped.
//! - *What is shown is what is done.* `plan` prints the value that `up` executes.
//! - *Data goes only knowingly.* Removal or replacement of bucket or table is refused unless it was asked for by name.
//! - *Every failure has a sentence, a cause, a way out and a documented exit code* ([`error::Exit`]).

pub mod aws;
pub mod bootstrap;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod context;
pub mod core;
pub mod error;
pub mod local;
pub mod local_cloud;
pub mod package;
pub mod run;
pub mod steps;
pub mod ui;

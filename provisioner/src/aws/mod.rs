//! The only place that names `aws_sdk_*`: clients for one region, and a module for each thing they ask.
//!
//! Invariant: clients are made in `clients` alone, so all of them agree on credentials, endpoint, time-outs and retries.

pub mod bucket;
pub mod bucket_settings;
pub mod change_set;
mod clients;
pub mod connection;
pub mod counted;
mod credentials;
pub mod current_versions;
pub mod deleted_stack;
pub mod describe_events;
pub mod drift;
pub mod erasure;
pub mod error;
pub mod event_flag;
pub mod event_rules;
pub mod follow;
mod foreign;
pub mod function;
mod https;
pub mod identity;
mod investigate;
pub mod local_contents;
pub mod object_lock;
mod owned_bucket;
pub mod owner;
pub mod pace;
pub mod packages;
pub mod picture_table;
pub mod proof;
pub mod queue;
pub mod quotas;
pub mod rights;
pub mod scan;
mod settings;
pub mod stack;
pub mod stacks;
pub mod table;
pub mod table_settings;
mod unanswered;
pub mod upload;
pub mod versions;

pub use self::clients::Clients;
pub use self::connection::Connection;
pub use self::credentials::{AskForCode, MfaDevice};
pub use self::settings::{Request, profile_names};
pub use self::unanswered::{Tell, tell_nobody};

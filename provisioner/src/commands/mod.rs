//! One file per command: its options and the order of its steps.

pub mod backfill;
pub mod build;
pub mod ci;
pub mod detect;
pub mod doctor;
pub mod down;
pub mod export;
pub mod faces;
pub mod forget;
pub mod list;
pub mod local;
pub mod logs;
mod names;
pub mod plan;
pub mod policy;
pub mod redrive;
pub mod regions;
pub mod schema;
pub mod shell;
pub mod smoke;
pub mod status;
pub mod template;
pub mod up;

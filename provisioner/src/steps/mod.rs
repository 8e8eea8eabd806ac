//! The steps that several commands share. They call AWS through `aws/` and decide through `core/`.

pub mod adopt;
pub mod apply;
pub mod attached;
pub mod backfill;
pub mod buckets;
pub mod clean;
pub mod data;
pub mod deletion;
pub mod failed_creation;
pub mod interrupt;
pub mod local_pictures;
pub mod operation;
pub mod parameters;
pub mod picture;
pub mod preflight;
pub mod prepare;
pub mod prepared;
pub mod proof;
pub mod remains;
pub mod removable;
pub mod saved_plan;
pub mod settings;
pub mod smoke;
pub mod smoke_remains;

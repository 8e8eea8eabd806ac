//! Decisions: every function here maps values to values.
//!
//! Pure: nothing here uses an SDK, tokio, the file system, the environment, or a clock.

pub mod adopt;
pub mod arns;
pub mod attach;
pub mod backfill;
pub mod concurrency;
pub mod denial;
pub mod diagnosis;
pub mod error_code;
pub mod event;
pub mod event_flag;
pub mod event_pattern;
pub mod finding;
pub mod first_step;
pub mod forget;
pub mod gallery;
pub mod github;
pub mod hint;
pub mod identity;
pub mod invocation;
pub mod invocation_record;
pub mod junit;
pub mod location;
pub mod moment;
pub mod names;
pub mod operation;
pub mod parameter;
pub mod parameter_file;
pub mod pictures;
pub mod plan;
pub mod policy;
pub mod regions;
pub mod render;
pub mod rows;
pub mod saved_plan;
pub mod setting;
pub mod smoke;
pub mod smoke_record;
pub mod stacks;
pub mod status;
pub mod template;
pub mod text;
pub mod timeline;
pub mod unanswered;

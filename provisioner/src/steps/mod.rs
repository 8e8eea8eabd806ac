//! The steps that several commands take, each asking AWS through `aws/` and deciding through `core/`.

pub mod adopt;
pub mod apply;
pub mod clean;
pub mod interrupt;
pub mod picture;
pub mod preflight;
pub mod prepare;

//! The steps of `backfill`: find the pictures without a result, add the queue to the stack, fill it, and follow it.

pub mod enable;
pub mod queue;
pub mod scan;

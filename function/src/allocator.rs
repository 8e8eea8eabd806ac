//! Where the crate's memory comes from, tests included: one event takes some three thousand pieces.
//!
//! Invariant: memory that the system gave is asked for once, not once for each event.

use std::alloc::System;

use spin::mutex::SpinMutex;
use spin::relax::Yield;
use talc::TalcLock;
use talc::source::GlobalAllocSource;

/// What is asked of the system at a time, in bytes: a start and a common event take two of these.
const BLOCK: usize = 256 * 1024;

/// musl's own allocator asks the system for most of what a start needs page by page, and most others are C. The lock is hardly ever fought
/// for, so it spins; it yields, since Lambda may give the threads less than one processor. benches/README.md has the figures.
#[global_allocator]
static ALLOCATOR: TalcLock<SpinMutex<(), Yield>, GlobalAllocSource<System>> =
    TalcLock::new(GlobalAllocSource::with_block_size(System, BLOCK));

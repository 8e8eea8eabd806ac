//! Where the crate's memory comes from, tests included: one event takes some three thousand pieces.
//!
//! Invariant: the first block that the system gave is kept, and a start and a common event fit into it.

use std::alloc::System;

use spin::mutex::SpinMutex;
use spin::relax::Yield;
use talc::TalcLock;
use talc::source::GlobalAllocSource;

/// What is asked of the system at a time, in bytes. Only what is used of it takes memory.
const BLOCK: usize = 1024 * 1024;

/// musl's own allocator asks the system for most of what a start needs page by page, and most others are C. The lock is hardly ever fought
/// for, so it spins; it yields, since Lambda may give the threads less than one processor. benches/README.md has the figures.
#[global_allocator]
static ALLOCATOR: TalcLock<SpinMutex<(), Yield>, GlobalAllocSource<System>> =
    TalcLock::new(GlobalAllocSource::with_block_size(System, BLOCK));

//! The stores that need no server: [`MemoryStore`] for one process, [`SqliteStore`] for all processes of a
//! machine.
//!
//! Both keep the same record of a bucket and decide with it; they differ in where it lies and in what makes
//! a change of several records one change. Every [`Answer`](zae_limiter_core::Answer) of theirs is ready.

#[cfg(feature = "memory")]
mod memory;
mod record;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::time::Duration;

#[cfg(feature = "memory")]
pub use memory::MemoryStore;
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteOptions, SqliteStore, Synchronous};

/// How long usage is kept in the memory store: two days.
pub const MEMORY_RETENTION: Duration = Duration::from_hours(2 * 24);
/// How long usage is kept in a SQLite store: 90 days.
pub const SQLITE_RETENTION: Duration = Duration::from_hours(90 * 24);

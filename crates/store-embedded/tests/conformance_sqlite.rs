//! The SQLite store has every property that a store must have.

#![cfg(feature = "sqlite")]
#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use zae_limiter_conformance::{Fixture, Scale, conformance_tests};
use zae_limiter_core::{ManualClock, Store};
use zae_limiter_store_embedded::{SqliteOptions, SqliteStore};

/// Files in a directory that is removed with it.
struct Files {
    directory: TempDir,
    made: AtomicUsize,
}

impl Files {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap(), made: AtomicUsize::new(0) }
    }

    fn next(&self) -> PathBuf {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        self.directory.path().join(format!("{number}.db"))
    }
}

impl Fixture for Files {
    fn scale(&self) -> Scale {
        Scale::Medium
    }

    fn store(&self, clock: Arc<ManualClock>) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.next(), clock, SqliteOptions::default()).unwrap())
    }
}

conformance_tests!(Files::new());

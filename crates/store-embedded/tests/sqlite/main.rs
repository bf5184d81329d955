//! The SQLite store at its public surface, and its file as other programs see it.
#![cfg(feature = "sqlite")]
#![expect(clippy::unwrap_used, reason = "what fails in a test's preparations fails the test")]

mod eviction;
mod fixture;
mod foreign_files;
mod processes;
mod reopening;
mod threads;
mod usage;

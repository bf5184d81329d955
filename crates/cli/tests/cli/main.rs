//! The command line, as people and scripts meet it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::needless_raw_string_hashes, reason = "snapshots are written that way")]

mod bad_input;
#[cfg(feature = "sqlite")]
mod concurrency;
mod help;
mod output;
#[cfg(feature = "sqlite")]
mod records;
mod replay;
#[cfg(feature = "sqlite")]
mod run;
mod sandbox;
#[cfg(feature = "aws")]
mod table;
#[cfg(feature = "sqlite")]
mod unavailable;
#[cfg(feature = "sqlite")]
mod usage;

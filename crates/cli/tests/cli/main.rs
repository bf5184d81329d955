//! The command line, as people and scripts meet it.

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
#[cfg(feature = "sqlite")]
mod unavailable;
#[cfg(feature = "sqlite")]
mod usage;

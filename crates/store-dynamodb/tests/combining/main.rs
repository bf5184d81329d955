//! Combining requests, on a table that does as it is told: callers under load, and bugs that were, each under its name.

#![allow(clippy::unwrap_used, reason = "in tests, also where they share code")]

mod load;
mod regressions;
mod table;
mod transactions;

//! Planning a write, against the bucket arithmetic carried out in one place and in sequence.

#![allow(clippy::unwrap_used, reason = "in tests, also where they share code")]

mod case;
mod expressions;
mod properties;
mod regressions;

//! Combining requests, on a table that does as it is told: bugs that were, each under its name.

mod regressions;
mod table;

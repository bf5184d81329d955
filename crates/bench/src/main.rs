//! Measurements beside other limiters, run by `cargo xtask bench`.

mod embedded;
mod report;
mod say;

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Measures, and prints a table.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    suite: Suite,
}

#[derive(Subcommand)]
enum Suite {
    /// The stores in memory and on SQLite, beside `governor`, `throttlecrab` and bare SQLite.
    Embedded {
        /// A short run, to see that it works.
        #[arg(long)]
        quick: bool,
    },
    /// One of the processes that share a SQLite file.
    #[command(hide = true)]
    SqliteWorker { path: PathBuf, side: embedded::Side, begin_ms: u64, millis: u64 },
}

fn main() -> Result<(), Box<dyn Error>> {
    match Cli::parse().suite {
        Suite::Embedded { quick } => embedded::run(quick),
        Suite::SqliteWorker { path, side, begin_ms, millis } => {
            say::say(&serde_json::to_string(&embedded::worker(&path, side, begin_ms, millis)?)?);
            Ok(())
        }
    }
}

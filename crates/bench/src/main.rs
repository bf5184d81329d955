//! Measurements beside other limiters and bare stores, run by `cargo xtask bench`.

#[cfg(feature = "aggregate")]
mod aggregate;
#[cfg(feature = "dynamodb")]
mod dynamodb;
mod embedded;
mod report;
mod say;

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask bench", about = "Measures, and prints a table")]
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
    /// The DynamoDB store, beside the bare `UpdateItem`.
    #[cfg(feature = "dynamodb")]
    Dynamodb(dynamodb::Options),
    /// Counting usage from the stream, and the function that does so.
    #[cfg(feature = "aggregate")]
    Aggregate(aggregate::Options),
    /// One of the processes that share a SQLite file.
    #[command(hide = true)]
    SqliteWorker { path: PathBuf, side: embedded::Side, begin_ms: u64, millis: u64 },
    /// One of the processes that share a bucket on DynamoDB.
    #[cfg(feature = "dynamodb")]
    #[command(hide = true)]
    DynamodbWorker(dynamodb::Worker),
    /// What the store alone reaches, for the suite of the Python package to compare with.
    #[cfg(feature = "dynamodb")]
    #[command(hide = true)]
    DynamodbRate {
        endpoint: String,
        /// And what the same updates reach by the SDK's client.
        #[arg(long)]
        beside_bare: bool,
    },
}

fn main() -> Result<(), Box<dyn Error>> {
    match Cli::parse().suite {
        Suite::Embedded { quick } => embedded::run(quick),
        Suite::SqliteWorker { path, side, begin_ms, millis } => {
            say::say(&serde_json::to_string(&embedded::worker(&path, side, begin_ms, millis)?)?);
            Ok(())
        }
        #[cfg(feature = "aggregate")]
        Suite::Aggregate(options) => aggregate::run(&options),
        #[cfg(feature = "dynamodb")]
        Suite::Dynamodb(options) => dynamodb::run(&options),
        #[cfg(feature = "dynamodb")]
        Suite::DynamodbWorker(worker) => {
            say::say(&serde_json::to_string(&worker.run()?)?);
            Ok(())
        }
        #[cfg(feature = "dynamodb")]
        Suite::DynamodbRate { endpoint, beside_bare } => {
            let (store, bare) = dynamodb::rates(endpoint, beside_bare)?;
            let rates = serde_json::json!({ "table_64_entities_per_s": store, "bare_updates_per_s": bare });
            say::say(&rates.to_string());
            Ok(())
        }
    }
}

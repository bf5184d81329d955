//! Measurements beside other limiters and bare stores, run by `cargo xtask bench`.

mod dynamodb;
mod report;
mod say;

use std::error::Error;

use clap::{Parser, Subcommand};

/// Measures, and prints a table.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    suite: Suite,
}

#[derive(Subcommand)]
enum Suite {
    /// The DynamoDB store beside the bare `UpdateItem`.
    Dynamodb {
        /// An engine that runs already; otherwise one is started.
        #[arg(long)]
        endpoint: Option<String>,
        /// A short run, to see that it works.
        #[arg(long)]
        quick: bool,
    },
    /// One of the processes that share a bucket.
    #[command(hide = true)]
    Worker { endpoint: String, key: String, load: u64, begin: u64, seconds: u64 },
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match Cli::parse().suite {
        Suite::Dynamodb { endpoint, quick } => dynamodb::run(endpoint, quick).await,
        Suite::Worker { endpoint, key, load, begin, seconds } => {
            let tally = dynamodb::worker(endpoint, key, load, begin, seconds).await?;
            say::say(&serde_json::to_string(&tally)?);
            Ok(())
        }
    }
}

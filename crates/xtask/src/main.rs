//! Repository chores: `cargo xtask test | lint | bench`.

mod bench;
mod engine;
mod lint;
mod steps;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Repository chores.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Runs all tests.
    Test(test::Test),
    /// Checks formatting, clippy, documentation, feature combinations and dependencies; fails on any finding.
    Lint,
    /// Measures, and prints a table; the figures go to `target/bench/`.
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().chore {
        Chore::Test(test) => test.run(),
        Chore::Lint => lint::check(),
        Chore::Bench(bench) => bench.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            steps::say(&format!("failed: {failed}"));
            ExitCode::FAILURE
        }
    }
}

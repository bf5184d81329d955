//! Repository chores: `cargo xtask test | python | lint | simulate | bench`.

mod bench;
mod emulator;
mod engine;
mod lint;
mod python;
mod simulate;
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
    /// Builds the Python package as a wheel and runs its tests alone.
    Python(python::Python),
    /// Checks formatting, clippy, documentation, feature combinations and dependencies; fails on any finding.
    Lint,
    /// Checks the protocol of the `DynamoDB` store on a simulated table, seed by seed.
    #[command(disable_help_flag = true)]
    Simulate(simulate::Simulate),
    /// Measures, and prints a table; the figures go to `target/bench/`.
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().chore {
        Chore::Test(test) => test.run(),
        Chore::Python(tests) => tests.run(),
        Chore::Lint => lint::check(),
        Chore::Simulate(simulate) => simulate.run(),
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

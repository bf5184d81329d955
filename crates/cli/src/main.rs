//! The `zae-limiter` command: limits on any store, from the shell.
//!
//! [`args`] says what can be asked, [`commands`] answers, and [`exit`] turns the outcome into an exit code.

mod args;
mod commands;
mod exit;
mod output;
mod plot;
mod store;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;

fn main() -> ExitCode {
    // Uploaded as a Lambda function, this very program is what Lambda starts.
    #[cfg(feature = "aws")]
    if zae_limiter_aggregator::lambda::is_bootstrap() {
        return exit::code(commands::aggregate::serve());
    }
    let outcome = match Cli::try_parse() {
        Ok(cli) => commands::execute(cli),
        Err(error) => exit::usage(&error),
    };
    exit::code(outcome)
}

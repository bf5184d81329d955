//! The `zae-limiter` command: limits on any store, from the shell. A library too, as other packages bring the same command.
//!
//! `cli` says what can be asked, `commands` answers, and `exit` turns the outcome into an exit code.

mod args;
mod cli;
mod commands;
mod exit;
mod output;
mod plot;
mod store;

use std::ffi::OsString;

use clap::{CommandFactory, Parser};

use crate::cli::Cli;

/// Runs what this process was started as: the command, or what Lambda starts, if the program was uploaded as a function.
/// Returns its exit code.
pub fn start() -> u8 {
    #[cfg(feature = "aws")]
    if zae_limiter_aggregator::lambda::is_bootstrap() {
        return exit::code(commands::aggregate::serve());
    }
    run(std::env::args_os())
}

/// Runs the command with `arguments`, of which the first is its own name. Returns its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let outcome = match Cli::try_parse_from(arguments) {
        Ok(cli) => commands::execute(cli.command, &cli.global, &mut Cli::command()),
        Err(error) => exit::usage(&error),
    };
    exit::code(outcome)
}

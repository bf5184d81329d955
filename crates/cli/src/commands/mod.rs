//! The commands, one a file.

pub(crate) mod acquire;
pub(crate) mod available;
pub(crate) mod capacity;
pub(crate) mod completions;
pub(crate) mod entity;
pub(crate) mod limits;
pub(crate) mod replay;
pub(crate) mod run;
mod status;
#[cfg(feature = "aws")]
pub(crate) mod table;
mod take;
pub(crate) mod usage;

use crate::args::{Cli, Command};
use crate::exit::{Exit, Failure};

/// Does what was asked.
pub(crate) fn execute(cli: Cli) -> Result<Exit, Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Acquire(args) => acquire::execute(args, global),
        Command::Run(args) => run::execute(args, global),
        Command::Available(args) => available::execute(args, global),
        Command::Entity(command) => entity::execute(command, global),
        Command::Limits(command) => limits::execute(command, global),
        Command::Capacity(args) => capacity::execute(&args, global),
        Command::Usage(args) => usage::execute(args, global),
        Command::Replay(args) => replay::execute(args, global),
        #[cfg(feature = "aws")]
        Command::Table(command) => table::execute(command, global),
        Command::Completions(args) => completions::execute(&args),
    }
}

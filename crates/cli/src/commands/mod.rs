//! The commands, one a file.

pub(crate) mod acquire;
#[cfg(feature = "aws")]
pub(crate) mod aggregate;
pub(crate) mod available;
pub(crate) mod capacity;
pub(crate) mod completions;
pub(crate) mod entity;
pub(crate) mod limits;
pub(crate) mod replay;
pub(crate) mod run;
#[cfg(feature = "aws")]
pub(crate) mod stack;
mod status;
#[cfg(feature = "aws")]
pub(crate) mod table;
mod take;
pub(crate) mod usage;

use clap::Subcommand;

use crate::args::Global;
use crate::exit::{Exit, Failure};

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Acquire(acquire::AcquireArgs),
    Run(run::RunArgs),
    Available(available::AvailableArgs),
    #[command(subcommand)]
    Entity(entity::EntityCommand),
    #[command(subcommand)]
    Limits(limits::LimitsCommand),
    Capacity(capacity::CapacityArgs),
    Usage(usage::UsageArgs),
    Replay(replay::ReplayArgs),
    #[cfg(feature = "aws")]
    #[command(subcommand)]
    Table(table::TableCommand),
    #[cfg(feature = "aws")]
    Aggregate(aggregate::AggregateArgs),
    #[cfg(feature = "aws")]
    #[command(flatten)]
    Stack(stack::StackCommand),
    Completions(completions::CompletionsArgs),
}

/// Does what was asked; `whole` is the command line that completions are made of.
pub(crate) fn execute(command: Command, global: &Global, whole: &mut clap::Command) -> Result<Exit, Failure> {
    match command {
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
        #[cfg(feature = "aws")]
        Command::Aggregate(args) => aggregate::execute(args, global),
        #[cfg(feature = "aws")]
        Command::Stack(command) => stack::execute(command, global),
        Command::Completions(args) => completions::execute(&args, whole),
    }
}

//! What can be asked of the command line.

mod amount;
mod duration;
mod instant;
mod limits;

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand};
use zae_limiter::FailureMode;

pub(crate) use self::amount::{Amount, by_name};
pub(crate) use self::duration::parse_duration;
pub(crate) use self::instant::Instant;
pub(crate) use self::limits::LimitArgs;
use crate::commands::acquire::AcquireArgs;
use crate::commands::available::AvailableArgs;
use crate::commands::capacity::CapacityArgs;
use crate::commands::completions::CompletionsArgs;
use crate::commands::entity::EntityCommand;
use crate::commands::limits::LimitsCommand;
use crate::commands::replay::ReplayArgs;
use crate::commands::run::RunArgs;
#[cfg(feature = "aws")]
use crate::commands::table::TableCommand;
use crate::commands::usage::UsageArgs;

const NOTES: &str = "\
Exit codes: 0 done or admitted, 75 denied by a limit, 2 bad input, 1 any other failure.
Environment: ZAE_LIMITER_STORE is the default of --store, XDG_DATA_HOME the user's data directory; NO_COLOR turns
colours off where they would be on, in a terminal.

Start with:
  zae-limiter acquire key-1 gpt-4 --limit rpm=100/min --limit tpm=10k/min --consume rpm=1 --consume tpm=500
  zae-limiter run nightly backups --limit n=2/h --wait 10m -- ./backup.sh";

/// Rate limits that need no server: several token buckets in one call, shared by all processes of a machine, or by
/// all hosts through one DynamoDB table.
#[derive(Debug, Parser)]
#[command(
    name = "zae-limiter",
    bin_name = "zae-limiter",
    version,
    disable_version_flag = true,
    disable_help_subcommand = true,
    after_help = NOTES
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print the version.
    #[arg(short = 'v', long, visible_short_alias = 'V', action = ArgAction::Version)]
    version: (),
}

/// Options that every command takes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Where the state is kept: `sqlite:///path/limits.db`, `dynamodb://TABLE?region=…` or `memory:` [default: limits.db in
    /// the user's data directory]
    #[arg(long, global = true, value_name = "URL", env = "ZAE_LIMITER_STORE", hide_env_values = true)]
    pub(crate) store: Option<String>,
    /// Print JSON instead of tables.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// While the store is unavailable, admit (open) or fail (closed).
    #[arg(
        long,
        global = true,
        value_name = "MODE",
        value_parser = one_of::<FailureMode, 2>(["open", "closed"]),
        default_value = "closed",
        hide_default_value = true
    )]
    pub(crate) failure_mode: FailureMode,
}

/// Reads one of a few names, which help and completions list.
pub(crate) fn one_of<T, const N: usize>(names: [&'static str; N]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse())
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Acquire(AcquireArgs),
    Run(RunArgs),
    Available(AvailableArgs),
    #[command(subcommand)]
    Entity(EntityCommand),
    #[command(subcommand)]
    Limits(LimitsCommand),
    Capacity(CapacityArgs),
    Usage(UsageArgs),
    Replay(ReplayArgs),
    #[cfg(feature = "aws")]
    #[command(subcommand)]
    Table(TableCommand),
    Completions(CompletionsArgs),
}

/// Where to draw a chart.
#[derive(Args, Debug)]
pub(crate) struct PlotArg {
    /// Also draw a chart into this file.
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,
}

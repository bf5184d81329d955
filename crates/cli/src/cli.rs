//! A whole command line.

use clap::{ArgAction, Parser};

use crate::args::Global;
use crate::commands::Command;

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

//! Arguments that several commands take.

mod amount;
mod duration;
mod instant;
mod limits;

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use zae_limiter::FailureMode;

pub(crate) use self::amount::{Amount, by_name};
pub(crate) use self::duration::parse_duration;
pub(crate) use self::instant::Instant;
pub(crate) use self::limits::LimitArgs;

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

/// Where to draw a chart.
#[derive(Args, Debug)]
pub(crate) struct PlotArg {
    /// Also draw a chart into this file.
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,
}

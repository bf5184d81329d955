//! `table`: the DynamoDB table alone, without CloudFormation.

use std::io::{IsTerminal, stderr, stdin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use serde::Serialize;
use zae_limiter::dynamodb::{Progress, TableAdmin, TableName, TableNameError};
use zae_limiter::{Block, DynamoDbOptions, Jitter, StoreError, StoreUrl, SystemClock, SystemJitter};

use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  zae-limiter table create --table-name rate_limits --region eu-central-1
  zae-limiter table create --endpoint-url http://localhost:8000 --region us-east-1
  zae-limiter table delete --table-name rate_limits --yes";

const DEFAULT_TABLE: &str = "rate_limits";

/// Create or delete the DynamoDB table alone, for example on an emulator; `deploy` sets up all of the AWS side.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum TableCommand {
    /// Create the table if it is not there yet, and wait until it is ready.
    #[command(after_help = EXAMPLES)]
    Create(TableArgs),
    /// Delete the table with everything in it, and wait until it is gone.
    #[command(after_help = EXAMPLES)]
    Delete {
        #[command(flatten)]
        table: TableArgs,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
}

/// Which table.
#[derive(Args, Debug)]
pub(crate) struct TableArgs {
    /// The table [default: that of --store, else `rate_limits`]
    #[arg(long, value_name = "TABLE")]
    table_name: Option<TableName>,
    /// The AWS region [default: from the environment]
    #[arg(long)]
    region: Option<String>,
    /// Where AWS is, for emulators [default: from the environment]
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
}

impl TableArgs {
    pub(crate) fn options(self, global: &Global) -> Result<DynamoDbOptions, Failure> {
        let store = global.store.as_deref().filter(|url| url.starts_with("dynamodb:"));
        let mut options = match (self.table_name, store) {
            (Some(name), _) => DynamoDbOptions::new(name),
            (None, Some(url)) => {
                let url: StoreUrl = url.parse().map_err(zae_limiter::Error::from)?;
                url.dynamodb_options().map_err(zae_limiter::Error::from)?
            }
            (None, None) => {
                let name =
                    DEFAULT_TABLE.parse().map_err(|error: TableNameError| Failure::other(error.to_string()));
                DynamoDbOptions::new(name?)
            }
        };
        options.region = self.region.or(options.region);
        options.endpoint_url = self.endpoint_url.or(options.endpoint_url);
        Ok(options)
    }
}

#[derive(Serialize)]
struct Done<'a> {
    table_name: &'a str,
    status: &'static str,
}

pub(crate) fn execute(command: TableCommand, global: &Global) -> Result<Exit, Failure> {
    let (args, delete, sure) = match command {
        TableCommand::Create(args) => (args, false, true),
        TableCommand::Delete { table, yes } => (table, true, yes),
    };
    let options = args.options(global)?;
    let table = options.table.clone();
    if !sure && !confirmed(&format!("Delete table {table} with all buckets, limits and usage in it?"))? {
        return Err(Failure::other(format!("table {table} was not deleted (--yes deletes without asking)")));
    }
    let failed = |error: StoreError| Failure::other(error.to_string());
    let jitter = Arc::new(|most| SystemJitter.up_to(most));
    let admin = TableAdmin::connect(options, Arc::new(SystemClock), jitter).wait().map_err(failed)?;
    let existed = Arc::new(AtomicBool::new(false));
    let show = shown(Arc::clone(&existed));
    let ended = if delete { admin.delete(show).wait() } else { admin.create(show).wait() };
    ended.map_err(failed)?;
    let status = match (delete, existed.load(Ordering::Relaxed)) {
        (true, _) => "deleted",
        (false, true) => "exists",
        (false, false) => "created",
    };
    let done = Done { table_name: table.as_str(), status };
    output::show(global.json, &done, |done| format!("table {}: {}\n", done.table_name, done.status))?;
    Ok(Exit::Success)
}

/// Asks, whoever is there to answer: where nobody is, nothing is confirmed.
pub(crate) fn confirmed(question: &str) -> Result<bool, Failure> {
    output::note(&format!("{question} [y/N]"));
    let mut answer = String::new();
    let read = stdin().read_line(&mut answer);
    read.map_err(|error| Failure::other(format!("cannot read the answer: {error}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Shows how far it is: in one line that moves on a terminal, in lines elsewhere. Notes in `existed` whether the table was
/// there.
fn shown(existed: Arc<AtomicBool>) -> impl FnMut(Progress) + Send + 'static {
    let spinner = stderr().is_terminal().then(ProgressBar::new_spinner);
    let mut last = None;
    move |progress| {
        if progress == Progress::Exists {
            existed.store(true, Ordering::Relaxed);
        }
        let words = match progress {
            Progress::Creating => "creating the table",
            Progress::Waiting(_) => "waiting for the table",
            Progress::EnablingExpiry => "making records expire",
            Progress::Deleting => "deleting the table",
            _ => "",
        };
        match &spinner {
            Some(spinner) if progress == Progress::Done => spinner.finish_and_clear(),
            Some(spinner) => {
                spinner.set_message(words);
                spinner.tick();
            }
            None if words.is_empty() || last == Some(words) => {}
            None => output::note(words),
        }
        last = Some(words);
    }
}

//! `delete`: deletes the stack with all that is in it.

use clap::Args;
use serde::Serialize;
use zae_limiter::Block;

use super::{StackArgs, WaitArgs, progress};
use crate::args::Global;
use crate::commands::table::confirmed;
use crate::exit::{Exit, Failure};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  zae-limiter delete --stack-name zae-limiter-rate-limits --region eu-central-1
  zae-limiter delete --table-name rate_limits --yes --no-wait";

/// Delete the stack with the table, and all buckets, limits and usage in it.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    stack: StackArgs,
    #[command(flatten)]
    wait: WaitArgs,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
}

#[derive(Serialize)]
struct Done {
    stack_name: String,
    status: String,
    finished: bool,
    retained: Vec<String>,
}

pub(crate) fn execute(args: DeleteArgs, global: &Global) -> Result<Exit, Failure> {
    let stacks = args.stack.connect(global)?;
    let name = stacks.stack_name().clone();
    let question = format!("Delete stack {name} with its table and all buckets, limits and usage in it?");
    if !args.yes && !confirmed(&question)? {
        return Err(Failure::other(format!("stack {name} was not deleted (--yes deletes without asking)")));
    }
    let deleted = stacks.delete(!args.wait.no_wait, progress::shown()).wait()?;
    let done = Done {
        stack_name: deleted.stack_name,
        status: deleted.status,
        finished: deleted.finished,
        retained: deleted.retained,
    };
    output::show(global.json, &done, |done| {
        let stack = format!("stack {}: {}\n", done.stack_name, done.status);
        let retained = done.retained.iter().map(|kept| format!("retained: {kept}\n"));
        std::iter::once(stack).chain(retained).collect()
    })?;
    Ok(Exit::Success)
}

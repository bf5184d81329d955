//! `acquire`: takes, once and for all.

use clap::Args;
use zae_limiter::Block;

use super::take::{Start, TakeArgs, TakeReport, Taken, explain, warn_degraded};
use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  zae-limiter acquire key-1 gpt-4 --limit rpm=100/min --limit tpm=10k/min:burst=15k --consume rpm=1 --consume tpm=500
  zae-limiter acquire key-1 gpt-4 --stored --cascade --wait 5s
  zae-limiter acquire \"$USER\" deploys --limit n=3/h --json | jq .limits

Without --limit the stored limits are used (see `zae-limiter limits`), without --consume 1 of every limit is taken.
JSON: admitted, entity_id, resource, retry_after_seconds (null: never), limits. Once admitted, `available` is what is
left. Exit code 75: denied, with the time to retry after on stderr.";

/// Take from the buckets of an entity: exit 0 if admitted, 75 if denied.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AcquireArgs {
    #[command(flatten)]
    take: TakeArgs,
}

pub(crate) fn execute(args: AcquireArgs, global: &Global) -> Result<Exit, Failure> {
    let subject = args.take.subject();
    let taken = match args.take.prepare(global)? {
        Start::Ready(prepared) => prepared.take().wait()?,
        Start::Degraded(reason) => Taken::Degraded(reason),
    };
    let report = taken.report(subject);
    let exit = match taken {
        Taken::Admitted(lease) => {
            lease.commit().wait()?;
            Exit::Success
        }
        Taken::Degraded(reason) => {
            warn_degraded(&reason);
            Exit::Success
        }
        Taken::Denied(denied) => {
            explain(&denied);
            Exit::Denied
        }
    };
    output::show(global.json, &report, TakeReport::text)?;
    Ok(exit)
}

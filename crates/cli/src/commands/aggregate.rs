//! `aggregate`: counts usage from the table's stream until it is stopped.

use std::io::{IsTerminal, stderr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use zae_limiter::{Jitter, StoreError, SystemClock, SystemJitter};
use zae_limiter_aggregator::windows::{DEFAULT_RETENTION_DAYS, DEFAULT_WINDOWS};
use zae_limiter_aggregator::{FollowOptions, Follower, Progress, Stop, Windows};

use super::table::TableArgs;
use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::output::{self, duration_in_words, grouped};

const EXAMPLES: &str = "\
Examples:
  zae-limiter aggregate --table-name rate_limits --region eu-central-1
  zae-limiter aggregate --table-name rate_limits --windows hourly,daily,monthly --retention-days 400

Does what the function of `deploy` does, where there is none. Start as many as you like: one counts, the others wait for
their turn. However one ends, the next goes on where it was, and everything counts once. SIGTERM and Ctrl-C stop it.
The permissions it needs are in the policy AggregatePolicyArn of the stack, see `status`.";

/// Without a terminal, how often a line tells how it gets on.
const LINES: Duration = Duration::from_secs(10);

/// Follow the table's stream and write usage snapshots until stopped.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AggregateArgs {
    #[command(flatten)]
    table: TableArgs,
    /// The windows that usage is counted in, of hourly, daily and monthly.
    #[arg(long, value_name = "WINDOWS", default_value = DEFAULT_WINDOWS)]
    windows: String,
    /// How long snapshots are kept.
    #[arg(long, value_name = "DAYS", default_value_t = DEFAULT_RETENTION_DAYS)]
    retention_days: u32,
}

/// What has been done in all.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Sums {
    /// Records of the stream.
    records: usize,
    /// Those that tell of usage.
    counted: usize,
    /// Snapshots that were written.
    snapshots: usize,
    /// Records that can never be counted.
    skipped: usize,
}

pub(crate) fn execute(args: AggregateArgs, global: &Global) -> Result<Exit, Failure> {
    let windows = Windows::parse(&args.windows, args.retention_days)
        .map_err(|error| Failure::bad_input(format!("--windows and --retention-days: {error}")))?;
    let options = FollowOptions::new(args.table.options(global)?, windows);
    let failed = |error: StoreError| Failure::other(error.to_string());
    let jitter = Arc::new(|most| SystemJitter.up_to(most));
    let follower = Follower::connect(options, Arc::new(SystemClock), jitter).map_err(failed)?;
    stop_on_signals(follower.stop())
        .map_err(|error| Failure::other(format!("signals cannot be caught: {error}")))?;
    let shown = Mutex::new(Shown::new());
    follower
        .run(|progress| shown.lock().unwrap_or_else(PoisonError::into_inner).hear(&progress))
        .map_err(failed)?;
    let sums = shown.into_inner().unwrap_or_else(PoisonError::into_inner).sums;
    output::show(global.json, &sums, |sums| {
        format!(
            "{} records counted into {} snapshots\n",
            grouped_count(sums.counted),
            grouped_count(sums.snapshots)
        )
    })?;
    Ok(Exit::Success)
}

/// Counts as a Lambda function, for as long as Lambda lets it live.
pub(crate) fn serve() -> Result<Exit, Failure> {
    zae_limiter_aggregator::lambda::run().map_err(|error| Failure::other(error.to_string()))?;
    Ok(Exit::Success)
}

/// The first signal lets it come to an end; the second one does not wait for that.
fn stop_on_signals(stop: Stop) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::spawn(move || {
        for signal in &mut signals {
            if stop.is_stopped() {
                // If that fails the process ends soon all the same.
                let _ = emulate_default_handler(signal);
            }
            stop.stop();
        }
    });
    Ok(())
}

/// Shows how it gets on: in one line that moves on a terminal, in a line now and then elsewhere.
struct Shown {
    sums: Sums,
    spinner: Option<ProgressBar>,
    since: Instant,
    counted_since: usize,
}

impl Shown {
    fn new() -> Self {
        let spinner = stderr().is_terminal().then(ProgressBar::new_spinner);
        Self { sums: Sums::default(), spinner, since: Instant::now(), counted_since: 0 }
    }

    fn hear(&mut self, progress: &Progress) {
        match progress {
            Progress::Started { stream } => self.say(&format!("following {stream}")),
            Progress::Waiting { owner, .. } => self.say(&format!("waiting: {owner} follows the stream")),
            Progress::Counted { records, changes, written, lag } => {
                self.sums.records += records;
                self.sums.counted += changes;
                self.sums.snapshots += written;
                self.counted_since += changes;
                self.show_pace(*lag);
            }
            Progress::Skipped { problem } => {
                self.sums.skipped += 1;
                self.warn(problem);
            }
            Progress::Trimmed { shard } => self.warn(&format!(
                "records of shard {shard} were older than a day and are gone: usage is counted from what is left"
            )),
            Progress::Retrying { problem } => self.warn(&format!("{problem}; trying again")),
            Progress::Stopped => {
                if let Some(spinner) = &self.spinner {
                    spinner.finish_and_clear();
                }
                output::note("stopped");
            }
            _ => {}
        }
    }

    fn show_pace(&mut self, lag: Duration) {
        let elapsed = self.since.elapsed();
        let due = if self.spinner.is_some() { elapsed >= Duration::from_secs(1) } else { elapsed >= LINES };
        if !due {
            return;
        }
        let per_second = self.counted_since as u128 * 1_000 / elapsed.as_millis().max(1);
        let line = format!(
            "{} records counted, {per_second}/s, {} behind",
            grouped_count(self.sums.counted),
            duration_in_words(lag)
        );
        match &self.spinner {
            Some(spinner) => {
                spinner.set_message(line);
                spinner.tick();
            }
            None if self.counted_since > 0 => output::note(&line),
            None => {}
        }
        (self.since, self.counted_since) = (Instant::now(), 0);
    }

    fn say(&self, line: &str) {
        self.aside(|| output::note(line));
    }

    fn warn(&self, line: &str) {
        self.aside(|| output::warn(line));
    }

    fn aside(&self, write: impl FnOnce()) {
        match &self.spinner {
            Some(spinner) => spinner.suspend(write),
            None => write(),
        }
    }
}

fn grouped_count(count: usize) -> String {
    grouped(i64::try_from(count).unwrap_or(i64::MAX))
}

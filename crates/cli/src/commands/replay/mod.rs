//! `replay`: what limits would have done to requests that a log has.

mod expr;
mod header;
mod render;
mod report;
mod simulate;
mod time;
mod trace;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use zae_limiter::{Limit, LimitSet, StoreUrl};

use self::expr::Tokens;
use self::header::Columns;
use self::report::{JsonReport, Report};
use self::simulate::{Plan, simulate};
use self::trace::{BadRows, BadTrace, Trace};
use crate::args::{Global, PlotArg, parse_duration};
use crate::exit::{Exit, Failure};
use crate::{output, plot};

/// Spans of time shown in the terminal, and in a chart, at most.
const SPANS_IN_TEXT: u64 = 24;
const SPANS_IN_PLOT: u64 = 250;

const EXAMPLES: &str = "\
Examples:
  zae-limiter replay trace.csv --limit rpm=100/min --limit tpm=400k/min --consume rpm=1 --consume tpm=ContextTokens+GeneratedTokens
  zae-limiter replay trace.csv --limit tpm=400k/min --consume tpm=ContextTokens+500 --settle tpm=ContextTokens+GeneratedTokens
  zae-limiter replay requests.csv --entity-column api_key --time-column at --limit rps=5/s --wait 2s --plot replay.svg
  zae-limiter replay requests.csv --limit rps=5/s --json | jq .limits.rps.denied
  zae-limiter replay requests.csv --limit rps=5/s --into sqlite:///tmp/replayed.db
  zae-limiter usage everyone --store sqlite:///tmp/replayed.db --from 2023-11-16 --plot usage.svg

The first line names the columns. EXPR is a sum of integers and columns. Times are RFC 3339, YYYY-MM-DD HH:MM:SS[.fraction]
in UTC, or epoch seconds, truncated to milliseconds. Requests are taken in time order; buckets are full at the first. A
denied request takes nothing and, unless --wait is given, does not come again. JSON: requests, admitted, denied, delayed
(admitted after waiting), skipped, first_time, last_time, entities, limits {name: {denied, consumed, peak_utilization}},
elapsed_seconds. No store but that of --into is touched.";

/// Feed a log of requests through limits on a simulated clock: who would have been denied, and when.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReplayArgs {
    /// A CSV file, or - for stdin.
    file: PathBuf,
    /// A limit, for example rpm=100/min or tpm=10k/min:burst=15k; repeat for more.
    #[arg(long = "limit", required = true, value_name = "NAME=RATE/PERIOD[:burst=N]", value_delimiter = ',')]
    limits: Vec<Limit>,
    /// Tokens that a request takes of a limit, for example tpm=ContextTokens+GeneratedTokens; repeat for more
    /// [default: 1 of every limit]
    #[arg(long, value_name = "NAME=EXPR", value_delimiter = ',')]
    consume: Vec<Tokens>,
    /// Tokens that it turned out to take: what was taken is adjusted to this straight after admission.
    #[arg(long, value_name = "NAME=EXPR", value_delimiter = ',')]
    settle: Vec<Tokens>,
    /// The column that says whose a request is, each with buckets of its own [default: all share theirs]
    #[arg(long, value_name = "COLUMN")]
    entity_column: Option<String>,
    /// The column that says when a request came [default: timestamp, time or ts, in any case]
    #[arg(long, value_name = "COLUMN")]
    time_column: Option<String>,
    /// A denied request waits and tries again, as long as it can be admitted within this time of its arrival.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    wait: Option<Duration>,
    /// Replay into this file, `sqlite:///path/new.db`, instead of into memory: `usage` shows afterwards who used what. It keeps
    /// 90 days up to the end of the log, unless `?retention_days=` says otherwise.
    #[arg(long, value_name = "URL", value_parser = sqlite_url)]
    into: Option<StoreUrl>,
    /// Leave malformed rows out and count them, instead of stopping at the first.
    #[arg(long)]
    skip_bad: bool,
    #[command(flatten)]
    plot: PlotArg,
}

pub(crate) fn execute(args: ReplayArgs, global: &Global) -> Result<Exit, Failure> {
    let began = Instant::now();
    let limits = LimitSet::new(args.limits).map_err(zae_limiter::Error::from)?;
    let consume = if args.consume.is_empty() {
        limits.iter().map(|limit| Tokens::fixed(limit.name().clone(), 1)).collect()
    } else {
        args.consume
    };
    check(&consume, "--consume", &limits)?;
    check(&args.settle, "--settle", &limits)?;
    if let Some(zero) = consume.iter().find(|tokens| tokens.is_always_zero()) {
        return Err(Failure::bad_input(format!(
            "--consume {0}=0: the amount must be at least 1; leave {0} out to take nothing of it",
            zero.limit
        )));
    }
    let columns = Columns {
        time: args.time_column.as_deref(),
        entity: args.entity_column.as_deref(),
        tokens: consume.iter().chain(&args.settle).collect(),
    };
    let bad_rows = if args.skip_bad { BadRows::Skip } else { BadRows::Refuse };
    let trace = read(&args.file, &columns, bad_rows)?;

    let names = |tokens: &[Tokens]| tokens.iter().map(|tokens| tokens.limit.to_string()).collect();
    let (consume, settle) = (names(&consume), names(&args.settle));
    let plan = Plan { limits, consume, settle, wait: args.wait.unwrap_or_default(), into: args.into };
    let mut report = Report::new(&trace, &plan.limits, SPANS_IN_TEXT);
    let mut fine = args.plot.plot.as_ref().map(|_| Report::new(&trace, &plan.limits, SPANS_IN_PLOT));
    let progress = progress("replaying", trace.rows.len() as u64, "{human_pos} of {human_len} requests");
    simulate(&trace, &plan, |outcome| {
        report.add(outcome);
        if let Some(fine) = &mut fine {
            fine.add(outcome);
        }
        progress.inc(1);
    })?;
    progress.finish_and_clear();
    if let Some((path, fine)) = args.plot.plot.as_deref().zip(fine) {
        plot::write(path, &render::panels(&fine.timeline, &plan.limits))?;
    }
    let for_scripts = JsonReport::new(&report, &trace, &plan.limits, began.elapsed().as_secs_f64());
    output::show(global.json, &for_scripts, |_| render::text(&report, &trace, &plan.limits))?;
    Ok(Exit::Success)
}

/// Only a file: a log is not for a table that others are held to.
fn sqlite_url(text: &str) -> Result<StoreUrl, String> {
    if !text.starts_with("sqlite:") {
        return Err("expected sqlite:///path/new.db".to_owned());
    }
    text.parse().map_err(|error: zae_limiter::StoreUrlError| error.to_string())
}

/// Every amount has to be of a limit, and none of one limit twice.
fn check(tokens: &[Tokens], option: &str, limits: &LimitSet) -> Result<(), Failure> {
    for (i, Tokens { limit, .. }) in tokens.iter().enumerate() {
        if limits.position(limit.as_str()).is_none() {
            let known = limits.iter().map(|limit| limit.name().as_str()).collect::<Vec<_>>().join(", ");
            return Err(Failure::bad_input(format!(
                "{option}: there is no limit {limit:?} here, only {known}"
            )));
        }
        if tokens[..i].iter().any(|earlier| earlier.limit == *limit) {
            return Err(Failure::bad_input(format!(
                "{option}: the amount for limit {limit:?} is given twice"
            )));
        }
    }
    Ok(())
}

/// Reads the log in a file, or on stdin.
fn read(path: &Path, columns: &Columns<'_>, bad_rows: BadRows) -> Result<Trace, Failure> {
    let (name, csv) = if path == Path::new("-") {
        let mut csv = Vec::new();
        ("stdin".to_owned(), io::stdin().lock().read_to_end(&mut csv).map(|_| csv))
    } else {
        (path.display().to_string(), fs::read(path))
    };
    let csv = csv.map_err(|error| Failure::file("read", path, &error))?;
    let progress = progress("reading", csv.len() as u64, "{binary_bytes} of {binary_total_bytes}");
    let trace = Trace::read(&csv, columns, bad_rows, |bytes| progress.set_position(bytes));
    progress.finish_and_clear();
    trace.map_err(|BadTrace(problem)| Failure::bad_input(format!("{name}: {problem}")))
}

/// A progress bar on stderr, if that is a terminal.
fn progress(what: &'static str, length: u64, counts: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!("{{prefix}} {{bar:40}} {counts} {{eta}}"));
    ProgressBar::new(length)
        .with_prefix(what)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

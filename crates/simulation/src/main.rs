//! Simulates many seeds, or one in full.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::Parser;
use zae_limiter_simulation::check::Summary;
use zae_limiter_simulation::{Mutation, Violation, check, run};

/// Simulates the protocol of the `DynamoDB` store, and checks what happened.
#[derive(Parser)]
struct Cli {
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Only this one.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Prints all that happens. With --seed.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Breaks the protocol: the checker is to notice.
    #[arg(long)]
    mutation: Option<Mutation>,
    /// Does not stop at the first seed that fails.
    #[arg(long)]
    keep_going: bool,
    /// Runs so many seeds at a time.
    #[arg(long, default_value_t = default_threads())]
    threads: usize,
}

fn default_threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let failed = match cli.seed {
        Some(seed) => one(seed, &cli),
        None => many(&cli),
    };
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn say(line: &str) {
    // Nobody is left to tell if that fails.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn one(seed: u64, cli: &Cli) -> bool {
    let run = run(seed, cli.mutation);
    if cli.trace {
        say(&format!("{:#?}\n{}", run.scenario, run.history));
    }
    match check(&run.history) {
        Ok(summary) => say(&format!("seed {seed} holds: {summary:?}")),
        Err(violation) => say(&format!("seed {seed} fails: {violation}")),
    }
    check(&run.history).is_err()
}

/// Seeds one after the other, on several threads, until one fails.
fn many(cli: &Cli) -> bool {
    let began = Instant::now();
    let next = AtomicU64::new(cli.from);
    let end = cli.from.saturating_add(cli.seeds);
    let work = || {
        let mut total = Total::default();
        while let Some(seed) = take(&next, end) {
            match check(&run(seed, cli.mutation).history) {
                Ok(summary) => total.add(summary),
                Err(violation) => {
                    if !cli.keep_going {
                        next.store(end, Ordering::Relaxed);
                    }
                    total.failures.push((seed, violation));
                }
            }
            if (seed + 1 - cli.from).is_multiple_of(10_000) {
                say(&format!("{} seeds, {:.0} s", seed + 1 - cli.from, began.elapsed().as_secs_f64()));
            }
        }
        total
    };
    let total = thread::scope(|scope| {
        let threads: Vec<_> = (0..cli.threads.max(1)).map(|_| scope.spawn(work)).collect();
        let done = threads.into_iter().map(thread::ScopedJoinHandle::join);
        // A panic in a run is passed on.
        done.map(|total| total.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .fold(Total::default(), Total::with)
    });
    say(&format!("{total}, {:.1} s", began.elapsed().as_secs_f64()));
    for (seed, violation) in &total.failures {
        let mutation = cli.mutation.map(|mutation| format!(" --mutation {mutation}")).unwrap_or_default();
        say(&format!(
            "seed {seed} fails: {violation}\n  repeat it: cargo xtask simulate --seed {seed} --trace{mutation}"
        ));
    }
    !total.failures.is_empty()
}

fn take(next: &AtomicU64, end: u64) -> Option<u64> {
    next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seed| (seed < end).then_some(seed + 1)).ok()
}

/// All runs together.
#[derive(Default)]
struct Total {
    seeds: u64,
    exact: u64,
    all: Summary,
    failures: Vec<(u64, Violation)>,
}

impl Total {
    fn add(&mut self, more: Summary) {
        self.seeds += 1;
        self.exact += u64::from(more.is_exact);
        self.sum(more);
    }

    fn sum(&mut self, more: Summary) {
        self.all.calls += more.calls;
        self.all.admitted += more.admitted;
        self.all.denied += more.denied;
        self.all.cancelled += more.cancelled;
        self.all.failed += more.failed;
        self.all.writes += more.writes;
        self.all.deleted += more.deleted;
    }

    fn with(mut self, mut more: Self) -> Self {
        self.seeds += more.seeds;
        self.exact += more.exact;
        self.sum(more.all);
        self.failures.append(&mut more.failures);
        self
    }
}

impl std::fmt::Display for Total {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seeds, exact, all, failures } = self;
        write!(f, "{seeds} seeds hold, {exact} of them to the token; {} failed. ", failures.len())?;
        write!(
            f,
            "{} calls: {} done, {} denied, {} cancelled, {} failed; ",
            all.calls, all.admitted, all.denied, all.cancelled, all.failed
        )?;
        write!(f, "{} writes, {} items deleted", all.writes, all.deleted)
    }
}

//! Processes that share a SQLite file, beside the bare transaction that any limiter on SQLite needs.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use zae_limiter::{Block, Clock, LimitSet, Limiter, SystemClock, Timestamp};

use super::timed::median;
use super::{acquire, wide};
use crate::report::{Report, Target};

/// What a process does over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// Acquires from one bucket, and commits.
    Acquire,
    /// `BEGIN IMMEDIATE; SELECT; UPDATE; COMMIT` of one row.
    Bare,
}

/// What a process did.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Tally {
    calls: u64,
    longest_ms: f64,
}

pub(super) fn run(quick: bool, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir_in("target/bench")?;
    let (limits, path) = (wide(1)?, folder.path().join("limits.db"));
    prepare(&path, &limits)?;
    let bare = folder.path().join("bare.db");
    open_bare(&bare)?
        .execute_batch("CREATE TABLE t (k INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 0)")?;
    let (millis, rounds) = if quick { (300, 1) } else { (3_000, 3) };
    for processes in [1, 2, 4] {
        let (mut ratios, mut rates, mut longest) = (Vec::new(), Vec::new(), 0.0_f64);
        for _ in 0..rounds {
            let (theirs, _) = together(&bare, Side::Bare, processes, millis)?;
            let (ours, wait) = together(&path, Side::Acquire, processes, millis)?;
            ratios.push(ours / theirs);
            rates.push(ours);
            longest = longest.max(wait);
        }
        let what = format!("sqlite, {processes} processes");
        report.note(format!("{what}: acquires"), median(rates), "/s");
        report.hold(format!("{what}: of bare transactions"), median(ratios), "×", Target::AtLeast(0.6));
        report.hold(format!("{what}: longest wait"), longest, "ms", Target::AtMost(250.0));
    }
    Ok(())
}

fn prepare(path: &Path, limits: &LimitSet) -> Result<(), Box<dyn Error>> {
    let limiter = Limiter::open(&format!("sqlite://{}", path.display())).wait()?;
    if acquire(&limiter, "hot", limits, false) { Ok(()) } else { Err("a new bucket refused".into()) }
}

/// Runs processes at the same time. Calls a second of all, and the longest call of any in ms.
#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn together(path: &Path, side: Side, processes: u64, millis: u64) -> Result<(f64, f64), Box<dyn Error>> {
    let side = side.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let begin = SystemClock.now().as_millis() + 200;
    let mut workers = Vec::new();
    for _ in 0..processes {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("sqlite-worker").arg(path).args([&side, &begin.to_string(), &millis.to_string()]);
        workers.push(command.stdout(Stdio::piped()).spawn()?);
    }
    let (mut calls, mut longest) = (0, 0.0_f64);
    for worker in workers {
        let tally: Tally = serde_json::from_slice(&worker.wait_with_output()?.stdout)?;
        calls += tally.calls;
        longest = longest.max(tally.longest_ms);
    }
    Ok((calls as f64 * 1_000.0 / millis as f64, longest))
}

/// One of the processes.
pub(crate) fn worker(path: &Path, side: Side, begin_ms: u64, millis: u64) -> Result<Tally, Box<dyn Error>> {
    match side {
        Side::Acquire => {
            let limiter = Limiter::open(&format!("sqlite://{}", path.display())).wait()?;
            let limits = wide(1)?;
            repeat(begin_ms, millis, || acquire(&limiter, "hot", &limits, false))
        }
        Side::Bare => {
            let mut connection = open_bare(path)?;
            repeat(begin_ms, millis, || bare(&mut connection).is_ok())
        }
    }
}

fn repeat(begin_ms: u64, millis: u64, mut call: impl FnMut() -> bool) -> Result<Tally, Box<dyn Error>> {
    std::thread::sleep(Timestamp::from_millis(begin_ms).since(SystemClock.now()));
    let started = Instant::now();
    let (mut calls, mut longest) = (0, Duration::ZERO);
    while started.elapsed() < Duration::from_millis(millis) {
        let before = Instant::now();
        if !call() {
            return Err("a call failed".into());
        }
        longest = longest.max(before.elapsed());
        calls += 1;
    }
    Ok(Tally { calls, longest_ms: longest.as_secs_f64() * 1_000.0 })
}

/// The settings of the store: a write-ahead log, synced as it is, and waiting that yields, then sleeps.
fn open_bare(path: &Path) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(path)?;
    connection.busy_handler(Some(|tries| {
        if tries < 10 {
            std::thread::yield_now();
        } else {
            std::thread::sleep(Duration::from_micros(100));
        }
        true
    }))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    Ok(connection)
}

fn bare(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let n: i64 = connection.prepare_cached("SELECT n FROM t WHERE k = 1")?.query_row([], |row| row.get(0))?;
    connection.prepare_cached("UPDATE t SET n = ?1 WHERE k = 1")?.execute([n + 1])?;
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}

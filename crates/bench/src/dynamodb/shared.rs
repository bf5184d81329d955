//! Eight processes that share one bucket, at several loads.

use std::error::Error;
use std::process::Stdio;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use zae_limiter::{AcquireError, Clock, LimitSet, SystemClock, Timestamp};

use super::Setup;
use crate::report::{Report, Target};

const PROCESSES: u64 = 8;
/// Tokens a second of the shared bucket, and its burst.
const RATE: u64 = 100;

/// What one process did.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    acquires: u64,
    admitted: u64,
    requests: u64,
    unavailable: u64,
}

pub(crate) async fn run(setup: &Setup, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let seconds = if setup.quick { 3 } else { 30 };
    // The table is made here, so that no process waits for it.
    setup.open("shared").await?;
    for (load, most_requests) in [(10, 1.15), (50, 1.5), (90, 1.2), (150, 1.1)] {
        let begin = SystemClock.now().as_millis() + 1_000;
        let mut workers = Vec::new();
        for _ in 0..PROCESSES {
            let worker = Command::new(std::env::current_exe()?)
                .args(["dynamodb-worker", &setup.endpoint, &format!("load{load}"), &load.to_string()])
                .args([begin.to_string(), seconds.to_string()])
                .stdout(Stdio::piped())
                .spawn()?;
            workers.push(worker);
        }
        let mut all = Tally::default();
        for worker in workers {
            let output = worker.wait_with_output().await?;
            let tally: Tally = serde_json::from_slice(&output.stdout)?;
            all.acquires += tally.acquires;
            all.admitted += tally.admitted;
            all.requests += tally.requests;
            all.unavailable += tally.unavailable;
        }
        let (asked, admitted, requests) = (all.acquires as f64, all.admitted as f64, all.requests as f64);
        let what = format!("8 processes at {load} % of the rate");
        report.hold(
            format!("{what}: requests an acquire"),
            requests / asked,
            "",
            Target::AtMost(most_requests),
        );
        let allowed = (RATE + RATE * seconds) as f64;
        report.hold(format!("{what}: admitted, of allowed"), admitted / allowed, "", Target::AtMost(1.0));
        if load > 100 {
            report.hold(
                format!("{what}: admitted, of allowed"),
                admitted / allowed,
                "",
                Target::AtLeast(0.98),
            );
        }
        report.note(format!("{what}: unavailable"), all.unavailable as f64, "");
    }
    Ok(())
}

/// One of the processes.
#[derive(Args)]
pub(crate) struct Worker {
    endpoint: String,
    key: String,
    /// Percent of the bucket's rate that all processes ask for together.
    load: u64,
    /// Milliseconds since 1970-01-01T00:00Z.
    begin: u64,
    seconds: u64,
}

impl Worker {
    /// Asks for one token at a time, at random instants that make up this process' share of the load.
    #[tokio::main]
    pub(crate) async fn run(self) -> Result<Tally, Box<dyn Error>> {
        let Self { endpoint, key, load, begin, seconds } = self;
        let setup = Setup { endpoint, quick: false };
        let (limiter, store) = setup.open("shared").await?;
        let limits: LimitSet = format!("n={RATE}/s").parse()?;
        let before = store.stats().unwrap_or_default().requests;
        let (begin, end) = (Timestamp::from_millis(begin), Timestamp::from_millis(begin + seconds * 1_000));
        let mean = Duration::from_secs_f64(1.0 / (RATE as f64 * load as f64 / 100.0 / PROCESSES as f64));
        let mut next = begin;
        let mut running = tokio::task::JoinSet::new();
        loop {
            // Exponential gaps: arrivals that know nothing of each other. The first seconds use up the burst at any load
            // above the rate, so the whole run counts.
            let gap = mean.mul_f64(-(1.0 - fastrand::f64()).ln());
            next = Timestamp::from_millis(next.as_millis() + u64::try_from(gap.as_millis())?);
            if next >= end {
                break;
            }
            tokio::time::sleep(next.since(SystemClock.now())).await;
            let (limiter, limits, key) = (limiter.clone(), limits.clone(), key.clone());
            running.spawn(async move {
                match limiter.acquire(&key, "gpt-4", &limits).consume("n", 1).await {
                    Ok(lease) => lease.commit().await.map(|()| true).map_err(|_| ()),
                    Err(AcquireError::Exceeded(_)) => Ok(false),
                    Err(_) => Err(()),
                }
            });
        }
        let outcomes = running.join_all().await;
        Ok(Tally {
            acquires: outcomes.len() as u64,
            admitted: outcomes.iter().filter(|outcome| **outcome == Ok(true)).count() as u64,
            requests: store.stats().unwrap_or_default().requests - before,
            unavailable: outcomes.iter().filter(|outcome| outcome.is_err()).count() as u64,
        })
    }
}

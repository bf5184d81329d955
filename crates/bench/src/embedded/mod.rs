//! The embedded stores.

mod footprint;
mod hot_key;
mod memory;
mod replay;
mod sqlite;
mod timed;

use std::error::Error;

use zae_limiter::{Block, LimitSet, Limiter};

pub(crate) use self::sqlite::{Side, worker};
use crate::report::Report;

pub(crate) fn run(quick: bool) -> Result<(), Box<dyn Error>> {
    let mut report = Report::new("embedded");
    let mut timer = timed::Timer::new(quick);
    memory::run(&mut timer, &mut report)?;
    hot_key::run(&mut timer, &mut report)?;
    footprint::run(&mut timer, &mut report)?;
    sqlite::run(quick, &mut report)?;
    replay::run(&mut report)?;
    report.finish()?;
    Ok(())
}

/// The ids of `count` entities, in an order unlike that in which their buckets lie.
fn ids(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("user-{:07}", i * 7_919 % count)).collect()
}

/// Limits that are never exceeded here: one, or two.
fn wide(count: usize) -> Result<LimitSet, Box<dyn Error>> {
    Ok(["rpm=1000M/min", "rpm=1000M/min,tpm=100000M/min"][count - 1].parse()?)
}

/// Acquires and commits as a program does, all names given with the call. Whether it was admitted.
#[inline]
fn acquire(limiter: &Limiter, id: &str, limits: &LimitSet, cascade: bool) -> bool {
    let mut acquire = limiter.acquire(id, "gpt-4", limits).cascade(cascade).consume("rpm", 1);
    if limits.len() > 1 {
        acquire = acquire.consume("tpm", 100);
    }
    acquire.wait().is_ok_and(|lease| lease.commit().wait().is_ok())
}

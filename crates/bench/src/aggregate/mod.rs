//! Counting usage from the stream: how fast, with how many writes, and what the function needs.

mod events;
mod function;
#[expect(clippy::unwrap_used, reason = "the stand-in for Lambda that the tests have")]
#[path = "../../../aggregator/tests/table/runtime_api.rs"]
mod runtime_api;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use zae_limiter::{StoreError, SystemClock};
use zae_limiter_aggregator::event::Batch;
use zae_limiter_aggregator::{Aggregator, Outcome, Snapshots, Windows};
use zae_limiter_store_dynamodb::snapshot::{Added, SnapshotUpdate};
use zae_limiter_store_dynamodb::{DynamoDbOptions, DynamoDbStore, UsageTable, runtime};

use self::events::Events;
use crate::dynamodb::engine::Engine;
use crate::report::{Report, Target};

/// How the suite is run.
#[derive(Args)]
pub(crate) struct Options {
    /// A short run, to see that it works.
    #[arg(long)]
    quick: bool,
    /// The program that is started as the function.
    #[arg(long, default_value = "target/release/zae-limiter")]
    program: PathBuf,
}

/// A table that takes everything at once: what is left is the work of this process.
struct Nowhere;

impl Snapshots for Nowhere {
    async fn add(&self, _: &SnapshotUpdate) -> Result<Added, StoreError> {
        Ok(Added::Done)
    }
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut report = Report::new("aggregate");
    let seconds = Duration::from_secs(if options.quick { 1 } else { 5 });
    for buckets in [1, 100] {
        let what = format!("records of {buckets} buckets, read from JSON and summed, batches of 1,000");
        report.note(what, throughput(buckets, seconds)?, "records/s");
    }
    let engine = Engine::start()?;
    let table = table(&engine.endpoint)?;
    written(&table, &mut report)?;
    function::run(&options.program, &engine.endpoint, &mut report)?;
    report.finish()?;
    Ok(())
}

fn windows() -> Result<Windows, Box<dyn Error>> {
    Ok(Windows::parse("hourly,daily", 90)?)
}

async fn count<S: Snapshots>(aggregator: &Aggregator<S>, json: &str) -> Result<Outcome, Box<dyn Error>> {
    let outcome = aggregator.count(Batch::parse(json)?.records()).await;
    match outcome.failures.first() {
        Some(failure) => Err(failure.cause.to_string().into()),
        None => Ok(outcome),
    }
}

/// Records a second, on one processor.
fn throughput(buckets: usize, seconds: Duration) -> Result<f64, Box<dyn Error>> {
    let aggregator = Aggregator::new(Nowhere, windows()?);
    let json = Events::new("throughput").batch(1_000, buckets);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let (since, mut records) = (Instant::now(), 0_u32);
        while since.elapsed() < seconds {
            count(&aggregator, &json).await?;
            records += 1_000;
        }
        Ok(f64::from(records) / since.elapsed().as_secs_f64())
    })
}

/// A new table on the engine.
fn table(endpoint: &str) -> Result<UsageTable, Box<dyn Error>> {
    let mut options = DynamoDbOptions::new(function::TABLE.parse()?);
    options.endpoint_url = Some(endpoint.to_owned());
    options.region = Some("us-east-1".to_owned());
    options.create = true;
    options.stream = false;
    options.measure = true;
    let jitter = Arc::new(|most: Duration| most.mul_f64(fastrand::f64()));
    Ok(runtime()?.block_on(async {
        DynamoDbStore::open(options.clone(), Arc::new(SystemClock), jitter.clone()).await?;
        UsageTable::connect(&options, Arc::new(SystemClock), jitter).await
    })?)
}

/// Writes of the table for each record of a batch of 100, when its snapshots are new and when they are not.
fn written(table: &UsageTable, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let aggregator = Aggregator::new(table.clone(), windows()?);
    for (buckets, most) in [(1, 0.05), (100, 2.0)] {
        let mut events = Events::new(&format!("written {buckets}"));
        for snapshots in ["new", "known"] {
            let json = events.batch(100, buckets);
            let before = table.stats().unwrap_or_default();
            runtime()?.block_on(count(&aggregator, &json))?;
            let after = table.stats().unwrap_or_default();
            #[expect(clippy::cast_precision_loss, reason = "some hundred")]
            let requests = (after.requests - before.requests) as f64;
            let what = format!("batch of 100, {buckets} buckets, {snapshots} snapshots: writes a record");
            report.hold(what, requests / 100.0, "", Target::AtMost(most));
            let units = (after.write_units - before.write_units) / 100.0;
            report.note(
                format!("batch of 100, {buckets} buckets, {snapshots} snapshots: units"),
                units,
                "WCU",
            );
        }
    }
    Ok(())
}

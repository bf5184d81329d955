//! The DynamoDB store beside the bare `UpdateItem` of the SDK's client on the same engine.
#![expect(clippy::cast_precision_loss, reason = "figures, for people")]

mod bare;
mod cost;
mod counts;
pub(crate) mod engine;
mod load;
mod shared;

use std::error::Error;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use zae_limiter::{Limiter, SystemClock};
use zae_limiter_store_dynamodb::{DynamoDbOptions, DynamoDbStore};

use self::engine::Engine;
use crate::report::Report;

pub(crate) use self::shared::Worker;

/// How the suite is run.
#[derive(Args)]
pub(crate) struct Options {
    /// An engine that runs already; otherwise one is started.
    #[arg(long)]
    endpoint: Option<String>,
    /// A short run, to see that it works.
    #[arg(long)]
    quick: bool,
    /// Only this part.
    #[arg(long, value_enum)]
    only: Option<Part>,
}

/// A part of the suite.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// What a call asks for, counted.
    Counts,
    /// Many tasks at once.
    Load,
    /// Many processes on one bucket.
    Shared,
    /// By the number of limits, and of entities.
    Cost,
}

/// What the suite runs on.
pub(crate) struct Setup {
    endpoint: String,
    quick: bool,
}

/// Runs the suite on the engine that `options` name, or on one of its own.
#[tokio::main]
pub(crate) async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let engine = if options.endpoint.is_none() { Some(Engine::start()?) } else { None };
    let own = engine.as_ref().map(|engine| engine.endpoint.clone());
    let endpoint = options.endpoint.clone().or(own).unwrap_or_default();
    let setup = Setup { endpoint, quick: options.quick };
    let mut report = Report::new("dynamodb");
    let wanted = |part| options.only.is_none_or(|only| only == part);
    if wanted(Part::Counts) {
        counts::run(&setup, &mut report).await?;
    }
    if wanted(Part::Load) {
        load::run(&setup, &mut report).await?;
    }
    if wanted(Part::Shared) {
        shared::run(&setup, &mut report).await?;
    }
    if wanted(Part::Cost) {
        cost::run(&setup, &mut report).await?;
    }
    report.finish()?;
    Ok(())
}

/// Acquires a second of 64 tasks on 64 entities, with two limits; and the same updates by the bare client, if wanted.
#[tokio::main]
pub(crate) async fn rates(endpoint: String, beside_bare: bool) -> Result<(f64, Option<f64>), Box<dyn Error>> {
    load::rates(&Setup { endpoint, quick: false }, beside_bare).await
}

impl Setup {
    /// Opens a store on `table`, made if it is not there, that counts what it asks for.
    async fn open(&self, table: &str) -> Result<(Limiter, Arc<DynamoDbStore>), Box<dyn Error>> {
        self.open_to(table, true).await
    }

    /// Opens a store on `table`, made if it is not there. Unless it is to measure, it asks for nothing but what it needs,
    /// as in use.
    async fn open_to(
        &self,
        table: &str,
        measure: bool,
    ) -> Result<(Limiter, Arc<DynamoDbStore>), Box<dyn Error>> {
        let mut options = DynamoDbOptions::new(table.parse()?);
        options.endpoint_url = Some(self.endpoint.clone());
        options.region = Some("us-east-1".to_owned());
        options.create = true;
        options.stream = false;
        options.measure = measure;
        let jitter = Arc::new(|most: std::time::Duration| most.mul_f64(fastrand::f64()));
        let store = Arc::new(DynamoDbStore::open(options, Arc::new(SystemClock), jitter).await?);
        Ok((Limiter::builder().build(store.clone()), store))
    }
}

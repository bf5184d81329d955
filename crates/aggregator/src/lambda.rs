//! The aggregation as a Lambda function: an event source mapping hands it the records of the table's stream.

use std::io::Write;
use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::value::RawValue;
use zae_limiter::{Jitter as _, SystemClock, SystemJitter};
use zae_limiter_core::{StoreError, StoreErrorKind};
use zae_limiter_store_dynamodb::version::{SCHEMA_VERSION, Version};
use zae_limiter_store_dynamodb::{DynamoDbOptions, UsageTable};

use crate::event::Batch;
use crate::windows::{DEFAULT_RETENTION_DAYS, DEFAULT_WINDOWS};
use crate::{Aggregator, Outcome, Snapshots, Windows};

/// Names the table.
pub const TABLE_NAME: &str = "TABLE_NAME";
/// Names the windows that are counted in: `hourly,daily`.
pub const SNAPSHOT_WINDOWS: &str = "SNAPSHOT_WINDOWS";
/// Days that snapshots are kept.
pub const SNAPSHOT_RETENTION_DAYS: &str = "SNAPSHOT_RETENTION_DAYS";
/// The version of the schema that the table has.
pub const SCHEMA_VERSION_VARIABLE: &str = "SCHEMA_VERSION";
/// Set by Lambda: where invocations come from.
pub const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// What the function's environment says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the table is.
    pub table: DynamoDbOptions,
    /// Which snapshots are kept.
    pub windows: Windows,
}

impl Settings {
    /// Reads the environment: `variable` gives the value of one.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, StoreError> {
        let invalid = |name: &str, problem: String| {
            StoreError::new(StoreErrorKind::Invalid, format!("environment variable {name}: {problem}"))
        };
        let table = variable(TABLE_NAME).ok_or_else(|| invalid(TABLE_NAME, "is not set".to_owned()))?;
        let table = table.parse().map_err(|error| invalid(TABLE_NAME, format!("{error}")))?;
        let days = match variable(SNAPSHOT_RETENTION_DAYS) {
            Some(days) => days
                .parse()
                .map_err(|_| invalid(SNAPSHOT_RETENTION_DAYS, format!("{days:?} is not a number of days")))?,
            None => DEFAULT_RETENTION_DAYS,
        };
        let names = variable(SNAPSHOT_WINDOWS);
        let windows = Windows::parse(names.as_deref().unwrap_or(DEFAULT_WINDOWS), days)
            .map_err(|error| invalid(SNAPSHOT_WINDOWS, error.to_string()))?;
        if let Some(schema) = variable(SCHEMA_VERSION_VARIABLE) {
            let fits = |schema: &Version| {
                SCHEMA_VERSION.parse::<Version>().is_ok_and(|own| own.major == schema.major)
            };
            let schema =
                schema.parse().map_err(|error| invalid(SCHEMA_VERSION_VARIABLE, format!("{error}")))?;
            if !fits(&schema) {
                let message = format!(
                    "table {table} has schema {schema}, and this function writes schema {SCHEMA_VERSION}: run \
                     `zae-limiter upgrade --table-name {table}`"
                );
                return Err(StoreError::new(StoreErrorKind::Incompatible, message));
            }
        }
        Ok(Self { table: DynamoDbOptions::new(table), windows })
    }
}

/// What is reported to Lambda: records that are not counted. Lambda hands over again what comes from the first of them on.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Response {
    /// One for each.
    #[serde(rename = "batchItemFailures")]
    pub failures: Vec<ItemFailure>,
}

/// A record that is not counted.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct ItemFailure {
    /// Its sequence number.
    #[serde(rename = "itemIdentifier")]
    pub id: String,
}

/// Why a batch fails as a whole. All of its records but those at fault are counted all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// It is not a batch of stream records.
    #[error("the event is not a batch of stream records: {0}")]
    NotABatch(#[from] serde_json::Error),
    /// A record that cannot be counted cannot be named either.
    #[error("a record without a sequence number cannot be counted, and the batch has others")]
    Nameless,
    /// The first record can never be counted. Reporting it would only bring the same batch again; a batch that fails is
    /// split in two, until that record is alone.
    #[error("the first record of the batch cannot be counted: {0}")]
    First(String),
}

/// Counts a batch.
pub async fn handle<S: Snapshots>(aggregator: &Aggregator<S>, json: &str) -> Result<Response, BatchError> {
    let batch = Batch::parse(json)?;
    let outcome = aggregator.count(batch.records()).await;
    tell(&outcome);
    respond(&outcome)
}

fn respond(outcome: &Outcome) -> Result<Response, BatchError> {
    if let Some(first) = outcome.failures.first()
        && (first.index == 0 && outcome.records > 1 && !first.cause.may_pass())
    {
        return Err(BatchError::First(first.cause.to_string()));
    }
    let id = |failure: &crate::Failure| failure.id.clone().ok_or(BatchError::Nameless);
    let ids = outcome.failures.iter().map(id).collect::<Result<Vec<_>, _>>()?;
    Ok(Response { failures: ids.into_iter().map(|id| ItemFailure { id }).collect() })
}

/// Writes to the log, one JSON object a line, what was not counted.
fn tell(outcome: &Outcome) {
    for failure in &outcome.failures {
        let line = serde_json::json!({
            "level": if failure.cause.may_pass() { "WARN" } else { "ERROR" },
            "message": failure.cause.to_string(),
            "sequence_number": failure.id,
        });
        // If the log is gone there is nobody to tell.
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
}

/// Whether this process was started by Lambda, as the `bootstrap` of a function.
pub fn is_bootstrap() -> bool {
    let named =
        |path: std::ffi::OsString| std::path::Path::new(&path).file_stem() == Some("bootstrap".as_ref());
    std::env::var_os(RUNTIME_API).is_some() && std::env::args_os().next().is_some_and(named)
}

/// Runs the function, for as long as Lambda lets it live. Settings come from the environment.
pub fn run() -> Result<(), Error> {
    zae_limiter_store_dynamodb::runtime()?.block_on(async {
        // What cannot start is told to Lambda by the first invocation: it ends as an error with this message.
        let aggregator = start().await.map_err(|error| error.to_string());
        let aggregator = Arc::new(aggregator);
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
            let aggregator = Arc::clone(&aggregator);
            async move {
                match &*aggregator {
                    Ok(aggregator) => Ok(handle(aggregator, event.payload.get()).await?),
                    Err(error) => Err(Error::from(error.as_str())),
                }
            }
        }))
        .await
    })
}

async fn start() -> Result<Aggregator<UsageTable>, StoreError> {
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    let jitter = Arc::new(|most| SystemJitter.up_to(most));
    let table = UsageTable::connect(&settings.table, Arc::new(SystemClock), jitter).await?;
    Ok(Aggregator::new(table, settings.windows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let find = |name: &str| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        };
        Settings::read(find).map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_says_what_to_count() {
        let read = settings(&[(TABLE_NAME, "limits"), (SCHEMA_VERSION_VARIABLE, "1.9.0")]).unwrap();
        assert_eq!(read.windows, Windows::parse("hourly,daily", 90).unwrap());
        let read = settings(&[
            (TABLE_NAME, "limits"),
            (SNAPSHOT_WINDOWS, "monthly"),
            (SNAPSHOT_RETENTION_DAYS, "7"),
        ]);
        assert_eq!(read.unwrap().windows, Windows::parse("monthly", 7).unwrap());
    }

    #[test]
    fn a_wrong_environment_is_told() {
        let table = (TABLE_NAME, "limits");
        for (variables, told) in [
            (&[][..], "TABLE_NAME: is not set"),
            (&[(TABLE_NAME, "a/b")], "TABLE_NAME: table name"),
            (&[table, (SNAPSHOT_WINDOWS, "weekly")], "SNAPSHOT_WINDOWS: \"weekly\" is not a window"),
            (&[table, (SNAPSHOT_RETENTION_DAYS, "-1")], "\"-1\" is not a number of days"),
            (
                &[table, (SCHEMA_VERSION_VARIABLE, "2.0.0")],
                "has schema 2.0.0, and this function writes schema 1.",
            ),
            (&[table, (SCHEMA_VERSION_VARIABLE, "x")], "not a version"),
        ] {
            let error = settings(variables).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}

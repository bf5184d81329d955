//! Creating and deleting the table itself, without a stack.

use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use pyo3::prelude::*;
use zae_limiter::dynamodb::{DynamoDbOptions, TableAdmin};
use zae_limiter::{Error, Jitter, SystemClock, SystemJitter};

use crate::call::{Call, Outcome};
use crate::errors;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Create,
    Delete,
}

/// A call that creates or deletes the table of `options`, of which `reply` makes what Python sees.
pub(crate) fn call(
    options: DynamoDbOptions,
    table: Option<Arc<str>>,
    change: Change,
    reply: impl FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send + 'static,
) -> Call {
    Call::new(Box::pin(async move {
        let changed = carry_out(options, change).await;
        let outcome: Outcome = Box::new(move |py| match changed {
            Ok(()) => reply(py),
            Err(error) => Err(errors::of(py, &error, table.as_deref())),
        });
        outcome
    }))
}

pub(crate) async fn carry_out(options: DynamoDbOptions, change: Change) -> Result<(), Error> {
    let jitter = Arc::new(|most| SystemJitter.up_to(most));
    let admin = TableAdmin::connect(options, Arc::new(SystemClock), jitter).await?;
    match change {
        Change::Create => admin.create(|_| {}).await?,
        Change::Delete => admin.delete(|_| {}).await?,
    }
    Ok(())
}

/// The URL of a store in the table called `table`.
#[pyfunction]
#[pyo3(signature = (table, region, endpoint_url, *, create, skip_version_check, strict_version))]
pub(crate) fn table_url(
    table: &str,
    region: Option<&str>,
    endpoint_url: Option<&str>,
    create: bool,
    skip_version_check: bool,
    strict_version: bool,
) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let flags =
        [("create", create), ("skip_version_check", skip_version_check), ("strict_version", strict_version)];
    let flags = flags.into_iter().filter(|(_, set)| *set).map(|(name, _)| format!("{name}=true"));
    let texts = [("region", region), ("endpoint_url", endpoint_url)];
    let texts = texts.into_iter().filter_map(|(name, text)| Some(format!("{name}={}", encoded(text?))));
    let options: Vec<String> = texts.chain(flags).collect();
    format!("dynamodb://{}?{}", encoded(table), options.join("&"))
}

//! Creating and deleting the table itself, without a stack.

use std::sync::Arc;

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

async fn carry_out(options: DynamoDbOptions, change: Change) -> Result<(), Error> {
    let jitter = Arc::new(|most| SystemJitter.up_to(most));
    let admin = TableAdmin::connect(options, Arc::new(SystemClock), jitter).await?;
    match change {
        Change::Create => admin.create(|_| {}).await?,
        Change::Delete => admin.delete(|_| {}).await?,
    }
    Ok(())
}

//! Creating and deleting the table itself, without a stack.

use std::sync::Arc;

use pyo3::prelude::*;
use zae_limiter::dynamodb::TableAdmin;
use zae_limiter::{Error, Jitter, SystemClock, SystemJitter};

use crate::call::{Call, Outcome};
use crate::errors;
use crate::opened::Place;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Create,
    Delete,
}

/// A call that creates or deletes the table of `place`. Stores without a table have nothing to create, and none to delete.
pub(crate) fn change(place: &Arc<Place>, change: Change) -> PyResult<Call> {
    let place = Arc::clone(place);
    Ok(Call::new(Box::pin(async move {
        let changed = carry_out(&place, change).await;
        let outcome: Outcome = Box::new(move |py| match changed {
            Ok(()) => Ok(py.None()),
            Err(error) => Err(errors::of(py, &error, &place)),
        });
        outcome
    })))
}

async fn carry_out(place: &Place, change: Change) -> Result<(), Error> {
    if place.table.is_none() {
        return Ok(());
    }
    let options = place.url().dynamodb_options()?;
    let jitter = Arc::new(|most| SystemJitter.up_to(most));
    let admin = TableAdmin::connect(options, Arc::new(SystemClock), jitter).await?;
    match change {
        Change::Create => admin.create(|_| {}).await?,
        Change::Delete => {
            place.close();
            admin.delete(|_| {}).await?;
        }
    }
    Ok(())
}

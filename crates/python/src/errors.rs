//! Errors of the limiter as exceptions of Python.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyType};
use zae_limiter::dynamodb::version::{Compatibility, Mismatch};
use zae_limiter::{AcquireError, Error, RateLimitExceeded, StoreErrorKind};

use crate::convert;
use crate::stack::Failure;

macro_rules! exceptions {
    ($($function:ident: $name:literal),* $(,)?) => {$(
        fn $function(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
            static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
            CLASS.import(py, "zae_limiter.exceptions", $name)
        }
    )*};
}

exceptions! {
    rate_limit_error: "RateLimitError",
    rate_limit_exceeded: "RateLimitExceeded",
    unavailable: "RateLimiterUnavailable",
    entity_exists: "EntityExistsError",
    infrastructure_not_found: "InfrastructureNotFoundError",
    stack_creation: "StackCreationError",
    stack_already_exists: "StackAlreadyExistsError",
    version_error: "VersionError",
    version_mismatch: "VersionMismatchError",
    incompatible_schema: "IncompatibleSchemaError",
}

/// An instance of an exception, or the error that there is none.
fn instance(
    class: PyResult<&Bound<'_, PyType>>,
    arguments: impl FnOnce(&Bound<'_, PyType>) -> PyResult<Py<PyAny>>,
) -> PyErr {
    match class.and_then(arguments) {
        Ok(exception) => Python::attach(|py| PyErr::from_value(exception.into_bound(py))),
        Err(error) => error,
    }
}

/// The exception that tells of an acquire that returned no lease.
pub(crate) fn of_acquire(py: Python<'_>, error: AcquireError, table: Option<&str>) -> PyErr {
    match error {
        AcquireError::Exceeded(denied) => exceeded(py, &denied),
        AcquireError::Failed(error) => of(py, &error, table),
        other => PyValueError::new_err(other.to_string()),
    }
}

fn exceeded(py: Python<'_>, denied: &RateLimitExceeded) -> PyErr {
    let raise = |class: &Bound<'_, PyType>| {
        let statuses = denied.statuses().map(|status| convert::status(py, &status));
        let statuses = PyList::new(py, statuses.collect::<PyResult<Vec<_>>>()?)?;
        Ok(class.call1((statuses,))?.unbind())
    };
    instance(rate_limit_exceeded(py), raise)
}

/// That an entity is there already.
pub(crate) fn exists(py: Python<'_>, entity_id: &str) -> PyErr {
    instance(entity_exists(py), |class| Ok(class.call1((entity_id,))?.unbind()))
}

/// What an error is about, if it is a `T`: a [`Mismatch`] of versions, or an exception.
pub(crate) fn source_of<T: std::error::Error + 'static>(error: &Error) -> Option<&T> {
    let Error::Store(error) = error else { return None };
    std::error::Error::source(error)?.downcast_ref()
}

/// That something about a stack failed.
pub(crate) fn of_stack(py: Python<'_>, stack_name: &str, failure: &Failure) -> PyErr {
    let class = if failure.exists { stack_already_exists(py) } else { stack_creation(py) };
    instance(class, |class| {
        let event = |reason: &String| {
            let event = PyDict::new(py);
            event.set_item("reason", reason)?;
            Ok(event)
        };
        let events = failure.events.iter().map(event).collect::<PyResult<Vec<_>>>()?;
        Ok(class.call1((stack_name, &failure.reason, events))?.unbind())
    })
}

fn mismatched(py: Python<'_>, mismatch: &Mismatch) -> PyErr {
    let (client, found, message) = (&mismatch.client, &mismatch.found, mismatch.problem.as_str());
    let schema = &found.schema_version;
    if let Compatibility::MigrateSchema(_) = mismatch.problem {
        return instance(incompatible_schema(py), |class| {
            Ok(class.call1((client, schema, message))?.unbind())
        });
    }
    let can_update = matches!(mismatch.problem, Compatibility::UpdateLambda(_));
    instance(version_mismatch(py), |class| {
        Ok(class.call1((client, schema, found.lambda_version.as_ref(), message, can_update))?.unbind())
    })
}

/// The exception that tells of any other error.
pub(crate) fn of(py: Python<'_>, error: &Error, table: Option<&str>) -> PyErr {
    if let Some(exception) = source_of::<PyErr>(error) {
        return exception.clone_ref(py);
    }
    let kind = match error {
        Error::Store(error) => error.kind(),
        _ => return PyValueError::new_err(error.to_string()),
    };
    let class = match kind {
        StoreErrorKind::Invalid => return PyValueError::new_err(error.to_string()),
        StoreErrorKind::Unavailable => unavailable(py),
        StoreErrorKind::Incompatible => match source_of(error) {
            Some(mismatch) => return mismatched(py, mismatch),
            None => version_error(py),
        },
        StoreErrorKind::Missing => match table {
            Some(table) => {
                return instance(infrastructure_not_found(py), |class| Ok(class.call1((table,))?.unbind()));
            }
            None => rate_limit_error(py),
        },
        _ => rate_limit_error(py),
    };
    instance(class, |class| Ok(class.call1((error.to_string(),))?.unbind()))
}

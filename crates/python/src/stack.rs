//! The stack of a table. Where an endpoint is set there is no CloudFormation, and only the table is created and deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};
use zae_limiter::dynamodb::{DynamoDbOptions, TableName};

use crate::call::{Call, Outcome};
use crate::table::{self, Change};

fn options(table: &str, region: Option<String>, endpoint_url: Option<String>) -> PyResult<DynamoDbOptions> {
    let table: TableName =
        table.parse().map_err(|error| pyo3::exceptions::PyValueError::new_err(format!("{error}")))?;
    let mut options = DynamoDbOptions::new(table);
    options.region = region;
    options.endpoint_url = endpoint_url;
    Ok(options)
}

fn failed(py: Python<'_>, stack_name: &str, reason: &str) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = CLASS.import(py, "zae_limiter.exceptions", "StackCreationError");
    class.and_then(|class| class.call1((stack_name, reason))).map_or_else(|error| error, PyErr::from_value)
}

/// A call that says that there is nobody to ask about a stack.
fn without_cloudformation(stack_name: String) -> Call {
    let reason = "this build does not speak to CloudFormation: create the table alone, with create_table()";
    Call::new(Box::pin(async move {
        let outcome: Outcome = Box::new(move |py| Err(failed(py, &stack_name, reason)));
        outcome
    }))
}

/// Creates the stack called `stack_name`: a dict of `stack_id`, `stack_name` and `status`.
#[pyfunction]
pub(crate) fn create_stack(
    table: &str,
    region: Option<String>,
    endpoint_url: Option<String>,
    stack_name: String,
    parameters: BTreeMap<String, String>,
    wait: bool,
) -> PyResult<Call> {
    let local = endpoint_url.is_some();
    let options = options(table, region, endpoint_url)?;
    let (_, _) = (parameters, wait);
    if !local {
        return Ok(without_cloudformation(stack_name));
    }
    let table = Arc::from(table);
    Ok(table::call(options, Some(table), Change::Create, |py| {
        let told = PyDict::new(py);
        told.set_item("stack_id", py.None())?;
        told.set_item("stack_name", py.None())?;
        told.set_item("status", "skipped_local")?;
        told.set_item("message", "an endpoint_url is set: the table was created without CloudFormation")?;
        Ok(told.into_any().unbind())
    }))
}

/// Deletes the stack called `stack_name`.
#[pyfunction]
pub(crate) fn delete_stack(
    table: &str,
    region: Option<String>,
    endpoint_url: Option<String>,
    stack_name: String,
    wait: bool,
) -> PyResult<Call> {
    let local = endpoint_url.is_some();
    let options = options(table, region, endpoint_url)?;
    let _ = wait;
    if !local {
        return Ok(without_cloudformation(stack_name));
    }
    Ok(table::call(options, Some(Arc::from(table)), Change::Delete, |py| Ok(py.None())))
}

/// The status of the stack called `stack_name`, if there is one.
#[pyfunction]
pub(crate) fn stack_status(
    py: Python<'_>,
    table: &str,
    region: Option<String>,
    endpoint_url: Option<String>,
    stack_name: String,
) -> PyResult<Call> {
    let local = endpoint_url.is_some();
    options(table, region, endpoint_url)?;
    Ok(if local { Call::ready(Ok(py.None())) } else { without_cloudformation(stack_name) })
}

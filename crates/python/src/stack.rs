//! The stack of a table. Where an endpoint is set there is no CloudFormation, and only the table is created and deleted.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeWarning, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use zae_limiter::dynamodb::{DynamoDbOptions, TableName};
use zae_limiter::{Jitter as _, SystemClock, SystemJitter};
use zae_limiter_deploy::{
    DeployError, DeployErrorKind, Deployment, StackManager, StackName, StackParameters, StackReport,
};

use crate::call::{Call, Outcome};
use crate::table::{self, Change};
use crate::{errors, function};

/// Why something about a stack failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    /// What the events of the stack tell, the first cause first.
    pub(crate) events: Vec<String>,
    /// Whether it is that there is one already.
    pub(crate) exists: bool,
}

impl Failure {
    pub(crate) fn because(reason: String) -> Self {
        Self { reason, events: Vec::new(), exists: false }
    }
}

impl From<DeployError> for Failure {
    fn from(error: DeployError) -> Self {
        let exists = error.kind() == DeployErrorKind::AlreadyExists;
        Self { reason: error.to_string(), events: error.reasons().to_vec(), exists }
    }
}

/// A stack, as Python is told of it.
struct Created {
    id: String,
    name: String,
    status: String,
    message: Option<&'static str>,
    warning: Option<String>,
}

impl Created {
    fn told(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if let Some(warning) = &self.warning {
            warn(py, warning)?;
        }
        let told = PyDict::new(py);
        told.set_item("stack_id", self.id)?;
        told.set_item("stack_name", self.name)?;
        told.set_item("status", self.status)?;
        if let Some(message) = self.message {
            told.set_item("message", message)?;
        }
        Ok(told.into_any().unbind())
    }
}

/// Warns the program.
pub(crate) fn warn(py: Python<'_>, message: &str) -> PyResult<()> {
    let category = py.get_type::<PyRuntimeWarning>();
    PyErr::warn(py, &category, &CString::new(message)?, 1)
}

/// What is chosen about a stack, by the template's names. Those of Python's style stand for the same.
pub(crate) fn parameters(given: &BTreeMap<String, String>) -> PyResult<StackParameters> {
    let mut parameters = StackParameters::default();
    for (name, value) in given {
        let set = parameters.set(&template_name(name), value);
        set.map_err(|error| PyValueError::new_err(format!("parameters: {error}")))?;
    }
    Ok(parameters)
}

fn template_name(name: &str) -> String {
    if name == "retention_days" {
        return "SnapshotRetentionDays".to_owned();
    }
    if name.starts_with(|first: char| first.is_ascii_uppercase()) {
        return name.to_owned();
    }
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    name.split('_').map(capital).collect()
}

/// Where a stack is.
struct Stack {
    options: DynamoDbOptions,
    name: StackName,
}

impl Stack {
    fn at(
        table: &str,
        region: Option<String>,
        endpoint_url: Option<String>,
        name: Option<&str>,
    ) -> PyResult<Self> {
        let table = table.parse::<TableName>();
        let table = table.map_err(|error| PyValueError::new_err(error.to_string()))?;
        let name = match name.map(str::parse::<StackName>) {
            Some(name) => name.map_err(|error| PyValueError::new_err(error.to_string()))?,
            None => StackName::of_table(&table),
        };
        let mut options = DynamoDbOptions::new(table);
        options.region = region;
        options.endpoint_url = endpoint_url;
        Ok(Self { options, name })
    }

    fn is_local(&self) -> bool {
        self.options.endpoint_url.is_some()
    }

    fn table(&self) -> Arc<str> {
        self.options.table.as_str().into()
    }

    async fn connect(self) -> Result<StackManager, DeployError> {
        let jitter = Arc::new(|most| SystemJitter.up_to(most));
        Ok(StackManager::connect(self.options, Arc::new(SystemClock), jitter).await?.with_name(self.name))
    }
}

/// A call that does something about a stack, of which `reply` makes what Python sees.
fn call<T: Send + 'static>(
    name: &StackName,
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    reply: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
) -> Call {
    let name = name.clone();
    Call::new(Box::pin(async move {
        let done = work.await;
        let outcome: Outcome = Box::new(move |py| match done {
            Ok(done) => reply(py, done),
            Err(failure) => Err(errors::of_stack(py, name.as_str(), &failure)),
        });
        outcome
    }))
}

/// The name of the stack of a table, unless it is named otherwise.
#[pyfunction]
pub(crate) fn default_stack_name(table: &str) -> PyResult<String> {
    Ok(Stack::at(table, None, None, None)?.name.to_string())
}

/// Creates the stack: a dict of `stack_id`, `stack_name` and `status`.
#[pyfunction]
pub(crate) fn create_stack(
    table: &str,
    region: Option<String>,
    endpoint_url: Option<String>,
    stack_name: Option<&str>,
    parameters: BTreeMap<String, String>,
    wait: bool,
) -> PyResult<Call> {
    let stack = Stack::at(table, region, endpoint_url, stack_name)?;
    let parameters = self::parameters(&parameters)?;
    if stack.is_local() {
        let table = stack.table();
        return Ok(table::call(stack.options, Some(table), Change::Create, |py| {
            let told = PyDict::new(py);
            told.set_item("stack_id", py.None())?;
            told.set_item("stack_name", py.None())?;
            told.set_item("status", "skipped_local")?;
            told.set_item("message", "an endpoint_url is set: the table was created without CloudFormation")?;
            Ok(told.into_any().unbind())
        }));
    }
    let (name, table) = (stack.name.clone(), stack.table());
    let work = async move { create(stack.connect().await?, &table, parameters, wait).await };
    Ok(call(&name, work, |py, created| created.told(py)))
}

async fn create(
    stacks: StackManager,
    table: &str,
    mut parameters: StackParameters,
    wait: bool,
) -> Result<Created, Failure> {
    match stacks.status().await {
        Ok(report) => return existing(report, table),
        Err(error) if error.kind() == DeployErrorKind::Missing => {}
        Err(error) => return Err(error.into()),
    }
    let (executable, warning) = function::of_new_stack(&mut parameters, table).map_err(Failure::because)?;
    let mut deployment = Deployment::without_function().with_parameters(parameters).waiting(wait);
    deployment.package = executable.map(|executable| executable.package);
    let deployed = stacks.deploy(deployment, |_| {}).await?;
    Ok(Created {
        id: deployed.stack_id,
        name: deployed.stack_name,
        status: deployed.status,
        message: None,
        warning,
    })
}

/// A stack that is there stays as it is: to change it takes who knows what else it has.
fn existing(report: StackReport, table: &str) -> Result<Created, Failure> {
    let of = report.parameters.get("TableName");
    let problem = match of.filter(|of| *of != table) {
        Some(of) => {
            Some(format!("there is a stack of that name already, of table {of}: choose another name"))
        }
        None => report.advice,
    };
    if let Some(reason) = problem {
        return Err(Failure { reason, events: report.reason.into_iter().collect(), exists: true });
    }
    let message = "the stack exists already: `zae-limiter deploy` changes it";
    Ok(Created {
        id: report.stack_id,
        name: report.stack_name,
        status: report.status,
        message: Some(message),
        warning: None,
    })
}

/// Deletes the stack, if there is one.
#[pyfunction]
pub(crate) fn delete_stack(
    table: &str,
    region: Option<String>,
    endpoint_url: Option<String>,
    stack_name: Option<&str>,
    wait: bool,
) -> PyResult<Call> {
    let stack = Stack::at(table, region, endpoint_url, stack_name)?;
    if stack.is_local() {
        let table = stack.table();
        return Ok(table::call(stack.options, Some(table), Change::Delete, |py| Ok(py.None())));
    }
    let name = stack.name.clone();
    let work = async move {
        match stack.connect().await?.delete(wait, |_| {}).await {
            Err(error) if error.kind() != DeployErrorKind::Missing => Err(Failure::from(error)),
            _ => Ok(()),
        }
    };
    Ok(call(&name, work, |py, ()| Ok(py.None())))
}

/// The status of the stack, if there is one.
#[pyfunction]
pub(crate) fn stack_status(
    py: Python<'_>,
    table: &str,
    region: Option<String>,
    endpoint_url: Option<String>,
    stack_name: Option<&str>,
) -> PyResult<Call> {
    let stack = Stack::at(table, region, endpoint_url, stack_name)?;
    if stack.is_local() {
        return Ok(Call::ready(Ok(py.None())));
    }
    let name = stack.name.clone();
    let work = async move {
        match stack.connect().await?.status().await {
            Ok(report) => Ok(Some(report.status)),
            Err(error) if error.kind() == DeployErrorKind::Missing => Ok(None),
            Err(error) => Err(Failure::from(error)),
        }
    };
    Ok(call(&name, work, |py, status| Ok(status.into_pyobject(py)?.into_any().unbind())))
}

//! What both of Python's limiters derive from.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use zae_limiter::core::Timestamp;
use zae_limiter::{
    EntityId, Error, FailureMode, LimitScope, Limiter as Native, Resource, StoreErrorKind, StoreUrl,
    UsageQuery, Window,
};

use crate::acquire::{Acquire, Ask, SyncAcquire};
use crate::call::{Call, Outcome};
use crate::opened::{Place, Speed};
use crate::table::{self, Change};
use crate::upkeep::Upkeep;
use crate::{amounts, convert, errors, limits, stack};

/// The native part of a limiter. Every method that asks the store returns a call, to be awaited or waited for.
#[pyclass(module = "zae_limiter._native", subclass, frozen)]
pub(crate) struct Limiter(OnceLock<Arc<Place>>);

/// A table, its region and its endpoint.
type Location = (String, Option<String>, Option<String>);

fn invalid(error: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// `open` or `closed`, or the member of Python's `FailureMode` that has it for its value.
fn failure_mode(given: &Bound<'_, PyAny>) -> PyResult<FailureMode> {
    let value = given.getattr("value").unwrap_or_else(|_| given.clone());
    let Ok(name) = value.cast::<PyString>() else {
        let message = format!("failure_mode must be a FailureMode, not {}", limits::type_name(given));
        return Err(PyTypeError::new_err(message));
    };
    name.to_str()?.parse().map_err(|error| invalid(format!("failure_mode: {error}")))
}

/// A name given as `argument`.
fn named<T, E: std::fmt::Display>(argument: &str, name: Result<T, E>) -> PyResult<T> {
    name.map_err(|error| PyValueError::new_err(format!("{argument}: {error}")))
}

impl Limiter {
    fn place(&self) -> PyResult<&Arc<Place>> {
        self.0.get().ok_or_else(|| PyRuntimeError::new_err("__init__() of the limiter was not called"))
    }

    /// A call that asks the limiter for something, of which `reply` makes what Python sees.
    fn call<T, F, R>(&self, ask: impl FnOnce(Native) -> F + Send + 'static, reply: R) -> PyResult<Call>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send,
        R: FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    {
        self.call_or(ask, reply, |_, _| None)
    }

    /// The same, for errors of which `exception` knows better what they mean.
    fn call_or<T, F, R>(
        &self,
        ask: impl FnOnce(Native) -> F + Send + 'static,
        reply: R,
        exception: impl FnOnce(Python<'_>, &Error) -> Option<PyErr> + Send + 'static,
    ) -> PyResult<Call>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send,
        R: FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    {
        let place = Arc::clone(self.place()?);
        Ok(Call::new(Box::pin(async move {
            let replied = match place.open().await {
                Ok(limiter) => ask(limiter).await,
                Err(error) => Err(error),
            };
            let outcome: Outcome = Box::new(move |py| match replied {
                Ok(replied) => reply(py, replied),
                Err(error) => {
                    Err(exception(py, &error).unwrap_or_else(|| errors::of(py, &error, place.table())))
                }
            });
            outcome
        })))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let place = self.place()?;
        py.detach(|| place.close());
        Ok(())
    }

    /// A call that creates or deletes the table. Stores without one have nothing to create, and nothing to delete.
    fn change_table(&self, py: Python<'_>, change: Change) -> PyResult<Call> {
        let place = self.place()?;
        let Some(name) = place.table() else { return Ok(Call::ready(Ok(py.None()))) };
        let options = place.url().dynamodb_options().map_err(invalid)?;
        Ok(table::call(options, Some(name.into()), change, |py| Ok(py.None())))
    }

    #[expect(clippy::too_many_arguments, reason = "those of Python's acquire")]
    fn ask(
        &self,
        entity_id: &str,
        resource: &str,
        limits: Option<&Bound<'_, PyAny>>,
        consume: &Bound<'_, PyAny>,
        cascade: bool,
        use_stored_limits: bool,
        failure_mode: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Ask> {
        Ok(Ask {
            place: Arc::clone(self.place()?),
            entity_id: named("entity_id", EntityId::new(entity_id))?,
            resource: named("resource", Resource::new(resource))?,
            limits: limits::limits(limits, use_stored_limits)?,
            consume: amounts::tokens("consume", consume)?,
            cascade,
            failure_mode: failure_mode.map(self::failure_mode).transpose()?,
            with_statuses: false,
        })
    }
}

fn scope(entity_id: Option<&str>, resource: &str) -> PyResult<LimitScope> {
    let entity_id = entity_id.map(|id| named("entity_id", EntityId::new(id))).transpose()?;
    let resource = match resource {
        Resource::DEFAULT => None,
        resource => Some(named("resource", Resource::new(resource))?),
    };
    Ok(match (entity_id, resource) {
        (Some(entity_id), Some(resource)) => LimitScope::EntityResource(entity_id, resource),
        (Some(entity_id), None) => LimitScope::Entity(entity_id),
        (None, Some(resource)) => LimitScope::Resource(resource),
        (None, None) => LimitScope::System,
    })
}

/// Raises `ValueError` if these cannot be the names of an entity and a resource.
#[pyfunction]
pub(crate) fn check_names(entity_id: &str, resource: &str) -> PyResult<()> {
    named("entity_id", EntityId::new(entity_id))?;
    named("resource", Resource::new(resource)).map(drop)
}

#[pymethods]
impl Limiter {
    #[new]
    #[pyo3(signature = (*arguments, **keywords))]
    fn new(arguments: &Bound<'_, PyTuple>, keywords: Option<&Bound<'_, PyDict>>) -> Self {
        let (_, _) = (arguments, keywords);
        Self(OnceLock::new())
    }

    /// Says where the state is, by URL. Nothing is opened yet. What cannot be opened is mended first, if there is something
    /// to be done about it, and then opened at `mended`.
    #[pyo3(signature = (store, failure_mode, *, mended = None, create_stack = false, auto_update = false, strict = false, parameters = BTreeMap::new()))]
    #[expect(clippy::too_many_arguments, reason = "those of Python's limiter")]
    fn _configure(
        &self,
        store: &str,
        failure_mode: &Bound<'_, PyAny>,
        mended: Option<&str>,
        create_stack: bool,
        auto_update: bool,
        strict: bool,
        parameters: BTreeMap<String, String>,
    ) -> PyResult<()> {
        let parameters = stack::parameters(&parameters)?;
        let upkeep = |mended: StoreUrl| Upkeep { create_stack, auto_update, strict, parameters, mended };
        let upkeep =
            mended.map(|mended| mended.parse::<StoreUrl>().map(upkeep)).transpose().map_err(invalid)?;
        let url: StoreUrl = store.parse().map_err(invalid)?;
        let failure_mode = self::failure_mode(failure_mode)?;
        let (speed, table) = match store.split(':').next() {
            Some("memory") => (Speed::Memory, None),
            Some("sqlite") => (Speed::File, None),
            _ => {
                let options = url.dynamodb_options().map_err(invalid)?;
                (Speed::Network, Some(options.table.as_str().to_owned()))
            }
        };
        let place = Arc::new(Place::new(url, speed, table, failure_mode, upkeep));
        self.0.set(place).map_err(|_| PyRuntimeError::new_err("__init__() of the limiter was called twice"))
    }

    /// The table, its region and its endpoint, if that is where the state is.
    #[getter]
    fn _location(&self) -> PyResult<Option<Location>> {
        let place = self.place()?;
        let Some(table) = place.table() else { return Ok(None) };
        let options = place.url().dynamodb_options().map_err(invalid)?;
        Ok(Some((table.to_owned(), options.region, options.endpoint_url)))
    }

    /// Opens the store, unless that was done before.
    fn _open(&self) -> PyResult<Call> {
        self.call(async |_| Ok(()), |py, ()| Ok(py.None()))
    }

    fn _close(&self, py: Python<'_>) -> PyResult<()> {
        self.close(py)
    }

    #[pyo3(signature = (entity_id, resource, limits, consume, cascade = false, use_stored_limits = false, failure_mode = None, with_statuses = false))]
    #[expect(clippy::too_many_arguments, reason = "those of Python's acquire")]
    fn _acquire(
        &self,
        entity_id: &str,
        resource: &str,
        limits: Option<&Bound<'_, PyAny>>,
        consume: &Bound<'_, PyAny>,
        cascade: bool,
        use_stored_limits: bool,
        failure_mode: Option<&Bound<'_, PyAny>>,
        with_statuses: bool,
    ) -> PyResult<Acquire> {
        let ask = self.ask(entity_id, resource, limits, consume, cascade, use_stored_limits, failure_mode);
        Ok(Acquire::new(Ask { with_statuses, ..ask? }))
    }

    #[pyo3(signature = (entity_id, resource, limits, consume, cascade = false, use_stored_limits = false, failure_mode = None))]
    #[expect(clippy::too_many_arguments, reason = "those of Python's acquire")]
    fn _acquire_sync(
        &self,
        entity_id: &str,
        resource: &str,
        limits: Option<&Bound<'_, PyAny>>,
        consume: &Bound<'_, PyAny>,
        cascade: bool,
        use_stored_limits: bool,
        failure_mode: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<SyncAcquire> {
        let ask = self.ask(entity_id, resource, limits, consume, cascade, use_stored_limits, failure_mode);
        Ok(SyncAcquire::new(ask?))
    }

    #[pyo3(signature = (entity_id, name, parent_id, metadata))]
    fn _create_entity(
        &self,
        entity_id: String,
        name: Option<String>,
        parent_id: Option<String>,
        metadata: BTreeMap<String, String>,
    ) -> PyResult<Call> {
        let id = entity_id.clone();
        self.call_or(
            async move |limiter| {
                let mut create = limiter.create_entity(&entity_id).metadata(metadata);
                if let Some(name) = &name {
                    create = create.name(name);
                }
                if let Some(parent) = &parent_id {
                    create = create.parent(parent);
                }
                create.await
            },
            |py, entity| convert::entity(py, &entity),
            move |py, error| match error {
                Error::Store(error) if error.kind() == StoreErrorKind::AlreadyExists => {
                    Some(errors::exists(py, &id))
                }
                _ => None,
            },
        )
    }

    fn _get_entity(&self, entity_id: String) -> PyResult<Call> {
        self.call(
            async move |limiter| limiter.entity(&entity_id).await,
            |py, entity| entity.map_or_else(|| Ok(py.None()), |entity| convert::entity(py, &entity)),
        )
    }

    fn _delete_entity(&self, entity_id: String) -> PyResult<Call> {
        self.call(async move |limiter| limiter.delete_entity(&entity_id).await, |py, ()| Ok(py.None()))
    }

    fn _get_children(&self, parent_id: String) -> PyResult<Call> {
        self.call(
            async move |limiter| limiter.children(&parent_id).await,
            |py, children| convert::list(py, &children, convert::entity),
        )
    }

    fn _available(
        &self,
        entity_id: String,
        resource: String,
        limits: Option<&Bound<'_, PyAny>>,
        use_stored_limits: bool,
    ) -> PyResult<Call> {
        let limits = limits::limits(limits, use_stored_limits)?;
        self.call(
            async move |limiter| limiter.available(&entity_id, &resource, limits).await,
            |py, available| {
                let balances = PyDict::new(py);
                for (name, tokens) in available {
                    balances.set_item(name.as_str(), tokens)?;
                }
                Ok(balances.into_any().unbind())
            },
        )
    }

    fn _time_until_available(
        &self,
        entity_id: String,
        resource: String,
        limits: Option<&Bound<'_, PyAny>>,
        needed: &Bound<'_, PyAny>,
        use_stored_limits: bool,
    ) -> PyResult<Call> {
        let limits = limits::limits(limits, use_stored_limits)?;
        let needed = amounts::tokens("needed", needed)?;
        self.call(
            async move |limiter| {
                let needed = amounts::borrowed(&needed);
                limiter.time_until_available(&entity_id, &resource, limits, &needed).await
            },
            |py, wait| Ok(convert::seconds(wait).into_pyobject(py)?.into_any().unbind()),
        )
    }

    fn _set_limits(
        &self,
        entity_id: Option<&str>,
        limits: &Bound<'_, PyAny>,
        resource: &str,
    ) -> PyResult<Call> {
        let (scope, limits) = (scope(entity_id, resource)?, limits::set(limits)?);
        self.call(async move |limiter| limiter.set_limits(&scope, &limits).await, |py, ()| Ok(py.None()))
    }

    fn _get_limits(&self, entity_id: Option<&str>, resource: &str) -> PyResult<Call> {
        let scope = scope(entity_id, resource)?;
        self.call(
            async move |limiter| limiter.limits(&scope).await,
            |py, limits| limits::to_list(py, limits.as_ref()),
        )
    }

    fn _delete_limits(&self, entity_id: Option<&str>, resource: &str) -> PyResult<Call> {
        let scope = scope(entity_id, resource)?;
        self.call(async move |limiter| limiter.delete_limits(&scope).await, |py, ()| Ok(py.None()))
    }

    fn _get_resource_capacity(
        &self,
        resource: String,
        limit_name: String,
        parents_only: bool,
    ) -> PyResult<Call> {
        self.call(
            async move |limiter| limiter.resource_capacity(&resource, &limit_name, parents_only).await,
            |py, capacity| convert::capacity(py, &capacity),
        )
    }

    /// Snapshots of windows that start in `from_ms..to_ms`.
    fn _get_usage(
        &self,
        entity_id: Option<&str>,
        resource: Option<&str>,
        window: &str,
        from_ms: Option<u64>,
        to_ms: Option<u64>,
    ) -> PyResult<Call> {
        let query = UsageQuery {
            entity_id: entity_id.map(|id| named("entity_id", EntityId::new(id))).transpose()?,
            resource: resource.map(|name| named("resource", Resource::new(name))).transpose()?,
            window: named("window", window.parse::<Window>())?,
            from: from_ms.map_or(Timestamp::EPOCH, Timestamp::from_millis),
            to: to_ms.map_or(Timestamp::MAX, Timestamp::from_millis),
        };
        self.call(
            async move |limiter| limiter.usage(&query).await,
            |py, snapshots| convert::list(py, &snapshots, convert::snapshot),
        )
    }

    fn _create_table(&self, py: Python<'_>) -> PyResult<Call> {
        self.change_table(py, Change::Create)
    }

    fn _delete_table(&self, py: Python<'_>) -> PyResult<Call> {
        self.close(py)?;
        self.change_table(py, Change::Delete)
    }
}

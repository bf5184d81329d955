//! What the limiter returns, as Python's dataclasses.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyType};
use zae_limiter::{Entity, LimitStatus, ResourceCapacity, UsageSnapshot, Wait};

use crate::limits;

macro_rules! models {
    ($($function:ident: $name:literal),* $(,)?) => {$(
        fn $function(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
            static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
            CLASS.import(py, "zae_limiter.models", $name)
        }
    )*};
}

models! {
    entity_class: "Entity",
    status_class: "LimitStatus",
    snapshot_class: "UsageSnapshot",
    entity_capacity_class: "EntityCapacity",
    resource_capacity_class: "ResourceCapacity",
}

/// In seconds; infinite if waiting is of no use.
pub(crate) fn seconds(wait: Wait) -> f64 {
    wait.duration().map_or(f64::INFINITY, |wait| wait.as_secs_f64())
}

pub(crate) fn status(py: Python<'_>, status: &LimitStatus) -> PyResult<Py<PyAny>> {
    let status = status_class(py)?.call1((
        status.entity_id.as_str(),
        status.resource.as_str(),
        status.limit.name().as_str(),
        limits::to_python(py, &status.limit)?,
        status.available.whole_tokens(),
        status.requested.whole_tokens(),
        status.is_exceeded(),
        seconds(status.wait),
    ));
    Ok(status?.unbind())
}

pub(crate) fn entity(py: Python<'_>, entity: &Entity) -> PyResult<Py<PyAny>> {
    let entity = entity_class(py)?.call1((
        entity.id.as_str(),
        entity.name.as_str(),
        entity.parent_id.as_ref().map(zae_limiter::EntityId::as_str),
        &entity.metadata,
        entity.created_at.to_string(),
    ));
    Ok(entity?.unbind())
}

pub(crate) fn list<'a, T: 'a>(
    py: Python<'_>,
    items: impl IntoIterator<Item = &'a T>,
    convert: impl Fn(Python<'_>, &T) -> PyResult<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    let items = items.into_iter().map(|item| convert(py, item)).collect::<PyResult<Vec<_>>>()?;
    Ok(PyList::new(py, items)?.into_any().unbind())
}

pub(crate) fn snapshot(py: Python<'_>, snapshot: &UsageSnapshot) -> PyResult<Py<PyAny>> {
    let counters = PyDict::new(py);
    for (name, amount) in &snapshot.counters {
        counters.set_item(name.as_str(), amount.whole_tokens())?;
    }
    let snapshot = snapshot_class(py)?.call1((
        snapshot.entity_id.as_str(),
        snapshot.resource.as_str(),
        snapshot.window_start.to_string(),
        snapshot.window_end.to_string(),
        snapshot.window.as_str(),
        counters,
        snapshot.total_events,
    ));
    Ok(snapshot?.unbind())
}

pub(crate) fn capacity(py: Python<'_>, capacity: &ResourceCapacity) -> PyResult<Py<PyAny>> {
    let entity = |py: Python<'_>, entity: &zae_limiter::EntityCapacity| {
        let entity = entity_capacity_class(py)?.call1((
            entity.entity_id.as_str(),
            entity.capacity,
            entity.available,
            entity.utilization_pct,
        ));
        Ok(entity?.unbind())
    };
    let capacity = resource_capacity_class(py)?.call1((
        capacity.resource.as_str(),
        capacity.limit_name.as_str(),
        capacity.total_capacity,
        capacity.total_available,
        capacity.utilization_pct,
        list(py, &capacity.entities, entity)?,
    ));
    Ok(capacity?.unbind())
}

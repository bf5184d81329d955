//! Limits: from Python's dataclass to the limiter's, and back.

use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyInt, PyList, PyString, PyTuple, PyType};
use smallvec::SmallVec;
use zae_limiter::{Limit, LimitSet, Limits};

/// Lists that are remembered.
const RECENT: usize = 64;

/// Lists of limits that were read lately: most programs pass the same few objects over and over.
static LATELY: Mutex<[Option<Known>; RECENT]> = Mutex::new([const { None }; RECENT]);

/// A list that was read. It keeps its limits alive, so that no others can come to lie at their addresses.
struct Known {
    items: SmallVec<[Py<PyAny>; 4]>,
    set: LimitSet,
}

type Items<'py> = SmallVec<[Bound<'py, PyAny>; 4]>;

fn lately() -> MutexGuard<'static, [Option<Known>; RECENT]> {
    LATELY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The limits of a call.
pub(crate) fn limits(given: Option<&Bound<'_, PyAny>>, use_stored: bool) -> PyResult<Limits> {
    let set = match given {
        None => return Ok(Limits::Stored),
        Some(given) => {
            let items = items(given)?;
            if items.is_empty() && use_stored {
                return Ok(Limits::Stored);
            }
            known_set(&items)?
        }
    };
    Ok(if use_stored { Limits::StoredElse(set) } else { Limits::Given(set) })
}

/// Limits that have to be there.
pub(crate) fn set(given: &Bound<'_, PyAny>) -> PyResult<LimitSet> {
    known_set(&items(given)?)
}

fn items<'py>(given: &Bound<'py, PyAny>) -> PyResult<Items<'py>> {
    if let Ok(list) = given.cast::<PyList>() {
        return Ok(list.iter().collect());
    }
    if let Ok(tuple) = given.cast::<PyTuple>() {
        return Ok(tuple.iter().collect());
    }
    match given.try_iter() {
        Ok(items) if !given.is_instance_of::<PyString>() => items.collect(),
        _ => Err(PyTypeError::new_err(format!("limits must be a list of Limit, not {}", type_name(given)))),
    }
}

fn known_set(items: &Items<'_>) -> PyResult<LimitSet> {
    let mix = |sum: usize, item: &Bound<'_, PyAny>| sum.rotate_left(5) ^ (item.as_ptr() as usize >> 4);
    let place = items.iter().fold(0, mix) % RECENT;
    {
        let lately = lately();
        if let Some(known) = &lately[place]
            && known.items.len() == items.len()
            && known.items.iter().zip(items).all(|(known, item)| ptr::eq(known.as_ptr(), item.as_ptr()))
        {
            return Ok(known.set.clone());
        }
    }
    let limits =
        items.iter().enumerate().map(|(i, item)| from_python(i, item)).collect::<PyResult<Vec<_>>>()?;
    let set = LimitSet::new(limits).map_err(|error| PyValueError::new_err(format!("limits: {error}")))?;
    let known = Known { items: items.iter().map(|item| item.clone().unbind()).collect(), set: set.clone() };
    let before = lately()[place].replace(known);
    // Not while the lock is held: what is dropped may run code.
    drop(before);
    Ok(set)
}

fn class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static LIMIT: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    LIMIT.import(py, "zae_limiter.models", "Limit")
}

fn from_python(place: usize, limit: &Bound<'_, PyAny>) -> PyResult<Limit> {
    let py = limit.py();
    if !limit.is_instance(class(py)?)? {
        return Err(PyTypeError::new_err(format!(
            "limits[{place}] must be a Limit, not {}",
            type_name(limit)
        )));
    }
    let name = limit.getattr(intern!(py, "name"))?;
    let limit = Limit::new(
        name.extract::<&str>()?,
        limit.getattr(intern!(py, "capacity"))?.extract()?,
        limit.getattr(intern!(py, "burst"))?.extract()?,
        limit.getattr(intern!(py, "refill_amount"))?.extract()?,
        limit.getattr(intern!(py, "refill_period_seconds"))?.extract()?,
    );
    limit.map_err(|error| PyValueError::new_err(format!("limits[{place}]: {error}")))
}

/// The limit as Python knows it.
pub(crate) fn to_python<'py>(py: Python<'py>, limit: &Limit) -> PyResult<Bound<'py, PyAny>> {
    class(py)?.call1((
        limit.name().as_str(),
        limit.capacity(),
        limit.burst(),
        limit.refill_amount(),
        limit.refill_period().as_secs(),
    ))
}

/// All limits of a set, in a list.
pub(crate) fn to_list(py: Python<'_>, set: Option<&LimitSet>) -> PyResult<Py<PyAny>> {
    let limits = set.into_iter().flat_map(|set| set.iter()).map(|limit| to_python(py, limit));
    Ok(PyList::new(py, limits.collect::<PyResult<Vec<_>>>()?)?.into_any().unbind())
}

pub(crate) fn type_name(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string())
}

/// Raises `ValueError` if these are not the parts of a limit. What is beyond 64 bits is too large in any case.
#[pyfunction]
pub(crate) fn check_limit(
    name: &str,
    capacity: &Bound<'_, PyInt>,
    burst: &Bound<'_, PyInt>,
    refill_amount: &Bound<'_, PyInt>,
    refill_period_seconds: &Bound<'_, PyInt>,
) -> PyResult<()> {
    let number = |value: &Bound<'_, PyInt>| match value.extract::<u64>() {
        Ok(value) => value,
        Err(_) if value.lt(0).unwrap_or(false) => 0,
        Err(_) => u64::MAX,
    };
    let limit = Limit::new(
        name,
        number(capacity),
        number(burst),
        number(refill_amount),
        number(refill_period_seconds),
    );
    limit.map(drop).map_err(|error| PyValueError::new_err(error.to_string()))
}

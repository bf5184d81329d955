//! The context managers of an acquire.

use std::sync::Arc;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use zae_limiter::{AcquireError, EntityId, FailureMode, Limiter as Native, Limits, Resource};

use crate::amounts::Tokens;
use crate::call::{Call, Outcome, Work};
use crate::errors;
use crate::lease::{self, End, Held, Lease, SyncLease};
use crate::opened::{Place, Speed};

/// What an acquire asks for.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) place: Arc<Place>,
    pub(crate) entity_id: EntityId,
    pub(crate) resource: Resource,
    pub(crate) limits: Limits,
    pub(crate) consume: Tokens,
    pub(crate) cascade: bool,
    pub(crate) failure_mode: Option<FailureMode>,
    /// Whether the lease is to know how the limits stand.
    pub(crate) with_statuses: bool,
}

impl Ask {
    fn on<'a>(&'a self, limiter: &'a Native) -> zae_limiter::Acquire<'a> {
        let (entity_id, resource) = (self.entity_id.as_str(), self.resource.as_str());
        let mut call = limiter.acquire(entity_id, resource, self.limits.clone()).cascade(self.cascade);
        if let Some(mode) = self.failure_mode {
            call = call.failure_mode(mode);
        }
        if self.with_statuses {
            call = call.with_statuses();
        }
        for (name, tokens) in &self.consume {
            call = call.consume(name.as_str(), *tokens);
        }
        call
    }

    /// What became of the acquire; also one that met no store may have to be let through.
    fn held(&self, taken: Result<zae_limiter::Lease, AcquireError>) -> Result<Arc<Held>, AcquireError> {
        let mode = self.failure_mode.unwrap_or_else(|| self.place.failure_mode());
        match taken {
            Ok(lease) => Ok(Held::new(lease, Arc::clone(&self.place))),
            Err(AcquireError::Failed(error)) if mode == FailureMode::FailOpen && error.is_unavailable() => {
                Ok(Held::degraded(Arc::clone(&self.place)))
            }
            Err(error) => Err(error),
        }
    }

    /// From a store that answers at once.
    fn take_at_once(&self) -> Result<zae_limiter::Lease, AcquireError> {
        self.on(&self.place.open_at_once()?).wait()
    }

    async fn take(&self) -> Result<zae_limiter::Lease, AcquireError> {
        let limiter = self.place.open().await?;
        self.on(&limiter).await
    }

    /// Takes, as far as that can be done at once; else returns what is left to do, which ends in what `wrap` makes of the
    /// lease.
    fn start(&self, py: Python<'_>) -> Started {
        let taken = match self.place.speed {
            Speed::Memory => self.take_at_once(),
            Speed::File => py.detach(|| self.take_at_once()),
            Speed::Network => return Started::Pending(self.clone()),
        };
        Started::Done(self.held(taken))
    }
}

enum Started {
    Done(Result<Arc<Held>, AcquireError>),
    Pending(Ask),
}

/// The work of an acquire, whose outcome is given to `keep` with the interpreter's lock.
fn work(ask: Ask, keep: impl FnOnce(Python<'_>, Arc<Held>) -> PyResult<Py<PyAny>> + Send + 'static) -> Work {
    Box::pin(async move {
        let taken = ask.take().await;
        let held = ask.held(taken);
        let outcome: Outcome = Box::new(move |py| match held {
            Ok(held) => keep(py, held),
            Err(error) => Err(errors::of_acquire(py, error, ask.place.table())),
        });
        outcome
    })
}

fn entered_twice() -> PyErr {
    PyRuntimeError::new_err("this acquire was entered before: call acquire() for each block")
}

fn how(exception: &Bound<'_, PyAny>) -> End {
    if exception.is_none() { End::Commit } else { End::Rollback }
}

/// The context manager of ``async with limiter.acquire(...)``.
#[pyclass(module = "zae_limiter._native")]
pub(crate) struct Acquire {
    ask: Option<Ask>,
    held: Option<Arc<Held>>,
}

impl Acquire {
    pub(crate) const fn new(ask: Ask) -> Self {
        Self { ask: Some(ask), held: None }
    }
}

#[pymethods]
impl Acquire {
    fn __aenter__(slf: Bound<'_, Self>) -> PyResult<Call> {
        let py = slf.py();
        let Some(ask) = slf.borrow_mut().ask.take() else { return Err(entered_twice()) };
        match ask.start(py) {
            Started::Done(Ok(held)) => {
                let lease = Py::new(py, Lease(Arc::clone(&held)))?;
                slf.borrow_mut().held = Some(held);
                Ok(Call::ready(Ok(lease.into_any())))
            }
            Started::Done(Err(error)) => Err(errors::of_acquire(py, error, ask.place.table())),
            Started::Pending(ask) => {
                let own = slf.unbind();
                Ok(Call::new(work(ask, move |py, held| {
                    own.bind(py).borrow_mut().held = Some(Arc::clone(&held));
                    Ok(Py::new(py, Lease(held))?.into_any())
                })))
            }
        }
    }

    #[pyo3(signature = (exception_type, exception, traceback))]
    fn __aexit__(
        &mut self,
        py: Python<'_>,
        exception_type: &Bound<'_, PyAny>,
        exception: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<Py<PyAny>> {
        let (_, _) = (exception, traceback);
        match self.held.take() {
            Some(held) => lease::end_awaitable(py, &held, how(exception_type)),
            None => crate::call::Nothing::get(py),
        }
    }
}

/// The context manager of ``with limiter.acquire(...)``.
#[pyclass(module = "zae_limiter._native")]
pub(crate) struct SyncAcquire {
    ask: Option<Ask>,
    held: Option<Arc<Held>>,
}

impl SyncAcquire {
    pub(crate) const fn new(ask: Ask) -> Self {
        Self { ask: Some(ask), held: None }
    }
}

#[pymethods]
impl SyncAcquire {
    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let Some(ask) = slf.borrow_mut().ask.take() else { return Err(entered_twice()) };
        match ask.start(py) {
            Started::Done(Ok(held)) => {
                let lease = Py::new(py, SyncLease(Arc::clone(&held)))?;
                slf.borrow_mut().held = Some(held);
                Ok(lease.into_any())
            }
            Started::Done(Err(error)) => Err(errors::of_acquire(py, error, ask.place.table())),
            Started::Pending(ask) => {
                let own = slf.unbind();
                let work = work(ask, move |py, held| {
                    own.bind(py).borrow_mut().held = Some(Arc::clone(&held));
                    Ok(Py::new(py, SyncLease(held))?.into_any())
                });
                crate::blocking::run(py, work)
            }
        }
    }

    #[pyo3(signature = (exception_type, exception, traceback))]
    fn __exit__(
        &mut self,
        py: Python<'_>,
        exception_type: &Bound<'_, PyAny>,
        exception: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (_, _) = (exception, traceback);
        let Some(held) = self.held.take() else { return Ok(()) };
        match lease::end(py, &held, how(exception_type))? {
            None => Ok(()),
            Some(work) => crate::blocking::run(py, work).map(drop),
        }
    }
}

//! Leases, as Python holds them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tokio::sync::Mutex as AsyncMutex;
use zae_limiter::{AcquireError, Block, Error, Lease as Native, LimitName, LimitStatus};

use crate::amounts::{self, Deltas, Tokens};
use crate::call::{Call, Nothing, Outcome, Work};
use crate::fork::Generation;
use crate::opened::{Place, Speed};
use crate::{convert, errors};

/// Net consumption in tokens.
type Consumed = BTreeMap<LimitName, i64>;

/// A lease, shared by the object that Python has and the calls under way.
#[derive(Debug)]
pub(crate) struct Held {
    state: AsyncMutex<State>,
    /// What was consumed before the call under way, which has the state for itself.
    before: Mutex<Consumed>,
    place: Arc<Place>,
    made_by: Generation,
}

#[derive(Debug)]
enum State {
    Active(Native),
    /// There was no store to ask, and the call failed open: nothing is recorded.
    Degraded,
    Ended(Consumed),
}

/// How a lease comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Commit,
    Rollback,
}

/// Why something cannot be done with a lease.
enum Problem {
    Over,
    Refused(AcquireError),
}

impl Held {
    fn with(state: State, place: Arc<Place>) -> Arc<Self> {
        let made_by = Generation::current();
        Arc::new(Self { state: AsyncMutex::new(state), before: Mutex::default(), place, made_by })
    }

    pub(crate) fn new(lease: Native, place: Arc<Place>) -> Arc<Self> {
        Self::with(State::Active(lease), place)
    }

    /// Of a call that failed open before there was a store to ask.
    pub(crate) fn degraded(place: Arc<Place>) -> Arc<Self> {
        Self::with(State::Degraded, place)
    }

    fn check_process(&self) -> PyResult<()> {
        if self.made_by.is_current() {
            Ok(())
        } else {
            let message =
                "Lease is no longer active: it belongs to the process that this one was forked from";
            Err(PyRuntimeError::new_err(message))
        }
    }

    fn consumed(&self) -> Consumed {
        match self.state.try_lock().as_deref() {
            Ok(State::Active(lease)) => lease.consumed(),
            Ok(State::Degraded) => Consumed::new(),
            Ok(State::Ended(consumed)) => consumed.clone(),
            Err(_) => self.before.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn statuses(&self) -> Vec<LimitStatus> {
        match self.state.try_lock().as_deref() {
            Ok(State::Active(lease)) => lease.statuses(),
            _ => Vec::new(),
        }
    }

    fn is_degraded(&self) -> bool {
        match self.state.try_lock().as_deref() {
            Ok(State::Active(lease)) => lease.is_degraded(),
            Ok(State::Degraded) => true,
            Ok(State::Ended(_)) | Err(_) => false,
        }
    }

    async fn consume(&self, tokens: &Tokens) -> Result<(), Problem> {
        match &mut *self.state.lock().await {
            State::Active(lease) => {
                *self.before.lock().unwrap_or_else(PoisonError::into_inner) = lease.consumed();
                lease.consume(&amounts::borrowed(tokens)).await.map_err(Problem::Refused)
            }
            State::Degraded => Ok(()),
            State::Ended(_) => Err(Problem::Over),
        }
    }

    async fn adjust(&self, deltas: &Deltas) -> Result<(), Problem> {
        match &mut *self.state.lock().await {
            State::Active(lease) => adjust(lease, deltas).map_err(Problem::Refused),
            State::Degraded => Ok(()),
            State::Ended(_) => Err(Problem::Over),
        }
    }

    /// Ends the lease; what is left to do of that is in the future.
    async fn end(&self, end: End) -> Result<(), Error> {
        let mut state = self.state.lock().await;
        let consumed = match (&*state, end) {
            (State::Active(lease), End::Commit) => lease.consumed(),
            (State::Active(lease), End::Rollback) => {
                lease.consumed().into_keys().map(|name| (name, 0)).collect()
            }
            (State::Degraded, _) => Consumed::new(),
            (State::Ended(_), _) => return Ok(()),
        };
        let ended = std::mem::replace(&mut *state, State::Ended(consumed));
        drop(state);
        match (ended, end) {
            (State::Active(lease), End::Commit) => lease.commit().await,
            (State::Active(lease), End::Rollback) => {
                // The caller hears of its own failure. A return that is lost errs towards under-admission.
                let _ = lease.rollback().await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// All of `deltas`, or none.
fn adjust(lease: &mut Native, deltas: &Deltas) -> Result<(), AcquireError> {
    for (place, (name, delta)) in deltas.iter().enumerate() {
        if let Err(error) = lease.adjust(name.as_str(), *delta) {
            for (name, delta) in &deltas[..place] {
                // It was possible the other way round.
                let _ = lease.adjust(name.as_str(), -delta);
            }
            return Err(error.into());
        }
    }
    Ok(())
}

impl Drop for Held {
    /// A lease that was copied to a forked child is not the child's to return.
    fn drop(&mut self) {
        if !self.made_by.is_current() {
            std::mem::forget(std::mem::replace(self.state.get_mut(), State::Ended(Consumed::new())));
        }
    }
}

fn outcome(result: Result<(), Problem>, place: Arc<Place>) -> Outcome {
    Box::new(move |py| match result {
        Ok(()) => Ok(py.None()),
        Err(Problem::Over) => Err(PyRuntimeError::new_err("Lease is no longer active")),
        Err(Problem::Refused(error)) => Err(errors::of_acquire(py, error, place.table())),
    })
}

fn consuming(held: &Arc<Held>, amounts: Option<&Bound<'_, PyDict>>) -> PyResult<Work> {
    held.check_process()?;
    let tokens = amounts.map(|amounts| amounts::tokens("consume", amounts)).transpose()?.unwrap_or_default();
    let held = Arc::clone(held);
    Ok(Box::pin(async move { outcome(held.consume(&tokens).await, Arc::clone(&held.place)) }))
}

fn adjusting(held: &Arc<Held>, deltas: Deltas) -> PyResult<Work> {
    held.check_process()?;
    let held = Arc::clone(held);
    Ok(Box::pin(async move { outcome(held.adjust(&deltas).await, Arc::clone(&held.place)) }))
}

fn deltas(argument: &str, given: Option<&Bound<'_, PyDict>>) -> PyResult<Deltas> {
    given.map(|given| amounts::deltas(argument, given)).transpose().map(Option::unwrap_or_default)
}

fn releases(given: Option<&Bound<'_, PyDict>>) -> PyResult<Deltas> {
    let tokens = given.map(|given| amounts::tokens("release", given)).transpose()?.unwrap_or_default();
    Ok(tokens.into_iter().map(|(name, tokens)| (name, -i64::try_from(tokens).unwrap_or(i64::MAX))).collect())
}

fn consumed(py: Python<'_>, held: &Held) -> PyResult<Py<PyAny>> {
    let consumed = PyDict::new(py);
    for (name, tokens) in held.consumed() {
        consumed.set_item(name.as_str(), tokens)?;
    }
    Ok(consumed.into_any().unbind())
}

/// Ends a lease as far as that can be done at once; else returns what is left to do.
pub(crate) fn end(py: Python<'_>, held: &Arc<Held>, end: End) -> PyResult<Option<Work>> {
    if held.check_process().is_err() {
        return Ok(None);
    }
    let said = |py: Python<'_>, result: Result<(), Error>, place: &Place| {
        result.map_err(|error| errors::of(py, &error, place.table()))
    };
    match held.place.speed {
        Speed::Memory => said(py, held.end(end).wait(), &held.place).map(|()| None),
        Speed::File => said(py, py.detach(|| held.end(end).wait()), &held.place).map(|()| None),
        Speed::Network => {
            let own = Arc::clone(held);
            let mut ending = Box::pin(async move { own.end(end).await });
            // Most often there is nothing left to write.
            match ending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(result) => said(py, result, &held.place).map(|()| None),
                Poll::Pending => {
                    let place = Arc::clone(&held.place);
                    Ok(Some(Box::pin(async move {
                        let result = ending.await;
                        let outcome: Outcome =
                            Box::new(move |py| said(py, result, &place).map(|()| py.None()));
                        outcome
                    })))
                }
            }
        }
    }
}

/// What was taken in an ``async with limiter.acquire(...) as lease``, until the block ends.
#[pyclass(module = "zae_limiter", frozen, weakref)]
pub(crate) struct Lease(pub(crate) Arc<Held>);

#[pymethods]
impl Lease {
    /// Net consumption so far, in tokens by limit of the entity that asked; adjustments are included.
    ///
    /// After the block: what it came to, which is 0 if it was rolled back.
    #[getter]
    fn consumed(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        consumed(py, &self.0)
    }

    /// Whether the store was unavailable and the call failed open, so that nothing is recorded.
    #[getter]
    fn degraded(&self) -> bool {
        self.0.is_degraded()
    }

    /// How every limit of every level stood right after the last `consume`; empty before.
    #[getter]
    fn statuses(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        convert::list(py, &self.0.statuses(), convert::status)
    }

    /// Takes more: all of the amounts (tokens by limit), or nothing.
    ///
    /// Raises `RateLimitExceeded` if there is not enough, and leaves the lease as it was; `ValueError` for unknown limits and
    /// negative amounts; `RuntimeError` after the end of the block.
    #[pyo3(signature = (**amounts))]
    fn consume(&self, amounts: Option<&Bound<'_, PyDict>>) -> PyResult<Call> {
        consuming(&self.0, amounts).map(Call::new)
    }

    /// Corrects the consumption by so many tokens, up or down, when the block ends. Never fails for lack of tokens: more
    /// than a bucket holds leaves it in debt.
    ///
    /// Raises `ValueError` for unknown limits; `RuntimeError` after the end of the block.
    #[pyo3(signature = (**deltas))]
    fn adjust(&self, deltas: Option<&Bound<'_, PyDict>>) -> PyResult<Call> {
        adjusting(&self.0, self::deltas("adjust", deltas)?).map(Call::new)
    }

    /// Gives so many tokens back when the block ends. A bucket is never lifted above its burst.
    ///
    /// Raises `ValueError` for unknown limits and negative amounts; `RuntimeError` after the end of the block.
    #[pyo3(signature = (**amounts))]
    fn release(&self, amounts: Option<&Bound<'_, PyDict>>) -> PyResult<Call> {
        adjusting(&self.0, releases(amounts)?).map(Call::new)
    }

    fn __repr__(&self) -> String {
        format!("<Lease consumed={:?}>", self.0.consumed())
    }
}

/// What was taken in a ``with limiter.acquire(...) as lease``, until the block ends.
#[pyclass(module = "zae_limiter", frozen, weakref)]
pub(crate) struct SyncLease(pub(crate) Arc<Held>);

#[pymethods]
impl SyncLease {
    /// Net consumption so far, in tokens by limit of the entity that asked; adjustments are included.
    ///
    /// After the block: what it came to, which is 0 if it was rolled back.
    #[getter]
    fn consumed(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        consumed(py, &self.0)
    }

    /// Whether the store was unavailable and the call failed open, so that nothing is recorded.
    #[getter]
    fn degraded(&self) -> bool {
        self.0.is_degraded()
    }

    /// Takes more: all of the amounts (tokens by limit), or nothing.
    ///
    /// Raises `RateLimitExceeded` if there is not enough, and leaves the lease as it was; `ValueError` for unknown limits and
    /// negative amounts; `RuntimeError` after the end of the block.
    #[pyo3(signature = (**amounts))]
    fn consume(&self, py: Python<'_>, amounts: Option<&Bound<'_, PyDict>>) -> PyResult<Py<PyAny>> {
        crate::blocking::run(py, consuming(&self.0, amounts)?)
    }

    /// Corrects the consumption by so many tokens, up or down, when the block ends. Never fails for lack of tokens: more
    /// than a bucket holds leaves it in debt.
    ///
    /// Raises `ValueError` for unknown limits; `RuntimeError` after the end of the block.
    #[pyo3(signature = (**deltas))]
    fn adjust(&self, py: Python<'_>, deltas: Option<&Bound<'_, PyDict>>) -> PyResult<Py<PyAny>> {
        crate::blocking::run(py, adjusting(&self.0, self::deltas("adjust", deltas)?)?)
    }

    /// Gives so many tokens back when the block ends. A bucket is never lifted above its burst.
    ///
    /// Raises `ValueError` for unknown limits and negative amounts; `RuntimeError` after the end of the block.
    #[pyo3(signature = (**amounts))]
    fn release(&self, py: Python<'_>, amounts: Option<&Bound<'_, PyDict>>) -> PyResult<Py<PyAny>> {
        crate::blocking::run(py, adjusting(&self.0, releases(amounts)?)?)
    }

    fn __repr__(&self) -> String {
        format!("<SyncLease consumed={:?}>", self.0.consumed())
    }
}

/// What an asynchronous exit returns.
pub(crate) fn end_awaitable(py: Python<'_>, held: &Arc<Held>, how: End) -> PyResult<Py<PyAny>> {
    match end(py, held, how)? {
        None => Nothing::get(py),
        Some(work) => Ok(Py::new(py, Call::new(work))?.into_any()),
    }
}

//! A call under way: what Python awaits, or waits for.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::prelude::*;

use crate::blocking;
use crate::wakeups::Waiter;

/// What came of a call, as Python sees it.
pub(crate) type Outcome = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// What is left to do of a call. Dropped before its end, it takes back what it has done as far as it can.
pub(crate) type Work = Pin<Box<dyn Future<Output = Outcome> + Send>>;

enum State {
    /// The outcome was there at once.
    Ready(PyResult<Py<PyAny>>),
    /// Not begun.
    Fresh(Work),
    /// Polled, and to be polled again when the waiter is woken.
    Waiting(Work, Waiter),
    /// Its outcome was given away, or it was cancelled.
    Over,
}

/// A call to the limiter: `await` it, or have its thread wait for it with `wait()`.
///
/// It is a coroutine in all but name, so it can be made a task, too.
#[pyclass(module = "zae_limiter._native", weakref)]
pub(crate) struct Call(Mutex<State>);

impl Call {
    pub(crate) fn ready(outcome: PyResult<Py<PyAny>>) -> Self {
        Self(Mutex::new(State::Ready(outcome)))
    }

    pub(crate) fn new(work: Work) -> Self {
        Self(Mutex::new(State::Fresh(work)))
    }

    fn take(&mut self) -> State {
        let state = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(state, State::Over)
    }

    fn put(&mut self, state: State) {
        *self.0.get_mut().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

fn reused() -> PyErr {
    PyRuntimeError::new_err("cannot reuse already awaited call")
}

#[pymethods]
impl Call {
    /// Waits on this thread. Other threads run meanwhile.
    fn wait(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.take() {
            State::Ready(outcome) => outcome,
            State::Fresh(work) | State::Waiting(work, _) => blocking::run(py, work),
            State::Over => Err(reused()),
        }
    }

    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let (mut work, waiter) = match self.take() {
            State::Ready(outcome) => return Err(returned(outcome?)),
            // What is ready at once needs nobody to be woken, so no loop has to be asked.
            State::Fresh(mut work) => {
                let waker = std::task::Waker::noop();
                match py.detach(|| work.as_mut().poll(&mut Context::from_waker(waker))) {
                    Poll::Ready(outcome) => return Err(returned(outcome(py)?)),
                    Poll::Pending => (work, Waiter::of_running_loop(py)?),
                }
            }
            State::Waiting(work, waiter) => (work, waiter),
            State::Over => return Err(reused()),
        };
        let waker = waiter.waker();
        match py.detach(|| work.as_mut().poll(&mut Context::from_waker(waker))) {
            Poll::Ready(outcome) => Err(returned(outcome(py)?)),
            Poll::Pending => {
                let future = waiter.future(py)?;
                self.put(State::Waiting(work, waiter));
                Ok(future)
            }
        }
    }

    fn send(&mut self, py: Python<'_>, _value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.__next__(py)
    }

    /// Cancels the call, which takes back what it took, and raises the exception.
    #[pyo3(signature = (exception, value = None, traceback = None))]
    fn throw(
        &mut self,
        py: Python<'_>,
        exception: Bound<'_, PyAny>,
        value: Option<Bound<'_, PyAny>>,
        traceback: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        drop(self.take());
        let instance = match value {
            Some(value) if !exception.is_exact_instance_of::<pyo3::types::PyType>() => value,
            Some(value) if value.is_instance(&exception)? => value,
            _ => exception,
        };
        let raised = PyErr::from_value(instance);
        if let Some(traceback) = traceback.and_then(|traceback| traceback.cast_into().ok()) {
            raised.set_traceback(py, Some(traceback));
        }
        Err(raised)
    }

    /// Cancels the call, which takes back what it took.
    fn close(&mut self) {
        drop(self.take());
    }
}

/// The end of an iteration that awaits `value`.
fn returned(value: Py<PyAny>) -> PyErr {
    // As the one argument, so that a tuple stays a tuple.
    PyStopIteration::new_err((value,))
}

/// An awaitable of nothing, which can be awaited any number of times: what most settlements come to.
#[pyclass(module = "zae_limiter._native", frozen)]
pub(crate) struct Nothing;

#[pymethods]
impl Nothing {
    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[expect(clippy::unused_self, reason = "what an iterator is asked")]
    const fn __next__(&self) -> Option<Py<PyAny>> {
        None
    }
}

impl Nothing {
    pub(crate) fn get(py: Python<'_>) -> PyResult<Py<PyAny>> {
        static NOTHING: pyo3::sync::PyOnceLock<Py<Nothing>> = pyo3::sync::PyOnceLock::new();
        Ok(NOTHING.get_or_try_init(py, || Py::new(py, Self))?.clone_ref(py).into_any())
    }
}

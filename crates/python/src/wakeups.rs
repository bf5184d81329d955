//! How the threads of a store wake what an event loop waits for.
//!
//! A thread that wants to wake something must not wait for the interpreter's lock: it notes down what, and writes one byte
//! to a socket that the loop watches. The loop then wakes everything that was noted meanwhile, at once.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// Which waiter of a loop.
type Number = u64;

/// The end that threads write to.
struct Doorbell {
    rung: Mutex<Vec<Number>>,
    socket: UnixStream,
}

impl Doorbell {
    fn ring(&self, number: Number) {
        let mut rung = locked(&self.rung);
        let first = rung.is_empty();
        rung.push(number);
        drop(rung);
        if first {
            // Full is as good: the loop will look. Closed means that there is no loop any more.
            let _ = (&self.socket).write(&[0]);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one event loop waits for.
#[pyclass(module = "zae_limiter._native", frozen)]
pub(crate) struct Wakeups {
    doorbell: Arc<Doorbell>,
    socket: UnixStream,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    last: Number,
    futures: HashMap<Number, Py<PyAny>>,
}

#[pymethods]
impl Wakeups {
    /// Wakes what was rung for: called by the loop when it sees the socket.
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let mut bytes = [0; 64];
        while matches!((&self.socket).read(&mut bytes), Ok(64)) {}
        let rung = std::mem::take(&mut *locked(&self.doorbell.rung));
        for number in rung {
            let future = locked(&self.waiting).futures.remove(&number);
            if let Some(future) = future
                && !future.bind(py).call_method0(intern!(py, "done"))?.is_truthy()?
            {
                future.bind(py).call_method1(intern!(py, "set_result"), (py.None(),))?;
            }
        }
        Ok(())
    }
}

impl Wakeups {
    /// Those of `event_loop`, which starts to watch for them if it does not yet.
    fn of_loop(event_loop: &Bound<'_, PyAny>) -> PyResult<Py<Self>> {
        static ALL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = event_loop.py();
        let all = ALL.get_or_try_init(py, || {
            py.import("weakref")?.call_method0("WeakKeyDictionary").map(Bound::unbind)
        })?;
        let all = all.bind(py);
        let known = all.call_method1(intern!(py, "get"), (event_loop,))?;
        if let Ok(known) = known.cast_into::<Self>() {
            return Ok(known.unbind());
        }
        let (here, there) = UnixStream::pair()?;
        here.set_nonblocking(true)?;
        there.set_nonblocking(true)?;
        let descriptor = here.as_raw_fd();
        let doorbell = Arc::new(Doorbell { rung: Mutex::default(), socket: there });
        let new = Py::new(py, Self { doorbell, socket: here, waiting: Mutex::default() })?;
        event_loop.call_method1(intern!(py, "add_reader"), (descriptor, &new))?;
        all.set_item(event_loop, &new)?;
        Ok(new)
    }
}

/// One call that a loop waits for.
pub(crate) struct Waiter {
    event_loop: Py<PyAny>,
    wakeups: Py<Wakeups>,
    number: Number,
    waker: Waker,
}

struct Ring(Arc<Doorbell>, Number);

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        self.0.ring(self.1);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.ring(self.1);
    }
}

impl Waiter {
    /// For a call that is awaited in the loop of this thread.
    pub(crate) fn of_running_loop(py: Python<'_>) -> PyResult<Self> {
        static RUNNING_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let event_loop = RUNNING_LOOP.import(py, "asyncio", "get_running_loop")?.call0()?;
        let wakeups = Wakeups::of_loop(&event_loop)?;
        let number = {
            let mut waiting = locked(&wakeups.get().waiting);
            waiting.last += 1;
            waiting.last
        };
        let waker = Waker::from(Arc::new(Ring(Arc::clone(&wakeups.get().doorbell), number)));
        Ok(Self { event_loop: event_loop.unbind(), wakeups, number, waker })
    }

    pub(crate) const fn waker(&self) -> &Waker {
        &self.waker
    }

    /// What the task of the call is to wait for: done once the waker is woken, even if it was woken just before.
    pub(crate) fn future(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let future = self.event_loop.bind(py).call_method0(intern!(py, "create_future"))?;
        // What awaiting it would do.
        future.setattr(intern!(py, "_asyncio_future_blocking"), true)?;
        // The loop looks at what was rung only after this: it runs on this very thread.
        let before = locked(&self.wakeups.get().waiting).futures.insert(self.number, future.clone().unbind());
        drop(before);
        Ok(future.unbind())
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let future = locked(&self.wakeups.get().waiting).futures.remove(&self.number);
        drop(future);
    }
}

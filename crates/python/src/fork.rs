//! What a forked child may not go on with.

use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::prelude::*;

/// How often this process and those before it were forked from another.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Which process this is, in a line of parents and children. Connections, threads and leases stay with the process that
/// made them; a child that finds another generation on them leaves them alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(u32);

impl Generation {
    pub(crate) fn current() -> Self {
        Self(GENERATION.load(Ordering::Relaxed))
    }

    pub(crate) fn is_current(self) -> bool {
        self == Self::current()
    }
}

/// Tells that this process was forked from another: to be registered with `os.register_at_fork`.
#[pyfunction]
pub(crate) fn after_fork_in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

//! What the stores of one process share, and a forked child has anew.

use std::future::Future;
use std::io;
use std::sync::OnceLock;

use tokio::runtime::Handle;
use zae_limiter_core::{StoreError, StoreErrorKind};

use crate::aws::Connected;
use crate::threads::{Runtimes, Threads};

/// What one process has. A forked child has none of its parent's threads and must not speak over its connections, so it
/// finds none of this and makes its own; what its parent had stays untouched.
struct Process {
    id: u32,
    runtimes: Result<Runtimes, io::Error>,
    connected: Connected,
    forked: OnceLock<Box<Process>>,
}

impl Process {
    fn this(id: u32) -> Self {
        Self { id, runtimes: Runtimes::start(), connected: Connected::default(), forked: OnceLock::new() }
    }

    /// That of the process that asks.
    fn current() -> &'static Self {
        static FIRST: OnceLock<Box<Process>> = OnceLock::new();
        let id = std::process::id();
        let mut process = FIRST.get_or_init(|| Box::new(Self::this(id)));
        while process.id != id {
            process = process.forked.get_or_init(|| Box::new(Self::this(id)));
        }
        process
    }
}

/// The threads of this process, started by the first store.
pub(crate) fn threads() -> Result<&'static Threads, StoreError> {
    Process::current().runtimes.as_ref().map(|runtimes| &runtimes.threads).map_err(|error| {
        StoreError::new(
            StoreErrorKind::Unavailable,
            format!("no thread for the store could be started: {error}"),
        )
    })
}

/// A runtime of this process, for requests to AWS beside those of the stores.
pub fn runtime() -> Result<&'static Handle, StoreError> {
    Ok(threads()?.several())
}

/// What the stores of this process share to speak to their servers.
pub(crate) fn connected() -> &'static Connected {
    &Process::current().connected
}

/// Runs `work`, which needs a runtime for requests to AWS, on the threads that all stores of this process share. The
/// answer can be awaited on any executor; if it is dropped, the work is given up.
pub async fn on_runtime<T, E>(work: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    threads()?.look_up(work).await
}

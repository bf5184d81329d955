//! The runtime that all requests run on, so that callers may be on any executor, or on none.

use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;
use zae_limiter_core::{StoreError, StoreErrorKind};

use crate::aws::Connected;

/// Threads of the runtime: they wait for the network most of the time.
const THREADS: usize = 2;

/// What one process has. A forked child has none of its parent's threads and must not speak over its connections, so it
/// finds none of this and makes its own; what its parent had stays untouched.
struct Process {
    id: u32,
    runtime: Result<Runtime, std::io::Error>,
    connected: Connected,
    forked: OnceLock<Box<Process>>,
}

impl Process {
    fn this(id: u32) -> Self {
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(THREADS).thread_name("zae-limiter").enable_all().build();
        Self { id, runtime, connected: Connected::default(), forked: OnceLock::new() }
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

/// The runtime of this process, started by the first store.
pub fn handle() -> Result<&'static Handle, StoreError> {
    Process::current().runtime.as_ref().map(Runtime::handle).map_err(|error| {
        StoreError::new(
            StoreErrorKind::Unavailable,
            format!("no thread for the store could be started: {error}"),
        )
    })
}

/// What the stores of this process share to speak to their servers.
pub(crate) fn connected() -> &'static Connected {
    &Process::current().connected
}

/// Runs `work` on `runtime` from the first poll on. It goes on if the future is dropped.
pub(crate) async fn carry_out<T: Send + 'static>(
    runtime: &Handle,
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    let joined = runtime.spawn(work).await;
    joined.unwrap_or_else(|error| Err(ended(&error)))
}

/// Runs `work` on `runtime` from the first poll on, and gives it up if the future is dropped.
pub(crate) async fn look_up<T, E>(
    runtime: &Handle,
    work: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    AbortOnDrop(runtime.spawn(work)).await
}

/// Runs `work`, which needs a runtime for requests to AWS, on the one that all stores of this process share. The answer
/// can be awaited on any executor; if it is dropped, the work is given up.
pub async fn on_runtime<T, E>(work: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    look_up(handle()?, work).await
}

struct AbortOnDrop<T, E>(JoinHandle<Result<T, E>>);

impl<T, E: From<StoreError>> Future for AbortOnDrop<T, E> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let joined = Pin::new(&mut self.0).poll(cx);
        joined.map(|joined| joined.unwrap_or_else(|error| Err(ended(&error).into())))
    }
}

impl<T, E> Drop for AbortOnDrop<T, E> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn ended(error: &tokio::task::JoinError) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, format!("the work of the store came to an end: {error}"))
}

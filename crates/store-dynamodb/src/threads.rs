//! The threads that requests run on, so that callers may be on any executor, or on none.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinError, JoinHandle};
use zae_limiter_core::{StoreError, StoreErrorKind};

/// Threads for work that does not come alone. They wait for the network most of the time.
const SEVERAL: usize = 2;

/// One thread for work that comes alone, and several for what comes while other work is under way.
///
/// To be woken is much of what a call costs, and a runtime of several threads wakes a second one whenever the first is
/// given something to do, to share in it. For work that comes alone there is nothing to share.
#[derive(Clone, Debug)]
pub struct Threads {
    one: Handle,
    several: Handle,
    under_way: Arc<AtomicUsize>,
}

/// The runtimes that [`Threads`] belong to.
#[derive(Debug)]
pub(crate) struct Runtimes {
    _one: Runtime,
    _several: Runtime,
    pub(crate) threads: Threads,
}

impl Runtimes {
    pub(crate) fn start() -> io::Result<Self> {
        let start = |threads| {
            let mut runtime = Builder::new_multi_thread();
            runtime.worker_threads(threads).thread_name("zae-limiter").enable_all().build()
        };
        let (one, several) = (start(1)?, start(SEVERAL)?);
        let threads = Threads {
            one: one.handle().clone(),
            several: several.handle().clone(),
            under_way: Arc::default(),
        };
        Ok(Self { _one: one, _several: several, threads })
    }
}

/// All work on one runtime.
impl From<Handle> for Threads {
    fn from(runtime: Handle) -> Self {
        Self { one: runtime.clone(), several: runtime, under_way: Arc::default() }
    }
}

impl Threads {
    /// Starts `work` where it is done soonest.
    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        let comes_alone = self.under_way.fetch_add(1, Ordering::Relaxed) == 0;
        let counted = Counted(Arc::clone(&self.under_way));
        let runtime = if comes_alone { &self.one } else { &self.several };
        runtime.spawn(async move {
            let _counted = counted;
            work.await
        })
    }

    /// Starts a task that only waits for other work, which is still to come.
    pub(crate) fn spawn_waiting(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.one.spawn(task);
    }

    /// Runs `work` from the first poll on. It goes on if the future is dropped.
    pub(crate) async fn carry_out<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.spawn(work).await.unwrap_or_else(|error| Err(ended(&error)))
    }

    /// Runs `work` from the first poll on, and gives it up if the future is dropped.
    pub(crate) async fn look_up<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        AbortOnDrop(self.spawn(work)).await
    }

    /// The runtime of several threads, for whoever brings more work than one piece.
    pub(crate) const fn several(&self) -> &Handle {
        &self.several
    }
}

/// Work that is under way, until it is done or given up.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
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

fn ended(error: &JoinError) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, format!("the work of the store came to an end: {error}"))
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::runtime::Id;

    use super::*;

    /// Where it runs.
    fn runtime() -> impl Future<Output = Id> + Send {
        std::future::poll_fn(|_| Poll::Ready(Handle::current().id()))
    }

    #[tokio::test]
    async fn work_that_comes_alone_has_one_thread() {
        let runtimes = Runtimes::start().unwrap();
        let threads = &runtimes.threads;
        for _ in 0..3 {
            assert_eq!(threads.spawn(runtime()).await.unwrap(), threads.one.id());
        }
        drop_elsewhere(runtimes);
    }

    #[tokio::test]
    async fn what_comes_meanwhile_has_the_others() {
        let runtimes = Runtimes::start().unwrap();
        let threads = &runtimes.threads;
        let first = threads.spawn(pending::<()>());
        assert_eq!(threads.spawn(runtime()).await.unwrap(), threads.several.id());
        assert_eq!(threads.spawn(runtime()).await.unwrap(), threads.several.id());
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        assert_eq!(
            threads.spawn(runtime()).await.unwrap(),
            threads.one.id(),
            "nothing is under way any more"
        );
        drop_elsewhere(runtimes);
    }

    #[tokio::test]
    async fn work_that_panics_is_not_under_way_any_more() {
        let runtimes = Runtimes::start().unwrap();
        let threads = &runtimes.threads;
        let failed: Result<(), StoreError> = threads.carry_out(async { panic!("for the test") }).await;
        assert_eq!(failed.unwrap_err().kind(), StoreErrorKind::Unavailable);
        assert_eq!(threads.spawn(runtime()).await.unwrap(), threads.one.id());
        drop_elsewhere(runtimes);
    }

    /// A runtime must not end on a thread that runs another.
    fn drop_elsewhere(runtimes: Runtimes) {
        std::thread::spawn(move || drop(runtimes)).join().unwrap();
    }
}

//! The blocking face of every future of this crate.

use std::future::IntoFuture;

/// Waits for a future on the calling thread.
///
/// On the embedded stores all futures of this crate are ready when first polled, so this neither needs a
/// runtime nor parks the thread, but for the time that [`Acquire::wait_at_most`](crate::Acquire::wait_at_most)
/// sleeps. Do not call it from inside an async task on a store behind a network: it blocks that task's thread.
pub trait Block: IntoFuture + Sized {
    /// The future's output.
    fn wait(self) -> Self::Output {
        pollster::block_on(self.into_future())
    }
}

impl<F: IntoFuture> Block for F {}

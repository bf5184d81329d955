//! The blocking face of every future of this crate.

use std::future::{Future, IntoFuture};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

/// Waits for a future on the calling thread.
///
/// On the embedded stores all futures of this crate are ready when first polled, so this neither needs a
/// runtime nor parks the thread, but for the time that [`Acquire::wait_at_most`](crate::Acquire::wait_at_most)
/// sleeps. Do not call it from inside an async task on a store behind a network: it blocks that task's thread.
pub trait Block: IntoFuture + Sized {
    /// The future's output.
    #[inline(always)]
    fn wait(self) -> Self::Output {
        let mut future = pin!(self.into_future());
        // What is ready at once needs nobody to be woken.
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => park(future),
        }
    }
}

/// Apart, so that the common case stays small enough to be inlined.
#[cold]
fn park<F: Future>(future: Pin<&mut F>) -> F::Output {
    pollster::block_on(future)
}

impl<F: IntoFuture> Block for F {}

//! A lease that is being settled.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::Error;

/// What is left to do.
type Settlement = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// The future of [`Lease::commit`](crate::Lease::commit): most often it has nothing left to do.
#[must_use = "a commit does nothing until it is awaited or waited for"]
pub struct Settling(Option<Settlement>);

impl Settling {
    #[inline(always)]
    pub(crate) const fn done() -> Self {
        Self(None)
    }

    #[cold]
    pub(crate) fn pending(settlement: impl Future<Output = Result<(), Error>> + Send + 'static) -> Self {
        Self(Some(Box::pin(settlement)))
    }
}

impl Future for Settling {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            None => Poll::Ready(Ok(())),
            Some(settlement) => settlement.as_mut().poll(cx),
        }
    }
}

impl fmt::Debug for Settling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_none() { "Settling::done" } else { "Settling::pending" })
    }
}

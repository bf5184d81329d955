//! What a store answers with: a value that is there already, or one still on its way.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The future that every store method returns.
///
/// An embedded store has its answer when the call returns and says [`Answer::ready`]; a store behind a
/// network says [`Answer::pending`]. Code above a store is written once, as `async fn`, and still runs
/// without a runtime and without an allocation where all answers are ready.
#[must_use = "a store's answer does nothing until it is awaited"]
pub struct Answer<'a, T>(State<'a, T>);

enum State<'a, T> {
    Ready(T),
    Taken,
    Pending(Pin<Box<dyn Future<Output = T> + Send + 'a>>),
}

impl<'a, T> Answer<'a, T> {
    /// An answer that is there already.
    #[inline]
    pub fn ready(value: T) -> Self {
        Self(State::Ready(value))
    }

    /// An answer that has to be waited for.
    pub fn pending(future: impl Future<Output = T> + Send + 'a) -> Self {
        Self(State::Pending(Box::pin(future)))
    }

    /// The value if it is there already.
    #[inline]
    pub const fn as_ready(&self) -> Option<&T> {
        match &self.0 {
            State::Ready(value) => Some(value),
            State::Taken | State::Pending(_) => None,
        }
    }

    /// The value if it is there already; otherwise the answer, which has not been polled.
    #[inline]
    pub fn into_ready(self) -> Result<T, Self> {
        match self.0 {
            State::Ready(value) => Ok(value),
            state => Err(Self(state)),
        }
    }
}

// The value is never pinned in place: it is moved out once, as a whole.
impl<T> Unpin for Answer<'_, T> {}

impl<T> Future for Answer<'_, T> {
    type Output = T;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if let State::Pending(future) = &mut self.0 {
            return future.as_mut().poll(cx);
        }
        match std::mem::replace(&mut self.0, State::Taken) {
            State::Ready(value) => Poll::Ready(value),
            State::Taken | State::Pending(_) => Poll::Pending,
        }
    }
}

impl<T> fmt::Debug for Answer<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Ready(_) | State::Taken => "Answer::ready",
            State::Pending(_) => "Answer::pending",
        })
    }
}

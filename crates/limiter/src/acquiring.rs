//! An acquire under way.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use zae_limiter_core::{Decision, EntityId, Level, Resource};

use crate::resolve::{Ask, Known};
use crate::spare;
use crate::take::{Buckets, Options, Take, degraded, take_until_deadline};
use crate::{Acquire, AcquireError, Block, BucketHandle, Lease, Limiter, Limits, RateLimitExceeded};

type Outcome = Result<Lease, AcquireError>;

/// The future of an acquire. It takes nothing until it is first polled; dropped before its end, it returns what it took.
///
/// On a store that answers at once it is ready when first polled, without a task and without an allocation.
#[must_use = "an acquire takes nothing until it is awaited or waited for"]
pub struct Acquiring<'a>(Stage<'a>);

enum Stage<'a> {
    Call(Acquire<'a>),
    Handle(&'a BucketHandle, &'a [(&'a str, u64)]),
    Pending(Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>),
}

impl<'a> Acquiring<'a> {
    #[inline]
    pub(crate) const fn call(call: Acquire<'a>) -> Self {
        Self(Stage::Call(call))
    }

    #[inline]
    pub(crate) const fn handle(handle: &'a BucketHandle, consume: &'a [(&'a str, u64)]) -> Self {
        Self(Stage::Handle(handle, consume))
    }

    /// Does what can be done at once, and the rest as `rest` says. Not to be called again.
    fn start(&mut self, rest: Rest) -> Outcome {
        let mut take = spare::place();
        match &mut self.0 {
            Stage::Call(call) => {
                let (limiter, cascade) = (call.limiter, call.cascade);
                let (entity_id, resource) = (EntityId::new(call.entity_id)?, Resource::new(call.resource)?);
                let limits = std::mem::replace(&mut call.limits, Limits::Stored);
                match limits.without_look_up(cascade) {
                    Ok(limits) => {
                        let level = Level { entity_id, resource, limits };
                        take.buckets = Some(Buckets::One(limiter.clone(), level));
                    }
                    Err(limits) => match limiter.known(Ask { entity_id, resource, limits, cascade }) {
                        Known::Plan(plan) => take.buckets = Some(Buckets::Planned(limiter.clone(), plan)),
                        Known::NoLimits(error) => return Err(error.into()),
                        Known::Unknown(ask) => {
                            let (consume, options) = (std::mem::take(&mut call.consume), call.options);
                            return self.go_on(rest, async move {
                                look_up_and_take(limiter, ask, &consume, options).await
                            });
                        }
                    },
                }
                take.failure_mode = call.options.failure_mode;
                take.ask_for(&call.consume)?;
            }
            Stage::Handle(handle, consume) => {
                take.buckets = Some(Buckets::Prepared(Arc::clone(&handle.0)));
                take.ask_for(consume)?;
            }
            Stage::Pending(_) => return Ok(Lease::of_nothing()),
        }
        self.ask_store(take, rest)
    }

    fn options(&self) -> Options {
        match &self.0 {
            Stage::Call(call) => call.options,
            Stage::Handle(handle, _) => handle.0.options,
            Stage::Pending(_) => Options::default(),
        }
    }

    fn ask_store(&mut self, mut take: Box<Take>, rest: Rest) -> Outcome {
        let with_statuses = self.options().with_statuses;
        let answer = take.store().take(take.change(1));
        // A look at the answer is cheaper than to have it.
        if matches!(answer.as_ready(), Some(Ok(Decision::Admitted(_)))) && !with_statuses {
            drop(answer);
            return Ok(Lease::of(take));
        }
        let answer = answer.into_ready().ok();
        match answer {
            Some(Ok(Decision::Admitted(reading))) => {
                take.reading = Some(reading);
                Ok(Lease::of(take))
            }
            Some(Ok(Decision::Denied(reading))) if self.options().wait_at_most.is_zero() => {
                take.reading = Some(reading);
                Err(RateLimitExceeded::of(take).into())
            }
            Some(Err(error)) => degraded(take.failure_mode(), error.into()),
            // Nothing was taken, or nothing was asked yet: an answer that is pending has not been polled.
            Some(Ok(Decision::Denied(_))) | None => {
                let options = self.options();
                self.go_on(rest, take_until_deadline(take, options))
            }
        }
    }

    #[cold]
    fn go_on(&mut self, rest: Rest, future: impl Future<Output = Outcome> + Send + 'a) -> Outcome {
        match rest {
            Rest::Now => future.wait(),
            Rest::Later => {
                self.0 = Stage::Pending(Box::pin(future));
                Ok(Lease::of_nothing())
            }
        }
    }

    /// What [`Block::wait`] does, without the detour over a poll.
    #[inline]
    pub fn wait(mut self) -> Result<Lease, AcquireError> {
        self.start(Rest::Now)
    }
}

/// When to do what cannot be done at once.
#[derive(Clone, Copy)]
enum Rest {
    /// Straight away, blocking the thread.
    Now,
    /// When polled: `self` is pending then, and the outcome a lease of nothing.
    Later,
}

async fn look_up_and_take(limiter: &Limiter, ask: Ask, consume: &[(&str, u64)], options: Options) -> Outcome {
    let plan = match limiter.look_up(ask).await {
        Ok(plan) => plan,
        Err(error) => return degraded(limiter.mode_of(options), error),
    };
    let mut take = spare::place();
    take.buckets = Some(Buckets::Planned(limiter.clone(), plan));
    take.failure_mode = options.failure_mode;
    take.ask_for(consume)?;
    take_until_deadline(take, options).await
}

impl Future for Acquiring<'_> {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let this = self.get_mut();
        if let Stage::Pending(rest) = &mut this.0 {
            return rest.as_mut().poll(cx);
        }
        let outcome = this.start(Rest::Later);
        match &mut this.0 {
            Stage::Pending(rest) => rest.as_mut().poll(cx),
            Stage::Call(_) | Stage::Handle(..) => Poll::Ready(outcome),
        }
    }
}

impl fmt::Debug for Acquiring<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acquiring")
    }
}

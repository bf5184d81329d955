//! An acquire under way.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use zae_limiter_core::store::StoreAnswer;
use zae_limiter_core::{Amounts, Change, Decision, EntityId, Level, Levels, Resource, StoreError};

use crate::amounts::lay_out;

use crate::resolve::Ask;
use crate::take::{Buckets, Options, Take, degraded, take_until_deadline};
use crate::{Acquire, AcquireError, BucketHandle, Lease, Limits, RateLimitExceeded};

type Outcome = Result<Lease, AcquireError>;

type AtOnce = Option<Result<Decision, StoreError>>;

/// The future of an acquire. It takes nothing until it is first polled; dropped, it returns what it took.
///
/// On a store that answers at once it is ready when first polled, and has cost neither a task nor an allocation: the
/// lease is made where the caller wants it.
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

    /// Goes on with what the store did not admit at once.
    #[inline(never)]
    fn not_admitted(&mut self, take: Take, answer: AtOnce, options: Options, cx: &mut Context<'_>) -> Poll<Outcome> {
        match answer {
            Some(Ok(Decision::Denied(reading))) if options.wait_at_most.is_zero() => {
                Poll::Ready(Err(RateLimitExceeded::new(take, reading).into()))
            }
            Some(Ok(Decision::Admitted(reading))) => Poll::Ready(Ok(Lease::active(take, Some(reading)))),
            Some(Err(error)) => Poll::Ready(degraded(take.buckets.limiter(), error.into(), options)),
            // Nothing was taken, or nothing was asked yet: an answer that is pending has not been polled.
            Some(Ok(Decision::Denied(_))) | None => self.go_on(take_until_deadline(take, options), cx),
        }
    }

    /// Goes on with `rest`, which is not ready at once.
    #[cold]
    fn go_on(&mut self, rest: impl Future<Output = Outcome> + Send + 'a, cx: &mut Context<'_>) -> Poll<Outcome> {
        let mut rest = Box::pin(rest);
        let outcome = rest.as_mut().poll(cx);
        self.0 = Stage::Pending(rest);
        outcome
    }
}

impl Future for Acquiring<'_> {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let this = self.get_mut();
        let mut amounts = Amounts::new();
        match &mut this.0 {
            Stage::Call(call) => {
                let (limiter, options) = (call.limiter, call.options);
                let entity_id = EntityId::new(call.entity_id)?;
                let resource = Resource::new(call.resource)?;
                let limits = match std::mem::replace(&mut call.limits, Limits::Stored) {
                    Limits::Given(limits) if !call.cascade => limits,
                    _ => todo!(),
                };
                let levels = Levels::one(Level { entity_id, resource, limits });
                lay_out(&levels, &call.consume, &mut amounts)?;
                let change = Change { levels: &levels, amounts: &amounts, acquires: 1 };
                let answer = limiter.0.store.take(change);
                // The common case is decided by a look at the answer, which is larger than a lease.
                if is_admitted(&answer) && !options.with_statuses {
                    drop(answer);
                    let buckets = Buckets::Call(limiter.clone(), levels);
                    return Poll::Ready(Ok(Lease::active(Take { buckets, amounts }, None)));
                }
                let answer = answer.into_ready().ok();
                let buckets = Buckets::Call(limiter.clone(), levels);
                this.not_admitted(Take { buckets, amounts }, answer, options, cx)
            }
            Stage::Handle(handle, consume) => {
                let (limiter, options) = (&handle.buckets.limiter, handle.options);
                let levels = &handle.buckets.levels;
                lay_out(levels, consume, &mut amounts)?;
                let change = Change { levels, amounts: &amounts, acquires: 1 };
                let answer = limiter.0.store.take(change);
                // The common case is decided by a look at the answer, which is larger than a lease.
                if is_admitted(&answer) && !options.with_statuses {
                    drop(answer);
                    let buckets = Buckets::Prepared(Arc::clone(&handle.buckets));
                    return Poll::Ready(Ok(Lease::active(Take { buckets, amounts }, None)));
                }
                let answer = answer.into_ready().ok();
                let buckets = Buckets::Prepared(Arc::clone(&handle.buckets));
                this.not_admitted(Take { buckets, amounts }, answer, options, cx)
            }
            Stage::Pending(rest) => rest.as_mut().poll(cx),
        }
    }
}

#[inline]
fn is_admitted(answer: &StoreAnswer<'_, Decision>) -> bool {
    matches!(answer.as_ready(), Some(Ok(Decision::Admitted(_))))
}

impl fmt::Debug for Acquiring<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acquiring")
    }
}

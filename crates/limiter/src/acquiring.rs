//! An acquire under way.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use zae_limiter_core::{Amounts, Decision, EntityId, Level, Levels, Resource, StoreError};

use crate::amounts::lay_out;
use crate::lease::Active;
use crate::resolve::{Ask, Known};
use crate::take::{Buckets, Options, Take, degraded, take_until_deadline};
use crate::{Acquire, AcquireError, BucketHandle, Lease, Limiter, Limits, RateLimitExceeded};

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

    /// Goes on with what the store did not simply admit.
    #[inline(never)]
    fn not_simply_admitted(
        &mut self,
        take: Take,
        answer: AtOnce,
        options: Options,
        cx: &mut Context<'_>,
    ) -> Poll<Outcome> {
        match answer {
            Some(Ok(Decision::Denied(reading))) if options.wait_at_most.is_zero() => {
                Poll::Ready(Err(RateLimitExceeded::new(take, reading).into()))
            }
            Some(Ok(Decision::Admitted(reading))) => Poll::Ready(Ok(options.lease(take, reading))),
            Some(Err(error)) => Poll::Ready(degraded(options.mode_for(&take.buckets), error.into())),
            // Nothing was taken, or nothing was asked yet: an answer that is pending has not been polled.
            Some(Ok(Decision::Denied(_))) | None => self.go_on(take_until_deadline(take, options), cx),
        }
    }

    /// Goes on with `rest`, which is not ready at once.
    #[cold]
    fn go_on(
        &mut self,
        rest: impl Future<Output = Outcome> + Send + 'a,
        cx: &mut Context<'_>,
    ) -> Poll<Outcome> {
        let mut rest = Box::pin(rest);
        let outcome = rest.as_mut().poll(cx);
        self.0 = Stage::Pending(rest);
        outcome
    }
}

/// What a store answered at once, if it did.
type AtOnce = Option<Result<Decision, StoreError>>;

/// Asks the store, and says so if it answered at once that all was taken and nobody wants to know more.
#[inline(always)]
fn ask_store(take: &Take, options: &Options) -> Result<(), AtOnce> {
    let answer = take.buckets.limiter().0.store.take(take.change(1));
    // A look at the answer, which is larger than a lease, is cheaper than to have it.
    if matches!(answer.as_ready(), Some(Ok(Decision::Admitted(_)))) && options.are_plain() {
        return Ok(());
    }
    Err(answer.into_ready().ok())
}

async fn look_up_and_take(limiter: &Limiter, ask: Ask, consume: &[(&str, u64)], options: Options) -> Outcome {
    let levels = match limiter.look_up(ask).await {
        Ok(levels) => levels,
        Err(error) => return degraded(limiter.mode_of(options), error),
    };
    let mut amounts = Amounts::new();
    lay_out(&levels, consume, &mut amounts)?;
    take_until_deadline(Take { buckets: Buckets::Call(limiter.clone(), levels), amounts }, options).await
}

impl Future for Acquiring<'_> {
    type Output = Outcome;

    // What becomes part of the lease is made once and moved late: a warm acquire consists of little more than such moves.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let this = self.get_mut();
        match &mut this.0 {
            Stage::Call(call) => {
                let (limiter, cascade) = (call.limiter, call.cascade);
                let (entity_id, resource) = (EntityId::new(call.entity_id)?, Resource::new(call.resource)?);
                let limits = std::mem::replace(&mut call.limits, Limits::Stored);
                let levels = match limits.without_look_up(cascade) {
                    Ok(limits) => Levels::one(Level { entity_id, resource, limits }),
                    Err(limits) => match limiter.known(Ask { entity_id, resource, limits, cascade }) {
                        Known::Levels(levels) => levels,
                        Known::NoLimits(error) => return Poll::Ready(Err(error.into())),
                        Known::Unknown(ask) => {
                            let (consume, options) = (std::mem::take(&mut call.consume), call.options);
                            return this.go_on(
                                async move { look_up_and_take(limiter, ask, &consume, options).await },
                                cx,
                            );
                        }
                    },
                };
                let mut lease = Active::of(Buckets::Call(limiter.clone(), levels));
                lay_out(lease.taken.buckets.levels(), &call.consume, &mut lease.taken.amounts)?;
                match ask_store(&lease.taken, &call.options) {
                    Ok(()) => Poll::Ready(Ok(Lease::active(lease))),
                    Err(answer) => {
                        let options = call.options;
                        this.not_simply_admitted(lease.taken, answer, options, cx)
                    }
                }
            }
            Stage::Handle(handle, consume) => {
                let prepared = &handle.0;
                // What a handle chose for while the store is unavailable is known to its leases.
                let options = Options { failure_mode: None, ..prepared.options };
                let mut lease = Active::of(Buckets::Prepared(Arc::clone(prepared)));
                lay_out(&prepared.levels, consume, &mut lease.taken.amounts)?;
                match ask_store(&lease.taken, &options) {
                    Ok(()) => Poll::Ready(Ok(Lease::active(lease))),
                    Err(answer) => this.not_simply_admitted(lease.taken, answer, options, cx),
                }
            }
            Stage::Pending(rest) => rest.as_mut().poll(cx),
        }
    }
}

impl fmt::Debug for Acquiring<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acquiring")
    }
}

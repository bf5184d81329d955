//! One request on its way: acquire, call, settle.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;
use zae_limiter_core::{LimitStatus, Millitokens};

use super::fields::{self, Telling};
use super::handle::Held;
use super::settlement::Classify;
use super::{LeaseHandle, RateLimitLayer, Settlement, Target, reply};
use crate::{AcquireError, Error, Lease};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pin_project! {
    /// The answer to a request, of the service inside or of the layer. Dropping it returns what was taken.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B, R>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        stage: Stage<S, S::Future, Request<B>, Response<R>>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<S, F, Q, A> {
        Unlimited { #[pin] call: F },
        Acquiring { acquire: Boxed<Result<Lease, AcquireError>>, waiting: Option<(S, Q)>, terms: Option<Terms> },
        Calling { #[pin] call: F, held: Held, terms: Terms, statuses: Vec<LimitStatus> },
        Settling { settlement: Boxed<Result<(), Error>>, answer: Option<A> },
    }
}

/// What a request has to keep of the layer and of its target.
struct Terms {
    classify: Classify,
    unavailable_retry_after: Duration,
    partition_key: Option<Vec<u8>>,
}

impl<S, B, R> ResponseFuture<S, B, R>
where
    S: Service<Request<B>>,
{
    pub(super) fn unlimited(call: S::Future) -> Self {
        Self { stage: Stage::Unlimited { call } }
    }

    pub(super) fn limited<K>(
        layer: &RateLimitLayer<K>,
        mut target: Target,
        ready: S,
        request: Request<B>,
    ) -> Self {
        let terms = Terms {
            classify: layer.classify.clone(),
            unavailable_retry_after: layer.unavailable_retry_after,
            partition_key: target.take_partition_key(),
        };
        let acquire = Box::pin(target.acquire(layer.limiter.clone()));
        Self { stage: Stage::Acquiring { acquire, waiting: Some((ready, request)), terms: Some(terms) } }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<String>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut stage = self.project().stage;
        loop {
            let next = match stage.as_mut().project() {
                StageProjection::Unlimited { call } => return call.poll(cx),
                StageProjection::Acquiring { acquire, waiting, terms } => {
                    let acquired = ready!(acquire.as_mut().poll(cx));
                    // Both are there until this stage is left, just below.
                    let (Some((mut service, mut request)), Some(terms)) = (waiting.take(), terms.take())
                    else {
                        return Poll::Pending;
                    };
                    match acquired {
                        Ok(lease) => {
                            let statuses = lease.statuses();
                            let handle = LeaseHandle::new(lease);
                            let held = Held::new(handle.clone());
                            request.extensions_mut().insert(handle);
                            Stage::Calling { call: service.call(request), held, terms, statuses }
                        }
                        Err(error) => return Poll::Ready(Ok(terms.refuse(error))),
                    }
                }
                StageProjection::Calling { call, held, terms, statuses } => {
                    // An error leaves `held` to roll back when this future is dropped, which its caller may put off.
                    let answer = match ready!(call.poll(cx)) {
                        Ok(answer) => answer,
                        Err(error) => {
                            drop(held.take());
                            return Poll::Ready(Err(error));
                        }
                    };
                    let (answer, settlement) = terms.settle(answer, held.take(), statuses);
                    Stage::Settling { settlement, answer: Some(answer) }
                }
                StageProjection::Settling { settlement, answer } => {
                    // The work is done: what the store makes of the settlement does not change the answer.
                    let _ = ready!(settlement.as_mut().poll(cx));
                    return answer.take().map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer)));
                }
            };
            stage.set(next);
        }
    }
}

impl Terms {
    fn telling(&self) -> Telling<'_> {
        Telling { partition_key: self.partition_key.as_deref(), retry_after: None }
    }

    fn refuse<R: From<String>>(&self, error: AcquireError) -> Response<R> {
        reply::refuse(error, self.partition_key.as_deref(), self.unavailable_retry_after)
    }

    /// Decides what becomes of the lease, unless the handler took it over, and says so in the answer.
    fn settle<R>(
        &self,
        answer: Response<R>,
        lease: Option<Lease>,
        statuses: &[LimitStatus],
    ) -> (Response<R>, Boxed<Result<(), Error>>) {
        let (mut head, body) = answer.into_parts();
        let outcome = lease.map(|lease| ((self.classify)(&head), lease));
        let change = |i: usize| match &outcome {
            Some((Settlement::Commit, lease)) => -lease.adjustment(i),
            Some((Settlement::Rollback, _)) => statuses[i].requested,
            None => Millitokens::ZERO,
        };
        fields::append(&mut head.headers, statuses, self.telling(), change);
        let settlement: Boxed<Result<(), Error>> = match outcome {
            Some((Settlement::Commit, lease)) => Box::pin(lease.commit()),
            Some((Settlement::Rollback, lease)) => Box::pin(lease.rollback()),
            None => Box::pin(std::future::ready(Ok(()))),
        };
        (Response::from_parts(head, body), settlement)
    }
}

impl<S, B, R> fmt::Debug for ResponseFuture<S, B, R>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.stage {
            Stage::Unlimited { .. } => "ResponseFuture::unlimited",
            Stage::Acquiring { .. } => "ResponseFuture::acquiring",
            Stage::Calling { .. } => "ResponseFuture::calling",
            Stage::Settling { .. } => "ResponseFuture::settling",
        })
    }
}

//! The service that stands in front of another.

use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::{RateLimitLayer, ResponseFuture, Target};

/// Takes before it calls the service inside: see the [module](super).
#[derive(Clone, Debug)]
pub struct RateLimit<S, K> {
    inner: S,
    layer: RateLimitLayer<K>,
}

impl<S, K> RateLimit<S, K> {
    pub(super) const fn new(inner: S, layer: RateLimitLayer<K>) -> Self {
        Self { inner, layer }
    }

    /// The service inside.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside, without the limits.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, K, B, R> Service<Request<B>> for RateLimit<S, K>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    K: Fn(&Request<B>) -> Option<Target>,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that `poll_ready` found ready is the one to call, once the take is through; its clone takes
        // its place here.
        let clone = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, clone);
        match (self.layer.key)(&request) {
            Some(target) => ResponseFuture::limited(&self.layer, target, ready, request),
            None => ResponseFuture::unlimited(ready.call(request)),
        }
    }
}

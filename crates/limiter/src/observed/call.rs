//! One call of a store, from the question to the answer.

use std::time::{Duration, Instant};

use zae_limiter_core::store::StoreAnswer;
use zae_limiter_core::{Answer, Decision, EntityId, Level, LimitScope, Resource, StoreError, StoreErrorKind};

#[cfg(feature = "tracing")]
use super::events;
#[cfg(feature = "metrics")]
use super::meters;

/// What is asked, and about whom and what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    /// The method of the store.
    pub(super) name: &'static str,
    /// The entity that asks, not its ancestors.
    #[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "too many to count by"))]
    pub(super) entity: Option<&'a EntityId>,
    pub(super) resource: Option<&'a Resource>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome<'e> {
    Done,
    Admitted,
    Denied,
    Failed(&'e StoreError),
    /// The answer was dropped while it was being waited for.
    Cancelled,
}

impl Outcome<'_> {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Done => "ok",
            Self::Admitted => "admitted",
            Self::Denied => "denied",
            Self::Cancelled => "cancelled",
            Self::Failed(error) => match error.kind() {
                StoreErrorKind::Unavailable => "unavailable",
                StoreErrorKind::Invalid => "invalid",
                StoreErrorKind::AlreadyExists => "already_exists",
                StoreErrorKind::Missing => "missing",
                StoreErrorKind::PermissionDenied => "permission_denied",
                StoreErrorKind::Incompatible => "incompatible",
                StoreErrorKind::Corrupt => "corrupt",
                _ => "other",
            },
        }
    }
}

impl<'a> Call<'a> {
    pub(super) const fn on(
        name: &'static str,
        entity: Option<&'a EntityId>,
        resource: Option<&'a Resource>,
    ) -> Self {
        Self { name, entity, resource }
    }

    /// A call on buckets, the first of which is that of the entity itself.
    pub(super) fn on_levels(name: &'static str, levels: &'a [Level]) -> Self {
        let own = levels.first();
        Self::on(name, own.map(|level| &level.entity_id), own.map(|level| &level.resource))
    }

    pub(super) const fn on_scope(name: &'static str, scope: &'a LimitScope) -> Self {
        match scope {
            LimitScope::EntityResource(entity, resource) => Self::on(name, Some(entity), Some(resource)),
            LimitScope::Entity(entity) => Self::on(name, Some(entity), None),
            LimitScope::Resource(resource) => Self::on(name, None, Some(resource)),
            LimitScope::System => Self::on(name, None, None),
        }
    }

    /// Has `ask` answered, and reports it.
    pub(super) fn observe<T: Send + 'a>(
        self,
        ask: impl FnOnce() -> StoreAnswer<'a, T>,
    ) -> StoreAnswer<'a, T> {
        self.observe_as(ask, |_| Outcome::Done)
    }

    /// Has `ask` decide, and reports it.
    pub(super) fn observe_take(
        self,
        ask: impl FnOnce() -> StoreAnswer<'a, Decision>,
    ) -> StoreAnswer<'a, Decision> {
        self.observe_as(ask, |decision| match decision {
            Decision::Admitted(_) => Outcome::Admitted,
            Decision::Denied(_) => Outcome::Denied,
        })
    }

    fn observe_as<T: Send + 'a>(
        self,
        ask: impl FnOnce() -> StoreAnswer<'a, T>,
        done: fn(&T) -> Outcome<'static>,
    ) -> StoreAnswer<'a, T> {
        let start = Instant::now();
        match ask().into_ready() {
            Ok(answer) => {
                self.report(outcome(&answer, done), start.elapsed());
                Answer::ready(answer)
            }
            // The call begins when this is first polled, and not at all if it never is.
            Err(pending) => Answer::pending(async move {
                let mut running = Running::new(self);
                #[cfg(feature = "tracing")]
                let pending = tracing::Instrument::instrument(pending, running.span.clone());
                let answer = pending.await;
                running.end(outcome(&answer, done));
                answer
            }),
        }
    }

    fn report(self, outcome: Outcome<'_>, took: Duration) {
        #[cfg(feature = "tracing")]
        events::report(self, outcome, took);
        #[cfg(feature = "metrics")]
        meters::report(self, outcome, took);
    }
}

fn outcome<T>(answer: &Result<T, StoreError>, done: fn(&T) -> Outcome<'static>) -> Outcome<'_> {
    match answer {
        Ok(value) => done(value),
        Err(error) => Outcome::Failed(error),
    }
}

/// A call that is being waited for. Dropped before its end, it reports that it was cancelled.
struct Running<'a> {
    call: Call<'a>,
    start: Instant,
    ended: bool,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl<'a> Running<'a> {
    fn new(call: Call<'a>) -> Self {
        Self {
            call,
            start: Instant::now(),
            ended: false,
            #[cfg(feature = "tracing")]
            span: events::span(call),
        }
    }

    fn end(&mut self, outcome: Outcome<'_>) {
        self.ended = true;
        #[cfg(feature = "tracing")]
        let _entered = self.span.enter();
        self.call.report(outcome, self.start.elapsed());
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Outcome::Cancelled);
        }
    }
}

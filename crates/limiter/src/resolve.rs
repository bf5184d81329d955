//! Which buckets a call is about, and which limits each of them is held to.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smallvec::{SmallVec, smallvec};
use zae_limiter_core::entity::MAX_ANCESTORS;
use zae_limiter_core::name::is_same;
use zae_limiter_core::{
    Clock, EntityError, EntityId, Level, LimitScope, LimitSet, Resource, Store, Timestamp,
};

use crate::plans::Plans;
use crate::{Error, RequestError};

/// Where the limits of a call come from. A [`LimitSet`] converts into [`Limits::Given`].
///
/// ```
/// use zae_limiter::{Block, LimitScope, LimitSet, Limiter, Limits};
/// # let limiter = Limiter::open("memory:").wait().unwrap();
/// limiter.set_limits(&LimitScope::System, &"rpm=60/min".parse().unwrap()).wait().unwrap();
/// let limits: LimitSet = "rpm=10/min".parse().unwrap();
/// let left = |limits: Limits| limiter.available("key-1", "gpt-4", limits).wait().unwrap()["rpm"];
/// assert_eq!(left(Limits::from(&limits)), 10);
/// assert_eq!(left(Limits::StoredElse(limits)), 60);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limits {
    /// These, for the entity. An ancestor uses limits stored for itself, else these.
    Given(LimitSet),
    /// The most specific that are stored: for entity and resource, for the entity, for the resource, for the
    /// system.
    Stored,
    /// The most specific that are stored, else these.
    StoredElse(LimitSet),
}

impl Limits {
    /// These limits, if neither stored limits nor ancestors matter.
    #[inline]
    pub(crate) fn without_look_up(self, cascade: bool) -> Result<LimitSet, Self> {
        match self {
            Self::Given(limits) if !cascade => Ok(limits),
            other => Err(other),
        }
    }

    const fn given(&self) -> Option<&LimitSet> {
        match self {
            Self::Given(limits) | Self::StoredElse(limits) => Some(limits),
            Self::Stored => None,
        }
    }
}

impl From<LimitSet> for Limits {
    fn from(limits: LimitSet) -> Self {
        Self::Given(limits)
    }
}

impl From<&LimitSet> for Limits {
    fn from(limits: &LimitSet) -> Self {
        Self::Given(limits.clone())
    }
}

/// What has to be resolved.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) entity_id: EntityId,
    pub(crate) resource: Resource,
    pub(crate) limits: Limits,
    pub(crate) cascade: bool,
}

/// Resolves calls to levels, and remembers the result for a while.
#[derive(Debug)]
pub(crate) struct Resolver {
    ttl: Duration,
    plans: Plans,
    /// How often something was forgotten. Held while plans come in or go, so that none comes in that was read before
    /// a write and would outlive it.
    generation: Mutex<u64>,
}

/// What a call resolved to, and until when that may be believed. All in one place, as most plans are not in the processor's
/// cache when they are wanted.
#[derive(Debug)]
pub(crate) struct Plan {
    cascade: bool,
    limits: Limits,
    found: Found,
    /// Ancestors that have no level because nothing limits them.
    passed_over: Vec<EntityId>,
    expires: Timestamp,
}

#[derive(Debug)]
enum Found {
    /// The entity's own level, then those of its ancestors.
    Levels(SmallVec<[Level; 2]>),
    /// Nothing limits the entity.
    Nothing(EntityId, Resource),
}

impl Plan {
    /// The entity's own level, then those of its ancestors; empty if nothing limits the entity.
    #[inline]
    pub(crate) fn levels(&self) -> &[Level] {
        match &self.found {
            Found::Levels(levels) => levels,
            Found::Nothing(..) => &[],
        }
    }

    #[cfg(test)]
    pub(crate) const fn of_nothing(
        entity_id: EntityId,
        resource: Resource,
        limits: Limits,
        cascade: bool,
        expires: Timestamp,
    ) -> Self {
        Self { cascade, limits, found: Found::Nothing(entity_id, resource), passed_over: Vec::new(), expires }
    }

    /// The entity and the resource that this is about.
    pub(crate) fn subject(&self) -> (&EntityId, &Resource) {
        match &self.found {
            Found::Levels(levels) => (&levels[0].entity_id, &levels[0].resource),
            Found::Nothing(entity_id, resource) => (entity_id, resource),
        }
    }

    pub(crate) const fn cascade(&self) -> bool {
        self.cascade
    }

    pub(crate) const fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Whether this is for the entity and the resource of `ask`.
    pub(crate) fn is_about(&self, ask: &Ask) -> bool {
        let (entity_id, resource) = self.subject();
        is_same(ask.entity_id.as_str().as_bytes(), entity_id.as_str().as_bytes())
            && is_same(ask.resource.as_str().as_bytes(), resource.as_str().as_bytes())
            && ask.cascade == self.cascade
    }

    fn involves(&self, entity: &EntityId) -> bool {
        match &self.found {
            Found::Levels(levels) => {
                levels.iter().any(|level| level.entity_id == *entity) || self.passed_over.contains(entity)
            }
            Found::Nothing(entity_id, _) => entity_id == entity,
        }
    }

    /// This plan, or the error that nothing limits the entity.
    fn into_result(self: Arc<Self>) -> Result<Arc<Self>, RequestError> {
        match &self.found {
            Found::Levels(_) => Ok(self),
            Found::Nothing(entity_id, resource) => {
                let (entity_id, resource) = (entity_id.clone(), resource.clone());
                Err(RequestError::NoLimits { entity_id, resource })
            }
        }
    }
}

/// What is known of a call without asking the store.
#[derive(Debug)]
pub(crate) enum Known {
    /// This, with at least one level.
    Plan(Arc<Plan>),
    NoLimits(RequestError),
    Unknown(Ask),
}

impl Resolver {
    /// A resolver that believes what it read for `ttl`; zero reads anew each time.
    pub(crate) fn new(ttl: Duration, most: usize) -> Self {
        Self { ttl, plans: Plans::new(most), generation: Mutex::default() }
    }

    /// The levels of a call, if they were read not long ago.
    pub(crate) fn known(&self, ask: Ask, clock: &dyn Clock) -> Known {
        match self.plans.get(&ask) {
            Some(plan) if plan.limits == ask.limits && clock.now_roughly() < plan.expires => {
                plan.into_result().map_or_else(Known::NoLimits, Known::Plan)
            }
            _ => Known::Unknown(ask),
        }
    }

    /// The levels of a call, read from the store and remembered.
    pub(crate) async fn look_up(
        &self,
        ask: Ask,
        store: &dyn Store,
        now: Timestamp,
    ) -> Result<Arc<Plan>, Error> {
        let generation = *self.generation();
        let (levels, passed_over) = look_up(&ask, store).await?;
        let Ask { entity_id, resource, limits, cascade } = ask;
        let found =
            if levels.is_empty() { Found::Nothing(entity_id, resource) } else { Found::Levels(levels) };
        let plan = Arc::new(Plan { cascade, limits, found, passed_over, expires: now.after(self.ttl) });
        if !self.ttl.is_zero() {
            let current = self.generation();
            if *current == generation {
                self.plans.insert(Arc::clone(&plan), now);
            }
        }
        Ok(plan.into_result()?)
    }

    fn generation(&self) -> MutexGuard<'_, u64> {
        self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has the resolver forget, when dropped, what a write may have made untrue: also if the write fails or is cancelled,
/// as it may have been carried out all the same.
#[derive(Debug)]
pub(crate) struct Forget<'a> {
    resolver: &'a Resolver,
    /// Only plans in which this one is involved; all if `None`.
    entity: Option<&'a EntityId>,
}

impl Resolver {
    /// For a write about `entity`.
    pub(crate) const fn forget_entity<'a>(&'a self, entity: &'a EntityId) -> Forget<'a> {
        Forget { resolver: self, entity: Some(entity) }
    }

    /// For a write about limits stored at `scope`.
    pub(crate) const fn forget_scope<'a>(&'a self, scope: &'a LimitScope) -> Forget<'a> {
        match scope {
            LimitScope::EntityResource(entity, _) | LimitScope::Entity(entity) => self.forget_entity(entity),
            LimitScope::Resource(_) | LimitScope::System => Forget { resolver: self, entity: None },
        }
    }
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        let mut generation = self.resolver.generation();
        *generation += 1;
        match self.entity {
            Some(entity) => self.resolver.plans.forget(|plan| plan.involves(entity)),
            None => self.resolver.plans.forget(|_| true),
        }
    }
}

/// The levels of a call, none if nothing limits the entity, and the ancestors that were passed over.
async fn look_up(ask: &Ask, store: &dyn Store) -> Result<(SmallVec<[Level; 2]>, Vec<EntityId>), Error> {
    let config = store.config(&ask.entity_id, &ask.resource).await?;
    let own = match &ask.limits {
        Limits::Given(limits) => Some(limits),
        Limits::Stored => config.limits(),
        Limits::StoredElse(limits) => config.limits().or(Some(limits)),
    };
    let Some(own) = own.cloned() else { return Ok((SmallVec::new(), Vec::new())) };
    let own = Level { entity_id: ask.entity_id.clone(), resource: ask.resource.clone(), limits: own };
    let (mut levels, mut passed_over) = (smallvec![own], Vec::new());
    let mut seen = HashSet::from([ask.entity_id.clone()]);
    let mut next = config.parent_id.filter(|_| ask.cascade);
    while let Some(entity_id) = next {
        if !seen.insert(entity_id.clone()) {
            return Err(EntityError::Cycle(entity_id).into());
        }
        if seen.len() > MAX_ANCESTORS + 1 {
            return Err(EntityError::TooDeep(ask.entity_id.clone()).into());
        }
        let config = store.config(&entity_id, &ask.resource).await?;
        let stored = match ask.limits {
            Limits::Given(_) => config.own_limits(),
            Limits::Stored | Limits::StoredElse(_) => config.limits(),
        };
        // An ancestor that nothing limits is passed over; those above it may still be limited.
        match stored.or(ask.limits.given()).cloned() {
            Some(limits) => levels.push(Level { entity_id, resource: ask.resource.clone(), limits }),
            None => passed_over.push(entity_id),
        }
        next = config.parent_id;
    }
    Ok((levels, passed_over))
}

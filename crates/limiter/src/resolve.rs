//! Which buckets a call is about, and which limits each of them is held to.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quick_cache::Equivalent;
use quick_cache::sync::Cache;
use zae_limiter_core::entity::MAX_ANCESTORS;
use zae_limiter_core::{
    Clock, EntityError, EntityId, Level, Levels, LimitScope, LimitSet, Resource, Store, Timestamp,
};

use crate::{Error, RequestError};

/// Plans that are remembered at most.
const CACHED_PLANS: usize = 100_000;

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

impl Ask {
    fn no_limits(&self) -> RequestError {
        RequestError::NoLimits { entity_id: self.entity_id.clone(), resource: self.resource.clone() }
    }
}

/// Resolves calls to levels, and remembers the result for a while.
#[derive(Debug)]
pub(crate) struct Resolver {
    ttl: Duration,
    plans: Cache<PlanKey, Arc<Plan>>,
    /// How often something was forgotten. Held while plans come in or go, so that none comes in that was read before
    /// a write and would outlive it.
    generation: Mutex<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct PlanKey {
    entity_id: EntityId,
    resource: Resource,
    cascade: bool,
}

/// The key of a plan without owning it.
struct PlanFor<'a>(&'a Ask);

impl Hash for PlanFor<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // In the order of `PlanKey`, whose derived hash this has to equal.
        self.0.entity_id.hash(state);
        self.0.resource.hash(state);
        self.0.cascade.hash(state);
    }
}

impl Equivalent<PlanKey> for PlanFor<'_> {
    fn equivalent(&self, key: &PlanKey) -> bool {
        let ask = self.0;
        ask.entity_id == key.entity_id && ask.resource == key.resource && ask.cascade == key.cascade
    }
}

/// What a call resolved to, and until when that may be believed.
#[derive(Debug)]
struct Plan {
    limits: Limits,
    /// `None` if nothing limits the entity.
    levels: Option<Levels>,
    /// Ancestors that have no level because nothing limits them.
    passed_over: Vec<EntityId>,
    expires: Timestamp,
}

/// What is known of a call without asking the store.
#[derive(Debug)]
pub(crate) enum Known {
    Levels(Levels),
    NoLimits(RequestError),
    Unknown(Ask),
}

impl Resolver {
    /// A resolver that believes what it read for `ttl`; zero reads anew each time.
    pub(crate) fn new(ttl: Duration) -> Self {
        Self { ttl, plans: Cache::new(CACHED_PLANS), generation: Mutex::default() }
    }

    /// The levels of a call, if they were read not long ago.
    pub(crate) fn known(&self, ask: Ask, clock: &dyn Clock) -> Known {
        match self.plans.get(&PlanFor(&ask)) {
            Some(plan) if clock.now() < plan.expires && plan.limits == ask.limits => match &plan.levels {
                Some(levels) => Known::Levels(levels.clone()),
                None => Known::NoLimits(ask.no_limits()),
            },
            _ => Known::Unknown(ask),
        }
    }

    /// The levels of a call, read from the store and remembered.
    pub(crate) async fn look_up(&self, ask: Ask, store: &dyn Store, now: Timestamp) -> Result<Levels, Error> {
        let generation = *self.generation();
        let (levels, passed_over) = look_up(&ask, store).await?;
        let result = levels.clone().ok_or_else(|| ask.no_limits().into());
        if !self.ttl.is_zero() {
            let plan = Plan { limits: ask.limits, levels, passed_over, expires: now.after(self.ttl) };
            let key = PlanKey { entity_id: ask.entity_id, resource: ask.resource, cascade: ask.cascade };
            let current = self.generation();
            if *current == generation {
                self.plans.insert(key, Arc::new(plan));
            }
        }
        result
    }

    fn generation(&self) -> MutexGuard<'_, u64> {
        self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    fn involves(&self, key: &PlanKey, entity: &EntityId) -> bool {
        let mut levels = self.levels.iter().flat_map(|levels| levels.iter());
        key.entity_id == *entity
            || levels.any(|level| level.entity_id == *entity)
            || self.passed_over.contains(entity)
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
            Some(entity) => self.resolver.plans.retain(|key, plan| !plan.involves(key, entity)),
            None => self.resolver.plans.clear(),
        }
    }
}

/// The levels of a call, if anything limits the entity, and the ancestors that were passed over.
async fn look_up(ask: &Ask, store: &dyn Store) -> Result<(Option<Levels>, Vec<EntityId>), Error> {
    let config = store.config(&ask.entity_id, &ask.resource).await?;
    let own = match &ask.limits {
        Limits::Given(limits) => Some(limits),
        Limits::Stored => config.limits(),
        Limits::StoredElse(limits) => config.limits().or(Some(limits)),
    };
    let Some(own) = own.cloned() else { return Ok((None, Vec::new())) };
    let own = Level { entity_id: ask.entity_id.clone(), resource: ask.resource.clone(), limits: own };
    let (mut ancestors, mut passed_over) = (Vec::new(), Vec::new());
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
            Some(limits) => ancestors.push(Level { entity_id, resource: ask.resource.clone(), limits }),
            None => passed_over.push(entity_id),
        }
        next = config.parent_id;
    }
    Ok((Some(Levels::shared(own, ancestors)), passed_over))
}

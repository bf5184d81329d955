//! Which buckets a call is about, and which limits each of them is held to.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use quick_cache::Equivalent;
use quick_cache::sync::Cache;
use zae_limiter_core::entity::MAX_ANCESTORS;
use zae_limiter_core::{Clock, EntityError, EntityId, Level, Levels, LimitSet, Resource, Store, Timestamp};

use crate::{Error, RequestError};

/// Plans that are remembered at most.
const CACHED_PLANS: usize = 100_000;

/// Where the limits of a call come from.
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
    pub(crate) fn new(entity_id: &str, resource: &str, limits: Limits, cascade: bool) -> Result<Self, RequestError> {
        Ok(Self { entity_id: EntityId::new(entity_id)?, resource: Resource::new(resource)?, limits, cascade })
    }
}

/// Resolves calls to levels, and remembers the result for a while.
#[derive(Debug)]
pub(crate) struct Resolver {
    ttl: Duration,
    plans: Cache<PlanKey, Plan>,
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
#[derive(Clone, Debug)]
struct Plan {
    limits: Limits,
    levels: Levels,
    expires: Timestamp,
}

impl Resolver {
    /// A resolver that believes what it read for `ttl`; zero reads anew each time.
    pub(crate) fn new(ttl: Duration) -> Self {
        Self { ttl, plans: Cache::new(CACHED_PLANS) }
    }

    /// The levels of a call, if they are known without asking the store: because neither stored limits nor ancestors
    /// matter, or because they were read not long ago.
    pub(crate) fn without_store(&self, ask: Ask, clock: &dyn Clock) -> Result<Levels, Ask> {
        match ask.limits {
            Limits::Given(limits) if !ask.cascade => {
                Ok(Levels::one(Level { entity_id: ask.entity_id, resource: ask.resource, limits }))
            }
            _ => match self.plans.get(&PlanFor(&ask)) {
                Some(plan) if clock.now() < plan.expires && plan.limits == ask.limits => Ok(plan.levels),
                _ => Err(ask),
            },
        }
    }

    /// The levels of a call, read from the store and remembered.
    pub(crate) async fn look_up(&self, ask: Ask, store: &dyn Store, now: Timestamp) -> Result<Levels, Error> {
        let levels = look_up(&ask, store).await?;
        if !self.ttl.is_zero() {
            let plan = Plan { limits: ask.limits, levels: levels.clone(), expires: now.after(self.ttl) };
            let key = PlanKey { entity_id: ask.entity_id, resource: ask.resource, cascade: ask.cascade };
            self.plans.insert(key, plan);
        }
        Ok(levels)
    }

    /// Forgets every plan in which `entity` has a level.
    pub(crate) fn forget_entity(&self, entity: &EntityId) {
        self.plans.retain(|_, plan| plan.levels.iter().all(|level| level.entity_id != *entity));
    }

    /// Forgets everything.
    pub(crate) fn forget_all(&self) {
        self.plans.clear();
    }
}

async fn look_up(ask: &Ask, store: &dyn Store) -> Result<Levels, Error> {
    let config = store.config(&ask.entity_id, &ask.resource).await?;
    let own = match &ask.limits {
        Limits::Given(limits) => Some(limits),
        Limits::Stored => config.limits(),
        Limits::StoredElse(limits) => config.limits().or(Some(limits)),
    };
    let Some(own) = own.cloned() else {
        let (entity_id, resource) = (ask.entity_id.clone(), ask.resource.clone());
        return Err(RequestError::NoLimits { entity_id, resource }.into());
    };
    let own = Level { entity_id: ask.entity_id.clone(), resource: ask.resource.clone(), limits: own };
    let mut ancestors = Vec::new();
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
        if let Some(limits) = stored.or(ask.limits.given()).cloned() {
            ancestors.push(Level { entity_id, resource: ask.resource.clone(), limits });
        }
        next = config.parent_id;
    }
    Ok(Levels::shared(own, ancestors))
}

//! The plans that a resolver remembers.

use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use zae_limiter_core::Timestamp;

use crate::resolve::{Ask, Plan};

const SHARDS: usize = 64;

/// Plans by what they are for, at most so many. A look-up reads little but the plan itself, which is most often not in the
/// processor's cache.
#[derive(Debug)]
pub(crate) struct Plans {
    shards: Box<[Mutex<Shard>]>,
    most: usize,
    hasher: RandomState,
}

type Shard = HashTable<Arc<Plan>>;

impl Plans {
    /// Room for `most` plans.
    pub(crate) fn new(most: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, most: most.div_ceil(SHARDS), hasher: RandomState::default() }
    }

    fn hash(&self, entity_id: &str, resource: &str, cascade: bool) -> u64 {
        self.hasher.hash_one((entity_id, resource, cascade))
    }

    fn hash_of(&self, plan: &Plan) -> u64 {
        let (entity_id, resource) = plan.subject();
        self.hash(entity_id.as_str(), resource.as_str(), plan.cascade())
    }

    /// A shard of a hash: by bits that the tables inside the shards do not look at.
    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        locked(&self.shards[(hash >> 40) as usize % SHARDS])
    }

    /// The plan for the entity and the resource of `ask`, whatever the limits.
    pub(crate) fn get(&self, ask: &Ask) -> Option<Arc<Plan>> {
        let hash = self.hash(ask.entity_id.as_str(), ask.resource.as_str(), ask.cascade);
        self.shard(hash).find(hash, |plan| plan.is_about(ask)).cloned()
    }

    /// Remembers `plan` in place of the one that is for the same. If there is no room for it, those that have expired by
    /// `now` are forgotten, and if that is not enough, some of the others.
    pub(crate) fn insert(&self, plan: Arc<Plan>, now: Timestamp) {
        let hash = self.hash_of(&plan);
        let mut shard = self.shard(hash);
        if let Some(known) = shard.find_mut(hash, |known| is_same_subject(known, &plan)) {
            *known = plan;
            return;
        }
        if shard.len() >= self.most {
            shard.retain(|plan| plan.expires() > now);
        }
        if shard.len() >= self.most {
            let mut visited = 0;
            shard.retain(|_| {
                visited += 1;
                visited % 8 != 1
            });
        }
        shard.insert_unique(hash, plan, |plan| self.hash_of(plan));
    }

    /// Forgets the plans that `forget` says.
    pub(crate) fn forget(&self, forget: impl Fn(&Plan) -> bool) {
        for shard in &self.shards {
            locked(shard).retain(|plan| !forget(plan));
        }
    }
}

fn is_same_subject(one: &Plan, other: &Plan) -> bool {
    one.subject() == other.subject() && one.cascade() == other.cascade()
}

fn locked(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EntityId, Limits, Resource};

    fn ask(entity: usize) -> Ask {
        Ask {
            entity_id: EntityId::new(format!("e{entity}")).unwrap(),
            resource: Resource::new("r").unwrap(),
            limits: Limits::Stored,
            cascade: false,
        }
    }

    fn plan(entity: usize, expires: u64) -> Arc<Plan> {
        let Ask { entity_id, resource, limits, cascade } = ask(entity);
        Arc::new(Plan::of_nothing(entity_id, resource, limits, cascade, Timestamp::from_millis(expires)))
    }

    fn known(plans: &Plans, entities: std::ops::Range<usize>) -> usize {
        entities.filter(|entity| plans.get(&ask(*entity)).is_some()).count()
    }

    #[test]
    fn a_plan_replaces_the_one_for_the_same() {
        let plans = Plans::new(1_000);
        for expires in [1, 2] {
            plans.insert(plan(7, expires), Timestamp::EPOCH);
        }
        assert_eq!(plans.get(&ask(7)).unwrap().expires(), Timestamp::from_millis(2));
        assert!(plans.get(&Ask { cascade: true, ..ask(7) }).is_none());
        plans.forget(|_| true);
        assert!(plans.get(&ask(7)).is_none());
    }

    #[test]
    fn there_are_never_more_than_there_is_room_for_and_expired_ones_make_room() {
        let plans = Plans::new(64 * 100);
        (0..20_000).for_each(|entity| plans.insert(plan(entity, 10), Timestamp::EPOCH));
        let left = known(&plans, 0..20_000);
        assert!((64 * 85..=64 * 100).contains(&left), "{left}");

        let now = Timestamp::from_millis(10);
        (20_000..24_000).for_each(|entity| plans.insert(plan(entity, 20), now));
        assert_eq!(known(&plans, 20_000..24_000), 4_000, "none but expired ones made room");
    }
}

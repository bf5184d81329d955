//! All that the reference store keeps, and how it changes.

use std::collections::{BTreeMap, HashMap};

use zae_limiter_core::usage::{HourOfUsage, hour_of};
use zae_limiter_core::{
    Change, Entity, EntityId, Level, Limit, LimitScope, LimitSet, Millitokens, Reading, Resource, Timestamp,
};

use super::Flaw;
use crate::model::{Key, Tank, key, parts_of};
use crate::shorthand::{burst_of, id, resource};

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    flaw: Option<Flaw>,
    pub(crate) tanks: BTreeMap<Key, Tank>,
    /// What a flawed store holds above full.
    banked: BTreeMap<Key, Millitokens>,
    pub(crate) hours: BTreeMap<(EntityId, Resource, u32), HourOfUsage>,
    pub(crate) entities: BTreeMap<EntityId, Entity>,
    pub(crate) limits: HashMap<LimitScope, LimitSet>,
}

impl State {
    pub(crate) fn with(flaw: Flaw) -> Self {
        Self { flaw: Some(flaw), ..Self::default() }
    }

    pub(crate) fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn key(&self, level: &Level, limit: &Limit) -> Key {
        let (mut entity, mut on, name) = key(level, limit);
        if self.has(Flaw::IgnoresCase) {
            entity = id(&entity.as_str().to_lowercase());
        }
        if self.has(Flaw::JoinsKeys) {
            (entity, on) = (id(&format!("{entity}/{on}")), resource("all"));
        }
        (entity, on, name)
    }

    /// The state that a limit is taken from.
    fn tank(&self, level: &Level, limit: &Limit, now: Timestamp) -> Tank {
        let key = self.key(level, limit);
        let Some(recorded) = self.tanks.get(&key) else { return Tank::full(limit, now) };
        if self.has(Flaw::FillsOnChange) && recorded.limit() != limit {
            return Tank::full(limit, now);
        }
        let terms = if self.has(Flaw::KeepsOldTerms) { recorded.limit() } else { limit };
        let mut tank = recorded.clone().on_terms_of(terms, now);
        if self.has(Flaw::BanksIdleTime) && recorded.limit() == limit {
            let rate = limit.rate();
            let idle = (rate.scaled_now(now) - recorded.full_at().scaled()).max(0)
                / rate.scaled_cost(Millitokens::new(1));
            tank.pour(Millitokens::new(i64::try_from(idle).unwrap()).min(burst_of(limit)));
        }
        tank.pour(self.banked.get(&key).copied().unwrap_or_default());
        tank
    }

    fn put(&mut self, key: Key, mut tank: Tank) {
        let above = tank.balance() - burst_of(tank.limit());
        tank.spill();
        if self.has(Flaw::BanksReturns) || self.has(Flaw::BanksIdleTime) {
            self.banked.insert(key.clone(), above.max(Millitokens::ZERO));
        }
        if self.has(Flaw::RoundsRefill) {
            tank = tank.rounded_down();
        }
        self.tanks.insert(key, tank);
    }

    /// How many of the amounts the limits admit, one after the other.
    pub(crate) fn admitted(&self, change: Change<'_>, now: Timestamp) -> usize {
        let admits = |(level, limit, amount): &(&Level, &Limit, Millitokens)| {
            let tank = self.tank(level, limit, now);
            let slack = Millitokens::from_tokens(1);
            tank.holds(*amount)
                && !(self.has(Flaw::DeniesNothingWhenEmpty)
                    && amount.is_zero()
                    && tank.balance() == Millitokens::ZERO)
                || self.has(Flaw::AdmitsOneTooMany) && tank.holds(*amount - slack)
                || self.has(Flaw::AdmitsNothingInDebt) && amount.is_zero()
        };
        parts_of(change).take_while(admits).count()
    }

    pub(crate) fn refuse(&mut self, change: Change<'_>, admitted: usize, now: Timestamp) {
        for (place, (level, limit, amount)) in parts_of(change).enumerate() {
            let mut tank = self.tank(level, limit, now);
            if self.has(Flaw::TakesUpToTheRefusal) && place < admitted {
                tank.pour(-amount);
            } else if !self.has(Flaw::ChangesLimitOnDenial) && !self.has(Flaw::RoundsRefill) {
                continue;
            }
            self.put(self.key(level, limit), tank);
        }
        if self.has(Flaw::CountsDenials) {
            self.count(change, now);
        }
    }

    pub(crate) fn apply(&mut self, change: Change<'_>, now: Timestamp) {
        self.expire(now);
        for (level, limit, amount) in parts_of(change) {
            let mut tank = self.tank(level, limit, now);
            tank.pour(-amount);
            if self.has(Flaw::ForgetsDebt) && tank.balance() < Millitokens::ZERO {
                tank.pour(-tank.balance());
            }
            self.put(self.key(level, limit), tank);
        }
        if self.has(Flaw::ForgetsUnnamed) {
            for level in change.levels {
                self.tanks.retain(|(entity, resource, name), _| {
                    *entity != level.entity_id
                        || *resource != level.resource
                        || level.limits.named(name.as_str()).is_some()
                });
            }
        }
        if !(self.has(Flaw::RollsBackUncounted) && change.acquires < 0) {
            self.count(change, now);
        }
    }

    fn count(&mut self, change: Change<'_>, now: Timestamp) {
        for (place, (level, amounts)) in change.by_level().enumerate() {
            let mut hour = hour_of(now);
            let bucket = (level.entity_id.clone(), level.resource.clone());
            let mut same = self.hours.keys().filter(|(id, on, _)| (id, on) == (&bucket.0, &bucket.1));
            if self.has(Flaw::CountsInFirstHour)
                && let Some((_, _, first)) = same.next()
            {
                hour = *first;
            }
            if self.has(Flaw::LosesLaterHours) {
                self.hours.retain(|(id, on, later), _| (id, on) != (&bucket.0, &bucket.1) || *later <= hour);
            }
            let counted =
                self.hours.entry((bucket.0.clone(), bucket.1.clone(), hour)).or_insert_with(|| HourOfUsage {
                    entity_id: bucket.0,
                    resource: bucket.1,
                    hour,
                    counters: BTreeMap::new(),
                    acquires: 0,
                });
            for (limit, amount) in level.limits.iter().zip(amounts) {
                *counted.counters.entry(limit.name().clone()).or_default() += *amount;
            }
            if place == 0 || self.flaw != Some(Flaw::CountsFirstLevelOnly) {
                counted.acquires += change.acquires;
            }
        }
    }

    /// The flaws of forgetting too much; a store need not forget anything.
    fn expire(&mut self, now: Timestamp) {
        let is_full = |tank: &Tank| tank.clone().refilled(now).missing() == 0;
        if self.has(Flaw::ExpiresWithFastest) {
            let full: Vec<_> =
                self.tanks.iter().filter(|(_, tank)| is_full(tank)).map(|(key, _)| key.clone()).collect();
            self.tanks.retain(|(id, on, _), _| {
                !full.iter().any(|(entity, resource, _)| (id, on) == (entity, resource))
            });
        }
        if self.has(Flaw::DropsUsageOfFull) {
            let in_use =
                |id: &EntityId| self.tanks.iter().any(|((entity, ..), tank)| entity == id && !is_full(tank));
            self.hours.retain(|(id, ..), _| in_use(id));
        }
    }

    pub(crate) fn read(&mut self, levels: &[Level], now: Timestamp) -> Reading {
        let mut full_at = Vec::new();
        for level in levels {
            let mut limits: Vec<&Limit> = level.limits.iter().collect();
            if self.has(Flaw::SortsStates) {
                limits.sort_by_key(|limit| limit.name());
            }
            for limit in limits {
                let tank = self.tank(level, limit, now);
                full_at.push(tank.full_at());
                if self.has(Flaw::ChangesLimitOnRead) {
                    self.put(self.key(level, limit), tank);
                }
            }
        }
        Reading { at: now, full_at: full_at.into() }
    }

    pub(crate) fn delete(&mut self, id: &EntityId) {
        let by_prefix = self.has(Flaw::DeletesByPrefix);
        let is_it = |other: &EntityId| other == id || by_prefix && other.as_str().starts_with(id.as_str());
        self.entities.retain(|other, _| !is_it(other));
        if self.has(Flaw::DeletesChildren) {
            self.entities.retain(|_, entity| entity.parent_id.as_ref() != Some(id));
        }
        if self.has(Flaw::DeletesRecordOnly) {
            return;
        }
        self.tanks.retain(|(other, ..), _| !is_it(other));
        self.hours.retain(|(other, ..), _| !is_it(other));
        self.limits.retain(|scope, _| match scope {
            LimitScope::EntityResource(other, _) | LimitScope::Entity(other) => !is_it(other),
            LimitScope::Resource(_) | LimitScope::System => true,
        });
    }

    /// The recorded buckets of a resource.
    pub(crate) fn levels_on(&self, on: &Resource) -> Vec<Level> {
        let mut found: BTreeMap<&EntityId, Vec<Limit>> = BTreeMap::new();
        for ((entity, resource, _), tank) in &self.tanks {
            if resource == on || self.has(Flaw::ListsOtherResources) {
                found.entry(entity).or_default().push(tank.limit().clone());
            }
        }
        let level = |(entity, limits): (&EntityId, Vec<Limit>)| Level {
            entity_id: entity.clone(),
            resource: on.clone(),
            limits: LimitSet::new(limits).unwrap(),
        };
        found.into_iter().map(level).collect()
    }
}

//! What a store must do, the way a textbook has it: a token bucket as a balance with a refill clock.
//!
//! Deliberately another formulation than that of `zae_limiter_core::bucket`, so that a mistake in one is not
//! also in the other. Balances are counted in 1 / `period_ms` of a millitoken: every refill is a whole number,
//! and nothing is ever rounded.

use std::collections::BTreeMap;

use zae_limiter_core::{Change, EntityId, Level, Limit, LimitName, Millitokens, Resource, Timestamp, Wait};

/// One limit of one bucket.
#[derive(Clone, Debug)]
pub(crate) struct Tank {
    limit: Limit,
    balance: i128,
    refilled_at: i128,
}

impl Tank {
    pub(crate) fn full(limit: &Limit, now: Timestamp) -> Self {
        Self { limit: limit.clone(), balance: burst(limit), refilled_at: millis(now) }
    }

    pub(crate) const fn limit(&self) -> &Limit {
        &self.limit
    }

    /// With what has flowed in until `now`.
    pub(crate) fn refilled(mut self, now: Timestamp) -> Self {
        self.balance += (millis(now) - self.refilled_at) * milli_per_period(&self.limit);
        self.refilled_at = millis(now);
        self.spill();
        self
    }

    /// On the terms of `limit` from `now` on: what it holds is carried over, as far as there is room for it. A
    /// fraction that the new period cannot express is lost.
    pub(crate) fn on_terms_of(self, limit: &Limit, now: Timestamp) -> Self {
        let old = self.refilled(now);
        let balance = if period_ms(limit) == period_ms(&old.limit) {
            old.balance
        } else {
            (old.balance * period_ms(limit)).div_euclid(period_ms(&old.limit))
        };
        let mut new = Self { limit: limit.clone(), balance, refilled_at: old.refilled_at };
        new.spill();
        new
    }

    pub(crate) fn holds(&self, amount: Millitokens) -> bool {
        self.balance >= self.parts(amount)
    }

    /// Adds an amount, negative to take it. Neither bounded below nor above.
    pub(crate) fn pour(&mut self, amount: Millitokens) {
        self.balance += self.parts(amount);
    }

    /// Loses what does not fit.
    pub(crate) fn spill(&mut self) {
        self.balance = self.balance.min(burst(&self.limit));
    }

    /// What it holds, rounded down.
    pub(crate) fn balance(&self) -> Millitokens {
        Millitokens::new(i64::try_from(self.balance.div_euclid(period_ms(&self.limit))).unwrap_or(i64::MIN))
    }

    /// What is missing from full, in 1 / `period_ms` of a millitoken.
    pub(crate) fn missing(&self) -> i128 {
        burst(&self.limit) - self.balance
    }

    /// How long until it holds `amount`.
    pub(crate) fn wait(&self, amount: Millitokens) -> Wait {
        let short = self.parts(amount) - self.balance;
        if self.parts(amount) > burst(&self.limit) {
            return Wait::Never;
        }
        if short <= 0 {
            return Wait::None;
        }
        let rate = milli_per_period(&self.limit);
        let wait = short / rate + i128::from(short % rate != 0);
        Wait::For(std::time::Duration::from_millis(u64::try_from(wait).unwrap_or(u64::MAX)))
    }

    fn parts(&self, amount: Millitokens) -> i128 {
        i128::from(amount.get()) * period_ms(&self.limit)
    }
}

/// For the reference store.
#[cfg(test)]
impl Tank {
    /// The same state as `zae_limiter_core` writes it.
    pub(crate) fn full_at(&self) -> zae_limiter_core::FullAt {
        zae_limiter_core::FullAt::from_scaled(
            self.refilled_at * milli_per_period(&self.limit) + self.missing(),
        )
    }

    /// Without the fraction of a millitoken: what a store does that computes in floats or whole numbers.
    pub(crate) fn rounded_down(mut self) -> Self {
        self.balance -= self.balance.rem_euclid(period_ms(&self.limit));
        self
    }
}

fn millis(now: Timestamp) -> i128 {
    i128::from(now.as_millis())
}

fn period_ms(limit: &Limit) -> i128 {
    i128::from(limit.refill_period().as_secs()) * 1000
}

fn milli_per_period(limit: &Limit) -> i128 {
    i128::from(limit.refill_amount()) * 1000
}

fn burst(limit: &Limit) -> i128 {
    i128::from(limit.burst()) * 1000 * period_ms(limit)
}

/// Which limit of which bucket.
pub(crate) type Key = (EntityId, Resource, LimitName);

pub(crate) fn key(level: &Level, limit: &Limit) -> Key {
    (level.entity_id.clone(), level.resource.clone(), limit.name().clone())
}

/// Each limit of a change with its level and its amount.
pub(crate) fn parts_of(change: Change<'_>) -> impl Iterator<Item = (&Level, &Limit, Millitokens)> {
    change.by_level().flat_map(|(level, amounts)| {
        level.limits.iter().zip(amounts).map(move |(limit, amount)| (level, limit, *amount))
    })
}

/// Every bucket that was ever taken from, and the usage of every hour.
#[derive(Debug, Default)]
pub(crate) struct World {
    tanks: BTreeMap<Key, Tank>,
    usage: BTreeMap<(EntityId, Resource, Timestamp), Hour>,
}

#[derive(Debug, Default)]
struct Hour {
    counters: BTreeMap<LimitName, i64>,
    acquires: i64,
}

impl World {
    /// The state that `limit` of `level` would be taken from at `now`.
    pub(crate) fn tank(&self, level: &Level, limit: &Limit, now: Timestamp) -> Tank {
        match self.tanks.get(&key(level, limit)) {
            Some(tank) => tank.clone().on_terms_of(limit, now),
            None => Tank::full(limit, now),
        }
    }

    /// Every tank that was ever taken from, as it is at `now`.
    pub(crate) fn tanks(&self, now: Timestamp) -> impl Iterator<Item = (&Key, Tank)> {
        self.tanks.iter().map(move |(key, tank)| (key, tank.clone().refilled(now)))
    }

    /// Takes all or nothing; whether it took.
    pub(crate) fn take(&mut self, change: Change<'_>, now: Timestamp) -> bool {
        let admitted =
            parts_of(change).all(|(level, limit, amount)| self.tank(level, limit, now).holds(amount));
        if admitted {
            self.apply(change, now);
        }
        admitted
    }

    pub(crate) fn apply(&mut self, change: Change<'_>, now: Timestamp) {
        for (level, limit, amount) in parts_of(change) {
            let mut tank = self.tank(level, limit, now);
            tank.pour(-amount);
            tank.spill();
            self.tanks.insert(key(level, limit), tank);
            *self.hour(level, now).counters.entry(limit.name().clone()).or_default() += amount.get();
        }
        for level in change.levels {
            self.hour(level, now).acquires += change.acquires;
        }
    }

    pub(crate) fn delete(&mut self, entity: &EntityId) {
        self.tanks.retain(|(id, ..), _| id != entity);
        self.usage.retain(|(id, ..), _| id != entity);
    }

    /// Usage by the hour, as `Harness::usage` writes it.
    pub(crate) fn usage(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for ((entity, resource, start), hour) in &self.usage {
            let mut words = vec![format!("{entity} {resource} {start}")];
            let counted = hour.counters.iter().filter(|(_, amount)| **amount != 0);
            words.extend(counted.map(|(name, amount)| format!("{name}={}", Millitokens::new(*amount))));
            if words.len() > 1 || hour.acquires != 0 {
                words.push(format!("events={}", hour.acquires));
                lines.push(words.join(" "));
            }
        }
        lines
    }

    fn hour(&mut self, level: &Level, now: Timestamp) -> &mut Hour {
        let start = Timestamp::from_millis(now.as_millis() - now.as_millis() % 3_600_000);
        self.usage.entry((level.entity_id.clone(), level.resource.clone(), start)).or_default()
    }
}

//! What one call asks of a store, and what the store decides.

use std::ops::Deref;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::{EntityId, FullAt, Limit, LimitSet, LimitStatus, Millitokens, Resource, Timestamp, Wait};

/// Amounts, one for each limit of each level, in that order.
pub type Amounts = SmallVec<[Millitokens; 4]>;

/// One bucket, and the limits that it is held to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// Whose bucket.
    pub entity_id: EntityId,
    /// On which resource.
    pub resource: Resource,
    /// Held to these limits.
    pub limits: LimitSet,
}

/// The buckets of one call: the entity's own, then its ancestors'. Cheap to clone; at least one level.
#[derive(Clone, Debug)]
pub struct Levels(Repr);

#[derive(Clone, Debug)]
enum Repr {
    One(Level),
    Shared(Arc<[Level]>),
}

impl Levels {
    /// A call on one bucket.
    pub const fn one(level: Level) -> Self {
        Self(Repr::One(level))
    }

    /// A call on `own` and on the ancestors', or one bucket that will be called often.
    pub fn shared(own: Level, ancestors: impl IntoIterator<Item = Level>) -> Self {
        Self(Repr::Shared(std::iter::once(own).chain(ancestors).collect()))
    }

    /// The same levels in one shared allocation: for those that will be cloned often.
    #[must_use]
    pub fn into_shared(self) -> Self {
        match self.0 {
            Repr::One(level) => Self::shared(level, []),
            Repr::Shared(_) => self,
        }
    }

    /// The bucket of the entity itself.
    pub fn own(&self) -> &Level {
        // Every constructor puts it there.
        &self[0]
    }
}

impl Deref for Levels {
    type Target = [Level];
    fn deref(&self) -> &[Level] {
        match &self.0 {
            Repr::One(level) => std::slice::from_ref(level),
            Repr::Shared(levels) => levels,
        }
    }
}

/// Every limit of every level, in the order in which amounts and states are listed.
pub fn limits_of(levels: &[Level]) -> impl Iterator<Item = (&Level, &Limit)> {
    levels.iter().flat_map(|level| level.limits.iter().map(move |limit| (level, limit)))
}

/// What a call moves: signed amounts, and how many acquires it stands for in the usage.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The buckets; no bucket twice.
    pub levels: &'a [Level],
    /// One amount for each limit of each level; positive takes, negative returns.
    pub amounts: &'a [Millitokens],
    /// Acquires to count on every level: 1 for an acquire, 0 for a correction, -1 for a rollback.
    pub acquires: i64,
}

impl<'a> Change<'a> {
    /// Each level with its own amounts.
    pub fn by_level(self) -> impl Iterator<Item = (&'a Level, &'a [Millitokens])> {
        let mut rest = self.amounts;
        self.levels.iter().map(move |level| {
            let (own, others) = rest.split_at(level.limits.len().min(rest.len()));
            rest = others;
            (level, own)
        })
    }
}

/// The state of the buckets of a call at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The instant, by the store's clock.
    pub at: Timestamp,
    /// One state for each limit of each level, on the scale of that limit's rate.
    pub full_at: SmallVec<[FullAt; 4]>,
}

impl Reading {
    /// What each limit of each level holds, rounded down to millitokens.
    pub fn balances<'a>(&'a self, levels: &'a [Level]) -> impl Iterator<Item = Millitokens> + 'a {
        limits_of(levels)
            .zip(&self.full_at)
            .map(|((_, limit), full_at)| limit.rate().balance(*full_at, self.at))
    }

    /// How long until every limit of every level admits a request of `amounts`, from the states read.
    pub fn wait(&self, levels: &[Level], amounts: &[Millitokens]) -> Wait {
        let waits = limits_of(levels).zip(&self.full_at).zip(amounts);
        let waits =
            waits.map(|(((_, limit), full_at), amount)| limit.rate().wait(*full_at, *amount, self.at));
        waits.max().unwrap_or(Wait::None)
    }

    /// The status of every limit of every level, for a request of `amounts` on the states read.
    pub fn statuses<'a>(
        &'a self,
        levels: &'a [Level],
        amounts: &'a [Millitokens],
    ) -> impl Iterator<Item = LimitStatus> + 'a {
        limits_of(levels).zip(&self.full_at).zip(amounts).map(|(((level, limit), full_at), amount)| {
            LimitStatus {
                entity_id: level.entity_id.clone(),
                resource: level.resource.clone(),
                limit: limit.clone(),
                available: limit.rate().balance(*full_at, self.at),
                requested: *amount,
                wait: limit.rate().wait(*full_at, *amount, self.at),
            }
        })
    }
}

/// What a store decided on a take. Being denied is a result, not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Everything was taken; the states are those after it.
    Admitted(Reading),
    /// Nothing was taken; the states are those found.
    Denied(Reading),
}

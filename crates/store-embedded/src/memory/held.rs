//! The locked buckets of a call over several levels.

use foldhash::fast::RandomState;
use parking_lot::MutexGuard;
use smallvec::SmallVec;
use zae_limiter_core::{FullAt, Level, StoreError, Timestamp};

use super::shard::{Bucket, Shard, States};

/// The shards of all levels, locked, and where in them the levels' buckets are.
pub(super) struct Held<'s> {
    shards: SmallVec<[(usize, MutexGuard<'s, Shard>); 4]>,
    places: SmallVec<[Place; 4]>,
}

/// Where the bucket of a level is.
struct Place {
    hash: u64,
    /// Which of the locked shards it belongs to.
    shard: usize,
    /// Its index in the table; `None` if there is no such bucket.
    index: Option<usize>,
}

impl<'s> Held<'s> {
    /// Locks the shards of all `levels`, in ascending order, so that no two calls wait for each other.
    pub(super) fn lock(
        levels: &[Level],
        hash: impl Fn(&Level) -> u64,
        shard_of: impl Fn(u64) -> usize,
        lock: impl Fn(usize) -> MutexGuard<'s, Shard>,
    ) -> Self {
        let mut order = SmallVec::<[usize; 4]>::new();
        let mut places = SmallVec::<[Place; 4]>::new();
        for level in levels {
            let hash = hash(level);
            order.push(shard_of(hash));
            places.push(Place { hash, shard: 0, index: None });
        }
        order.sort_unstable();
        order.dedup();
        let mut shards = SmallVec::<[_; 4]>::new();
        for shard in order {
            shards.push((shard, lock(shard)));
        }
        for place in &mut places {
            // Each of them was locked.
            place.shard = shards.iter().position(|(shard, _)| *shard == shard_of(place.hash)).unwrap_or(0);
        }
        let mut held = Self { shards, places };
        held.find(levels);
        held
    }

    fn find(&mut self, levels: &[Level]) {
        for (place, level) in self.places.iter_mut().zip(levels) {
            place.index = self.shards[place.shard].1.table.index_of(place.hash, level);
        }
    }

    /// The bucket of the level at `place`, if there is one.
    pub(super) fn bucket(&self, place: usize) -> Option<&Bucket> {
        let Place { shard, index, .. } = self.places[place];
        self.shards[shard].1.table.at(index?)
    }

    /// The bucket of the level at `place` for a change at `now`, if there is one.
    pub(super) fn bucket_mut(&mut self, place: usize, now: Timestamp) -> Option<&mut Bucket> {
        let Place { shard, index, .. } = self.places[place];
        self.shards[shard].1.bucket_mut(index?, now)
    }

    /// Makes every level's bucket hold the level's limits before any balance is changed, so that an error leaves all
    /// balances as they were.
    pub(super) fn prepare(
        &mut self,
        levels: &[Level],
        now: Timestamp,
        hasher: &RandomState,
    ) -> Result<(), StoreError> {
        if self.places.iter().any(|place| place.index.is_none()) {
            for (place, level) in self.places.iter().zip(levels) {
                if place.index.is_none() {
                    self.shards[place.shard].1.table.make(place.hash, level, now, hasher);
                }
            }
            // A new bucket may have moved those that were found before.
            self.find(levels);
        }
        for (place, level) in levels.iter().enumerate() {
            if let Some(bucket) = self.bucket_mut(place, now) {
                bucket.hold(level, now)?;
            }
        }
        Ok(())
    }

    /// Counts a change of every level; the places of the buckets are not known any more.
    pub(super) fn count_changes(mut self, now: Timestamp, retention_hours: u32, hasher: &RandomState) {
        for place in &self.places {
            self.shards[place.shard].1.count_change(now, retention_hours, hasher);
        }
    }

    /// The states of all `levels`.
    pub(super) fn read(&self, levels: &[Level], now: Timestamp) -> States {
        let mut states = States::new();
        for (place, level) in levels.iter().enumerate() {
            match self.bucket(place) {
                Some(bucket) => bucket.record.read(&level.limits, now, &mut states),
                None => states.extend(level.limits.iter().map(|_| FullAt::ALWAYS)),
            }
        }
        states
    }
}

//! The buckets that this process remembers.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use parking_lot::Mutex;

use super::queue::Bucket;
use crate::table::BucketKey;

/// Locks over which the buckets are spread.
const SHARDS: usize = 16;

type Shard = HashMap<BucketKey, Arc<Bucket>>;

/// Remembers a bounded number of buckets. One that is at work is never forgotten: two writes of one process to one
/// bucket must not be under way together.
#[derive(Debug)]
pub(super) struct Buckets {
    shards: Box<[Mutex<Shard>]>,
    per_shard: usize,
    hasher: RandomState,
}

impl Buckets {
    pub(super) fn new(at_most: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            per_shard: at_most.div_ceil(SHARDS).max(1),
            hasher: RandomState::new(),
        }
    }

    /// The bucket with this key, from memory or new.
    pub(super) fn get(&self, key: &BucketKey) -> Arc<Bucket> {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shards[shard_of(hash)].lock();
        if let Some(bucket) = shard.get(key) {
            return Arc::clone(bucket);
        }
        if shard.len() >= self.per_shard {
            // Forget half of those at rest; what they knew costs one failed write each to learn again.
            let mut keep = false;
            shard.retain(|_, bucket| {
                keep = !keep;
                keep || Arc::strong_count(bucket) > 1 || bucket.is_working()
            });
        }
        let bucket = Arc::new(Bucket::new(key.clone()));
        shard.insert(key.clone(), Arc::clone(&bucket));
        bucket
    }
}

fn shard_of(hash: u64) -> usize {
    // Below the number of shards.
    usize::try_from(hash % SHARDS as u64).unwrap_or(0)
}

//! Whoever reads a stream and hands it over in batches, in every way that is allowed.

use proptest::prelude::*;
use zae_limiter_aggregator::{Aggregator, Outcome};

use crate::history::{History, Item};
use crate::snapshots::MemorySnapshots;

pub(crate) type Counting<'a> = Aggregator<&'a MemorySnapshots>;

/// One batch.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// By which of the readers.
    pub(crate) reader: usize,
    /// Of which of the shards that may be read now.
    pub(crate) shard: usize,
    /// How many records that were handed over before come again.
    pub(crate) back: usize,
    /// How many new ones come.
    pub(crate) size: usize,
    /// Whether a batch that fails is split in two, or tried again from its first failure.
    pub(crate) bisect: bool,
    /// Whether it is handed over another time after all is done.
    pub(crate) again: bool,
    /// Whether it has all of its records twice.
    pub(crate) doubled: bool,
}

pub(crate) fn delivery() -> impl Strategy<Value = Delivery> {
    let flags = any::<[bool; 3]>();
    (0_usize..2, any::<prop::sample::Index>(), 0_usize..20, 1_usize..12, flags).prop_map(
        |(reader, shard, back, size, [bisect, again, doubled])| Delivery {
            reader,
            shard: shard.index(64),
            back,
            size,
            bisect,
            again,
            doubled,
        },
    )
}

/// One that reads every shard, after its parent.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    history: &'a History,
    /// Records of each shard that are through.
    through: Vec<usize>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(history: &'a History) -> Self {
        Self { history, through: vec![0; history.shards.len()] }
    }

    fn is_done(&self, shard: usize) -> bool {
        self.through[shard] == self.history.shards[shard].records.len()
            && self.history.shards[shard].parent.is_none_or(|parent| self.is_done(parent))
    }

    /// Shards that have more to read, and whose ancestors have not.
    pub(crate) fn ready(&self) -> Vec<usize> {
        let ready = |shard: &usize| {
            !self.is_done(*shard)
                && self.history.shards[*shard].parent.is_none_or(|parent| self.is_done(parent))
        };
        (0..self.through.len()).filter(ready).collect()
    }

    /// Hands a batch over until all of it is counted.
    pub(crate) async fn deliver(&mut self, delivery: &Delivery, aggregator: &Counting<'_>) {
        let ready = self.ready();
        if ready.is_empty() {
            return;
        }
        let shard = ready[delivery.shard % ready.len()];
        let records = &self.history.shards[shard].records;
        let from = self.through[shard].saturating_sub(delivery.back);
        let to = records.len().min(self.through[shard] + delivery.size);
        let mut batch = records[from..to].to_vec();
        if delivery.doubled {
            batch.extend_from_slice(&records[from..to]);
        }
        hand_over(&batch, delivery.bisect, aggregator).await;
        self.through[shard] = to;
        if delivery.again {
            aggregator.count(records[from..to].iter().cloned()).await;
        }
    }

    /// Reads all that is left, and tells what could not be counted.
    pub(crate) async fn finish(&mut self, aggregator: &Counting<'_>) -> usize {
        let mut failures = 0;
        while let Some(shard) = self.ready().first().copied() {
            let records = &self.history.shards[shard].records;
            let outcome = aggregator.count(records[self.through[shard]..].iter().cloned()).await;
            failures += outcome.failures.len();
            self.through[shard] = records.len();
        }
        failures
    }
}

/// What Lambda does with a batch until all of it is counted, or is known to be garbage.
async fn hand_over(batch: &[Item], bisect: bool, aggregator: &Counting<'_>) {
    let mut rest = vec![batch];
    while let Some(batch) = rest.pop() {
        let outcome = aggregator.count(batch.iter().cloned()).await;
        let Some(first) = first_that_may_pass(&outcome) else { continue };
        if bisect && batch.len() > 1 {
            let (one, other) = batch.split_at(batch.len() / 2);
            rest.extend([other, one]);
        } else {
            rest.push(&batch[first..]);
        }
    }
}

fn first_that_may_pass(outcome: &Outcome) -> Option<usize> {
    outcome.failures.iter().find(|failure| failure.cause.may_pass()).map(|failure| failure.index)
}

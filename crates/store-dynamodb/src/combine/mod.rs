//! Request combining: per process and bucket one write is under way at a time, and what arrives meanwhile rides in the
//! next one.
//!
//! That keeps what this process knows of a bucket exact as long as nobody else writes to it, and turns many concurrent
//! acquires of a hot key into few writes. Everything that is decided here is decided in `queue`, without I/O.

mod balances;
mod batch;
mod buckets;
mod gather;
mod queue;
mod share;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use zae_limiter_core::{Amounts, Clock, Level, Reading};

pub use self::share::Share;

use self::batch::Waiting;
use self::buckets::Buckets;
use self::queue::Bucket;
use crate::item::Writer;
use crate::plan::{Kind, Stamps};
use crate::table::{BucketKey, Table};
use crate::threads::Threads;

/// How hard to try, and what to remember.
#[derive(Clone, Debug)]
pub struct CombineOptions {
    /// Writes for one request at most; then it is unavailable.
    pub attempts: u32,
    /// After this time no further write is tried for a request.
    pub timeout: Duration,
    /// How long a denial answers further requests without asking the table. Zero turns it off.
    pub denial_ttl: Duration,
    /// Buckets remembered at most.
    pub buckets: usize,
}

impl Default for CombineOptions {
    fn default() -> Self {
        Self {
            attempts: 12,
            timeout: Duration::from_secs(5),
            denial_ttl: Duration::from_secs(1),
            buckets: 100_000,
        }
    }
}

/// A random delay of at most so long.
pub type Jitter = Arc<dyn Fn(Duration) -> Duration + Send + Sync>;

/// Carries requests to a table, combined.
pub struct Combiner<T>(Arc<Inner<T>>);

impl<T> Clone for Combiner<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<T> {
    table: T,
    clock: Arc<dyn Clock>,
    jitter: Jitter,
    stamps: Stamps,
    /// Of transactions, which do not wait for the other writes to a bucket: under one name, the one would look like a
    /// successor of the other.
    transaction_stamps: Stamps,
    threads: Threads,
    options: CombineOptions,
    buckets: Buckets,
}

/// What became of one request on one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LevelDecision {
    /// Taken, or applied; the states after it.
    Admitted(Reading),
    /// Nothing taken; the states found.
    Denied(Reading),
}

impl<T> std::fmt::Debug for Combiner<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Combiner").field("options", &self.0.options).finish_non_exhaustive()
    }
}

impl<T: Table> Combiner<T> {
    /// Combines requests to `table`. Work runs on `threads`, time comes from `clock`, and `writer` is unlike that of
    /// any other process.
    pub fn new(
        table: T,
        clock: Arc<dyn Clock>,
        jitter: Jitter,
        writer: Writer,
        threads: Threads,
        options: CombineOptions,
    ) -> Self {
        let buckets = Buckets::new(options.buckets);
        Self(Arc::new(Inner {
            table,
            clock,
            jitter,
            stamps: Stamps::new(writer),
            transaction_stamps: Stamps::new(writer.of_transactions()),
            threads,
            options,
            buckets,
        }))
    }

    /// The table.
    pub fn table(&self) -> &T {
        &self.0.table
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    pub(crate) fn transaction_stamps(&self) -> &Stamps {
        &self.0.transaction_stamps
    }

    pub(crate) fn threads(&self) -> &Threads {
        &self.0.threads
    }

    pub(crate) fn options(&self) -> &CombineOptions {
        &self.0.options
    }

    /// Puts a request in the queue of its bucket. Dropping the share returns what it took.
    pub fn submit(&self, level: &Level, amounts: Amounts, acquires: i64, kind: Kind) -> Share<T> {
        let (reply, receiver) = tokio::sync::oneshot::channel();
        self.enqueue(Waiting {
            level: level.clone(),
            amounts: amounts.clone(),
            acquires,
            kind,
            attempts: 0,
            sends_before: 0,
            reply: Some(reply),
        });
        Share::new(self.clone(), level.clone(), amounts, acquires, kind, receiver)
    }

    /// Returns what was taken, with nobody waiting for it.
    pub(crate) fn give_back(&self, level: Level, taken: &[zae_limiter_core::Millitokens], acquires: i64) {
        self.enqueue(Waiting {
            level,
            amounts: taken.iter().map(|amount| -*amount).collect(),
            acquires: -acquires,
            kind: Kind::Apply,
            attempts: 0,
            sends_before: 0,
            reply: None,
        });
    }

    fn enqueue(&self, waiting: Waiting) {
        let bucket = self.0.buckets.get(&BucketKey::of(&waiting.level));
        if bucket.push(waiting) {
            let worker = worker::work(Arc::clone(&self.0), bucket);
            self.0.threads.spawn(worker);
        }
    }

    /// The bucket with a key, as this process remembers it.
    pub(crate) fn bucket(&self, key: &BucketKey) -> Arc<Bucket> {
        self.0.buckets.get(key)
    }
}

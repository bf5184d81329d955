//! The store: the contract of the limiter, carried out on one table.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use zae_limiter_core::store::{StoreAnswer, Task};
use zae_limiter_core::{
    Answer, Change, Clock, Decision, Entity, EntityConfig, EntityId, Level, LimitScope, LimitSet, Reading,
    Resource, Store, StoreError, StoreErrorKind, UsageQuery, UsageSnapshot,
};

use crate::aws::{AwsTable, Connection};
use crate::combine::{Combiner, Jitter};
use crate::item::{Known, Writer};
use crate::options::{Cascade, DynamoDbOptions};
use crate::process::threads;
use crate::skew::Skew;
use crate::stats::Stats;
use crate::table::{BucketKey, Table};
use crate::take::{apply_parallel, take_parallel};
use crate::threads::Threads;
use crate::transact::take_together;

/// Keeps everything in one DynamoDB table, which any number of processes and hosts share.
///
/// Requests run on threads of the store's own, so its answers can be awaited on any executor, or waited for by a
/// thread without one.
pub struct DynamoDbStore {
    connection: Arc<Connection>,
    combiner: Combiner<AwsTable>,
    clock: Arc<dyn Clock>,
    skew: Arc<Skew>,
    cascade: Cascade,
}

impl fmt::Debug for DynamoDbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDbStore").field("connection", &self.connection).finish_non_exhaustive()
    }
}

impl DynamoDbStore {
    /// Opens the table that `options` name, and sees whether this client and the table go together. Time comes from
    /// `clock`; `jitter` gives a random delay of at most so long.
    pub async fn open(
        options: DynamoDbOptions,
        clock: Arc<dyn Clock>,
        jitter: Jitter,
    ) -> Result<Self, StoreError> {
        let threads = threads()?;
        threads.look_up(Self::open_here(options, clock, jitter, threads.clone())).await
    }

    async fn open_here(
        options: DynamoDbOptions,
        own: Arc<dyn Clock>,
        jitter: Jitter,
        threads: Threads,
    ) -> Result<Self, StoreError> {
        let skew = Arc::new(Skew::new(options.skew_threshold));
        let connection = Connection::connect(&options, own, Arc::clone(&jitter), Arc::clone(&skew)).await?;
        let connection = Arc::new(connection);
        let clock = Arc::clone(&connection.clock);
        if options.create {
            connection.create_table(options.stream, |_| {}).await?;
        }
        if !options.skip_version_check {
            connection.open(options.strict_version).await?;
        }
        // The hasher's keys come from the operating system's randomness: no two processes draw the same.
        let writer = Writer::from_number(RandomState::new().hash_one(std::process::id()));
        let table = AwsTable(Arc::clone(&connection));
        let combiner = Combiner::new(table, Arc::clone(&clock), jitter, writer, threads, options.combine);
        Ok(Self { connection, combiner, clock, skew, cascade: options.cascade })
    }

    /// Requests and capacity so far, if the option `measure` is on.
    pub fn stats(&self) -> Option<Stats> {
        self.connection.meter.as_ref().map(|meter| meter.stats())
    }

    /// How many ms the server's clock is ahead of this host's (negative: behind), if that is beyond the threshold.
    pub fn clock_skew_ms(&self) -> Option<i64> {
        self.skew.beyond_threshold()
    }

    /// Runs `work` on the threads of the store, and gives it up if the answer is dropped.
    fn ask<'a, T, F, W>(&'a self, work: F) -> StoreAnswer<'a, T>
    where
        T: Send + 'static,
        F: FnOnce(Arc<Connection>) -> W + Send + 'a,
        W: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        Answer::pending(
            async move { self.combiner.threads().look_up(work(Arc::clone(&self.connection))).await },
        )
    }

    /// Runs `work` on the threads of the store, to its end even if the answer is dropped.
    fn change<'a, T, F, W>(&'a self, work: F) -> StoreAnswer<'a, T>
    where
        T: Send + 'static,
        F: FnOnce(Arc<Connection>) -> W + Send + 'a,
        W: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        Answer::pending(
            async move { self.combiner.threads().carry_out(work(Arc::clone(&self.connection))).await },
        )
    }
}

impl Store for DynamoDbStore {
    fn take<'a>(&'a self, take: Change<'a>) -> StoreAnswer<'a, Decision> {
        match self.cascade {
            Cascade::Transaction if take.levels.len() > 1 => {
                Answer::pending(take_together(&self.combiner, take))
            }
            _ => Answer::pending(take_parallel(&self.combiner, take)),
        }
    }

    fn apply<'a>(&'a self, change: Change<'a>) -> StoreAnswer<'a, ()> {
        Answer::pending(apply_parallel(&self.combiner, change))
    }

    fn read<'a>(&'a self, levels: &'a [Level]) -> StoreAnswer<'a, Reading> {
        Answer::pending(async move {
            let keys: Vec<BucketKey> = levels.iter().map(BucketKey::of).collect();
            let table = self.combiner.table().clone();
            let items = self.combiner.threads().look_up(async move { table.get(&keys).await }).await?;
            let at = self.clock.now();
            let readings =
                levels.iter().zip(items).map(|(level, item)| Known { item, at }.reading(&level.limits, at));
            Ok(Reading { at, full_at: readings.flat_map(|reading| reading.full_at).collect() })
        })
    }

    fn config<'a>(&'a self, entity: &'a EntityId, resource: &'a Resource) -> StoreAnswer<'a, EntityConfig> {
        let (entity, resource) = (entity.clone(), resource.clone());
        self.ask(|connection| async move { connection.config(entity, resource).await })
    }

    fn create_entity<'a>(&'a self, entity: &'a Entity) -> StoreAnswer<'a, ()> {
        let entity = entity.clone();
        self.change(|connection| async move { connection.create_entity(entity).await })
    }

    fn entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, Option<Entity>> {
        let id = id.clone();
        self.ask(|connection| async move { connection.entity(&id).await })
    }

    fn delete_entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, ()> {
        let (id, combiner) = (id.clone(), self.combiner.clone());
        self.change(|connection| async move {
            for resource in connection.delete_entity(&id).await? {
                let key = BucketKey { entity_id: id.clone(), resource };
                // What this process remembers must not deny anything any more.
                combiner.bucket(&key).learn_read(None, combiner.clock().now());
            }
            Ok(())
        })
    }

    fn entities(&self) -> StoreAnswer<'_, Vec<Entity>> {
        self.ask(|connection| async move { connection.entities().await })
    }

    fn children<'a>(&'a self, parent: &'a EntityId) -> StoreAnswer<'a, Vec<Entity>> {
        let parent = parent.clone();
        self.ask(|connection| async move { connection.children(&parent).await })
    }

    fn put_limits<'a>(&'a self, scope: &'a LimitScope, limits: &'a LimitSet) -> StoreAnswer<'a, ()> {
        let (scope, limits) = (scope.clone(), limits.clone());
        self.change(|connection| async move { connection.put_limits(scope, limits).await })
    }

    fn limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, Option<LimitSet>> {
        let scope = scope.clone();
        self.ask(|connection| async move { connection.limits(scope).await })
    }

    fn delete_limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, ()> {
        let scope = scope.clone();
        self.change(|connection| async move { connection.delete_limits(scope).await })
    }

    fn buckets<'a>(&'a self, resource: &'a Resource) -> StoreAnswer<'a, (Vec<Level>, Reading)> {
        let resource = resource.clone();
        self.ask(|connection| async move { connection.buckets(resource).await })
    }

    fn usage<'a>(&'a self, query: &'a UsageQuery) -> StoreAnswer<'a, Vec<UsageSnapshot>> {
        let query = query.clone();
        self.ask(|connection| async move { connection.usage(query).await })
    }

    fn spawn(&self, task: Task) {
        self.combiner.threads().spawn_waiting(task);
    }
}

impl Connection {
    /// Compares versions; where even that fails, says what is different about the table.
    async fn open(&self, strict: bool) -> Result<(), StoreError> {
        let Err(error) = self.check_version(strict).await else { return Ok(()) };
        let unfit = matches!(error.kind(), StoreErrorKind::Incompatible | StoreErrorKind::Invalid);
        if unfit && let Ok(Some(problem)) = self.schema_problem().await {
            let message = format!("table {} is not one of zae-limiter: {problem}", self.table);
            return Err(StoreError::new(StoreErrorKind::Incompatible, message).with_source(error));
        }
        Err(error)
    }
}

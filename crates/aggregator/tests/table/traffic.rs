//! Real acquires on a real table, and a ledger of what was committed.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_dynamodbstreams::types::Record;
use zae_limiter::{Block, LimitSet, Limiter, SystemClock};
use zae_limiter_aggregator::record::label_of;
use zae_limiter_aggregator::streams::{Source, TableStream};
use zae_limiter_core::{EntityId, Resource, Store, UsageQuery, Window, usage_sums};
use zae_limiter_store_dynamodb::{DynamoDbOptions, DynamoDbStore, UsageTable};

use crate::engine::{no_jitter, open, options};

/// Tokens by entity, resource and limit; with no limit, acquires.
pub(crate) type Ledger = BTreeMap<(String, String, Option<&'static str>), i64>;

/// A table with a stream, and what happened there.
pub(crate) struct Traffic {
    pub(crate) options: DynamoDbOptions,
    pub(crate) store: Arc<DynamoDbStore>,
    limiter: Limiter,
    pub(crate) ledger: Ledger,
    seed: u64,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        let mut options = options();
        options.stream = true;
        Self::on(options)
    }

    pub(crate) fn on(options: DynamoDbOptions) -> Self {
        let store = Arc::new(open(options.clone(), Arc::new(SystemClock)));
        let limiter = Limiter::builder().build(store.clone());
        Self { options, store, limiter, ledger: Ledger::new(), seed: 1 }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below
    }

    /// Some calls: most are committed, with or without a change; some are rolled back; some entities are deleted.
    pub(crate) fn go_on(&mut self, calls: usize) {
        let limits: LimitSet = "rpm=100k/min,tpm=1M/min".parse().unwrap();
        for _ in 0..calls {
            let entity = format!("key-{}", self.random(3));
            let resource = ["gpt-4", "claude"][usize::from(self.random(3) == 0)];
            let tokens = self.random(500).cast_signed();
            let acquire = self.limiter.acquire(&entity, resource, &limits);
            let mut lease = acquire.consume("rpm", 1).consume("tpm", tokens.unsigned_abs()).wait().unwrap();
            let change = match self.random(5) {
                0 => {
                    lease.rollback().wait().unwrap();
                    continue;
                }
                1 => self.random(100).cast_signed() - 50,
                _ => 0,
            };
            lease.adjust("tpm", change.max(-tokens)).unwrap();
            lease.commit().wait().unwrap();
            let mut add = |limit, amount| {
                *self.ledger.entry((entity.clone(), resource.to_owned(), limit)).or_default() += amount;
            };
            add(Some("rpm"), 1);
            add(Some("tpm"), tokens + change.max(-tokens));
            add(None, 1);
        }
    }

    /// Removes the buckets and the usage of an entity, as deleting it does.
    pub(crate) fn delete(&mut self, entity: &str) {
        pollster::block_on(self.store.delete_entity(&EntityId::new(entity).unwrap())).unwrap();
        self.ledger.retain(|(other, ..), _| other != entity);
    }

    /// What the snapshots say, in windows of one kind.
    pub(crate) fn counted(&self, window: Window) -> Ledger {
        let mut ledger = Ledger::new();
        for resource in ["gpt-4", "claude"] {
            let mut query = UsageQuery::of(EntityId::new("any").unwrap(), window);
            query.entity_id = None;
            query.resource = Some(Resource::new(resource).unwrap());
            let snapshots = pollster::block_on(self.store.usage(&query)).unwrap();
            for total in usage_sums::totals(&snapshots) {
                let mut put = |limit: Option<&'static str>, amount| {
                    ledger.insert((total.entity_id.to_string(), resource.to_owned(), limit), amount);
                };
                put(Some("rpm"), total.of("rpm").whole_tokens());
                put(Some("tpm"), total.of("tpm").whole_tokens());
                put(None, total.total_events);
            }
        }
        ledger
    }

    #[track_caller]
    pub(crate) fn check(&self) {
        for window in [Window::Hourly, Window::Daily] {
            assert_eq!(self.counted(window), self.ledger, "{window}");
        }
    }

    /// The table, as whoever counts sees it.
    pub(crate) fn table(&self) -> UsageTable {
        let connecting = UsageTable::connect(&self.options, Arc::new(SystemClock), no_jitter());
        on_runtime(connecting).unwrap()
    }

    /// All that the stream has, and the name of it.
    pub(crate) fn records(&self) -> (String, Vec<Record>) {
        let table = self.table();
        on_runtime(async {
            let arn = table.stream_arn().await.unwrap();
            assert_ne!(label_of(&arn), "", "{arn}");
            let stream = TableStream::connect(&self.options, &arn, 1_000).await.unwrap();
            let mut records = Vec::new();
            for shard in stream.shards().await.unwrap() {
                let mut iterator = stream.iterator(&shard.id, None).await.unwrap();
                loop {
                    let page = stream.records(&iterator).await.unwrap();
                    let next = page.next.filter(|_| !page.records.is_empty());
                    records.extend(page.records);
                    let Some(next) = next else { break };
                    iterator = next;
                }
            }
            (arn, records)
        })
    }
}

pub(crate) fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    zae_limiter_store_dynamodb::runtime().unwrap().block_on(work)
}

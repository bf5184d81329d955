//! Usage without a stream: snapshots made from what the buckets have counted, whenever an hour is over or a query comes.
//!
//! The real thing follows the table's stream. This stands in for it, so that the counters of the buckets and the reading
//! of snapshots are tested on a clock that is moved by hand.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;
use zae_limiter_core::store::{StoreAnswer, Task};
use zae_limiter_core::{
    Answer, Change, Clock, Decision, Entity, EntityConfig, EntityId, Level, LimitScope, LimitSet,
    ManualClock, Reading, Resource, Store, Timestamp, UsageQuery, UsageSnapshot, Window,
};
use zae_limiter_store_dynamodb::DynamoDbStore;
use zae_limiter_store_dynamodb::schema::{self, Namespace};

use crate::engine::endpoint;

/// The store, with usage.
#[derive(Debug)]
pub(crate) struct Counted {
    store: DynamoDbStore,
    clock: Arc<ManualClock>,
    /// The hour that what was not collected yet belongs to, as the instant at which it starts.
    hour: AtomicU64,
    collector: Arc<Mutex<Collector>>,
}

#[derive(Debug)]
struct Collector {
    client: Client,
    table: String,
    seen: HashMap<(EntityId, Resource), Counts>,
    totals: HashMap<(EntityId, Resource, Window, Timestamp), Counts>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Counts {
    consumed: BTreeMap<String, i64>,
    acquires: i64,
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    })
}

impl Counted {
    pub(crate) fn new(store: DynamoDbStore, table: String, clock: Arc<ManualClock>) -> Self {
        let collector = Collector { client: client(), table, seen: HashMap::new(), totals: HashMap::new() };
        let hour = AtomicU64::new(Window::Hourly.start(clock.now()).as_millis());
        Self { store, clock, hour, collector: Arc::new(Mutex::new(collector)) }
    }

    /// Counts what has happened so far, if the clock shows another hour.
    async fn turn_hour(&self) {
        let hour = Window::Hourly.start(self.clock.now()).as_millis();
        if self.hour.load(Ordering::SeqCst) != hour {
            self.collect().await;
            self.hour.store(hour, Ordering::SeqCst);
        }
    }

    async fn collect(&self) {
        let hour = Timestamp::from_millis(self.hour.load(Ordering::SeqCst));
        let collector = Arc::clone(&self.collector);
        runtime().spawn(async move { collector.lock().await.collect(hour).await }).await.unwrap();
    }
}

impl Collector {
    async fn collect(&mut self, hour: Timestamp) {
        let mut touched = Vec::new();
        for item in self.buckets().await {
            let pk = item[schema::PK].as_s().unwrap().strip_prefix(&Namespace::default().entities()).unwrap();
            let resource = item[schema::GSI2_PK].as_s().unwrap();
            let resource = resource.strip_prefix(&Namespace::default().resources()).unwrap();
            let (id, resource) = (EntityId::new(pk).unwrap(), Resource::new(resource).unwrap());
            let mut now = Counts::default();
            for (name, value) in &item {
                if name == schema::ACQUIRES {
                    now.acquires = value.as_n().unwrap().parse().unwrap();
                } else if let Some(limit) = name.strip_suffix(".tc") {
                    now.consumed.insert(limit.to_owned(), value.as_n().unwrap().parse().unwrap());
                }
            }
            let before = self.seen.insert((id.clone(), resource.clone()), now.clone()).unwrap_or_default();
            if before == now {
                continue;
            }
            for window in Window::ALL {
                let key = (id.clone(), resource.clone(), window, window.start(hour));
                let total = self.totals.entry(key.clone()).or_default();
                total.acquires += now.acquires - before.acquires;
                for (limit, consumed) in &now.consumed {
                    let before = before.consumed.get(limit).copied().unwrap_or(0);
                    *total.consumed.entry(limit.clone()).or_default() += consumed - before;
                }
                touched.push(key);
            }
        }
        for key in touched {
            self.write(&key).await;
        }
    }

    async fn buckets(&self) -> Vec<HashMap<String, AttributeValue>> {
        let scan = self.client.scan().table_name(&self.table).consistent_read(true);
        let scan = scan
            .filter_expression("begins_with(SK,:b)")
            .expression_attribute_values(":b", AttributeValue::S(schema::BUCKET_SK.to_owned()));
        let items: Result<Vec<_>, _> = scan.into_paginator().items().send().collect().await;
        items.unwrap()
    }

    async fn write(&self, key: &(EntityId, Resource, Window, Timestamp)) {
        let (id, resource, window, start) = key;
        let counts = &self.totals[key];
        let number = |number: i64| AttributeValue::N(number.to_string());
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let ns = Namespace::default();
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(schema::PK, AttributeValue::S(ns.entity(id)))
            .item(schema::SK, AttributeValue::S(schema::usage_sk(resource, *window, *start)))
            .item(schema::GSI2_PK, AttributeValue::S(ns.resource(resource)))
            .item(schema::GSI2_SK, AttributeValue::S(schema::usage_gsi2_sk(*window, *start, id)))
            .item(schema::ENTITY_ID, text(id.as_str()))
            .item(schema::RESOURCE, text(resource.as_str()))
            .item(schema::WINDOW, text(window.as_str()))
            .item(schema::START, AttributeValue::N(start.as_millis().to_string()))
            .item(schema::ACQUIRES, number(counts.acquires));
        for (limit, consumed) in &counts.consumed {
            put = put.item(format!("{limit}.{}", schema::CONSUMED), number(*consumed));
        }
        put.send().await.unwrap();
    }
}

pub(crate) fn client() -> Client {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .endpoint_url(endpoint())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "test"));
    Client::from_conf(config.build())
}

impl Store for Counted {
    fn take<'a>(&'a self, take: Change<'a>) -> StoreAnswer<'a, Decision> {
        Answer::pending(async move {
            self.turn_hour().await;
            self.store.take(take).await
        })
    }

    fn apply<'a>(&'a self, change: Change<'a>) -> StoreAnswer<'a, ()> {
        Answer::pending(async move {
            self.turn_hour().await;
            self.store.apply(change).await
        })
    }

    fn read<'a>(&'a self, levels: &'a [Level]) -> StoreAnswer<'a, Reading> {
        self.store.read(levels)
    }

    fn config<'a>(&'a self, entity: &'a EntityId, resource: &'a Resource) -> StoreAnswer<'a, EntityConfig> {
        self.store.config(entity, resource)
    }

    fn create_entity<'a>(&'a self, entity: &'a Entity) -> StoreAnswer<'a, ()> {
        self.store.create_entity(entity)
    }

    fn entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, Option<Entity>> {
        self.store.entity(id)
    }

    fn delete_entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, ()> {
        Answer::pending(async move {
            // A stream tells of what was there before it was deleted.
            self.collect().await;
            self.store.delete_entity(id).await?;
            let mut collector = self.collector.lock().await;
            collector.seen.retain(|(entity, _), _| entity != id);
            collector.totals.retain(|(entity, ..), _| entity != id);
            Ok(())
        })
    }

    fn entities(&self) -> StoreAnswer<'_, Vec<Entity>> {
        self.store.entities()
    }

    fn children<'a>(&'a self, parent: &'a EntityId) -> StoreAnswer<'a, Vec<Entity>> {
        self.store.children(parent)
    }

    fn put_limits<'a>(&'a self, scope: &'a LimitScope, limits: &'a LimitSet) -> StoreAnswer<'a, ()> {
        self.store.put_limits(scope, limits)
    }

    fn limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, Option<LimitSet>> {
        self.store.limits(scope)
    }

    fn delete_limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, ()> {
        self.store.delete_limits(scope)
    }

    fn buckets<'a>(&'a self, resource: &'a Resource) -> StoreAnswer<'a, (Vec<Level>, Reading)> {
        self.store.buckets(resource)
    }

    fn usage<'a>(&'a self, query: &'a UsageQuery) -> StoreAnswer<'a, Vec<UsageSnapshot>> {
        Answer::pending(async move {
            self.collect().await;
            self.store.usage(query).await
        })
    }

    fn spawn(&self, task: Task) {
        self.store.spawn(task);
    }
}

//! The yardsticks: updates by the SDK's client alone.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use zae_limiter::core::{FullAt, Level};
use zae_limiter::{Clock, EntityId, Limit, LimitSet, Millitokens, Resource, SystemClock};
use zae_limiter_store_dynamodb::expression::{express, of_sdk};
use zae_limiter_store_dynamodb::item::{BucketItem, Known, LimitItem, Writer};
use zae_limiter_store_dynamodb::plan::{Asked, Kind, Stamp, plan};
use zae_limiter_store_dynamodb::schema::{self, Namespace};

/// The year 2100, in s.
const KEPT_UNTIL: u64 = 4_102_444_800;

#[derive(Clone)]
pub(crate) struct Bare {
    client: Client,
    table: String,
    /// Writes so far.
    writes: Arc<AtomicU64>,
}

impl Bare {
    pub(crate) fn new(endpoint: &str, table: &str) -> Self {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(endpoint)
            .region(Region::new("us-east-1"))
            .retry_config(RetryConfig::disabled())
            .credentials_provider(Credentials::new("local", "local", None, None, "bench"));
        Self { client: Client::from_conf(config.build()), table: table.to_owned(), writes: Arc::default() }
    }

    /// The least that an update can be: adds to a number.
    pub(crate) async fn add(&self, item: &Item) -> Result<(), aws_sdk_dynamodb::Error> {
        self.client
            .update_item()
            .table_name(&self.table)
            .key(schema::PK, AttributeValue::S(item.pk.clone()))
            .key(schema::SK, AttributeValue::S(item.sk.clone()))
            .update_expression("ADD n :one")
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .send()
            .await?;
        Ok(())
    }

    /// Lets the item of a bucket stay for so long that no update has to prolong it.
    pub(crate) async fn keep(&self, bucket: &Bucket) -> Result<(), aws_sdk_dynamodb::Error> {
        self.client
            .update_item()
            .table_name(&self.table)
            .key(schema::PK, AttributeValue::S(bucket.item.pk.clone()))
            .key(schema::SK, AttributeValue::S(bucket.item.sk.clone()))
            .update_expression("SET #x=:x")
            .expression_attribute_names("#x", schema::TTL)
            .expression_attribute_values(":x", AttributeValue::N(KEPT_UNTIL.to_string()))
            .send()
            .await?;
        Ok(())
    }

    /// The update that a warm acquire comes to, of a bucket that is not full.
    pub(crate) async fn take(&self, bucket: &Bucket) -> Result<(), aws_sdk_dynamodb::Error> {
        let stamp = Stamp::new(Writer::from_number(1), 1 + self.writes.fetch_add(1, Ordering::Relaxed));
        let Bucket { level, known, item } = bucket;
        let amounts = vec![Millitokens::from_tokens(1); level.limits.len()];
        let asked = Asked { level, amounts: &amounts, acquires: 1, kind: Kind::Take };
        let write = plan(asked, Some(known), |_| true, SystemClock.now(), stamp);
        let expression = express(&write, &Namespace::default(), &level.entity_id, &level.resource);
        self.client
            .update_item()
            .table_name(&self.table)
            .key(schema::PK, AttributeValue::S(item.pk.clone()))
            .key(schema::SK, AttributeValue::S(item.sk.clone()))
            .update_expression(expression.update)
            .condition_expression(expression.condition)
            .set_expression_attribute_names(Some(of_sdk(expression.names)))
            .set_expression_attribute_values(Some(of_sdk(expression.values)))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await?;
        Ok(())
    }
}

/// What is updated.
pub(crate) struct Item {
    pk: String,
    sk: String,
}

impl Item {
    /// An item with nothing but the number, in no index.
    pub(crate) fn small(name: &str) -> Self {
        Self { pk: format!("BARE#{name}"), sk: "#".to_owned() }
    }
}

/// The item of a bucket, and all that there is to know of it.
pub(crate) struct Bucket {
    pub(crate) item: Item,
    level: Level,
    known: Known,
}

impl Bucket {
    pub(crate) fn new(entity: &str, resource: &str, limits: &LimitSet) -> Result<Self, Box<dyn Error>> {
        let (entity_id, resource) = (EntityId::new(entity)?, Resource::new(resource)?);
        let item = Item { pk: Namespace::default().entity(&entity_id), sk: schema::bucket_sk(&resource) };
        let held = |limit: &Limit| {
            let (full_at, consumed) = (FullAt::ALWAYS, Millitokens::from_tokens(0));
            (limit.name().clone(), LimitItem { limit: limit.clone(), full_at, consumed })
        };
        let known = BucketItem {
            limits: limits.iter().map(held).collect(),
            ttl: KEPT_UNTIL,
            ..BucketItem::default()
        };
        let level = Level { entity_id, resource, limits: limits.clone() };
        Ok(Self { item, level, known: Known { item: Some(known), at: SystemClock.now() } })
    }
}

//! Usage snapshots. They are written by whoever follows the table's stream, and read here.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use zae_limiter_core::usage_sums::in_windows;
use zae_limiter_core::{
    EntityId, Millitokens, Resource, StoreError, Timestamp, UsageQuery, UsageSnapshot, Window,
};

use crate::aws::{Attributes, Connection, Key, Malformed, Pages, attributes_of, clamped, integer, text};
use crate::position::StreamPosition;
use crate::schema::{self, ACQUIRES, ENTITY_ID, RESOURCE, SEQUENCE, START, TTL, WINDOW};
use crate::snapshot::{Added, SnapshotUpdate};
use crate::stats::Access;

impl Connection {
    /// The snapshots that `query` asks for. If there are none of its kind of window, because none are written, the next
    /// finer ones are summed.
    pub(crate) async fn usage(&self, query: UsageQuery) -> Result<Vec<UsageSnapshot>, StoreError> {
        let finer_ones = Window::ALL.into_iter().rev().filter(|window| *window <= query.window);
        for window in finer_ones {
            let finer = UsageQuery { window, to: end_of_last(&query), ..query.clone() };
            let found = self.snapshots(if window == query.window { &query } else { &finer }).await?;
            if found.is_empty() {
                continue;
            }
            let mut found = in_windows(query.window, found);
            found.retain(|snapshot| answers(&query, snapshot) && !snapshot.is_nothing());
            return Ok(found);
        }
        Ok(Vec::new())
    }

    /// The snapshots of exactly the kind that `query` asks for.
    async fn snapshots(&self, query: &UsageQuery) -> Result<Vec<UsageSnapshot>, StoreError> {
        // The texts of whole seconds are ordered as the instants are.
        let seconds = |at: Timestamp| Timestamp::from_millis(at.as_millis().div_ceil(1_000) * 1_000);
        let (from, to) = (seconds(query.from), seconds(query.to));
        let items = match (&query.entity_id, &query.resource) {
            (Some(id), Some(resource)) => {
                let start = |at| schema::usage_sk(resource, query.window, at);
                self.list(Pages::of(self.ns.entity(id), String::new()).between(start(from), start(to)))
                    .await?
            }
            (Some(id), None) => self.list(Pages::of(self.ns.entity(id), schema::USAGE_SK.to_owned())).await?,
            (None, Some(resource)) => {
                let start = |at| format!("{}{at}", schema::usage_gsi2_sk_prefix(query.window));
                let pages = Pages::of_index(schema::GSI2, self.ns.resource(resource), String::new());
                let listed = self.list(pages.between(start(from), start(to))).await?;
                let keys: Vec<Key> = listed.iter().filter_map(crate::aws::key_of).collect();
                self.get_items(&keys).await?.into_values().collect()
            }
            (None, None) => self.scan(self.ns.entities(), schema::USAGE_SK).await?,
        };
        let mut found = Vec::with_capacity(items.len());
        for item in items {
            let snapshot = read(&item).map_err(|malformed| {
                let (pk, sk) = crate::aws::key_of(&item).unwrap_or_default();
                malformed.of(format!("the usage snapshot {pk} {sk}"))
            })?;
            if answers(query, &snapshot) {
                found.push(snapshot);
            }
        }
        Ok(found)
    }

    /// Adds to a snapshot, which is made if there is none, unless it includes the first of the records already.
    pub(crate) async fn add_usage(&self, update: &SnapshotUpdate) -> Result<Added, StoreError> {
        let key = &update.key;
        let ns = &key.namespace;
        let text = |text: String| AttributeValue::S(text);
        let number = |number: i128| AttributeValue::N(number.to_string());
        let names = [
            ("#q", SEQUENCE),
            ("#e", ENTITY_ID),
            ("#r", RESOURCE),
            ("#w", WINDOW),
            ("#s", START),
            ("#x", TTL),
            ("#gp", schema::GSI2_PK),
            ("#gs", schema::GSI2_SK),
            ("#ac", ACQUIRES),
        ];
        let values = [
            (":f", text(update.first.to_string())),
            (":q", text(update.last.to_string())),
            (":e", text(key.entity_id.to_string())),
            (":r", text(key.resource.to_string())),
            (":w", text(key.window.to_string())),
            (":s", number(key.start.as_millis().into())),
            (":x", number(update.expires_s.into())),
            (":gp", text(ns.resource(&key.resource))),
            (":gs", text(schema::usage_gsi2_sk(key.window, key.start, &key.entity_id))),
            (":ac", number(update.acquires)),
        ];
        let mut expression = "SET #q=:q,#e=:e,#r=:r,#w=:w,#s=:s,#x=:x,#gp=:gp,#gs=:gs ADD #ac :ac".to_owned();
        let sk = schema::usage_sk(&key.resource, key.window, key.start);
        let mut send = self
            .clients
            .patient
            .update_item()
            .table_name(&self.table)
            .set_key(Some(attributes_of((ns.entity(&key.entity_id), sk))))
            .condition_expression("attribute_not_exists(#q) OR #q<:f")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .set_return_consumed_capacity(self.wanted_capacity());
        for (placeholder, name) in names {
            send = send.expression_attribute_names(placeholder, name);
        }
        for (placeholder, value) in values {
            send = send.expression_attribute_values(placeholder, value);
        }
        for (i, (limit, consumed)) in update.consumed.iter().enumerate() {
            let (name, value) = (format!("#t{i}"), format!(":t{i}"));
            // Writing to a string cannot fail.
            let _ = write!(expression, ",{name} {value}");
            send = send
                .expression_attribute_names(name, schema::consumed(limit))
                .expression_attribute_values(value, number(*consumed));
        }
        match self.call(send.update_expression(expression).send()).await? {
            Ok(output) => {
                self.count(Access::Write, output.consumed_capacity());
                Ok(Added::Done)
            }
            Err(error) => {
                let item = match &error {
                    UpdateItemError::ConditionalCheckFailedException(failed) => failed.item(),
                    _ => None,
                };
                let position = item.and_then(|item| StreamPosition::parse(item.get(SEQUENCE)?.as_s().ok()?));
                position.map(Added::Includes).ok_or_else(|| {
                    let malformed = Malformed::new(SEQUENCE, "is not a position in a stream");
                    malformed.of(key).with_source(error)
                })
            }
        }
    }
}

/// When the last of the windows ends that `query` asks for.
fn end_of_last(query: &UsageQuery) -> Timestamp {
    let last = Timestamp::from_millis(query.to.as_millis().saturating_sub(1));
    query.window.end(query.window.start(last))
}

fn answers(query: &UsageQuery, snapshot: &UsageSnapshot) -> bool {
    snapshot.window == query.window
        && (query.from..query.to).contains(&snapshot.window_start)
        && query.entity_id.as_ref().is_none_or(|id| *id == snapshot.entity_id)
        && query.resource.as_ref().is_none_or(|resource| *resource == snapshot.resource)
}

fn read(item: &Attributes) -> Result<UsageSnapshot, Malformed> {
    let required = |name| text(item, name)?.ok_or_else(|| Malformed::new(name, "is missing"));
    let number = |name: &str| item.get(name).map_or(Ok(0), |value| integer(name, value));
    let entity_id =
        EntityId::new(required(ENTITY_ID)?).map_err(|_| Malformed::new(ENTITY_ID, "is not an entity id"))?;
    let resource =
        Resource::new(required(RESOURCE)?).map_err(|_| Malformed::new(RESOURCE, "is not a resource"))?;
    let window: Window = required(WINDOW)?.parse().map_err(|_| Malformed::new(WINDOW, "is not a window"))?;
    let start = u64::try_from(number(START)?).map_err(|_| Malformed::new(START, "is not an instant"))?;
    let start = Timestamp::from_millis(start);
    let mut counters = BTreeMap::new();
    for (name, value) in item {
        if let Some(limit) = schema::consumed_limit(name) {
            counters.insert(limit, Millitokens::new(clamped(integer(name, value)?)));
        }
    }
    Ok(UsageSnapshot::new(entity_id, resource, window, start, counters, clamped(number(ACQUIRES)?)))
}

//! Many items at a time, until all of them are done.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, KeysAndAttributes, WriteRequest};
use zae_limiter_core::{StoreError, StoreErrorKind};

use super::{Attributes, Connection};
use crate::schema::{PK, SK};
use crate::stats::Access;

/// Partition and sort key of an item.
pub(crate) type Key = (String, String);

/// Items in one `BatchGetItem` at most.
const READ_AT_MOST: usize = 100;
/// Items in one `BatchWriteItem` at most.
const WRITTEN_AT_MOST: usize = 25;
/// Rounds in a row in which DynamoDB may leave everything undone before it is taken to be overloaded.
const ROUNDS: u32 = 10;
/// The first random delay before such a round is at most this; it doubles from round to round.
const FIRST_BACKOFF: Duration = Duration::from_millis(20);
/// The longest random delay.
const MOST_BACKOFF: Duration = Duration::from_secs(1);

impl Connection {
    /// Reads one item, strongly consistent.
    pub(crate) async fn get_item(&self, key: &Key) -> Result<Option<Attributes>, StoreError> {
        let send = self
            .clients
            .patient
            .get_item()
            .table_name(&self.table)
            .set_key(Some(attributes_of(key.clone())))
            .consistent_read(true)
            .set_return_consumed_capacity(self.wanted_capacity());
        let output = self.ask(send.send()).await?;
        self.count(Access::Read, output.consumed_capacity());
        Ok(output.item)
    }

    /// Reads items, strongly consistent; those that do not exist are left out.
    pub(crate) async fn get_items(&self, keys: &[Key]) -> Result<HashMap<Key, Attributes>, StoreError> {
        if let [key] = keys {
            let item = self.get_item(key).await?;
            return Ok(item.map(|item| (key.clone(), item)).into_iter().collect());
        }
        let mut found = HashMap::with_capacity(keys.len());
        // DynamoDB refuses a batch that names a key twice.
        let mut waiting: Vec<&Key> = keys.iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut undone: Vec<Attributes> = Vec::new();
        let mut rounds = 0;
        while !waiting.is_empty() || !undone.is_empty() {
            while undone.len() < READ_AT_MOST {
                let Some(key) = waiting.pop() else { break };
                undone.push(attributes_of(key.clone()));
            }
            let asked = undone.len();
            let keys = KeysAndAttributes::builder()
                .set_keys(Some(std::mem::take(&mut undone)))
                .consistent_read(true);
            let keys =
                keys.build().map_err(|error| StoreError::new(StoreErrorKind::Invalid, error.to_string()))?;
            let send = self
                .clients
                .patient
                .batch_get_item()
                .request_items(&self.table, keys)
                .set_return_consumed_capacity(self.wanted_capacity());
            let output = self.ask(send.send()).await?;
            self.count(Access::Read, output.consumed_capacity());
            for item in output.responses.unwrap_or_default().into_values().flatten() {
                if let Some(key) = key_of(&item) {
                    found.insert(key, item);
                }
            }
            undone
                .extend(output.unprocessed_keys.unwrap_or_default().into_values().flat_map(|left| left.keys));
            rounds = self.next_round(rounds, asked, undone.len()).await?;
        }
        Ok(found)
    }

    /// Deletes items.
    pub(crate) async fn delete_items(&self, keys: Vec<Key>) -> Result<(), StoreError> {
        let mut waiting = keys.into_iter();
        let mut undone: Vec<WriteRequest> = Vec::new();
        let mut rounds = 0;
        loop {
            let more = WRITTEN_AT_MOST - undone.len().min(WRITTEN_AT_MOST);
            for key in waiting.by_ref().take(more) {
                let delete = DeleteRequest::builder().set_key(Some(attributes_of(key))).build();
                let delete =
                    delete.map_err(|error| StoreError::new(StoreErrorKind::Invalid, error.to_string()))?;
                undone.push(WriteRequest::builder().delete_request(delete).build());
            }
            if undone.is_empty() {
                return Ok(());
            }
            let asked = undone.len();
            let send = self
                .clients
                .patient
                .batch_write_item()
                .request_items(&self.table, std::mem::take(&mut undone))
                .set_return_consumed_capacity(self.wanted_capacity());
            let output = self.ask(send.send()).await?;
            self.count(Access::Write, output.consumed_capacity());
            undone.extend(output.unprocessed_items.unwrap_or_default().into_values().flatten());
            rounds = self.next_round(rounds, asked, undone.len()).await?;
        }
    }

    /// Waits a little if items were left undone; gives up if that was all of them too often in a row. The number of rounds
    /// without progress.
    async fn next_round(&self, rounds: u32, asked: usize, undone: usize) -> Result<u32, StoreError> {
        if undone == 0 {
            return Ok(0);
        }
        let rounds = if undone < asked { 0 } else { rounds + 1 };
        if rounds >= ROUNDS {
            let message =
                format!("DynamoDB throttles: {undone} records of table {} are left undone", self.table);
            return Err(StoreError::new(StoreErrorKind::Unavailable, message));
        }
        let most = FIRST_BACKOFF.saturating_mul(1 << rounds).min(MOST_BACKOFF);
        tokio::time::sleep((self.jitter)(most)).await;
        Ok(rounds)
    }
}

/// A key as DynamoDB wants it.
pub(crate) fn attributes_of((pk, sk): Key) -> Attributes {
    [(PK.to_owned(), AttributeValue::S(pk)), (SK.to_owned(), AttributeValue::S(sk))].into()
}

/// The key of an item.
pub(crate) fn key_of(item: &Attributes) -> Option<Key> {
    let text = |name| item.get(name)?.as_s().ok().cloned();
    Some((text(PK)?, text(SK)?))
}

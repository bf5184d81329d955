//! How far a stream has been followed, and by whom.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use zae_limiter_core::{StoreError, Timestamp};

use crate::aws::{Attributes, Connection, Key, Malformed, Pages, attributes_of, integer, text};
use crate::schema::{self, DONE, FOLLOWER_SK, Namespace, OWNER, SEQUENCE, SK, TTL, UNTIL};
use crate::stats::Access;

/// Progress is kept so long after it was last written. Records stay in a stream for a day.
const KEPT: Duration = Duration::from_hours(7 * 24);

/// How far a shard has been counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// The sequence number of the last record that is counted, as the stream wrote it; `None` if none is.
    pub sequence: Option<String>,
    /// Whether there are no more records.
    pub done: bool,
}

/// Whose turn it is to follow the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lease {
    /// The one who asked.
    Ours,
    /// Another one's.
    Theirs {
        /// The other one.
        owner: String,
        /// Until then, unless it is renewed.
        until: Timestamp,
    },
}

fn follower_key() -> Key {
    (Namespace::default().system(), FOLLOWER_SK.to_owned())
}

impl Connection {
    /// Takes or renews the lease on the stream for `owner`, unless another one holds it.
    pub(crate) async fn lease(&self, owner: &str, term: Duration) -> Result<Lease, StoreError> {
        let now = self.clock.now();
        let instant = |at: Timestamp| AttributeValue::N(at.as_millis().to_string());
        let send = self
            .clients
            .patient
            .update_item()
            .table_name(&self.table)
            .set_key(Some(attributes_of(follower_key())))
            .update_expression("SET #o=:o,#u=:u")
            .condition_expression("attribute_not_exists(#o) OR #o=:o OR #u<:now")
            .expression_attribute_names("#o", OWNER)
            .expression_attribute_names("#u", UNTIL)
            .expression_attribute_values(":o", AttributeValue::S(owner.to_owned()))
            .expression_attribute_values(":u", instant(now.after(term)))
            .expression_attribute_values(":now", instant(now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .set_return_consumed_capacity(self.wanted_capacity());
        match self.call(send.send()).await? {
            Ok(output) => {
                self.count(Access::Write, output.consumed_capacity());
                Ok(Lease::Ours)
            }
            Err(error) => {
                let found = match &error {
                    UpdateItemError::ConditionalCheckFailedException(failed) => failed.item(),
                    _ => None,
                };
                let held = found.map_or_else(|| Err(Malformed::new(OWNER, "is missing")), held_by);
                held.map_err(|malformed| malformed.of("the record of who follows the stream"))
            }
        }
    }

    /// Gives the lease back, if `owner` still holds it.
    pub(crate) async fn end_lease(&self, owner: &str) -> Result<(), StoreError> {
        let send = self
            .clients
            .patient
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(attributes_of(follower_key())))
            .condition_expression("#o=:o")
            .expression_attribute_names("#o", OWNER)
            .expression_attribute_values(":o", AttributeValue::S(owner.to_owned()))
            .set_return_consumed_capacity(self.wanted_capacity());
        // A condition that fails says that it is another one's turn already.
        if let Ok(output) = self.call(send.send()).await? {
            self.count(Access::Write, output.consumed_capacity());
        }
        Ok(())
    }

    /// How far each shard of a stream has been counted.
    pub(crate) async fn checkpoints(&self, stream: &str) -> Result<HashMap<String, Checkpoint>, StoreError> {
        let prefix = schema::shard_sk(stream, "");
        let items = self.list(Pages::of(Namespace::default().system(), prefix.clone())).await?;
        let shard = |item: &Attributes| Some(text(item, SK).ok()??.strip_prefix(&prefix)?.to_owned());
        let read = |item: &Attributes| {
            let shard = shard(item)?;
            let checkpoint = checkpoint(item)
                .map_err(|malformed| malformed.of(format!("the progress of {shard} of stream {stream}")));
            Some(checkpoint.map(|checkpoint| (shard, checkpoint)))
        };
        items.iter().filter_map(read).collect()
    }

    /// Remembers how far a shard has been counted.
    pub(crate) async fn put_checkpoint(
        &self,
        stream: &str,
        shard: &str,
        checkpoint: &Checkpoint,
    ) -> Result<(), StoreError> {
        let expires = self.clock.now().after(KEPT).as_millis() / 1_000;
        let mut item = attributes_of((Namespace::default().system(), schema::shard_sk(stream, shard)));
        item.insert(DONE.to_owned(), AttributeValue::Bool(checkpoint.done));
        item.insert(TTL.to_owned(), AttributeValue::N(expires.to_string()));
        if let Some(sequence) = &checkpoint.sequence {
            item.insert(SEQUENCE.to_owned(), AttributeValue::S(sequence.clone()));
        }
        let send = self
            .clients
            .patient
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .set_return_consumed_capacity(self.wanted_capacity());
        let output = self.ask(send.send()).await?;
        self.count(Access::Write, output.consumed_capacity());
        Ok(())
    }
}

fn held_by(item: &Attributes) -> Result<Lease, Malformed> {
    let owner = text(item, OWNER)?.ok_or_else(|| Malformed::new(OWNER, "is missing"))?.to_owned();
    let until = item.get(UNTIL).map_or(Ok(0), |value| integer(UNTIL, value))?;
    let until = u64::try_from(until).map_err(|_| Malformed::new(UNTIL, "is not an instant"))?;
    Ok(Lease::Theirs { owner, until: Timestamp::from_millis(until) })
}

fn checkpoint(item: &Attributes) -> Result<Checkpoint, Malformed> {
    let sequence = text(item, SEQUENCE)?.map(str::to_owned);
    let done = item.get(DONE).map(|value| value.as_bool().copied()).transpose();
    let done = done.map_err(|_| Malformed::new(DONE, "is not true or false"))?;
    Ok(Checkpoint { sequence, done: done.unwrap_or_default() })
}

//! The table of buckets that the write protocol runs on.

use std::sync::Arc;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use zae_limiter_core::{StoreError, StoreErrorKind};

use super::batch::attributes_of;
use super::update::UpdateRequest;
use super::{Connection, Key, bucket};
use crate::error::{Failure, Fate};
use crate::expression::{express, of_sdk};
use crate::item::BucketItem;
use crate::plan::BucketWrite;
use crate::schema;
use crate::stats::Access;
use crate::table::{BucketKey, Outcome, Table, TransactOutcome};

/// Buckets in DynamoDB.
#[derive(Clone, Debug)]
pub(crate) struct AwsTable(pub(crate) Arc<Connection>);

impl AwsTable {
    fn key(&self, key: &BucketKey) -> Key {
        (self.0.ns.entity(&key.entity_id), schema::bucket_sk(&key.resource))
    }
}

impl Table for AwsTable {
    async fn update(&self, key: &BucketKey, write: &BucketWrite) -> Outcome {
        let connection = &self.0;
        let request = UpdateRequest::new(
            &connection.table,
            self.key(key),
            express(write, &connection.ns, &key.entity_id, &key.resource),
            connection.wanted_capacity(),
        );
        match connection.call(connection.clients.update.send(&request)).await {
            Ok(Ok(updated)) => {
                connection.count(Access::Write, &updated.consumed);
                match updated.item {
                    Some(Ok(item)) => Outcome::Done(item),
                    Some(Err(malformed)) => Outcome::Error(malformed.of(key)),
                    None => Outcome::Unknown(no_item(key)),
                }
            }
            Ok(Err(rejected)) => match rejected.item.transpose() {
                Ok(item) => Outcome::Failed(item),
                Err(malformed) => Outcome::Error(malformed.of(key)),
            },
            Err(Failure { fate: Fate::Unknown, error }) => Outcome::Unknown(error),
            Err(Failure { fate: Fate::Refused, error }) => Outcome::Refused(error),
            Err(Failure { fate: Fate::Final, error }) => Outcome::Error(error),
        }
    }

    async fn transact(&self, writes: &[(BucketKey, BucketWrite)], token: &str) -> TransactOutcome {
        let connection = &self.0;
        let mut items = Vec::with_capacity(writes.len());
        for (key, write) in writes {
            let expression = express(write, &connection.ns, &key.entity_id, &key.resource);
            let update = Update::builder()
                .table_name(&connection.table)
                .set_key(Some(attributes_of(self.key(key))))
                .update_expression(expression.update)
                .condition_expression(expression.condition)
                .set_expression_attribute_names(Some(of_sdk(expression.names)))
                .set_expression_attribute_values(Some(of_sdk(expression.values)))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .build();
            match update {
                Ok(update) => items.push(TransactWriteItem::builder().update(update).build()),
                Err(error) => {
                    return TransactOutcome::Error(StoreError::new(
                        StoreErrorKind::Invalid,
                        error.to_string(),
                    ));
                }
            }
        }
        let send = connection
            .clients
            .once
            .transact_write_items()
            .set_transact_items(Some(items))
            .client_request_token(token)
            .set_return_consumed_capacity(connection.wanted_capacity());
        match connection.call(send.send()).await {
            Ok(Ok(output)) => {
                connection.count(Access::Write, output.consumed_capacity());
                TransactOutcome::Done
            }
            Ok(Err(TransactWriteItemsError::TransactionCanceledException(cancelled))) => {
                cancelled_for(writes, cancelled.cancellation_reasons(), &connection.table)
            }
            Ok(Err(error)) => {
                let said = error.message().unwrap_or("no reason given").to_owned();
                TransactOutcome::Refused(
                    StoreError::new(StoreErrorKind::Unavailable, said).with_source(error),
                )
            }
            Err(Failure { fate: Fate::Unknown, error }) => TransactOutcome::Unknown(error),
            Err(Failure { fate: Fate::Refused, error }) => TransactOutcome::Refused(error),
            Err(Failure { fate: Fate::Final, error }) => TransactOutcome::Error(error),
        }
    }

    async fn get(&self, keys: &[BucketKey]) -> Result<Vec<Option<BucketItem>>, StoreError> {
        let wanted: Vec<Key> = keys.iter().map(|key| self.key(key)).collect();
        let found = self.0.get_items(&wanted).await?;
        let read = |(key, at)| found.get(at).map(|attributes| bucket(attributes, key)).transpose();
        keys.iter().zip(&wanted).map(read).collect()
    }
}

/// Why a transaction was not carried out, from one reason for each of its writes.
fn cancelled_for(
    writes: &[(BucketKey, BucketWrite)],
    reasons: &[CancellationReason],
    table: &str,
) -> TransactOutcome {
    let mut found = Vec::with_capacity(writes.len());
    let (mut failed, mut in_the_way, mut wrong) = (false, None, None);
    for ((key, _), reason) in writes.iter().zip(reasons) {
        let said = reason.message().unwrap_or("no reason given");
        match reason.code().unwrap_or("None") {
            "None" => found.push(None),
            "ConditionalCheckFailed" => {
                failed = true;
                match reason.item().filter(|item| !item.is_empty()).map(|item| bucket(item, key)).transpose()
                {
                    Ok(item) => found.push(Some(item)),
                    Err(error) => return TransactOutcome::Error(error),
                }
            }
            code @ ("TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded") => {
                in_the_way = Some(format!("{code} on {key} (table {table}): {said}"));
                found.push(None);
            }
            code => {
                wrong = Some(format!("{code} on {key} (table {table}): {said}"));
                found.push(None);
            }
        }
    }
    if found.len() != writes.len() {
        let message =
            format!("a transaction on table {table} was cancelled without a reason for each of its writes");
        return TransactOutcome::Refused(StoreError::new(StoreErrorKind::Unavailable, message));
    }
    match (wrong, failed, in_the_way) {
        (Some(wrong), ..) => TransactOutcome::Error(StoreError::new(StoreErrorKind::Invalid, wrong)),
        (None, true, _) => TransactOutcome::Failed(found),
        (None, false, Some(conflict)) => {
            TransactOutcome::Refused(StoreError::new(StoreErrorKind::Unavailable, conflict))
        }
        (None, false, None) => {
            let message = format!("a transaction on table {table} was cancelled for no reason");
            TransactOutcome::Refused(StoreError::new(StoreErrorKind::Unavailable, message))
        }
    }
}

fn no_item(key: &BucketKey) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, format!("DynamoDB did not tell what became of {key}"))
}

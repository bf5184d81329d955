//! Records as the SDK has them.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodbstreams::types::{self, AttributeValue, OperationType};
use zae_limiter_core::Timestamp;

use crate::event::no_image;
use crate::record::{Event, Record, Unreadable};

type Image = HashMap<String, AttributeValue>;

/// Reads a record of the stream with this label.
pub(super) fn record<'a>(
    record: &'a types::Record,
    stream: &Arc<str>,
) -> Result<Record<&'a Image>, Unreadable> {
    let change = record.dynamodb().ok_or_else(|| Unreadable::new(None, "it does not say what happened"))?;
    let id = change.sequence_number().ok_or_else(|| Unreadable::new(None, "it has no sequence number"))?;
    let unreadable = |reason: String| Unreadable::new(Some(id.to_owned()), reason);
    let new = || change.new_image().ok_or_else(|| unreadable(no_image("new")));
    let event = match record.event_name() {
        Some(OperationType::Remove) => Event::Remove,
        Some(OperationType::Insert) => Event::Insert(new()?),
        Some(OperationType::Modify) => {
            Event::Modify(change.old_image().ok_or_else(|| unreadable(no_image("old")))?, new()?)
        }
        other => return Err(unreadable(format!("{other:?} is not an event"))),
    };
    let sequence = id.parse().map_err(|error| Unreadable::new(None, format!("{error}")))?;
    let at = happened_at(record).ok_or_else(|| unreadable("it does not say when it happened".to_owned()))?;
    let keys = change.keys().ok_or_else(|| unreadable("it has no keys".to_owned()))?;
    Ok(Record { id: id.to_owned(), sequence, stream: Arc::clone(stream), at, keys, event })
}

/// When what a record tells of happened.
pub(super) fn happened_at(record: &types::Record) -> Option<Timestamp> {
    let at = record.dynamodb()?.approximate_creation_date_time()?;
    Some(Timestamp::from_millis(u64::try_from(at.to_millis().ok()?).ok()?))
}

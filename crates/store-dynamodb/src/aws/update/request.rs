//! The request as it goes over the wire.

use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use serde::{Serialize, Serializer};

use crate::aws::Key;
use crate::expression::{Expression, Placeholder, Value};
use crate::schema::{PK, SK};

/// An `UpdateItem` that wants to know the item as it is then, or as it is if the condition does not hold.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UpdateRequest<'a> {
    table_name: &'a str,
    #[serde(serialize_with = "as_object")]
    key: [(&'static str, Value); 2],
    update_expression: String,
    condition_expression: String,
    #[serde(serialize_with = "as_object")]
    expression_attribute_names: Vec<(Placeholder, String)>,
    #[serde(serialize_with = "as_object")]
    expression_attribute_values: Vec<(Placeholder, Value)>,
    return_values: &'static str,
    return_values_on_condition_check_failure: &'static str,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    return_consumed_capacity: Option<ReturnConsumedCapacity>,
}

fn as_object<K, V, S>(pairs: &[(K, V)], serializer: S) -> Result<S::Ok, S::Error>
where
    K: Serialize,
    V: Serialize,
    S: Serializer,
{
    serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
}

#[expect(clippy::ref_option, reason = "what serde passes")]
fn as_text<S: Serializer>(
    capacity: &Option<ReturnConsumedCapacity>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    capacity.as_ref().map(ReturnConsumedCapacity::as_str).serialize(serializer)
}

impl<'a> UpdateRequest<'a> {
    pub(crate) fn new(
        table_name: &'a str,
        (pk, sk): Key,
        Expression { update, condition, names, values }: Expression,
        capacity: Option<ReturnConsumedCapacity>,
    ) -> Self {
        Self {
            table_name,
            key: [(PK, Value::Text(pk)), (SK, Value::Text(sk))],
            update_expression: update,
            condition_expression: condition,
            expression_attribute_names: names,
            expression_attribute_values: values,
            return_values: "ALL_NEW",
            return_values_on_condition_check_failure: "ALL_OLD",
            return_consumed_capacity: capacity,
        }
    }
}

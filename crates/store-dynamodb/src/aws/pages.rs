//! Lists that come page by page.

use aws_sdk_dynamodb::types::AttributeValue;
use zae_limiter_core::StoreError;

use super::{Attributes, Connection};
use crate::schema::{GSI1, GSI1_PK, GSI1_SK, GSI2, GSI2_PK, GSI2_SK, PK, SK};
use crate::stats::Access;

/// What to list.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    index: Option<&'static str>,
    pk: String,
    sort_keys: SortKeys,
    keys_only: bool,
}

/// Which sort keys are listed.
#[derive(Clone, Debug)]
enum SortKeys {
    All,
    StartWith(String),
    /// Both ends are listed too.
    Between(String, String),
}

impl SortKeys {
    fn starting_with(prefix: String) -> Self {
        if prefix.is_empty() { Self::All } else { Self::StartWith(prefix) }
    }
}

impl Pages {
    /// The records of the table under a partition key whose sort key starts with `sk_prefix`.
    pub(crate) fn of(pk: String, sk_prefix: String) -> Self {
        Self { index: None, pk, sort_keys: SortKeys::starting_with(sk_prefix), keys_only: false }
    }

    /// The records of an index.
    pub(crate) fn of_index(index: &'static str, pk: String, sk_prefix: String) -> Self {
        Self { index: Some(index), pk, sort_keys: SortKeys::starting_with(sk_prefix), keys_only: false }
    }

    /// Only those whose sort key is at least `from` and at most `to`.
    pub(crate) fn between(self, from: String, to: String) -> Self {
        Self { sort_keys: SortKeys::Between(from, to), ..self }
    }

    /// Only their keys, those of the second index too.
    pub(crate) const fn keys_only(mut self) -> Self {
        self.keys_only = true;
        self
    }

    fn key_names(&self) -> (&'static str, &'static str) {
        match self.index {
            Some(GSI1) => (GSI1_PK, GSI1_SK),
            Some(GSI2) => (GSI2_PK, GSI2_SK),
            _ => (PK, SK),
        }
    }
}

impl Connection {
    /// All records of a list.
    pub(crate) async fn list(&self, pages: Pages) -> Result<Vec<Attributes>, StoreError> {
        let (pk, sk) = pages.key_names();
        let mut condition = "#p=:p".to_owned();
        let mut query = self
            .clients
            .patient
            .query()
            .table_name(&self.table)
            .set_index_name(pages.index.map(str::to_owned))
            .expression_attribute_names("#p", pk)
            .expression_attribute_values(":p", AttributeValue::S(pages.pk))
            // An index cannot be read consistently.
            .consistent_read(pages.index.is_none())
            .set_return_consumed_capacity(self.wanted_capacity());
        match pages.sort_keys {
            SortKeys::All => {}
            SortKeys::StartWith(prefix) => {
                condition.push_str(" AND begins_with(#s,:s)");
                query = query
                    .expression_attribute_names("#s", sk)
                    .expression_attribute_values(":s", AttributeValue::S(prefix));
            }
            SortKeys::Between(from, to) => {
                condition.push_str(" AND #s BETWEEN :s AND :t");
                query = query
                    .expression_attribute_names("#s", sk)
                    .expression_attribute_values(":s", AttributeValue::S(from))
                    .expression_attribute_values(":t", AttributeValue::S(to));
            }
        }
        if pages.keys_only {
            query = query
                .projection_expression("#kp,#ks,#kr")
                .expression_attribute_names("#kp", PK)
                .expression_attribute_names("#ks", SK)
                .expression_attribute_names("#kr", GSI2_PK);
        }
        let query = query.key_condition_expression(condition);
        let (mut items, mut from) = (Vec::new(), None);
        loop {
            let output = self.ask(query.clone().set_exclusive_start_key(from).send()).await?;
            self.count(Access::Read, output.consumed_capacity());
            items.extend(output.items.unwrap_or_default());
            from = output.last_evaluated_key.filter(|key| !key.is_empty());
            if from.is_none() {
                return Ok(items);
            }
        }
    }

    /// All records of the table whose keys start so. Reads the whole table.
    pub(crate) async fn scan(
        &self,
        pk_prefix: String,
        sk_prefix: &str,
    ) -> Result<Vec<Attributes>, StoreError> {
        let scan = self
            .clients
            .patient
            .scan()
            .table_name(&self.table)
            .filter_expression("begins_with(#s,:s) AND begins_with(#p,:p)")
            .expression_attribute_names("#p", PK)
            .expression_attribute_names("#s", SK)
            .expression_attribute_values(":p", AttributeValue::S(pk_prefix))
            .expression_attribute_values(":s", AttributeValue::S(sk_prefix.to_owned()))
            .consistent_read(true)
            .set_return_consumed_capacity(self.wanted_capacity());
        let (mut items, mut from) = (Vec::new(), None);
        loop {
            let output = self.ask(scan.clone().set_exclusive_start_key(from).send()).await?;
            self.count(Access::Read, output.consumed_capacity());
            items.extend(output.items.unwrap_or_default());
            from = output.last_evaluated_key.filter(|key| !key.is_empty());
            if from.is_none() {
                return Ok(items);
            }
        }
    }
}

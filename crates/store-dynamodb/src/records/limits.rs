//! Stored limits: one item a scope holds the whole set, so that a set is replaced as a whole.

use aws_sdk_dynamodb::types::AttributeValue;
use zae_limiter_core::{Limit, LimitScope, LimitSet, StoreError};

use crate::aws::{Attributes, Connection, Malformed};
use crate::schema::{LIMITS, PK, SK};
use crate::stats::Access;

impl Connection {
    pub(crate) async fn put_limits(&self, scope: LimitScope, limits: LimitSet) -> Result<(), StoreError> {
        let (pk, sk) = self.ns.limits(&scope);
        let texts = limits.iter().map(|limit| AttributeValue::S(limit.to_string())).collect();
        let send = self
            .clients
            .patient
            .put_item()
            .table_name(&self.table)
            .item(PK, AttributeValue::S(pk))
            .item(SK, AttributeValue::S(sk))
            .item(LIMITS, AttributeValue::L(texts))
            .set_return_consumed_capacity(self.wanted_capacity());
        let output = self.ask(send.send()).await?;
        self.count(Access::Write, output.consumed_capacity());
        Ok(())
    }

    pub(crate) async fn limits(&self, scope: LimitScope) -> Result<Option<LimitSet>, StoreError> {
        let item = self.get_item(&self.ns.limits(&scope)).await?;
        item.map(|item| read(&item, &scope)).transpose()
    }

    pub(crate) async fn delete_limits(&self, scope: LimitScope) -> Result<(), StoreError> {
        self.delete_items(vec![self.ns.limits(&scope)]).await
    }
}

/// The set that an item holds.
pub(super) fn read(item: &Attributes, scope: &LimitScope) -> Result<LimitSet, StoreError> {
    let malformed = |problem| Malformed::new(LIMITS, problem).of(format!("the record of limits for {scope}"));
    let texts =
        item.get(LIMITS).and_then(|value| value.as_l().ok()).ok_or_else(|| malformed("is not a list"))?;
    let limit = |text: &AttributeValue| text.as_s().ok()?.parse::<Limit>().ok();
    let limits: Option<Vec<Limit>> = texts.iter().map(limit).collect();
    let set = limits.and_then(|limits| LimitSet::new(limits).ok());
    set.ok_or_else(|| malformed("is not a set of limits"))
}

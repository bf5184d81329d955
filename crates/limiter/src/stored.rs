//! Limits that are kept in the store.

use zae_limiter_core::{LimitScope, LimitSet};

use crate::{Error, Limiter};

impl Limiter {
    /// Stores `limits` at `scope`, in place of those there. Buckets keep their balances, clamped to the new burst.
    ///
    /// ```
    /// # use zae_limiter::{Block, Limiter, Limits, LimitScope};
    /// # let limiter = Limiter::open("memory:").wait().unwrap();
    /// limiter.set_limits(&LimitScope::System, &"rpm=5/min".parse().unwrap()).wait().unwrap();
    /// assert_eq!(limiter.available("key-1", "gpt-4", Limits::Stored).wait().unwrap()["rpm"], 5);
    /// ```
    pub async fn set_limits(&self, scope: &LimitScope, limits: &LimitSet) -> Result<(), Error> {
        let _forget = self.0.resolver.forget_scope(scope);
        Ok(self.0.store.put_limits(scope, limits).await?)
    }

    /// The limits stored at exactly `scope`.
    pub async fn limits(&self, scope: &LimitScope) -> Result<Option<LimitSet>, Error> {
        Ok(self.0.store.limits(scope).await?)
    }

    /// Removes the limits stored at `scope`, if any. From then on those of the next less specific scope apply.
    pub async fn delete_limits(&self, scope: &LimitScope) -> Result<(), Error> {
        let _forget = self.0.resolver.forget_scope(scope);
        Ok(self.0.store.delete_limits(scope).await?)
    }
}

//! A denial as the object that is sent to a caller: in an HTTP answer, or on a command's output.

use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use zae_limiter_core::LimitStatus;

use crate::RateLimitExceeded;

/// `error` (always `rate_limit_exceeded`), `message`, `retry_after_seconds`, `retry_after_ms` and `limits`: the status
/// of every limit that was checked. Times are null where waiting is of no use; amounts are whole tokens.
///
/// ```
/// # use zae_limiter::{AcquireError, Block, Limiter, LimitSet};
/// # let limiter = Limiter::open("memory:").wait().unwrap();
/// # let limits: LimitSet = "rpm=1/min".parse().unwrap();
/// let call = limiter.acquire("key-1", "gpt-4", &limits).consume("rpm", 2).wait();
/// let Err(AcquireError::Exceeded(denied)) = call else { panic!() };
/// let object = serde_json::to_value(&denied).unwrap();
/// assert_eq!(object["error"], "rate_limit_exceeded");
/// assert!(object["retry_after_seconds"].is_null(), "2 never fit into a burst of 1");
/// assert_eq!(object["limits"][0]["available"], 1);
/// ```
impl Serialize for RateLimitExceeded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let retry_after = self.retry_after();
        let statuses: Vec<LimitStatus> = self.statuses().collect();
        let limits: Vec<StatusObject<'_>> = statuses.iter().map(StatusObject::from).collect();
        let mut object = serializer.serialize_struct("RateLimitExceeded", 5)?;
        object.serialize_field("error", "rate_limit_exceeded")?;
        object.serialize_field("message", &self.to_string())?;
        object.serialize_field("retry_after_seconds", &retry_after.map(|wait| wait.as_secs_f64()))?;
        object.serialize_field("retry_after_ms", &retry_after.map(|wait| wait.as_millis()))?;
        object.serialize_field("limits", &limits)?;
        object.end()
    }
}

#[derive(Serialize)]
struct StatusObject<'a> {
    entity_id: &'a str,
    resource: &'a str,
    limit_name: &'a str,
    capacity: u64,
    burst: u64,
    available: i64,
    requested: i64,
    exceeded: bool,
    retry_after_seconds: Option<f64>,
}

impl<'a> From<&'a LimitStatus> for StatusObject<'a> {
    fn from(status: &'a LimitStatus) -> Self {
        Self {
            entity_id: status.entity_id.as_str(),
            resource: status.resource.as_str(),
            limit_name: status.limit.name().as_str(),
            capacity: status.limit.capacity(),
            burst: status.limit.burst(),
            available: status.available.whole_tokens(),
            requested: status.requested.whole_tokens(),
            exceeded: status.is_exceeded(),
            retry_after_seconds: status.retry_after().as_ref().map(Duration::as_secs_f64),
        }
    }
}

#[cfg(test)]
#[cfg(feature = "memory")]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use crate::{Block, LimitSet, Limiter, ManualClock, MemoryStore, RateLimitExceeded};

    fn denied(limits: &str, consume: &[(&str, u64)]) -> RateLimitExceeded {
        let clock = Arc::new(ManualClock::default());
        let limiter = Limiter::builder().clock(clock.clone()).build(Arc::new(MemoryStore::new(clock)));
        let limits: LimitSet = limits.parse().unwrap();
        let bucket = limiter.acquire("key-1", "gpt-4", &limits).prepare().wait().unwrap();
        bucket.acquire(&[("tpm", 90)]).wait().unwrap().commit().wait().unwrap();
        bucket.acquire(consume).wait().unwrap_err().exceeded().unwrap().clone()
    }

    #[test]
    fn has_the_keys_and_units_that_callers_rely_on() {
        let denied = denied("rpm=5/min, tpm=100/min:burst=120", &[("rpm", 1), ("tpm", 31)]);
        assert_eq!(
            serde_json::to_value(&denied).unwrap(),
            json!({
                "error": "rate_limit_exceeded",
                "message": denied.to_string(),
                "retry_after_seconds": 0.6,
                "retry_after_ms": 600,
                "limits": [
                    {
                        "entity_id": "key-1", "resource": "gpt-4", "limit_name": "rpm", "capacity": 5, "burst": 5,
                        "available": 5, "requested": 1, "exceeded": false, "retry_after_seconds": 0.0,
                    },
                    {
                        "entity_id": "key-1", "resource": "gpt-4", "limit_name": "tpm", "capacity": 100,
                        "burst": 120, "available": 30, "requested": 31, "exceeded": true,
                        "retry_after_seconds": 0.6,
                    },
                ],
            })
        );
    }

    #[test]
    fn never_is_null() {
        let object = serde_json::to_value(denied("tpm=100/min", &[("tpm", 101)])).unwrap();
        assert!(object["retry_after_seconds"].is_null());
        assert!(object["retry_after_ms"].is_null());
        assert!(object["limits"][0]["retry_after_seconds"].is_null());
    }

    #[test]
    fn keys_come_in_a_stable_order() {
        let text = serde_json::to_string(&denied("tpm=100/min", &[("tpm", 11)])).unwrap();
        let places =
            ["\"error\"", "\"message\"", "\"retry_after_seconds\"", "\"retry_after_ms\"", "\"limits\""]
                .map(|key| text.find(key).unwrap());
        assert!(places.is_sorted(), "{text}");
    }
}

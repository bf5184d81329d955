//! The fields `RateLimit-Policy` and `RateLimit`.

use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{Integer, KeyRef, ListSerializer, StringRef, key_ref};
use zae_limiter_core::{LimitStatus, Millitokens};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

const QUOTA: &KeyRef = key_ref("q");
const WINDOW: &KeyRef = key_ref("w");
const BURST: &KeyRef = key_ref("zae-burst");
const AVAILABLE: &KeyRef = key_ref("r");
const EFFECTIVE_WINDOW: &KeyRef = key_ref("t");
const PARTITION: &KeyRef = key_ref("pk");

/// What the fields say besides how the limits stood.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Telling<'a> {
    /// Says which partition of the quota this is about.
    pub(super) partition_key: Option<&'a [u8]>,
    /// `Retry-After` of the same answer, in seconds: it should not lie before the end of an effective window.
    pub(super) retry_after: Option<u64>,
}

/// Adds both fields: one member for each status. `change` says by how much the balance of each limit (of its place in
/// `statuses`) has gone up since it was read.
pub(super) fn append(
    headers: &mut HeaderMap,
    statuses: &[LimitStatus],
    telling: Telling<'_>,
    change: impl Fn(usize) -> Millitokens,
) {
    let (mut policy, mut state) = (ListSerializer::new(), ListSerializer::new());
    let mut level = 0;
    for (i, status) in statuses.iter().enumerate() {
        if i > 0 && status.entity_id != statuses[i - 1].entity_id {
            level += 1;
        }
        let name = match level {
            0 => status.limit.name().to_string(),
            ancestor => format!("{}/{ancestor}", status.limit.name()),
        };
        // Limit names are of characters that a string may have.
        let Ok(name) = StringRef::from_str(&name) else { continue };

        let limit = &status.limit;
        let policy = policy
            .bare_item(name)
            .parameter(QUOTA, integer(limit.refill_amount()))
            .parameter(WINDOW, integer(limit.refill_period().as_secs()));
        let policy = if limit.burst() == limit.refill_amount() {
            policy
        } else {
            policy.parameter(BURST, integer(limit.burst()))
        };

        let balance = (status.available + change(i)).min(burst(status));
        let state = state.bare_item(name).parameter(AVAILABLE, integer(whole_tokens(balance)));
        let state = match seconds_to_full(status, balance) {
            0 => state,
            seconds => {
                let most = telling.retry_after.unwrap_or(u64::MAX);
                state.parameter(EFFECTIVE_WINDOW, integer(seconds.min(most)))
            }
        };
        if let Some(key) = telling.partition_key {
            policy.parameter(PARTITION, key);
            state.parameter(PARTITION, key);
        }
    }
    for (name, list) in [(POLICY, policy.finish()), (STATE, state.finish())] {
        // Structured fields are ASCII, and there is a list unless the lease is degraded. Lists of layers further in
        // are left in place: the members of all fields of one name count.
        if let Some(value) = list.and_then(|list| HeaderValue::try_from(list).ok()) {
            headers.append(name, value);
        }
    }
}

/// A structured field cannot have an integer of more than 15 digits.
fn integer(value: u64) -> Integer {
    Integer::try_from(value).unwrap_or(Integer::MAX)
}

fn burst(status: &LimitStatus) -> Millitokens {
    // At most `MAX_TOKENS`.
    Millitokens::from_tokens(i64::try_from(status.limit.burst()).unwrap_or(i64::MAX))
}

/// Nothing is available in debt.
fn whole_tokens(balance: Millitokens) -> u64 {
    u64::try_from(balance.whole_tokens()).unwrap_or(0)
}

/// Rounded up.
fn seconds_to_full(status: &LimitStatus, balance: Millitokens) -> u64 {
    let missing = u128::from((burst(status) - balance).get().max(0).unsigned_abs());
    let period = u128::from(status.limit.refill_period().as_secs());
    let seconds = (missing * period).div_ceil(1000 * u128::from(status.limit.refill_amount()));
    u64::try_from(seconds).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[cfg(feature = "memory")]
mod tests {
    use super::*;
    use crate::{Block, LimitSet, Limiter};

    fn statuses(limits: &str, consume: &[(&str, u64)]) -> Vec<LimitStatus> {
        let clock = std::sync::Arc::new(crate::ManualClock::default());
        let store = std::sync::Arc::new(crate::MemoryStore::new(clock.clone()));
        let limiter = Limiter::builder().clock(clock).build(store);
        let limits: LimitSet = limits.parse().unwrap();
        let bucket = limiter.acquire("key-1", "gpt-4", &limits).with_statuses().prepare().wait().unwrap();
        let lease = bucket.acquire(consume).wait().unwrap();
        lease.statuses()
    }

    fn fields(statuses: &[LimitStatus], telling: Telling<'_>, change: i64) -> (String, String) {
        let mut headers = HeaderMap::new();
        append(&mut headers, statuses, telling, |_| Millitokens::new(change));
        let text = |name: HeaderName| headers[name].to_str().unwrap().to_owned();
        (text(POLICY), text(STATE))
    }

    #[test]
    fn follow_the_draft_by_the_letter() {
        let statuses =
            statuses("rpm=100/min, tpm=10k/min:burst=15k, slow=1/day", &[("rpm", 51), ("tpm", 100)]);
        assert_eq!(
            fields(&statuses, Telling::default(), 0),
            (
                r#""rpm";q=100;w=60, "tpm";q=10000;w=60;zae-burst=15000, "slow";q=1;w=86400"#.to_owned(),
                r#""rpm";r=49;t=31, "tpm";r=14900;t=1, "slow";r=1"#.to_owned(),
            )
        );
    }

    #[test]
    fn count_what_was_corrected_and_returned() {
        let statuses = statuses("tpm=60/min", &[("tpm", 50)]);
        let state = |change| fields(&statuses, Telling::default(), change).1;
        assert_eq!(state(-20_000), r#""tpm";r=0;t=70"#, "debt is nothing available");
        assert_eq!(state(1), r#""tpm";r=10;t=50"#);
        assert_eq!(state(60_000), r#""tpm";r=60"#, "never above the burst");
    }

    #[test]
    fn tell_the_partition_and_do_not_reach_beyond_retry_after() {
        let statuses = statuses("tpm=60/min", &[("tpm", 60)]);
        let telling = Telling { partition_key: Some(b"gpt-4"), retry_after: Some(2) };
        let (policy, state) = fields(&statuses, telling, 0);
        assert_eq!(policy, r#""tpm";q=60;w=60;pk=:Z3B0LTQ=:"#);
        assert_eq!(state, r#""tpm";r=0;t=2;pk=:Z3B0LTQ=:"#);
    }

    #[test]
    fn numbers_fit_a_structured_field_however_large_the_limit() {
        let statuses = statuses("n=1/1000000000s:capacity=1M", &[("n", 1_000_000)]);
        assert_eq!(fields(&statuses, Telling::default(), 0).1, r#""n";r=0;t=999999999999999"#);
    }
}

//! A record as JSON, which is how a database keeps it: readable with any SQLite tool.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use zae_limiter_core::limit::LimitError;
use zae_limiter_core::{Limit, LimitSet, Millitokens};

use super::{Cell, Record};

/// Why a text is not a record.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordTextError {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Limit(#[from] LimitError),
    #[error("full_at is ({0}, {1}), which no bucket can reach")]
    FullAt(i64, i64),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordText<'a> {
    /// Whole hours since the epoch that `acquires` and `consumed` count in.
    hour: u32,
    acquires: i64,
    #[serde(borrow)]
    limits: Vec<LimitText<'a>>,
}

/// The five keys of a limit, then the state. Borrowed and flat, as this is written by every acquire.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitText<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    capacity: u64,
    burst: u64,
    refill_amount: u64,
    refill_period_seconds: u64,
    /// [`Rate::split`](zae_limiter_core::Rate::split): whole ms, and the remainder over `refill_amount` · 1000.
    full_at: (i64, i64),
    /// Net millitokens in this hour.
    consumed: Millitokens,
}

impl Record {
    /// The record as JSON.
    pub(crate) fn to_text(&self) -> Result<String, serde_json::Error> {
        let limits = self.limits.iter().zip(&self.cells).map(|(limit, cell)| LimitText {
            name: Cow::Borrowed(limit.name().as_str()),
            capacity: limit.capacity(),
            burst: limit.burst(),
            refill_amount: limit.refill_amount(),
            refill_period_seconds: limit.refill_period().as_secs(),
            full_at: limit.rate().split(cell.full_at),
            consumed: cell.consumed,
        });
        serde_json::to_string(&RecordText {
            hour: self.hour,
            acquires: self.acquires,
            limits: limits.collect(),
        })
    }

    /// The record that [`Record::to_text`] wrote. Anything else is an error, never a bucket to take from.
    pub(crate) fn from_text(text: &str) -> Result<Self, RecordTextError> {
        let text: RecordText<'_> = serde_json::from_str(text)?;
        let mut cells = SmallVec::with_capacity(text.limits.len());
        let mut limits = SmallVec::<[Limit; 4]>::with_capacity(text.limits.len());
        for row in &text.limits {
            let limit =
                Limit::new(&row.name, row.capacity, row.burst, row.refill_amount, row.refill_period_seconds)?;
            let full_at = limit.rate().joined(row.full_at.0, row.full_at.1);
            if limit.rate().split(full_at) != row.full_at {
                return Err(RecordTextError::FullAt(row.full_at.0, row.full_at.1));
            }
            cells.push(Cell { full_at, consumed: row.consumed });
            limits.push(limit);
        }
        Ok(Self { limits: LimitSet::new(limits)?, cells, hour: text.hour, acquires: text.acquires })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zae_limiter_core::{EntityId, Level, Resource, Timestamp};

    fn record() -> Record {
        let limits = LimitSet::new([
            "rpm=100/min".parse().unwrap(),
            Limit::new("tpm", 7, 1_000_000_000_000, 7, 60).unwrap(),
        ])
        .unwrap();
        let now = Timestamp::from_millis(1_700_000_000_000);
        let level = Level {
            entity_id: EntityId::new("e").unwrap(),
            resource: Resource::new("r").unwrap(),
            limits: limits.clone(),
        };
        let mut record = Record::new(&limits, now);
        record.apply(&level, &[Millitokens::new(1_001), Millitokens::new(i64::MAX)], -3, now);
        record
    }

    #[test]
    fn text_keeps_everything() {
        let record = record();
        assert_eq!(Record::from_text(&record.to_text().unwrap()).unwrap(), record);
    }

    #[test]
    fn text_is_readable_and_its_keys_are_those_of_a_limit() {
        let text = record().to_text().unwrap();
        let first = r#"{"hour":472222,"acquires":-3,"limits":[{"name":"rpm","capacity":100,"burst":100,"#;
        assert!(text.starts_with(first), "{text}");
        assert!(text.contains(r#""full_at":[1700000000600,60000],"consumed":1001}"#), "{text}");
    }

    #[test]
    fn what_no_record_looks_like_is_an_error() {
        let good = record().to_text().unwrap();
        for (part, bad) in [
            ("}]}", "}]"),
            ("60000]", "100000]"),
            ("60000]", "-1]"),
            ("[1700000000600", "[-1700000000600"),
            ("[1700000000600", "[9223372036854775807"),
            (r#""burst":100,"#, r#""burst":99,"#),
            (r#""burst":100,"#, ""),
            (r#""tpm""#, r#""rpm""#),
            (r#""hour""#, r#""day":1,"hour""#),
        ] {
            assert!(good.contains(part), "{part} in {good}");
            assert!(Record::from_text(&good.replacen(part, bad, 1)).is_err(), "{bad}");
        }
        assert!(Record::from_text(r#"{"hour":1,"acquires":0,"limits":[]}"#).is_err());
    }
}

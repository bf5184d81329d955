//! What was asked of DynamoDB, and what it will be billed as.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::types::ConsumedCapacity;

/// Counts requests and the capacity that DynamoDB says they consumed. A write whose condition fails reports no capacity,
/// and is billed one write unit all the same.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    requests: AtomicU64,
    write_tenths: AtomicU64,
    read_tenths: AtomicU64,
    index_tenths: AtomicU64,
}

/// What a meter has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// HTTP requests, tries of the SDK included.
    pub requests: u64,
    /// Write units of the table.
    pub write_units: f64,
    /// Read units of the table.
    pub read_units: f64,
    /// Units of its indexes.
    pub index_units: f64,
}

/// Whether a request was a read or a write: DynamoDB does not always say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Meter {
    pub(crate) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self, access: Access, consumed: &ConsumedCapacity) {
        let counter = match access {
            Access::Read => &self.read_tenths,
            Access::Write => &self.write_tenths,
        };
        let indexes = consumed.global_secondary_indexes().into_iter().flat_map(|indexes| indexes.values());
        let of_indexes: f64 = indexes.filter_map(aws_sdk_dynamodb::types::Capacity::capacity_units).sum();
        let of_table = match consumed.table().and_then(aws_sdk_dynamodb::types::Capacity::capacity_units) {
            Some(units) => units,
            None => consumed.capacity_units().unwrap_or(0.0) - of_indexes,
        };
        counter.fetch_add(tenths(of_table), Ordering::Relaxed);
        self.index_tenths.fetch_add(tenths(of_indexes), Ordering::Relaxed);
    }

    #[expect(clippy::cast_precision_loss, reason = "exact up to 9 · 10¹⁵ units")]
    pub(crate) fn stats(&self) -> Stats {
        let units = |tenths: &AtomicU64| tenths.load(Ordering::Relaxed) as f64 / 10.0;
        Stats {
            requests: self.requests.load(Ordering::Relaxed),
            write_units: units(&self.write_tenths),
            read_units: units(&self.read_tenths),
            index_units: units(&self.index_tenths),
        }
    }
}

/// Units come in halves.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count, small and not negative"
)]
fn tenths(units: f64) -> u64 {
    (units * 10.0).round() as u64
}

//! How limits stand, as JSON and as a table.

use anstyle::Style;
use serde::Serialize;
use zae_limiter::{EntityId, LimitName, LimitStatus, Wait};

use crate::output::{Align, BAD, Cell, GOOD, Meter, Table, bar, duration_in_words, grouped};

/// How one limit of one level stands.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    entity_id: EntityId,
    limit_name: LimitName,
    capacity: u64,
    burst: u64,
    /// Whole tokens, rounded down; negative in debt.
    available: i64,
    requested: i64,
    exceeded: bool,
    /// `null` if it asks for more than the burst.
    retry_after_seconds: Option<f64>,
    #[serde(skip)]
    wait: Wait,
}

impl Status {
    /// A limit as it stood when it was asked for `requested`.
    pub(super) fn asked(status: LimitStatus) -> Self {
        Self {
            entity_id: status.entity_id,
            limit_name: status.limit.name().clone(),
            capacity: status.limit.capacity(),
            burst: status.limit.burst(),
            available: status.available.whole_tokens(),
            requested: status.requested.whole_tokens(),
            exceeded: status.wait != Wait::None,
            retry_after_seconds: seconds(status.wait),
            wait: status.wait,
        }
    }

    /// A limit after it gave what was asked of it: another request of that size does not matter.
    pub(super) fn admitted(status: LimitStatus) -> Self {
        Self { exceeded: false, retry_after_seconds: Some(0.0), wait: Wait::None, ..Self::asked(status) }
    }

    pub(super) const fn limit_name(&self) -> &LimitName {
        &self.limit_name
    }

    pub(super) const fn available(&self) -> i64 {
        self.available
    }

    #[expect(clippy::cast_precision_loss, reason = "the length of a bar")]
    fn share_left(&self) -> f64 {
        self.available as f64 / self.burst as f64
    }
}

/// A wait in seconds, to the millisecond; `None` if it never ends.
pub(super) fn seconds(wait: Wait) -> Option<f64> {
    wait.duration().map(|duration| duration.as_secs_f64())
}

/// A line a limit. Says whose it is only where several levels are concerned.
pub(super) fn table(statuses: &[Status]) -> String {
    let several = statuses.iter().any(|status| status.entity_id != statuses[0].entity_id);
    let mut table = Table::new([
        (if several { "ENTITY" } else { "" }, Align::Left),
        ("LIMIT", Align::Left),
        ("", Align::Left),
        ("AVAILABLE", Align::Right),
        ("BURST", Align::Right),
        ("ASKED", Align::Right),
        ("RETRY AFTER", Align::Left),
    ]);
    for status in statuses {
        let entity = if several { status.entity_id.as_str() } else { "" };
        let (retry, style) = match status.wait {
            Wait::None => (String::new(), Style::new()),
            Wait::For(wait) => (duration_in_words(wait), BAD),
            Wait::Never => ("never: above the burst".to_owned(), BAD),
        };
        let available = if status.available <= 0 { BAD } else { GOOD };
        table.row([
            entity.into(),
            (&status.limit_name).into(),
            bar(status.share_left(), Meter::Left),
            Cell::styled(grouped(status.available), available),
            grouped(status.burst).into(),
            grouped(status.requested).into(),
            Cell::styled(retry, style),
        ]);
    }
    table.render()
}

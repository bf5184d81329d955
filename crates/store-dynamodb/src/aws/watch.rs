//! Sees every request that leaves, and every answer that arrives.

use std::sync::Arc;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use aws_smithy_types::date_time::Format;
use zae_limiter_core::{Clock, Timestamp};

use crate::skew::Skew;
use crate::stats::Meter;

/// Counts requests, and compares clocks.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// The clock of this host, uncorrected.
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) skew: Arc<Skew>,
    pub(crate) meter: Option<Arc<Meter>>,
}

impl Watch {
    /// A request leaves, now.
    pub(super) fn sends(&self) -> Timestamp {
        if let Some(meter) = &self.meter {
            meter.count_request();
        }
        self.clock.now()
    }

    /// The answer to what was sent at `sent` arrives.
    pub(super) fn hears(&self, sent: Timestamp, answer: &HttpResponse) {
        if let Some(date) = answer.headers().get("date").and_then(http_date) {
            self.skew.observe(sent, self.clock.now(), date);
        }
    }
}

/// When a request was sent.
#[derive(Clone, Copy, Debug)]
struct SentAt(Timestamp);

impl Storable for SentAt {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "Watch"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        state: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        state.interceptor_state().store_put(SentAt(self.sends()));
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        answer: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        state: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(SentAt(sent)) = state.load::<SentAt>() {
            self.hears(*sent, answer.response());
        }
        Ok(())
    }
}

fn http_date(text: &str) -> Option<Timestamp> {
    let seconds = DateTime::from_str(text, Format::HttpDate).ok()?.secs();
    Some(Timestamp::from_millis(u64::try_from(seconds).ok()?.saturating_mul(1000)))
}

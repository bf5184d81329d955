//! What every request to the table goes through: the circuit breaker, the meter and the sorting of errors.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};
use zae_limiter_core::{Clock, StoreError, StoreErrorKind};

use crate::aws::{Clients, Watch};
use crate::breaker::{Breaker, Heard};
use crate::combine::Jitter;
use crate::error::{Failure, Fate, classify};
use crate::options::DynamoDbOptions;
use crate::schema::Namespace;
use crate::skew::{CorrectedClock, Skew};
use crate::stats::{Access, Meter};

/// One table, and how to speak to it.
pub(crate) struct Connection {
    pub(crate) clients: Clients,
    pub(crate) table: String,
    pub(crate) ns: Namespace,
    /// The clock that requests go by: the host's, corrected if that is asked for.
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) jitter: Jitter,
    pub(crate) breaker: Option<Breaker>,
    pub(crate) meter: Option<Arc<Meter>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("table", &self.table).field("ns", &self.ns).finish_non_exhaustive()
    }
}

impl Connection {
    /// A connection to the table that `options` name. Nothing is sent yet, but credentials are looked for.
    pub(crate) async fn connect(
        options: &DynamoDbOptions,
        own_clock: Arc<dyn Clock>,
        jitter: Jitter,
        skew: Arc<Skew>,
    ) -> Result<Self, StoreError> {
        let clock: Arc<dyn Clock> = if options.correct_skew {
            Arc::new(CorrectedClock { own: Arc::clone(&own_clock), skew: Arc::clone(&skew) })
        } else {
            Arc::clone(&own_clock)
        };
        let meter = options.measure.then(|| Arc::new(Meter::default()));
        let watch = Watch { clock: own_clock, skew, meter: meter.clone() };
        Ok(Self {
            clients: Clients::connect(&options.place(), watch).await?,
            table: options.table.to_string(),
            ns: options.namespace.clone(),
            clock,
            jitter,
            breaker: options.breaker.map(Breaker::new),
            meter,
        })
    }

    /// Sends a request. An error that is an answer in itself, a condition that failed, comes back as the inner one.
    pub(crate) fn call<'a, T: 'a, E>(
        &'a self,
        send: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'a,
    ) -> impl Future<Output = Result<Result<T, E>, Failure>> + Send + 'a
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        // The futures of the SDK are large: better one allocation here than a copy in every caller.
        let send = Box::pin(send);
        async move {
            self.admit()?;
            let outcome = match send.await {
                Ok(output) => Ok(Ok(output)),
                Err(SdkError::ServiceError(service)) if service.err().code().is_some_and(is_answer) => {
                    Ok(Err(service.into_err()))
                }
                Err(error) => Err(classify(error, &self.table)),
            };
            self.hear(outcome.as_ref().is_err_and(Failure::is_outage));
            outcome
        }
    }

    /// Whether a request may be sent, as far as the circuit breaker knows.
    fn admit(&self) -> Result<(), Failure> {
        let Some(breaker) = &self.breaker else { return Ok(()) };
        breaker.admit(self.clock.now()).map_err(|wait| {
            let message = format!(
                "DynamoDB did not answer several times in a row (table {}): not asked again for {wait:?}",
                self.table
            );
            Failure::new(Fate::Final, StoreErrorKind::Unavailable, message)
        })
    }

    /// Tells the circuit breaker what came of a request.
    fn hear(&self, is_outage: bool) {
        if let Some(breaker) = &self.breaker {
            let heard = if is_outage { Heard::Outage } else { Heard::Answer };
            breaker.hear(heard, self.clock.now(), |most| (self.jitter)(most));
        }
    }

    /// Sends a request that has no condition.
    pub(crate) fn ask<'a, T: 'a, E>(
        &'a self,
        send: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'a,
    ) -> impl Future<Output = Result<T, Failure>> + Send + 'a
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let call = self.call(send);
        async move {
            call.await?.map_err(|error| {
                let message = format!("unexpected answer from table {}: {error}", self.table);
                Failure::new(Fate::Final, StoreErrorKind::Unavailable, message)
            })
        }
    }

    /// What to ask for besides the answer.
    pub(crate) fn wanted_capacity(&self) -> Option<ReturnConsumedCapacity> {
        self.meter.as_ref().map(|_| ReturnConsumedCapacity::Indexes)
    }

    /// Counts what an answer says it consumed.
    pub(crate) fn count<'a>(&self, access: Access, consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        if let Some(meter) = &self.meter {
            consumed.into_iter().for_each(|consumed| meter.count(access, consumed));
        }
    }
}

/// Errors that tell the state of things, and are no trouble.
fn is_answer(code: &str) -> bool {
    matches!(
        code,
        "ConditionalCheckFailedException" | "TransactionCanceledException" | "ResourceInUseException"
    )
}

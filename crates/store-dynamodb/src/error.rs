//! What an answer of DynamoDB, or the lack of one, means for whoever asked.

use std::error::Error;
use std::fmt::Write as _;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use zae_limiter_core::{StoreError, StoreErrorKind};

/// How much of an answer that makes no sense is shown.
const SHOWN_BYTES: usize = 200;

/// Whether a request that failed was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nobody knows.
    Unknown,
    /// It was not, but may be if it is sent again.
    Refused,
    /// It was not, and sending it again does not help.
    Final,
}

/// A request that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) fate: Fate,
    pub(crate) error: StoreError,
}

impl Failure {
    pub(crate) fn new(fate: Fate, kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self { fate, error: StoreError::new(kind, message) }
    }

    /// Whether this says that DynamoDB is in trouble, and not just one bucket or one request.
    pub(crate) fn is_outage(&self) -> bool {
        self.fate == Fate::Unknown
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// An error of the SDK as one of the store, for clients of other services that have to do with the table.
pub fn store_error<E>(error: SdkError<E, HttpResponse>, table: &str) -> StoreError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    classify(error, table).error
}

/// Sorts an error of the SDK. `table` is what was asked of, for the message.
pub(crate) fn classify<E>(error: SdkError<E, HttpResponse>, table: &str) -> Failure
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    use StoreErrorKind as Kind;
    let failure = match &error {
        SdkError::ConstructionFailure(_) => {
            let message = format!("a request to table {table} could not be made: {}", causes(&error));
            Failure::new(Fate::Final, Kind::Invalid, message)
        }
        SdkError::TimeoutError(_) => Failure::new(
            Fate::Unknown,
            Kind::Unavailable,
            format!("DynamoDB did not answer in time (table {table})"),
        ),
        SdkError::DispatchFailure(_) => {
            let message = format!("DynamoDB cannot be reached (table {table}): {}", causes(&error));
            Failure::new(Fate::Unknown, Kind::Unavailable, message)
        }
        SdkError::ServiceError(service) => of_service(service.err(), service.raw(), table),
        SdkError::ResponseError(response) => nonsense(response.raw(), table),
        _ => Failure::new(Fate::Unknown, Kind::Unavailable, format!("a request to table {table} failed")),
    };
    Failure { error: failure.error.with_source(error), ..failure }
}

fn of_service(error: &impl ProvideErrorMetadata, raw: &HttpResponse, table: &str) -> Failure {
    use StoreErrorKind as Kind;
    let status = raw.status().as_u16();
    let Some(code) = error.code() else { return nonsense(raw, table) };
    let said = error.message().unwrap_or("no reason given");
    let told = |fate, kind, what: &str| Failure::new(fate, kind, format!("{what} (table {table}): {said}"));
    match code {
        "ResourceNotFoundException" => {
            let message = format!(
                "there is no table {table}: run `zae-limiter table create --table-name {table}` or \
                 `zae-limiter deploy --table-name {table}`"
            );
            Failure::new(Fate::Final, Kind::Missing, message)
        }
        "AccessDeniedException" | "AccessDenied" | "OptInRequired" => {
            told(Fate::Final, Kind::PermissionDenied, "AWS denied permission")
        }
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "ExpiredTokenException"
        | "ExpiredToken" => told(Fate::Final, Kind::PermissionDenied, "AWS did not accept the credentials"),
        "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException" => told(Fate::Refused, Kind::Unavailable, "DynamoDB throttles"),
        "TransactionConflictException" | "ReplicatedWriteConflictException" => {
            told(Fate::Refused, Kind::Unavailable, "another transaction was in the way")
        }
        "TransactionInProgressException" => {
            told(Fate::Unknown, Kind::Unavailable, "the transaction is still under way")
        }
        "LimitExceededException" => {
            told(Fate::Refused, Kind::Unavailable, "the table cannot be used or changed right now")
        }
        "ValidationException" => of_validation(said, table),
        _ if status >= 500 => {
            let message = format!("DynamoDB failed with {status} {code} (table {table}): {said}");
            Failure::new(Fate::Unknown, Kind::Unavailable, message)
        }
        _ => {
            let message = format!("DynamoDB refused with {status} {code} (table {table}): {said}");
            Failure::new(Fate::Final, Kind::Invalid, message)
        }
    }
}

/// What exactly does not fit is only said in words.
fn of_validation(said: &str, table: &str) -> Failure {
    let text = said.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["size limit", "maximum allowed size", "maximum size", "too long", "longer than"]) {
        let message = format!("a record of table {table} would be too large: {said}");
        return Failure::new(Fate::Final, StoreErrorKind::Invalid, message);
    }
    if says(&[
        "index",
        "key element",
        "missing the key",
        "key schema",
        "type mismatch for key",
        "key condition",
    ]) {
        let message = format!(
            "table {table} has another schema than zae-limiter {}: {said}. Use another table, or create this one anew",
            env!("CARGO_PKG_VERSION")
        );
        return Failure::new(Fate::Final, StoreErrorKind::Incompatible, message);
    }
    if says(&["incorrect data type", "incorrect operand type"]) {
        let message = format!("a record of table {table} was damaged or written by another program: {said}");
        return Failure::new(Fate::Final, StoreErrorKind::Corrupt, message);
    }
    let message = format!("DynamoDB refused a request as invalid (table {table}): {said}");
    Failure::new(Fate::Final, StoreErrorKind::Invalid, message)
}

fn nonsense(raw: &HttpResponse, table: &str) -> Failure {
    let status = raw.status().as_u16();
    let got = match raw.body().bytes() {
        None | Some([]) => "nothing".to_owned(),
        Some(body) => format!("{:?}", String::from_utf8_lossy(&body[..body.len().min(SHOWN_BYTES)])),
    };
    let message = format!(
        "what answers for table {table} does not speak like DynamoDB: status {status} with {got}. Check endpoint_url"
    );
    Failure::new(Fate::Unknown, StoreErrorKind::Unavailable, message)
}

/// An error and what caused it, on one line.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

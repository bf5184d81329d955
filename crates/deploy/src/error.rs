//! Why something about a stack failed.

use std::error::Error;

use aws_sdk_cloudformation::config::http::HttpResponse;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use zae_limiter_core::{StoreError, StoreErrorKind};

use crate::package::PackageError;

/// What sort of failure, and so what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeployErrorKind {
    /// What was asked for has to be corrected.
    Invalid,
    /// It is there already, and not this stack's.
    AlreadyExists,
    /// There is no such stack or table: deploy it.
    Missing,
    /// Credentials are missing or do not allow it.
    PermissionDenied,
    /// Something else is being done with the stack: wait.
    Busy,
    /// The stack is in a state that has to be mended first.
    Broken,
    /// CloudFormation or Lambda could not do it; [`DeployError::reasons`] says why.
    Failed,
    /// Client, function and records do not go together.
    Incompatible,
    /// AWS cannot be reached, or is overloaded: try again.
    Unavailable,
}

/// Why something about a stack failed, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct DeployError {
    kind: DeployErrorKind,
    message: String,
    reasons: Vec<String>,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl DeployError {
    pub(crate) fn new(kind: DeployErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), reasons: Vec::new(), source: None }
    }

    /// A stack that CloudFormation could not bring to where it should be.
    pub(crate) fn failed(what: &str, reasons: Vec<String>, advice: &str) -> Self {
        let told = if reasons.is_empty() { "no reason given".to_owned() } else { reasons.join("; ") };
        let message = format!("{what}: {told}. {advice}");
        Self { kind: DeployErrorKind::Failed, message, reasons, source: None }
    }

    /// What sort of failure.
    pub const fn kind(&self) -> DeployErrorKind {
        self.kind
    }

    /// The reasons that the stack's events tell, the first cause first.
    pub fn reasons(&self) -> &[String] {
        &self.reasons
    }
}

impl From<StoreError> for DeployError {
    fn from(error: StoreError) -> Self {
        let kind = match error.kind() {
            StoreErrorKind::Unavailable => DeployErrorKind::Unavailable,
            StoreErrorKind::AlreadyExists => DeployErrorKind::AlreadyExists,
            StoreErrorKind::Missing => DeployErrorKind::Missing,
            StoreErrorKind::PermissionDenied => DeployErrorKind::PermissionDenied,
            StoreErrorKind::Incompatible | StoreErrorKind::Corrupt => DeployErrorKind::Incompatible,
            _ => DeployErrorKind::Invalid,
        };
        Self { kind, message: error.to_string(), reasons: Vec::new(), source: Some(Box::new(error)) }
    }
}

impl From<PackageError> for DeployError {
    fn from(error: PackageError) -> Self {
        let message = error.to_string();
        Self { kind: DeployErrorKind::Invalid, message, reasons: Vec::new(), source: Some(Box::new(error)) }
    }
}

/// Sorts an error of an SDK. `doing` says what was tried: "create stack x".
pub(crate) fn classify<E>(doing: &str, error: SdkError<E, HttpResponse>) -> DeployError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    use DeployErrorKind as Kind;
    let (kind, message) = match &error {
        SdkError::ServiceError(service) => of_service(doing, service.err(), service.raw().status().as_u16()),
        SdkError::ConstructionFailure(_) => (Kind::Invalid, format!("cannot {doing}: {}", causes(&error))),
        SdkError::TimeoutError(_) => {
            (Kind::Unavailable, format!("cannot {doing}: AWS did not answer in time. Try again"))
        }
        SdkError::DispatchFailure(_) => {
            (Kind::Unavailable, format!("cannot {doing}: AWS cannot be reached: {}", causes(&error)))
        }
        _ => {
            let what = "what answers does not speak like AWS. Check the endpoint URL";
            (Kind::Unavailable, format!("cannot {doing}: {what}"))
        }
    };
    DeployError { kind, message, reasons: Vec::new(), source: Some(Box::new(error)) }
}

fn of_service(doing: &str, error: &impl ProvideErrorMetadata, status: u16) -> (DeployErrorKind, String) {
    use DeployErrorKind as Kind;
    let code = error.code().unwrap_or("no code");
    let said = error.message().unwrap_or("no reason given");
    match code {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "OptInRequired" => (
            Kind::PermissionDenied,
            format!("cannot {doing}: AWS denied permission: {said}. Use credentials that may"),
        ),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "MissingAuthenticationToken" => (
            Kind::PermissionDenied,
            format!("cannot {doing}: AWS did not accept the credentials: {said}. Check or renew them"),
        ),
        "Throttling"
        | "ThrottlingException"
        | "TooManyRequestsException"
        | "SlowDown"
        | "RequestLimitExceeded" => {
            (Kind::Unavailable, format!("cannot {doing}: AWS throttles: {said}. Try again in a minute"))
        }
        "AlreadyExistsException" => (Kind::AlreadyExists, format!("cannot {doing}: {said}")),
        "InsufficientCapabilitiesException" | "ValidationError" => {
            (Kind::Invalid, format!("cannot {doing}: CloudFormation refused: {said}"))
        }
        "ResourceConflictException" | "OperationInProgressException" => {
            (Kind::Busy, format!("cannot {doing}: {said}. Wait until that is done"))
        }
        "ResourceNotFoundException" | "NoSuchBucket" => (Kind::Missing, format!("cannot {doing}: {said}")),
        _ if status >= 500 => {
            (Kind::Unavailable, format!("cannot {doing}: AWS failed with {status} {code}: {said}. Try again"))
        }
        _ => (Kind::Failed, format!("cannot {doing}: AWS refused with {status} {code}: {said}")),
    }
}

/// An error and what caused it, on one line.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

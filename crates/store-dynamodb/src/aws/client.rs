//! One connection pool and one set of credentials for each process and configuration.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::imds;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{
    Credentials, ProvideCredentials, SharedCredentialsProvider, SharedHttpClient,
    StalledStreamProtectionConfig,
};
use aws_types::service_config::ServiceConfigKey;
use tokio::sync::Mutex;
use zae_limiter_core::{StoreError, StoreErrorKind};

use crate::aws::first_credentials::FirstCredentials;
use crate::aws::pools::http_client;
use crate::aws::update::UpdateSender;
use crate::aws::watch::Watch;
use crate::error::causes;
use crate::options::DynamoDbOptions;
use crate::process::connected;

/// Looking for credentials takes at most so long.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(6);
/// Tries of a request that changes nothing, or the same however often it is made.
const READ_ATTEMPTS: u32 = 3;

/// Where the table is, and how long to wait for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) region: Option<String>,
    pub(crate) endpoint_url: Option<String>,
    pub(crate) connect_timeout: Duration,
    pub(crate) attempt_timeout: Duration,
}

/// The ways to send a request.
#[derive(Debug)]
pub(crate) struct Clients {
    /// Sends updates, once.
    pub(crate) update: UpdateSender,
    /// Sends once: for writes that may not be repeated without a thought.
    pub(crate) once: Client,
    /// Tries again by itself.
    pub(crate) patient: Client,
}

impl Clients {
    /// Clients for the table at `place`, whose requests and answers `watch` sees.
    pub(crate) async fn connect(place: &Place, watch: Watch) -> Result<Self, StoreError> {
        let shared = Shared::of(place).await?;
        let with = |retries: RetryConfig| {
            let config = aws_sdk_dynamodb::config::Builder::from(&shared.config);
            let config = config.interceptor(watch.clone()).retry_config(retries);
            // For large bodies: one that stalls here ends with the time of its attempt. Saves a timer a request.
            let config = config.stalled_stream_protection(StalledStreamProtectionConfig::disabled());
            Client::from_conf(config.build())
        };
        let patient = RetryConfig::standard()
            .with_max_attempts(READ_ATTEMPTS)
            .with_initial_backoff(Duration::from_millis(50))
            .with_max_backoff(Duration::from_secs(1));
        let (once, patient) = (with(RetryConfig::disabled()), with(patient));
        let update = UpdateSender::new(&shared.config, shared.endpoint_url.as_deref(), place, watch).await?;
        Ok(Self { update, once, patient })
    }
}

/// The configuration that the store of `options` uses: region, endpoint and credentials, for clients of other services.
/// They need a runtime of tokio, like that of the [store](crate::runtime()).
pub async fn sdk_config(options: &DynamoDbOptions) -> Result<SdkConfig, StoreError> {
    Ok(Shared::of(&options.place()).await?.config.clone())
}

/// What the stores of one process share, by where they are.
#[derive(Debug, Default)]
pub(crate) struct Connected(Mutex<HashMap<Place, Arc<Shared>>>);

/// What all stores of one configuration share.
#[derive(Debug)]
struct Shared {
    config: SdkConfig,
    /// Where DynamoDB is, if not where it usually is.
    endpoint_url: Option<String>,
}

impl Shared {
    /// The shared part for `place`, made by the first store that asks and dropped with the process.
    async fn of(place: &Place) -> Result<Arc<Self>, StoreError> {
        let mut all = connected().0.lock().await;
        if let Some(shared) = all.get(place) {
            return Ok(Arc::clone(shared));
        }
        let shared = Arc::new(load(place).await?);
        all.insert(place.clone(), Arc::clone(&shared));
        Ok(shared)
    }
}

async fn load(place: &Place) -> Result<Shared, StoreError> {
    let http_client = http_client();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(place.connect_timeout)
        .operation_attempt_timeout(place.attempt_timeout)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client.clone())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::disabled());
    if let Some(region) = &place.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(url) = &place.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let config = loader.load().await;
    let endpoint_url = place.endpoint_url.clone().or_else(|| configured_endpoint(&config));
    let local = endpoint_url.as_deref().is_some_and(is_loopback);
    let region = match config.region() {
        Some(region) => region.clone(),
        None if local => Region::from_static("us-east-1"),
        None => {
            return Err(StoreError::new(
                StoreErrorKind::Invalid,
                "no AWS region is set: name one (--region, or region=… in the store URL), or set AWS_REGION",
            ));
        }
    };
    let credentials = if local && !names_credentials() {
        SharedCredentialsProvider::new(Credentials::new("local", "local", None, None, "local engine"))
    } else {
        SharedCredentialsProvider::new(found_credentials(&region, http_client).await?)
    };
    let config = config.into_builder().region(region).credentials_provider(credentials).build();
    Ok(Shared { config, endpoint_url })
}

/// The endpoint that environment or profile set, for DynamoDB or for all services.
fn configured_endpoint(config: &SdkConfig) -> Option<String> {
    let key =
        ServiceConfigKey::builder().service_id("DynamoDB").env("AWS_ENDPOINT_URL").profile("endpoint_url");
    let of_service = || config.service_config()?.load_config(key.build().ok()?);
    of_service().or_else(|| config.endpoint_url().map(str::to_owned))
}

/// The default chain, asked once so that missing credentials are found at once and within bounds: off EC2 the metadata
/// service would be waited for otherwise.
async fn found_credentials(
    region: &Region,
    http_client: SharedHttpClient,
) -> Result<FirstCredentials<DefaultCredentialsChain>, StoreError> {
    let config = ProviderConfig::default().with_http_client(http_client).with_region(Some(region.clone()));
    let imds = imds::Client::builder()
        .configure(&config)
        .max_attempts(2)
        .connect_timeout(Duration::from_millis(500))
        .read_timeout(Duration::from_secs(1))
        .build();
    let chain = DefaultCredentialsChain::builder().configure(config).region(region.clone()).imds_client(imds);
    let chain = chain.build().await;
    let help =
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role is attached";
    match tokio::time::timeout(CREDENTIALS_TIMEOUT, chain.provide_credentials()).await {
        Ok(Ok(first)) => Ok(FirstCredentials::new(first, chain)),
        Ok(Err(error)) => {
            // A line for each provider that has none.
            let tried = causes(&error).split_whitespace().collect::<Vec<_>>().join(" ");
            let message = format!("no AWS credentials were found ({tried}): {help}");
            Err(StoreError::new(StoreErrorKind::PermissionDenied, message).with_source(error))
        }
        Err(_) => {
            let message = format!("no AWS credentials were found within {CREDENTIALS_TIMEOUT:?}: {help}");
            Err(StoreError::new(StoreErrorKind::PermissionDenied, message))
        }
    }
}

/// Whether the environment names credentials, so that even an engine on this host should get them.
fn names_credentials() -> bool {
    let variables = [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    variables.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Whether a URL is that of an engine on this host.
fn is_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => authority.split(':').next().unwrap_or(authority),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_engines_on_this_host() {
        for url in ["http://localhost:8000", "http://127.0.0.1:1/x", "http://[::1]:8000", "https://LocalHost"]
        {
            assert!(is_loopback(url), "{url}");
        }
        for url in
            ["https://dynamodb.eu-west-1.amazonaws.com", "http://10.0.0.1:8000", "http://localhost.example"]
        {
            assert!(!is_loopback(url), "{url}");
        }
    }
}

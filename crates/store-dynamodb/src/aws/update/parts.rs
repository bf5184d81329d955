//! What the SDK's clients are made of, as far as one request needs it.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme, SigV4Signer};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_sdk_dynamodb::config::endpoint::{DefaultResolver, Endpoint, Params, ResolveEndpoint};
use aws_sdk_dynamodb::config::http::HttpRequest;
use aws_sdk_dynamodb::config::{
    ConfigBag, HttpClient, ResolveCachedIdentity, RuntimeComponents, RuntimeComponentsBuilder,
    SharedHttpClient,
};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime::client::retries::strategy::NeverRetryStrategy;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{AuthSchemeEndpointConfig, Sign};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::runtime_components::GetIdentityResolver;
use aws_smithy_types::config_bag::Layer;
use aws_types::SigningName;
use zae_limiter_core::{Clock, StoreError, StoreErrorKind};

use crate::error::causes;
use crate::skew::CorrectedClock;

/// Endpoint, credentials, signer and connections.
#[derive(Debug)]
pub(super) struct Parts {
    url: String,
    client: SharedHttpClient,
    connecting: HttpConnectorSettings,
    components: RuntimeComponents,
    signing: ConfigBag,
}

impl Parts {
    /// Those of `config`, and for `endpoint_url` if there is one.
    pub(super) async fn of(
        config: &SdkConfig,
        endpoint_url: Option<&str>,
        connect_timeout: Duration,
        clock: CorrectedClock,
    ) -> Result<Self, StoreError> {
        let unusable = |error: BoxError| {
            let message = format!("the configuration of AWS cannot be used: {}", causes(&*error));
            StoreError::new(StoreErrorKind::Invalid, message)
        };
        let endpoint = endpoint(config, endpoint_url).await.map_err(unusable)?;
        let components = components(config, clock).map_err(unusable)?;
        let mut signing = Layer::new("signing");
        signing.store_put(SigV4OperationSigningConfig {
            region: config.region().cloned().map(Into::into),
            name: Some(SigningName::from_static("dynamodb")),
            region_set: None,
            signing_options: SigningOptions::default(),
        });
        Ok(Self {
            url: format!("{}/", endpoint.url().trim_end_matches('/')),
            client: components.http_client().ok_or("there is no HTTP client".into()).map_err(unusable)?,
            connecting: HttpConnectorSettings::builder().connect_timeout(connect_timeout).build(),
            components,
            signing: ConfigBag::of_layers([signing]),
        })
    }

    /// Where requests go.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What sends requests, and keeps connections.
    pub(super) fn connector(&self) -> SharedHttpConnector {
        self.client.http_connector(&self.connecting, &self.components)
    }

    /// Signs a request with the credentials that there are now.
    pub(super) async fn sign(&self, request: &mut HttpRequest) -> Result<(), BoxError> {
        let resolver = self.components.identity_resolver(SCHEME_ID).ok_or("there are no credentials")?;
        let cache = self.components.identity_cache();
        let identity = cache.resolve_cached_identity(resolver, &self.components, &self.signing).await?;
        let unscoped = AuthSchemeEndpointConfig::empty();
        SigV4Signer::new().sign_http_request(request, &identity, unscoped, &self.components, &self.signing)
    }
}

/// Where the SDK's clients would send.
async fn endpoint(config: &SdkConfig, endpoint_url: Option<&str>) -> Result<Endpoint, BoxError> {
    let params = Params::builder()
        .set_region(config.region().map(ToString::to_string))
        .set_use_fips(config.use_fips())
        .set_use_dual_stack(config.use_dual_stack())
        .set_endpoint(endpoint_url.map(str::to_owned))
        .build()?;
    DefaultResolver::new().resolve_endpoint(&params).await
}

fn components(config: &SdkConfig, clock: CorrectedClock) -> Result<RuntimeComponents, BoxError> {
    let credentials = config.credentials_provider().ok_or("there are no credentials")?;
    let components = RuntimeComponentsBuilder::new("UpdateSender")
        .with_auth_scheme(SigV4AuthScheme::new())
        .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
        .with_endpoint_resolver(Some(DefaultResolver::new().into_shared_resolver()))
        .with_http_client(config.http_client())
        .with_identity_cache(config.identity_cache())
        .with_identity_resolver(SCHEME_ID, credentials)
        .with_retry_strategy(Some(NeverRetryStrategy::new()))
        .with_sleep_impl(config.sleep_impl())
        // Signatures are good for some minutes only.
        .with_time_source(Some(clock));
    Ok(components.build()?)
}

impl TimeSource for CorrectedClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(Clock::now(self).as_millis())
    }
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region};

    use super::*;

    #[tokio::test]
    async fn requests_go_where_the_sdk_would_send_them() {
        let region = |region| {
            SdkConfig::builder().behavior_version(BehaviorVersion::latest()).region(Region::new(region))
        };
        for (config, endpoint_url, url) in [
            (region("eu-west-1"), None, "https://dynamodb.eu-west-1.amazonaws.com"),
            (region("cn-north-1"), None, "https://dynamodb.cn-north-1.amazonaws.com.cn"),
            (region("us-east-2").use_fips(true), None, "https://dynamodb-fips.us-east-2.amazonaws.com"),
            (region("us-east-2").use_dual_stack(true), None, "https://dynamodb.us-east-2.api.aws"),
            (region("eu-west-1"), Some("http://localhost:8000/some"), "http://localhost:8000/some"),
        ] {
            assert_eq!(endpoint(&config.build(), endpoint_url).await.unwrap().url(), url);
        }
    }
}

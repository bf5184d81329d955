//! Credentials that were looked up once already.

use aws_sdk_dynamodb::config::{Credentials, ProvideCredentials};
use parking_lot::Mutex;

/// Answers first with the credentials found when the store was opened, and from then on asks anew.
#[derive(Debug)]
pub(crate) struct FirstCredentials<P> {
    first: Mutex<Option<Credentials>>,
    provider: P,
}

impl<P> FirstCredentials<P> {
    pub(crate) const fn new(first: Credentials, provider: P) -> Self {
        Self { first: Mutex::new(Some(first)), provider }
    }
}

impl<P: ProvideCredentials> ProvideCredentials for FirstCredentials<P> {
    fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        match self.first.lock().take() {
            Some(first) => aws_credential_types::provider::future::ProvideCredentials::ready(Ok(first)),
            None => self.provider.provide_credentials(),
        }
    }
}

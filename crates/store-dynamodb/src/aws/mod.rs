//! The table in DynamoDB, through the AWS SDK.

mod batch;
mod client;
mod connection;
mod first_credentials;
mod pages;
mod parse;
mod pools;
mod table;
mod update;
mod watch;

pub(crate) use self::batch::{Key, attributes_of, key_of};
pub use self::client::sdk_config;
pub(crate) use self::client::{Clients, Connected, Place};
pub(crate) use self::connection::Connection;
pub(crate) use self::pages::Pages;
pub use self::parse::whole_number;
pub(crate) use self::parse::{Attributes, Malformed, Scalar, bucket, clamped, integer, read_bucket, text};
pub(crate) use self::table::AwsTable;
pub(crate) use self::watch::Watch;

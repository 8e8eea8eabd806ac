//! What the local cloud holds.

use futures_util::future::try_join_all;

use super::error::explain;
use super::{Clients, tell_nobody};
use crate::core::regions;
use crate::error::Result;

/// The numbers of things that hold data, in all regions together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Stacks.
    pub stacks: usize,
    /// Buckets.
    pub buckets: usize,
    /// Tables.
    pub tables: usize,
}

impl Contents {
    /// Whether nothing would be lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Counts what the local cloud at an endpoint holds.
pub async fn count(endpoint: &str, key_pair: (&str, &str)) -> Result<Contents> {
    let in_region = async |region: regions::Region| {
        let clients = Clients::of_local_cloud(endpoint, region.name, key_pair, tell_nobody());
        let stacks = async {
            let reply = clients.cloudformation.describe_stacks().send().await;
            Ok(reply.map_err(|error| explain("cannot list the stacks of the local cloud", &error))?.stacks().len())
        };
        let tables = async {
            let reply = clients.dynamodb.list_tables().send().await;
            Ok(reply.map_err(|error| explain("cannot list the tables of the local cloud", &error))?.table_names().len())
        };
        tokio::try_join!(stacks, tables)
    };
    let clients = Clients::of_local_cloud(endpoint, "us-east-1", key_pair, tell_nobody());
    let buckets = async {
        let reply = clients.s3.list_buckets().send().await;
        Ok(reply.map_err(|error| explain("cannot list the buckets of the local cloud", &error))?.buckets().len())
    };
    let (buckets, regions) = tokio::try_join!(buckets, try_join_all(regions::all().map(in_region)))?;
    let (stacks, tables) = regions.into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    Ok(Contents { stacks, buckets, tables })
}

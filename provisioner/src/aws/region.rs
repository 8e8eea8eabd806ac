//! Where Rekognition is, asked of AWS itself: the public parameters that Systems Manager keeps.

use super::error::explain;
use crate::error::Result;

/// The region in which the public list is complete.
pub const LIST_REGION: &str = "us-east-1";

const PATH: &str = "/aws/service/global-infrastructure/services/rekognition/regions";

/// The regions that have Rekognition, by AWS's own list.
///
/// # Errors
/// The list cannot be read (no permission, another partition, an emulator without it).
pub async fn with_rekognition(client: &aws_sdk_ssm::Client) -> Result<Vec<String>> {
    let pages: Vec<_> = client
        .get_parameters_by_path()
        .path(PATH)
        .into_paginator()
        .send()
        .collect::<std::result::Result<_, _>>()
        .await
        .map_err(|error| explain("cannot read AWS's list of regions", &error))?;
    Ok(pages
        .into_iter()
        .flat_map(|page| page.parameters.unwrap_or_default())
        .filter_map(|parameter| parameter.value)
        .collect())
}

//! Reads and writes the EventBridge flag of a bucket.
//!
//! Invariant: the notification configuration travels as the text that S3 sent, because the SDK's types would drop what
//! they do not know.

use std::sync::{Arc, Mutex};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::types::NotificationConfiguration;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_types::body::SdkBody;

use super::bucket::Bucket;
use super::error::explain;
use crate::core::event_flag;
use crate::error::{Error, Result};

/// The bucket's notification configuration, as S3 sends it.
pub async fn configuration(client: &Client, bucket: &Bucket) -> Result<String> {
    let attempt = || format!("cannot read the notifications of bucket `{}`", bucket.name);
    let received = Received::default();
    client
        .get_bucket_notification_configuration()
        .bucket(&bucket.name)
        .expected_bucket_owner(&bucket.owner)
        .customize()
        .interceptor(received.clone())
        .send()
        .await
        .map_err(|error| explain(attempt(), &error))?;
    Ok(received.0.lock().map(|text| text.clone()).unwrap_or_default())
}

/// Whether the bucket sends its events to EventBridge.
pub async fn is_on(client: &Client, bucket: &Bucket) -> Result<bool> {
    event_flag::is_on(&configuration(client, bucket).await?).map_err(|error| unusable(bucket, &error))
}

/// The outcome of switching the flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switched {
    /// It was switched.
    Now,
    /// It was already as wanted.
    Before,
}

/// Switches the flag, and nothing else.
///
/// # Errors
/// A request fails, or another configuration was written at the same time.
pub async fn switch(client: &Client, bucket: &Bucket, on: bool) -> Result<Switched> {
    let before = configuration(client, bucket).await?;
    let edited = if on { event_flag::switched_on(&before) } else { event_flag::switched_off(&before) };
    let wanted = edited.map_err(|error| unusable(bucket, &error))?;
    if wanted == before {
        return Ok(Switched::Before);
    }
    client
        .put_bucket_notification_configuration()
        .bucket(&bucket.name)
        .expected_bucket_owner(&bucket.owner)
        // The other destinations stay as they are, whether or not they can be reached now.
        .skip_destination_validation(true)
        .notification_configuration(NotificationConfiguration::builder().build())
        .customize()
        .interceptor(Sent(wanted.clone()))
        .send()
        .await
        .map_err(|error| explain(format!("cannot change the notifications of bucket `{}`", bucket.name), &error))?;
    let after = configuration(client, bucket).await?;
    let same = event_flag::same_otherwise(&before, &after).map_err(|error| unusable(bucket, &error))?;
    if !same {
        return Err(Error::new(format!(
            "somebody else changed the notifications of bucket `{}` at the same time",
            bucket.name
        ))
        .cause("S3 replaces the whole configuration, so one of the two changes may be lost")
        .hint("compare the bucket's event notifications with what they should be, then run the same command again"));
    }
    if event_flag::is_on(&after).is_ok_and(|is_on| is_on != on) {
        return Err(Error::new(format!("bucket `{}` did not keep its EventBridge setting", bucket.name))
            .hint("run the same command again"));
    }
    Ok(Switched::Now)
}

fn unusable(bucket: &Bucket, error: &event_flag::Error) -> Error {
    Error::new(format!("cannot understand the notification configuration of bucket `{}`", bucket.name)).because(error)
}

/// Keeps the body of the reply.
#[derive(Clone, Debug, Default)]
struct Received(Arc<Mutex<String>>);

impl Intercept for Received {
    fn name(&self) -> &'static str {
        "Received"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> std::result::Result<(), BoxError> {
        let body = context.response().body().bytes().unwrap_or_default();
        if let Ok(mut text) = self.0.lock() {
            std::str::from_utf8(body)?.clone_into(&mut text);
        }
        Ok(())
    }
}

/// Replaces the body of the request before it is signed.
#[derive(Debug)]
struct Sent(String);

impl Intercept for Sent {
    fn name(&self) -> &'static str {
        "Sent"
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> std::result::Result<(), BoxError> {
        let request = context.request_mut();
        request.headers_mut().insert("content-length", self.0.len().to_string());
        *request.body_mut() = SdkBody::from(self.0.as_str());
        Ok(())
    }
}

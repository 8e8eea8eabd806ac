//! Replies that no AWS service sends, for example the sign-in page of a hotel's network.
//!
//! Invariant: such a reply never counts as a service's "done", not even for a request whose reply has no content to parse.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::retry::ErrorKind;
use thiserror::Error;

/// The cause of a request's failure if somebody other than the service replied.
#[derive(Debug, Error)]
#[error("the reply is not what this service sends")]
pub(super) struct ForeignReply;

/// Refuses a page that claims success. Every service of AWS names a request id, so an object that is a page passes. The error
/// counts as transient, because the request did not reach the service and may reach it now.
pub(super) fn refuse_pages(reply: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let is_page = reply.headers().get("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    if reply.status().is_success() && is_page && request_id(&reply).is_none() {
        return Err(ConnectorError::other(ForeignReply.into(), Some(ErrorKind::TransientError)));
    }
    Ok(reply)
}

/// The id under which AWS can find a request.
pub(super) fn request_id(reply: &HttpResponse) -> Option<&str> {
    ["x-amzn-requestid", "x-amz-request-id"].into_iter().find_map(|name| reply.headers().get(name))
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    #[test]
    fn only_a_page_that_claims_success_without_a_request_id_is_refused() {
        const PAGE: (&str, &str) = ("content-type", "text/html; charset=utf-8");
        for (status, headers, is_refused) in [
            (200, &[PAGE][..], true),
            (204, &[PAGE], true),
            (200, &[PAGE, ("x-amz-request-id", "1")], false),
            (200, &[PAGE, ("x-amzn-requestid", "1")], false),
            // Errors are explained by their status.
            (503, &[PAGE], false),
            // The metadata service of an instance.
            (200, &[("content-type", "text/plain")], false),
            (200, &[], false),
        ] {
            let mut reply = HttpResponse::new(status.try_into().expect("a status"), SdkBody::empty());
            for (name, value) in headers {
                reply.headers_mut().insert(*name, *value);
            }
            assert_eq!(refuse_pages(reply).is_err(), is_refused, "{status} {headers:?}");
        }
    }
}

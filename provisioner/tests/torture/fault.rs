//! Faults of a service, each in the format of its protocol.

use hyper::Response;
use hyper::body::Bytes;

use super::support::proxy::Verdict;
use super::support::request::{Asked, Protocol};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Throttled,
    Internal,
    Unavailable,
    Cut,
    Half,
    /// The sign-in page of another network, with status 200.
    Garbage,
    /// The same for all requests.
    Portal,
    Denied,
    Expired,
}

impl Fault {
    pub(crate) const ALL: [Self; 9] = [
        Self::Throttled,
        Self::Internal,
        Self::Unavailable,
        Self::Cut,
        Self::Half,
        Self::Garbage,
        Self::Portal,
        Self::Denied,
        Self::Expired,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Internal => "500",
            Self::Unavailable => "503",
            Self::Cut => "cut",
            Self::Half => "half",
            Self::Garbage => "garbage",
            Self::Portal => "portal",
            Self::Denied => "denied",
            Self::Expired => "expired",
        }
    }

    /// Whether the next request of the same kind succeeds, so that the program must get the same result as without the fault. Otherwise, all
    /// of them fail.
    pub(crate) fn passes(self) -> bool {
        !matches!(self, Self::Portal | Self::Denied | Self::Expired)
    }

    /// The words of which the error must contain one, if the request cannot succeed.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            // HEAD errors have no body, so they do not name the cause.
            Self::Denied => &["AccessDenied", "not allowed", "may not", "denied", "403", "permission"],
            Self::Expired => &["expired", "Expired", "400"],
            Self::Portal => &["not what this service sends"],
            _ => &[""],
        }
    }

    pub(crate) fn verdict(self, asked: &Asked) -> Verdict {
        match self {
            Self::Cut => return Verdict::Cut,
            Self::Half => return Verdict::Half,
            Self::Garbage | Self::Portal => {
                let reply = Response::builder().header("content-type", "text/html");
                let body = Bytes::from_static(b"<!doctype html><title>Sign in to the hotel's network</title>");
                return Verdict::Answer(reply.body(body).expect("a response"));
            }
            _ => {}
        }
        if self == Self::Denied {
            let action = asked.actions().into_iter().next();
            return denied(asked, &action.unwrap_or_else(|| asked.label()));
        }
        let (status, code, message) = self.words_of(asked.protocol(), &asked.service);
        Verdict::Answer(error(asked, status, code, message))
    }

    /// Status, code and message of the error.
    fn words_of(self, protocol: Protocol, service: &str) -> (u16, &'static str, &'static str) {
        use Protocol::{Cbor, Json, Query, RestJson, RestXml};
        match (self, protocol) {
            (Self::Throttled, Query) => (400, "Throttling", "Rate exceeded"),
            (Self::Throttled, RestXml) => (503, "SlowDown", "Please reduce your request rate."),
            (Self::Throttled, RestJson) => (429, "TooManyRequestsException", "Rate Exceeded."),
            (Self::Throttled, Json) if service == "sqs" => (403, "RequestThrottled", "Request is throttled."),
            (Self::Throttled, Json | Cbor) => (400, "ThrottlingException", "Rate exceeded"),
            (Self::Internal, Query) => (500, "InternalFailure", "An internal error has occurred"),
            (Self::Internal, RestXml) => (500, "InternalError", "We encountered an internal error. Please try again."),
            (Self::Internal, RestJson) => (500, "ServiceException", "An error occurred. Please retry."),
            (Self::Internal, Json | Cbor) => (500, "InternalServerError", "Internal server error"),
            (Self::Unavailable, RestXml | Query) => (503, "ServiceUnavailable", "Service is unable to handle request."),
            (Self::Unavailable, _) => (503, "ServiceUnavailableException", "Service is unable to handle request."),
            (Self::Denied, Query | RestXml) => (403, "AccessDenied", ""),
            (Self::Denied, RestJson) => (403, "AccessDeniedException", ""),
            (Self::Denied, Json | Cbor) => (400, "AccessDeniedException", ""),
            (Self::Expired, Query) => (403, "ExpiredToken", "The security token included in the request is expired"),
            (Self::Expired, RestXml) => (400, "ExpiredToken", "The provided token has expired."),
            (Self::Expired, RestJson) => {
                (403, "ExpiredTokenException", "The security token included in the request is expired")
            }
            (Self::Expired, Json | Cbor) => {
                (400, "ExpiredTokenException", "The security token included in the request is expired")
            }
            (Self::Cut | Self::Half | Self::Garbage | Self::Portal, _) => unreachable!("these faults have no error"),
        }
    }
}

/// The reply of a service that denies one of the actions that a request needs.
pub(crate) fn denied(asked: &Asked, action: &str) -> Verdict {
    let (status, code, _) = Fault::Denied.words_of(asked.protocol(), &asked.service);
    let message = format!(
        "User: arn:aws:iam::000000000000:user/dev is not authorized to perform: {action} because no identity-based policy allows the {action} action"
    );
    Verdict::Answer(error(asked, status, code, &message))
}

/// An error reply in the service's format.
fn error(asked: &Asked, status: u16, code: &str, message: &str) -> Response<Bytes> {
    let id = "11111111-2222-3333-4444-555555555555";
    let reply = Response::builder().status(status).header("x-amzn-requestid", id);
    let json = || serde_json::json!({ "__type": format!("com.amazonaws#{code}"), "message": message }).to_string();
    let (reply, body) = match asked.protocol() {
        Protocol::Query => (
            reply.header("content-type", "text/xml"),
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                 <RequestId>{id}</RequestId></ErrorResponse>"
            )
            .into_bytes(),
        ),
        // The reply to HEAD has no body.
        Protocol::RestXml if asked.head.method == "HEAD" => (reply, Vec::new()),
        Protocol::RestXml => (
            reply.header("content-type", "application/xml"),
            format!("<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{id}</RequestId></Error>")
                .into_bytes(),
        ),
        Protocol::RestJson => {
            (reply.header("content-type", "application/json").header("x-amzn-errortype", code), json().into_bytes())
        }
        Protocol::Json => (reply.header("content-type", "application/x-amz-json-1.0"), json().into_bytes()),
        Protocol::Cbor => (
            reply.header("content-type", "application/cbor").header("smithy-protocol", "rpc-v2-cbor"),
            [&[0xa2], &cbor("__type")[..], &cbor(&format!("com.amazonaws#{code}")), &cbor("message"), &cbor(message)]
                .concat(),
        ),
    };
    reply.body(body.into()).expect("a response")
}

/// A text in CBOR.
fn cbor(text: &str) -> Vec<u8> {
    const TEXT_WITH_TWO_BYTES_OF_LENGTH: u8 = 0x79;
    let length = u16::try_from(text.len()).expect("a short text").to_be_bytes();
    [&[TEXT_WITH_TWO_BYTES_OF_LENGTH], &length[..], text.as_bytes()].concat()
}

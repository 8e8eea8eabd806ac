//! A request whose body is counted while it is sent.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;

/// Takes the number of bytes sent so far.
pub type Sent = Arc<dyn Fn(usize) + Send + Sync>;

/// The maximum number of reports for one body.
const REPORTS: usize = 50;
/// The smallest piece of a body, in bytes.
const PIECE: usize = 64 * 1024;

/// Sends the same bytes as before, in pieces, and reports each one.
///
/// The body is replaced after the request was signed, so that the SDK computes length and checksum as usual. Each
/// attempt begins anew.
#[derive(Clone)]
pub(super) struct Counted {
    pub(super) bytes: Bytes,
    pub(super) sent: Sent,
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl Intercept for Counted {
    fn name(&self) -> &'static str {
        "Counted"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Self { bytes, sent } = self.clone();
        let piece = PIECE.max(bytes.len().div_ceil(REPORTS));
        let pieces = (0..bytes.len()).step_by(piece).map(move |start| {
            let end = bytes.len().min(start + piece);
            // The connection asks for the next piece when it has room for it.
            sent(start);
            Ok::<_, Infallible>(Frame::data(bytes.slice(start..end)))
        });
        *context.request_mut().body_mut() = SdkBody::from_body_1_x(StreamBody::new(stream::iter(pieces)));
        Ok(())
    }
}

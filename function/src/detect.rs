//! Asks Rekognition for the faces in an object.
//!
//! Invariant: a reply without a list of faces is an error, never an empty list.

use std::time::Instant;

use aws_sdk_rekognition::operation::detect_faces::DetectFacesError;
use aws_sdk_rekognition::primitives::Blob;
use aws_sdk_rekognition::types::{FaceDetail, Image, S3Object};

use crate::context::Context;
use crate::notification::Notification;
use crate::object::{self, Object};
use crate::outcome::{Failure, Outcome, Step, failure};

/// Error codes that mean the picture is at fault. `InvalidParameterException` is one of them because the picture is the
/// only parameter that varies.
const UNUSABLE: [&str; 3] = ["ImageTooLargeException", "InvalidImageFormatException", "InvalidParameterException"];

/// The error code that Rekognition returns if it cannot read the object, whatever the reason.
const UNREADABLE: &str = "InvalidS3ObjectException";

/// Returns the faces in the inspected object, at least one. Anything else is an outcome, returned as an error.
pub(crate) async fn faces(cx: Context<'_>, upload: &Notification, object: &Object) -> Result<Vec<FaceDetail>, Outcome> {
    if cx.settings.rekognition_region.is_some() {
        // Rekognition reads only from buckets in its own region.
        let bytes = object::bytes(cx.at(Step::Read), upload, object).await?;
        return ask(cx, Image::builder().bytes(Blob::new(bytes)).build()).await;
    }
    let source =
        S3Object::builder().bucket(&upload.bucket).name(&upload.key).set_version(object.version.clone()).build();
    let faces = ask(cx, Image::builder().s3_object(source).build()).await;
    // Rekognition accepts no entity tag. Without a version, its reply may therefore be about newer bytes than those
    // inspected. It also returns the same error for a deleted object and for an object that it may not read.
    let unreadable = match &faces {
        Err(Outcome::Failed(failure)) if failure.code != UNREADABLE => return faces,
        Err(Outcome::Failed(_)) => true,
        _ => false,
    };
    if unreadable || !object.is_immutable() {
        object::confirm(cx.at(Step::Confirm), upload, object).await?;
    }
    match faces {
        Err(Outcome::Failed(failure)) => {
            Err(Outcome::Failed(object::explain(cx.at(Step::Detect), upload, object, failure).await))
        }
        faces => faces,
    }
}

async fn ask(cx: Context<'_>, image: Image) -> Result<Vec<FaceDetail>, Outcome> {
    let start = Instant::now();
    let reply = cx
        .services
        .rekognition
        .detect_faces()
        .image(image)
        .set_attributes(Some(cx.settings.attributes.requested()))
        .customize()
        .interceptor(cx.progress.begin::<DetectFacesError>(cx.step))
        .send()
        .await;
    cx.progress.detected_in(start.elapsed());
    match reply.map_err(|error| classify(failure(cx.step, &error)))?.face_details {
        Some(faces) if faces.is_empty() => Err(Outcome::NoFace),
        Some(faces) => Ok(faces),
        None => Err(Outcome::Failed(Failure {
            step: cx.step,
            code: "InvalidReply".to_owned(),
            message: "the reply has no `FaceDetails`".to_owned(),
            retryable: true,
        })),
    }
}

fn classify(failure: Failure) -> Outcome {
    if UNUSABLE.contains(&failure.code.as_str()) {
        Outcome::Unusable { code: failure.code }
    } else {
        Outcome::Failed(failure)
    }
}

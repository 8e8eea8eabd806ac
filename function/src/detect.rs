//! Asks Rekognition for the faces in an object.
//!
//! Invariant: a reply without a list of faces is an error, never an empty list.

use aws_sdk_rekognition::operation::detect_faces::DetectFacesError;
use aws_sdk_rekognition::types::{FaceDetail, Image, S3Object};

use crate::context::Context;
use crate::notification::Notification;
use crate::object::Object;
use crate::outcome::{Failure, Outcome, failure};

/// Error codes that mean the picture is at fault. `InvalidParameterException` is one of them because the picture is the
/// only parameter that varies.
const UNUSABLE: [&str; 3] = ["ImageTooLargeException", "InvalidImageFormatException", "InvalidParameterException"];

/// The error code that Rekognition returns if it cannot read the object, whatever the reason.
pub(crate) const UNREADABLE: &str = "InvalidS3ObjectException";

/// Returns the faces in the inspected object, at least one. Anything else is an outcome, returned as an error.
pub(crate) async fn faces(cx: Context<'_>, upload: &Notification, object: &Object) -> Result<Vec<FaceDetail>, Outcome> {
    let source =
        S3Object::builder().bucket(&upload.bucket).name(&upload.key).set_version(object.version.clone()).build();
    let reply = cx
        .services
        .rekognition
        .detect_faces()
        .image(Image::builder().s3_object(source).build())
        .set_attributes(Some(cx.settings.attributes.requested()))
        .customize()
        .interceptor(cx.progress.begin::<DetectFacesError>(cx.step))
        .send()
        .await
        .map_err(|error| classify(failure(cx.step, &error)))?;
    match reply.face_details {
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

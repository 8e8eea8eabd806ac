//! Asks Rekognition for the faces in an object.
//!
//! Invariant: a reply without a list of faces is an error, never "no face".

use aws_sdk_rekognition::operation::detect_faces::DetectFacesError;
use aws_sdk_rekognition::types::{Attribute, FaceDetail, Image, S3Object};

use crate::event::Upload;
use crate::object::Object;
use crate::outcome::{Failure, Outcome, Step, failure};
use crate::progress::Progress;
use crate::services::Services;

/// Codes by which Rekognition says that the picture is at fault: our other parameters never vary.
const UNUSABLE: [&str; 3] = ["ImageTooLargeException", "InvalidImageFormatException", "InvalidParameterException"];

/// What Rekognition says when it cannot read the object, for whatever reason.
pub(crate) const UNREADABLE: &str = "InvalidS3ObjectException";

/// Finds the faces in the inspected object; at least one, or the record's outcome.
pub(crate) async fn faces(
    upload: &Upload,
    object: &Object,
    services: &Services,
    progress: &Progress,
) -> Result<Vec<FaceDetail>, Outcome> {
    let source =
        S3Object::builder().bucket(&upload.bucket).name(&upload.key).set_version(object.version.clone()).build();
    let reply = services
        .rekognition
        .detect_faces()
        .image(Image::builder().s3_object(source).build())
        .attributes(Attribute::AgeRange)
        .attributes(Attribute::Emotions)
        .customize()
        .interceptor(progress.begin::<DetectFacesError>(Step::Detect))
        .send()
        .await
        .map_err(|error| judge(failure(Step::Detect, &error)))?;
    match reply.face_details {
        Some(faces) if faces.is_empty() => Err(Outcome::NoFace),
        Some(faces) => Ok(faces),
        None => Err(Outcome::Failed(Failure {
            step: Step::Detect,
            code: "InvalidReply".to_owned(),
            message: "the reply holds no `FaceDetails`".to_owned(),
            retryable: true,
        })),
    }
}

fn judge(failure: Failure) -> Outcome {
    if UNUSABLE.contains(&failure.code.as_str()) {
        Outcome::Unusable { code: failure.code }
    } else {
        Outcome::Failed(failure)
    }
}

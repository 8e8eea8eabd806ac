//! Shows the table of pictures.

use super::*;

#[test]
fn pictures_are_rows_of_one_table() {
    let face = |file: &str, key: &str, faces: usize| Event::Faces {
        file: file.into(),
        key: key.into(),
        rows: vec![row(); faces],
        outcome: (faces == 0).then(|| "no_face".into()),
        reason: None,
    };
    let events =
        [face("写真.jpg", "in/写真.jpg", 2), face("s3://b/in/a.jpg", "in/a.jpg", 1), face("b.jpg", "b.jpg", 0)];
    let shown = anstream::adapter::strip_str(&rows(&events, false)).to_string();
    insta::assert_snapshot!(shown, @r"
    PICTURE          KEY          RESULT       AGE    EMOTION  CONFIDENCE
    写真.jpg         in/写真.jpg  face 1 of 2  22-30  happy          99 %
                                  face 2 of 2  22-30  happy          99 %
    s3://b/in/a.jpg               face 1 of 1  22-30  happy          99 %
    b.jpg                         no face
    ");
}

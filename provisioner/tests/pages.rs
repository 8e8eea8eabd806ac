//! Tests the pages: their size and their speed with many pictures and, with a browser, what a person gets.
//!
//! `make test-pages` sets `PAGES_BROWSER` to a Chromium and `PAGES_NODE` to the command of Node, and installs what
//! `pages/check.mjs` needs.

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use provisioner::core::gallery::{Face, GalleryPicture};
use provisioner::core::timeline::Bar;
use provisioner::steps::{gallery, thumbnail};
use provisioner::ui::page::{Gallery, Timeline, pictures, timeline};
use serde_json::{Value, json};
use support::Folder;
use support::local::fixture;

const EMOTIONS: [&str; 4] = ["happy", "calm", "sad", "\"><script>alert(1)</script>"];

/// Keys that try to leave their element, and keys in other scripts.
const TITLES: [&str; 6] =
    ["<img src=x onerror=alert(1)>.jpg", "a\"b'c&amp;.jpg", "写真/家族.jpg", "صورة.jpg", "ảnh đẹp.jpg", "🙂.jpg"];

fn face(at: u32) -> Face {
    let shift = f64::from(at % 40);
    Face {
        position: Some([shift, 10.0 + shift / 2.0, 20.5, 33.25]),
        age: Some((f64::from(at % 70), f64::from(at % 70 + 8))),
        emotion: EMOTIONS[at as usize % EMOTIONS.len()].to_owned(),
        confidence: Some(87.6),
    }
}

async fn album(count: u32) -> Vec<GalleryPicture> {
    let bytes = Bytes::from(std::fs::read(fixture("two-faces.jpg")).expect("a fixture"));
    let (image, note) = gallery::embed(bytes, thumbnail::budget(count as usize)).await;
    let title = |at: u32| format!("{at}-{}", TITLES[at as usize % TITLES.len()]);
    let picture =
        |at| GalleryPicture { title: title(at), image: image.clone(), note: note.clone(), faces: vec![face(at)] };
    (0..count).map(picture).collect()
}

fn page_of(shown: &[GalleryPicture]) -> String {
    pictures(&Gallery {
        stack: "faces",
        region: "eu-west-1",
        bucket: "pictures",
        written: "2026-05-01T12:00:00Z".into(),
        pictures: shown,
    })
}

#[tokio::test]
async fn a_thousand_pictures_fit_on_one_page() {
    let page = page_of(&album(1_000).await);
    assert_eq!(page.matches("<li class=\"picture\">").count(), 1_000);
    assert!(page.len() < 25_000_000, "{} bytes", page.len());
    check("many", &page, &json!({"filter": "250 of 1000 pictures shown"}));
}

#[tokio::test]
async fn boxes_are_where_the_faces_are() {
    let shown = album(12).await;
    let ratio = |face: &Face| face.position.map(|sides| sides.map(|percent| percent / 100.0));
    let expected: Vec<Value> = shown
        .iter()
        .map(|picture| json!({"title": picture.title, "boxes": picture.faces.iter().map(ratio).collect::<Vec<_>>()}))
        .collect();
    check("pictures", &page_of(&shown), &json!({"pictures": expected, "filter": "3 of 12 pictures shown"}));
}

#[test]
fn a_timeline_shows_the_critical_path() {
    let bar = |logical_id: &str, start, end, critical| Bar {
        logical_id: logical_id.into(),
        resource_type: "AWS::Lambda::Function".into(),
        action: "CREATE".into(),
        status: if critical { "CREATE_FAILED".into() } else { "CREATE_COMPLETE".into() },
        start,
        end,
        failed: critical,
        reason: critical.then(|| "<script>alert(1)</script> limit exceeded".into()),
        critical,
    };
    let bars = [bar("Role", 0, 17_000, false), bar("Function", 17_500, 25_000, true)];
    let page = timeline(&Timeline {
        stack: "faces",
        region: "eu-west-1",
        written: "2026-05-01T12:00:00Z".into(),
        result: "the creation failed".into(),
        ok: false,
        bars: &bars,
        diagnosis: None,
        hints: &["run `provisioner up` again".into()],
    });
    assert!(page.contains("25.0 s in total"), "{page}");
    check("timeline", &page, &json!({}));
}

/// Checks a page in the browser, if there is one.
fn check(name: &str, page: &str, expected: &Value) {
    let Some(browser) = std::env::var_os("PAGES_BROWSER") else { return };
    let home = Folder::new(&format!("pages-{name}"));
    let mut expected = expected.clone();
    expected["name"] = name.into();
    let (html, json) = (home.write("page.html", page), home.write("expected.json", expected.to_string()));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages/check.mjs");
    let modules = PathBuf::from(std::env::var_os("PAGES_MODULES").expect("the folder with node_modules"));
    // Node looks for packages beside the script, so it gets a copy beside them.
    let copy = modules.join(format!("check-{name}.mjs"));
    std::fs::copy(script, &copy).expect("a copy");
    let node = std::env::var("PAGES_NODE").expect("the command of Node");
    let mut words = node.split(' ');
    let mut command = Command::new(words.next().expect("a program"));
    command.args(words).arg(&copy).arg(browser).arg(html).arg(json).arg(&modules);
    let output = command.output().expect("node");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&said));
}

//! Tests the diagnosis of recorded failures.

use provisioner::core::diagnosis::{Kind, StackEvent, diagnose};
use serde::Deserialize;

/// Each file in `tests/histories/` has the events of a failure and the expected diagnosis.
#[test]
fn recorded_histories_are_diagnosed() {
    #[derive(Deserialize)]
    struct Recorded {
        events: Vec<StackEvent>,
        expected: Expected,
    }
    #[derive(Deserialize)]
    struct Expected {
        resource: String,
        kind: Kind,
        reason: String,
        others: usize,
        #[serde(default)]
        action: Option<String>,
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/histories");
    let mut read = 0;
    for file in std::fs::read_dir(folder).expect("the folder of histories") {
        let path = file.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("a text");
        let recorded: Recorded =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let found = diagnose(&recorded.events).unwrap_or_else(|| panic!("{}: no cause", path.display()));
        let expected = recorded.expected;
        assert_eq!(
            (found.logical_id, found.kind, found.others, found.denied.map(|denied| denied.action)),
            (expected.resource, expected.kind, expected.others, expected.action),
            "{}",
            path.display()
        );
        assert!(found.reason.contains(&expected.reason), "{}: {}", path.display(), found.reason);
        read += 1;
    }
    assert!(read >= 8, "{read} histories");
}

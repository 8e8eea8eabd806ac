//! Live lines, as a user sees them in a terminal.
//!
//! The script holds an operation at a certain point, so a screen in the middle of it is always the same.

use serde_json::{Value, json};

use super::cloud::{Cloud, Frame, Script, at};
use super::run::{command, interrupt, provisioner};
use super::terminal::{Screen, Terminal};

const UP: [&str; 3] = ["up", "--yes", "--no-smoke"];

/// An event of a resource, this many milliseconds after the start.
fn event(millis: i64, name: &str, resource_type: &str, status: &str) -> Value {
    json!({"id": "", "at": millis, "logical_id": name, "resource_type": resource_type, "status": status})
}

/// The first half of a creation: one resource is complete, three are in progress.
fn begun() -> Frame {
    let events = vec![
        event(0, "FailureQueue", "AWS::A::Queue", "CREATE_IN_PROGRESS"),
        event(0, "FaceTable", "AWS::B::Table", "CREATE_IN_PROGRESS"),
        event(0, "WorkerRole", "AWS::C::Role", "CREATE_IN_PROGRESS"),
        event(0, "PhotoBucket", "AWS::D::Bucket", "CREATE_IN_PROGRESS"),
        event(2_500, "FailureQueue", "AWS::A::Queue", "CREATE_COMPLETE"),
    ];
    Frame { status: "CREATE_IN_PROGRESS", events }
}

/// The second half.
fn ended() -> Frame {
    let events = vec![
        event(12_000, "FaceTable", "AWS::B::Table", "CREATE_COMPLETE"),
        event(21_000, "WorkerRole", "AWS::C::Role", "CREATE_COMPLETE"),
        event(9_000, "PhotoBucket", "AWS::D::Bucket", "CREATE_COMPLETE"),
    ];
    Frame { status: "CREATE_COMPLETE", events }
}

/// A cloud that holds the creation of a stack after its first half.
async fn half_way() -> Cloud {
    Cloud::start(Script::default().on("CreateStack", vec![begun(), at("CREATE_IN_PROGRESS")])).await
}

/// The program in a terminal that can move its cursor.
fn watch(cloud: &Cloud, arguments: &[&str], size: (u16, u16)) -> Terminal {
    let mut command = command(cloud, arguments);
    command.env("TERM", "xterm-256color");
    Terminal::start(command, size)
}

/// Whether the last event of the first half is on the screen.
fn is_half_way(screen: &Screen) -> bool {
    screen.contains("✓ Fail")
}

/// The rows from the first one that contains a text on. Earlier ones name files of this machine.
fn from(screen: &Screen, text: &str) -> String {
    let begin = screen.rows.iter().position(|row| row.contains(text));
    let rows = screen.rows[begin.unwrap_or_else(|| panic!("no {text:?} in\n{}", screen.text()))..].to_vec();
    Screen { rows, ..screen.clone() }.steady()
}

/// Checks that only the totals are left of an operation. Where the terminal breaks the line depends on the time.
#[track_caller]
fn assert_collapsed(screen: &Screen) {
    assert!(!screen.contains("creating"), "{}", screen.text());
    let unbroken = screen.rows.concat().replace(' ', "");
    for part in ["face-recognition:CREATE_COMPLETEafter", "(4resources;slowest:WorkerRole,21.0s)"] {
        assert!(unbroken.contains(part), "no {part} in\n{}", screen.text());
    }
}

#[tokio::test]
async fn a_deployment_in_terminals_of_every_width() {
    for columns in [20, 40, 80, 200] {
        let cloud = half_way().await;
        let mut terminal = watch(&cloud, &UP, (columns, 40));
        let screen = terminal.until(is_half_way).await;
        insta::assert_snapshot!(format!("half_way_at_{columns}_columns"), from(&screen, "creati"));
        cloud.change(|script| script.running.push_back(ended()));
        let (code, screen, _) = terminal.end().await;
        assert_eq!(code, Some(0), "{}", screen.text());
        assert_collapsed(&screen);
    }
}

#[tokio::test]
async fn after_a_resize_the_lines_fit_again_and_leave_nothing_behind() {
    let cloud = half_way().await;
    let mut terminal = watch(&cloud, &UP, (80, 40));
    terminal.until(is_half_way).await;
    let expected = async |terminal: &mut Terminal, has_types: bool, has_states: bool| {
        let is_expected = |screen: &Screen| {
            is_half_way(screen)
                && screen.contains("AWS::B::Table") == has_types
                && screen.contains("  creating") == has_states
        };
        let screen = terminal.until(is_expected).await;
        for name in ["Fail", "FaceT", "Worker", "Photo"] {
            let count = screen.rows.iter().filter(|row| row.trim_start().contains(name)).count();
            assert_eq!(count, 1, "{name} in\n{}", screen.text());
        }
    };
    for ((columns, rows), has_types, has_states) in
        [((40, 40), false, true), ((22, 40), false, false), ((100, 40), true, true), ((40, 12), false, true)]
    {
        terminal.resize((columns, rows));
        expected(&mut terminal, has_types, has_states).await;
    }
    cloud.change(|script| script.running.push_back(ended()));
    let (code, screen, _) = terminal.end().await;
    assert_eq!(code, Some(0));
    assert_collapsed(&screen);
}

#[tokio::test]
async fn an_interrupt_leaves_the_reason_and_a_usable_terminal() {
    let cloud = half_way().await;
    let mut terminal = watch(&cloud, &UP, (200, 24));
    terminal.until(is_half_way).await;
    interrupt(&terminal.child);
    let (code, screen, _) = terminal.end().await;
    assert_eq!(code, Some(5));
    insta::assert_snapshot!(from(&screen, "error:"));
    assert!(!screen.contains("WorkerRole"), "{}", screen.text());
    assert_eq!(screen.cursor, (u16::try_from(screen.rows.len()).expect("a row"), 0));
    assert!(!screen.is_cursor_hidden);
}

#[tokio::test]
async fn a_failed_resource_stays_with_its_reason() {
    let mut failed = event(3_000, "PhotoBucket", "AWS::D::Bucket", "CREATE_FAILED");
    failed["reason"] = "Access Denied".into();
    let mut rollback = event(3_100, "face-recognition", "AWS::CloudFormation::Stack", "ROLLBACK_IN_PROGRESS");
    rollback["reason"] = "The following resource(s) failed to create: [Bucket].".into();
    let events = vec![failed, rollback, event(3_200, "FaceTable", "AWS::B::Table", "DELETE_IN_PROGRESS")];
    let frames = vec![begun(), Frame { status: "DELETE_IN_PROGRESS", events }];
    let cloud = Cloud::start(Script::default().on("CreateStack", frames)).await;
    let mut terminal = watch(&cloud, &UP, (200, 24));
    let screen = terminal.until(|screen| screen.contains("deleting")).await;
    insta::assert_snapshot!("in_the_middle_of_a_rollback", from(&screen, "✗"));
    cloud.change(|script| script.running.push_back(at("DELETE_COMPLETE")));
    let (code, screen, _) = terminal.end().await;
    assert_eq!(code, Some(1));
    insta::assert_snapshot!("after_a_rollback", from(&screen, "✗"));
}

#[tokio::test]
async fn resources_that_do_not_fit_are_counted() {
    let events = (0..30).map(|at| event(0, &format!("Resource{at:02}"), "AWS::X::Y", "CREATE_IN_PROGRESS")).collect();
    let frames = vec![Frame { status: "CREATE_IN_PROGRESS", events }];
    let cloud = Cloud::start(Script::default().on("CreateStack", frames)).await;
    let mut terminal = watch(&cloud, &UP, (80, 10));
    let screen = terminal.until(|screen| screen.contains("and 23 more")).await;
    let shown: Vec<_> = (0..30).filter(|at| screen.contains(&format!("Resource{at:02}"))).collect();
    // The first ones are the slowest.
    assert_eq!(shown, (0..7).collect::<Vec<_>>(), "{}", screen.text());
    interrupt(&terminal.child);
    assert_eq!(terminal.end().await.0, Some(5));
}

#[tokio::test]
async fn plain_lines_are_the_same_with_and_without_a_terminal() {
    let script = || Script::default().on("CreateStack", vec![begun(), ended()]);
    let piped = provisioner(&Cloud::start(script()).await, &UP).await;
    let mask = |text: &str| {
        Screen { rows: text.lines().map(ToOwned::to_owned).collect(), cursor: (0, 0), is_cursor_hidden: false }.steady()
    };
    for variable in [("NO_COLOR", "1"), ("TERM", "dumb"), ("CI", "true")] {
        let cloud = Cloud::start(script()).await;
        let mut command = command(&cloud, &UP);
        command.env("TERM", "xterm-256color").env(variable.0, variable.1).arg("--color").arg("never");
        let (code, _, text) = Terminal::start(command, (80, 40)).end().await;
        assert_eq!(code, Some(0), "{text}");
        assert!(!text.contains('\x1b'), "{variable:?}: {text}");
        let plain: String = mask(&text).replace('\r', "");
        for line in mask(&piped.stderr).lines().chain(mask(&piped.stdout).lines()) {
            assert!(plain.contains(line), "{variable:?}: no {line:?} in\n{plain}");
        }
    }
}

#[tokio::test]
async fn quiet_prints_results_only() {
    let cloud = Cloud::start(Script::default().on("CreateStack", vec![begun(), ended()])).await;
    let (code, screen, text) = watch(&cloud, &[&UP[..], &["-q"]].concat(), (80, 40)).end().await;
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(screen.steady());
    assert!(!text.contains("\x1b[?7l"), "{text}");
}

#[tokio::test]
async fn nothing_is_drawn_over_a_question() {
    let cloud = Cloud::start(Script::default()).await;
    let mut terminal = watch(&cloud, &["up", "--no-smoke", "--region", "eu-west-1,eu-central-1"], (80, 60));
    for answer in ["n", "no"] {
        let screen = terminal.until(|screen| screen.rows.last().is_some_and(|row| row.ends_with("[y/N]"))).await;
        let column = screen.rows.last().map_or(0, |row| row.chars().count() + 1);
        assert_eq!(usize::from(screen.cursor.1), column, "{}", screen.text());
        terminal.types(&format!("{answer}\n"));
        terminal.until(|screen| screen.contains(&format!("[y/N] {answer}\n"))).await;
    }
    let (code, screen, _) = terminal.end().await;
    assert_eq!(code, Some(4), "{}", screen.text());
    assert_eq!(cloud.count("CreateStack"), 0);
}

//! Tests Ctrl-C: the first one ends the program, the second one cancels an update.
//!
//! The signal is sent after a number of polls or after a line of output, never after a time.

use tokio::io::AsyncBufReadExt as _;

use super::cloud::{Cloud, Script, at};
use super::run::{Run, interrupt, start};
use super::{UPDATE, code_change};

#[tokio::test]
async fn one_interrupt_ends_the_program_but_not_the_operation() {
    let mut cloud = Cloud::start(Script::default().on("CreateStack", vec![at("CREATE_IN_PROGRESS")])).await;
    let child = start(&cloud, &UPDATE);
    cloud.until("DescribeStacks", 4).await;
    interrupt(&child);
    let run = Run::of(child).await;
    run.ended(5);
    assert!(run.error().contains("follows it again"), "{}", run.error());
}

#[tokio::test]
async fn two_interrupts_cancel_an_update() {
    let script = code_change()
        .on("ExecuteChangeSet", vec![at("UPDATE_IN_PROGRESS")])
        .on("CancelUpdateStack", vec![at("UPDATE_ROLLBACK_IN_PROGRESS"), at("UPDATE_ROLLBACK_COMPLETE")]);
    let mut cloud = Cloud::start(script).await;
    let mut child = start(&cloud, &UPDATE);
    cloud.until("DescribeStacks", 4).await;
    interrupt(&child);
    let mut lines = tokio::io::BufReader::new(child.stdout.take().expect("stdout")).lines();
    while let Some(line) = lines.next_line().await.expect("a line") {
        if line.contains("leaving_update") {
            break;
        }
    }
    interrupt(&child);
    let mut rest = Vec::new();
    while let Some(line) = lines.next_line().await.expect("a line") {
        rest.push(line);
    }
    assert_eq!(cloud.count("CancelUpdateStack"), 1);
    assert!(rest.iter().any(|line| line.contains("was cancelled (UPDATE_ROLLBACK_COMPLETE)")), "{rest:?}");
    assert_eq!(child.wait().await.expect("an end").code(), Some(1));
}

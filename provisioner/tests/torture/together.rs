//! Two commands at the same time, in two processes.

use super::lab::{Lab, Ran};
use super::scenario::{DETECT, EMPTY, Scenario, Step, UP};
use super::state::State;

const DOWN: &[&str] = &["down"];
const CREATE: &[&str] = &["up", "--no-smoke", "--bootstrap", "{empty}", "-P", "KeyPrefix=pictures/"];
const UPDATE: &[&str] = &["up", "--no-smoke", "--bootstrap", "{empty}", "-P", "LogRetentionDays=30"];

/// The state that a command alone leads to, from the state after `setup`.
async fn alone(lab: &Lab, setup: &'static [Step], command: &[&'static str]) -> State {
    lab.prepare(&scenario(setup)).await;
    let ran = lab.run(command, None).await;
    assert_eq!(ran.code, Some(0), "{command:?}: {}", ran.said());
    lab.steady().await
}

fn scenario(setup: &'static [Step]) -> Scenario {
    Scenario { name: "two at once", setup, command: &[], undo: None, critical: "", changes: true }
}

async fn together(lab: &Lab, commands: [&[&str]; 2]) -> [Ran; 2] {
    let (one, other) = tokio::join!(lab.run(commands[0], None), lab.run(commands[1], None));
    for (command, ran) in commands.iter().zip([&one, &other]) {
        // 5: another operation is running, or somebody else has just created the stack.
        assert!(
            matches!(ran.code, Some(0 | 5)),
            "{command:?} exits with {:?}: {}\n{}",
            ran.code,
            ran.said(),
            ran.stderr
        );
        let hints =
            ran.events("error").iter().all(|error| error["hints"].as_array().is_some_and(|all| !all.is_empty()));
        assert!(hints, "an error has no remedy: {}", ran.said());
    }
    [one, other]
}

/// Runs a command again, and checks that the state is then the expected one.
async fn settles(lab: &Lab, command: &[&str], expected: &State) {
    let ran = lab.run(command, None).await;
    assert_eq!(ran.code, Some(0), "{command:?}: {}", ran.said());
    assert_eq!(lab.settled(expected).await.differences(expected), "");
}

/// Two commands at once must end as one after the other.
pub(crate) async fn check(lab: &Lab) {
    let created = alone(lab, &[], CREATE).await;
    lab.prepare(&scenario(&[])).await;
    together(lab, [CREATE, CREATE]).await;
    settles(lab, CREATE, &created).await;

    let gone = alone(lab, &[EMPTY, Step::Data], DOWN).await;
    lab.prepare(&scenario(&[EMPTY, Step::Data])).await;
    together(lab, [UPDATE, DOWN]).await;
    settles(lab, DOWN, &gone).await;

    let smoked = alone(lab, &[UP], &["smoke"]).await;
    for ran in together(lab, [&["smoke"], &["smoke"]]).await {
        assert_eq!(ran.code, Some(0), "{}", ran.said());
    }
    assert_eq!(lab.settled(&smoked).await.differences(&smoked), "");
    assert_eq!(State::remains(&lab.clients).await, 0);

    let Step::Run(detect) = DETECT else { unreachable!("a command") };
    lab.steps(&[DETECT]).await;
    let detected = lab.steady().await;
    lab.steps(&[Step::Sweep]).await;
    for ran in together(lab, [detect, detect]).await {
        assert_eq!(ran.code, Some(0), "{}", ran.said());
    }
    assert_eq!(lab.settled(&detected).await.differences(&detected), "");
}

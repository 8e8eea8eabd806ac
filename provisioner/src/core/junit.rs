//! The result of a test as JUnit XML, as CI systems read it.
//!
//! Pure: takes the time and the host. Names of tests never contain measured values, so a CI system can follow a test
//! from run to run.

use std::fmt::Write as _;

/// A step of a test.
#[derive(Clone, Debug, PartialEq)]
pub struct TestCase {
    /// The same in every run.
    pub name: String,
    /// Its duration.
    pub seconds: f64,
    /// What was measured or found.
    pub detail: String,
}

/// The step that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The same in every run.
    pub name: String,
    /// Its duration.
    pub seconds: f64,
    /// The error.
    pub message: String,
    /// Its causes and what to do next, one per line.
    pub detail: String,
}

/// A run of a test.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// The steps that passed.
    pub passed: &'a [TestCase],
    /// The step that failed.
    pub failure: Option<Failure>,
    /// The name of this machine.
    pub host: &'a str,
    /// When the test began: ISO 8601 in UTC.
    pub began: &'a str,
}

/// The class of all steps, by which CI systems group them.
const CLASS: &str = "provisioner.smoke";

/// Renders the report.
#[must_use]
pub fn render(report: &Report<'_>) -> String {
    let Report { passed, failure, host, began } = report;
    let (tests, failures) = (passed.len() + usize::from(failure.is_some()), usize::from(failure.is_some()));
    let seconds = passed.iter().map(|case| case.seconds).chain(failure.iter().map(|case| case.seconds)).sum::<f64>();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"provisioner smoke\" \
         tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"{seconds:.3}\" hostname=\"{}\" \
         timestamp=\"{}\">\n",
        escape(host),
        escape(began)
    );
    for TestCase { name, seconds, detail } in *passed {
        let _ = writeln!(
            xml,
            "  <testcase classname=\"{CLASS}\" name=\"{}\" time=\"{seconds:.3}\">\
             <system-out>{}</system-out></testcase>",
            escape(name),
            escape(detail)
        );
    }
    if let Some(Failure { name, seconds, message, detail }) = failure {
        let _ = writeln!(
            xml,
            "  <testcase classname=\"{CLASS}\" name=\"{}\" time=\"{seconds:.3}\">\
             <failure message=\"{}\">{}</failure></testcase>",
            escape(name),
            escape(message),
            escape(detail)
        );
    }
    xml + "</testsuite>\n</testsuites>\n"
}

fn escape(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            // XML 1.0 allows no other control characters, and no noncharacters.
            c if (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                " ".to_owned()
            }
            c => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_stable_names_details_and_the_failure_with_its_cause() {
        let passed = [TestCase { name: "configuration".into(), seconds: 0.5, detail: "512 MB & <arm64>".into() }];
        let failure = Failure {
            name: "picture with one face".into(),
            seconds: 1.25,
            message: "no row \"x\"\u{7}".into(),
            detail: "cause\nhint".into(),
        };
        let report = Report { passed: &passed, failure: Some(failure), host: "ci-1", began: "2026-05-01T12:00:00Z" };
        assert_eq!(
            render(&report),
            r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
<testsuite name="provisioner smoke" tests="2" failures="1" errors="0" skipped="0" time="1.750" hostname="ci-1" timestamp="2026-05-01T12:00:00Z">
  <testcase classname="provisioner.smoke" name="configuration" time="0.500"><system-out>512 MB &amp; &lt;arm64&gt;</system-out></testcase>
  <testcase classname="provisioner.smoke" name="picture with one face" time="1.250"><failure message="no row &quot;x&quot; ">cause
hint</failure></testcase>
</testsuite>
</testsuites>
"#
        );
    }
}

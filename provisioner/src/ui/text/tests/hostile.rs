//! Attacks the terminal with every event.

use proptest::prelude::*;

use super::*;

/// Text that attacks a terminal: control characters, right-to-left overrides, line ends, and text that resembles a
/// mark.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        prop::sample::select(vec![
            "\n",
            "\r",
            "\u{1b}[2J",
            "\u{1b}]0;x\u{7}",
            "\u{9b}31m",
            "\u{7f}",
            "\u{202e}",
            "\u{2066}",
            "\u{2028}",
            "\u{f8ff}",
            "\nerror: forged",
            "'; reboot; '",
            "`x`",
            "\t",
        ])
        .prop_map(ToOwned::to_owned),
    ];
    prop::collection::vec(piece, 1..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn text_from_outside_cannot_control_the_terminal(hostile in hostile()) {
        let harmless = every_event();
        HOSTILE.set(Some(hostile.clone()));
        let attacked = every_event();
        HOSTILE.set(None);
        for (harmless, attacked) in harmless.iter().zip(&attacked) {
            if matches!(attacked, Event::Document { .. }) {
                continue;
            }
            let (before, after) = (render(harmless, &invocation(), true), render(attacked, &invocation(), true));
            let escapes = |text: &str| text.matches('\u{1b}').count();
            prop_assert_eq!(escapes(&before) >= escapes(&after), true, "{:?}", after);
            for line in after.lines() {
                prop_assert!(!line.starts_with("error: forged"), "{:?}", after);
                for c in line.chars().filter(|c| *c != '\u{1b}') {
                    prop_assert!(!c.is_control() && !('\u{2028}'..='\u{202e}').contains(&c), "{:?}", after);
                }
            }
        }
    }
}

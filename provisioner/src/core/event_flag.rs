//! The EventBridge flag in a bucket's notification configuration.
//!
//! Pure. A configuration is replaced as a whole, so it is edited as text: everything except the flag stays byte for byte
//! as it was, even elements that this program does not know.

use std::ops::Range;

use roxmltree::{Document, Node};

/// The element whose presence is the flag.
const FLAG: &str = "EventBridgeConfiguration";

/// A text that is no notification configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not XML.
    #[error("it is not XML")]
    Xml(#[from] roxmltree::Error),
    /// It is another document.
    #[error("it is `{0}` instead of `NotificationConfiguration`")]
    Root(String),
}

/// Whether the bucket sends its events to EventBridge.
///
/// # Errors
/// The text is no notification configuration.
pub fn is_on(configuration: &str) -> Result<bool, Error> {
    Ok(!flags(&parse(configuration)?).is_empty())
}

/// The configuration with the flag.
///
/// # Errors
/// The text is no notification configuration.
pub fn switched_on(configuration: &str) -> Result<String, Error> {
    if is_empty(configuration) {
        return Ok(format!("<NotificationConfiguration xmlns=\"{NAMESPACE}\"><{FLAG}/></NotificationConfiguration>"));
    }
    let document = parse(configuration)?;
    if !flags(&document).is_empty() {
        return Ok(configuration.to_owned());
    }
    let root = document.root_element().range();
    let text = &configuration[root.clone()];
    // An element with the root's prefix, if it has one, is in the same namespace.
    let name = text[1..].split(|c: char| c.is_whitespace() || c == '>' || c == '/').next().unwrap_or_default();
    let flag = name.split_once(':').map_or_else(|| format!("<{FLAG}/>"), |(prefix, _)| format!("<{prefix}:{FLAG}/>"));
    let (before, after) = (&configuration[..root.start], &configuration[root.end..]);
    if let Some(open) = text.strip_suffix("/>") {
        return Ok(format!("{before}{open}>{flag}</{name}>{after}"));
    }
    let end = text.rfind("</").unwrap_or(text.len());
    Ok(format!("{before}{}{flag}{}{after}", &text[..end], &text[end..]))
}

/// The configuration without the flag.
///
/// # Errors
/// The text is no notification configuration.
pub fn switched_off(configuration: &str) -> Result<String, Error> {
    let mut text = configuration.to_owned();
    for flag in flags(&parse(configuration)?).into_iter().rev() {
        text.replace_range(flag, "");
    }
    Ok(text)
}

/// Whether two configurations differ in nothing but the flag.
///
/// # Errors
/// One of the texts is no notification configuration.
pub fn same_otherwise(one: &str, other: &str) -> Result<bool, Error> {
    let plain = |text: &str| if is_empty(text) { Ok(Vec::new()) } else { parse(text).map(|xml| outline(&xml)) };
    Ok(plain(one)? == plain(other)?)
}

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

fn is_empty(configuration: &str) -> bool {
    configuration.trim().is_empty()
}

fn parse(configuration: &str) -> Result<Document<'_>, Error> {
    let text = if is_empty(configuration) { "<NotificationConfiguration/>" } else { configuration };
    let document = Document::parse(text)?;
    match document.root_element().tag_name().name() {
        "NotificationConfiguration" => Ok(document),
        other => Err(Error::Root(other.to_owned())),
    }
}

fn is_flag(node: &Node<'_, '_>) -> bool {
    node.is_element() && node.tag_name().name() == FLAG
}

fn flags(document: &Document<'_>) -> Vec<Range<usize>> {
    document.root_element().children().filter(is_flag).map(|node| node.range()).collect()
}

/// The root's other children, each as what it says: S3 may write the same configuration with other white space or in
/// another order.
fn outline(document: &Document<'_>) -> Vec<String> {
    let others = document.root_element().children().filter(|node| node.is_element() && !is_flag(node));
    let mut others: Vec<String> = others.map(said).collect();
    others.sort();
    others
}

fn said(node: Node<'_, '_>) -> String {
    let children: Vec<String> = node.children().filter(Node::is_element).map(said).collect();
    let name = node.tag_name().name();
    match children.as_slice() {
        [] => format!("{name}={:?}", node.text().unwrap_or_default()),
        _ => format!("{name}({})", children.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "<QueueConfiguration><Id>a</Id><Queue>arn:aws:sqs:x</Queue><Event>s3:ObjectCreated:*</Event></QueueConfiguration>";

    #[test]
    fn the_flag_is_added_and_removed_without_touching_the_rest() {
        let with_queue = format!(
            "<?xml version=\"1.0\"?>\n<NotificationConfiguration xmlns=\"x\">\n {QUEUE}<New x='&lt;'/>\n</NotificationConfiguration>\n"
        );
        for before in [
            "<NotificationConfiguration/>",
            "<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\" />",
            "<NotificationConfiguration></NotificationConfiguration>",
            "<s3:NotificationConfiguration xmlns:s3=\"x\"><s3:A/></s3:NotificationConfiguration>",
            &with_queue,
        ] {
            assert!(!is_on(before).expect(before), "{before}");
            let on = switched_on(before).expect(before);
            assert!(is_on(&on).expect(&on), "{on}");
            assert_eq!(switched_on(&on).expect(&on), on);
            assert!(same_otherwise(before, &on).expect(&on), "{on}");
            let off = switched_off(&on).expect(&on);
            assert!(!is_on(&off).expect(&off), "{off}");
            assert!(same_otherwise(before, &off).expect(&off));
            if !before.ends_with("/>") {
                assert_eq!(off, before);
            }
        }
    }

    #[test]
    fn a_missing_configuration_is_empty() {
        assert!(!is_on("").expect("nothing"));
        assert!(is_on(&switched_on(" \n").expect("nothing")).expect("a configuration"));
        assert!(same_otherwise("", "<NotificationConfiguration/>").expect("both"));
    }

    #[test]
    fn other_forms_of_the_flag_are_removed() {
        for flag in [
            "<EventBridgeConfiguration />",
            "<EventBridgeConfiguration></EventBridgeConfiguration>",
            "<EventBridgeConfiguration>\n</EventBridgeConfiguration>",
        ] {
            let on = format!("<NotificationConfiguration>{flag}{QUEUE}</NotificationConfiguration>");
            let off = switched_off(&on).expect(flag);
            assert_eq!(off, format!("<NotificationConfiguration>{QUEUE}</NotificationConfiguration>"));
        }
    }

    #[test]
    fn a_difference_elsewhere_is_seen() {
        let one = format!("<NotificationConfiguration>{QUEUE}</NotificationConfiguration>");
        for other in
            ["", "<NotificationConfiguration/>", &one.replace("<Id>a", "<Id>b"), &one.replace(QUEUE, &QUEUE.repeat(2))]
        {
            assert!(!same_otherwise(&one, other).expect(other), "{other}");
        }
        let spaced = one.replace("><", ">\n  <");
        assert!(same_otherwise(&one, &spaced).expect("both"));
    }

    #[test]
    fn another_document_is_refused() {
        for text in ["<Error/>", "{}", "<NotificationConfiguration>", "<html></html>"] {
            assert!(is_on(text).is_err(), "{text}");
            assert!(switched_on(text).is_err(), "{text}");
            assert!(switched_off(text).is_err(), "{text}");
        }
    }
}

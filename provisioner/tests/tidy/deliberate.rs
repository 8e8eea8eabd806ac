//! Proves on small crates that the detector finds a cycle however it is written, and reports nothing else.

use crate::cycles::Graph;
use crate::layers;
use crate::modules::Sources;

fn graph(files: &[(&str, &str)]) -> Graph {
    let sources: Sources = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    Graph::of("example", &sources)
}

/// A crate of `a.rs` and `b.rs`, where `b.rs` names an item of `a.rs`.
#[track_caller]
fn check(a: &str, expected: &[&str]) {
    let found =
        graph(&[("lib.rs", "mod a; mod b;"), ("a.rs", a), ("b.rs", "pub struct B;\nuse crate::a::A;")]).cycles();
    assert_eq!(found.concat(), expected, "{a}");
}

#[test]
fn a_cycle_is_found_however_the_path_is_written() {
    for (a, written) in [
        ("use crate::b::B;", "crate::b::B"),
        ("use crate::{c::C, b::{self, B}};", "crate::b::B"),
        ("use crate::{b::{B as Renamed}};", "crate::b::B"),
        ("use super::b::B;", "super::b::B"),
        ("use super::{b::*};", "super::b"),
        ("use crate::b; fn f() -> b::B { todo!() }", "b::B"),
        ("use crate::b as renamed; static X: &renamed::B = &Y;", "renamed::B"),
        ("pub use crate::b::B;", "crate::b::B"),
        ("fn f() { use super::b; b::call(); }", "b::call"),
        ("fn f() { crate::b::call(1); }", "crate::b::call"),
        ("fn f() -> Vec<super::b::B> { Vec::new() }", "super::b::B"),
        ("impl crate::b::Trait for X {}", "crate::b::Trait"),
        ("fn f(x: X) { match x { crate::b::B => {} } }", "crate::b::B"),
        ("fn f() { println!(\"{}\", crate::b::VALUE) }", "crate::b::VALUE"),
        ("fn f() { tokio::select! { x = super::b::call() => x } }", "super::b::call"),
        ("#[derive(Args)] struct X { #[arg(value_parser = crate::b::parse)] x: u8 }", "crate::b::parse"),
        ("#[derive(Serialize)] struct X { #[serde(with = \"crate::b\")] x: u8 }", "crate::b"),
        ("mod inner { fn f() { super::super::b::call() } }", "super::super::b::call"),
        ("#[cfg(not(test))] use crate::b::B;", "crate::b::B"),
        ("#[cfg(any(test, unix))] use crate::b::B;", "crate::b::B"),
    ] {
        check(a, &[&format!("a.rs:1 ({written}) → b.rs:2 (crate::a::A) → a.rs")]);
    }
}

#[test]
fn tests_comments_and_declarations_are_not_dependencies() {
    for a in [
        "#[cfg(test)] use crate::b::B;",
        "#[cfg(test)] mod tests { use crate::b::B; }",
        "#[cfg(all(test, unix))] fn f() { crate::b::call() }",
        "#[test] fn f() { crate::b::call() }",
        "fn f() { #[cfg(test)] crate::b::call(); #[cfg(test)] { crate::b::call() } #[cfg(test)] let x = crate::b::B; }",
        "impl X { #[cfg(test)] fn f() { crate::b::call() } }",
        "//! [`crate::b::B`]\n/// [B](crate::b::B)\nstruct A; // crate::b::B",
        "const A: &str = \"crate::b::B\";",
        "pub(in crate::b) struct A;",
        // Another crate of the same name, and names that only look alike.
        "use ::b::B; fn f() { b::call(); ::b::call(); other::b::B }",
        "fn f() { mod b { pub fn call() {} } b::call() }",
    ] {
        check(a, &[]);
    }
}

#[test]
fn a_file_of_tests_does_not_count() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "#[cfg(test)] mod tests;"),
        ("a/tests.rs", "use crate::b::B;"),
        ("b.rs", "use crate::a::A;"),
    ];
    assert!(graph(&files).cycles().is_empty());
}

#[test]
fn an_item_of_the_parent_is_a_dependency_but_the_declaration_of_a_child_is_not() {
    let parent =
        |mod_rs| [("lib.rs", "mod a;"), ("a/mod.rs", mod_rs), ("a/child.rs", "use super::Shared;\npub fn call() {}")];
    assert!(graph(&parent("mod child; pub struct Shared;")).cycles().is_empty());
    for (mod_rs, expected) in [
        ("mod child; pub struct Shared; fn f() { child::call() }", "child::call"),
        ("mod child; mod other { pub struct Shared; } use other::Shared; pub use child::call;", "child::call"),
    ] {
        let expected = format!("a/child.rs:1 (super::Shared) → a/mod.rs:1 ({expected}) → a/child.rs");
        assert_eq!(graph(&parent(mod_rs)).cycles().concat(), [expected]);
    }
}

#[test]
fn a_path_depends_on_its_last_file_and_on_the_files_that_re_export_it() {
    let files = |mod_rs, user| {
        [("lib.rs", "mod a; mod user;"), ("a/mod.rs", mod_rs), ("a/child.rs", "pub struct Child;"), ("user.rs", user)]
    };
    let plain = graph(&files("pub mod child; use crate::user::User;", "use crate::a::child::Child; pub struct User;"));
    assert!(plain.cycles().is_empty());
    let exported =
        files("mod child; pub use child::Child; use crate::user::User;", "use crate::a::Child; pub struct User;");
    assert_eq!(
        graph(&exported).cycles().concat(),
        ["a/mod.rs:1 (crate::user::User) → user.rs:1 (crate::a::Child) → a/mod.rs"]
    );
}

#[test]
fn a_function_and_a_module_may_share_a_name() {
    let files = |user| {
        [
            ("lib.rs", "mod report; mod user; use user::User; fn report() {}"),
            ("report.rs", "pub struct Report;"),
            ("user.rs", user),
        ]
    };
    assert!(graph(&files("use crate::report::Report; pub struct User;")).cycles().is_empty());
    assert_eq!(
        graph(&files("use crate::report; pub struct User;")).cycles().concat(),
        ["lib.rs:1 (user::User) → user.rs:1 (crate::report) → lib.rs"]
    );
}

#[test]
fn a_cycle_of_three_files_is_shown_with_its_lines() {
    let files = [
        ("lib.rs", "pub mod a; mod b; mod c; mod d;"),
        ("a.rs", "\nuse super::b;\nfn f() { b::call() }\nuse super::d::D;"),
        ("b.rs", "use crate::c::C;\npub fn call() {}"),
        ("c.rs", "pub struct C(super::a::A);"),
        ("d.rs", "pub struct D;"),
        ("main.rs", "fn main() { example::a::run() }"),
    ];
    let graph = graph(&files);
    assert_eq!(graph.cycles().concat(), ["a.rs:3 (b::call) → b.rs:1 (crate::c::C) → c.rs:1 (super::a::A) → a.rs"]);
    let name = |file: &usize| graph.files[*file].as_str();
    assert!(graph.edges.keys().any(|(from, to)| (name(from), name(to)) == ("main.rs", "a.rs")));
}

#[test]
#[should_panic(expected = "no module declaration leads to [\"b.rs\"]")]
fn a_file_that_no_module_includes_is_reported() {
    graph(&[("lib.rs", "mod a;"), ("a.rs", ""), ("b.rs", "")]);
}

#[test]
fn a_dependency_that_the_drawing_does_not_allow_is_reported() {
    let files = [
        ("lib.rs", "pub mod aws; pub mod core; pub mod steps;"),
        ("aws/mod.rs", "use crate::steps::step;\nuse crate::core::Fact;"),
        ("core.rs", "fn f() { super::steps::step() }\npub struct Fact;"),
        ("steps.rs", "pub fn step() {}"),
        ("main.rs", "use example::steps;"),
    ];
    let drawing = "The layers:\n\n    main → steps → {aws, ui} → core\n";
    assert_eq!(
        layers::disagreements(&graph(&files), &layers::parse(drawing)),
        [
            "there is no `ui`",
            "aws/mod.rs:1 depends on steps.rs (crate::steps::step)",
            "core.rs:1 depends on steps.rs (super::steps::step)",
        ]
    );
    assert_eq!(
        layers::disagreements(&graph(&files), &layers::parse("main → {aws, core}")),
        ["`steps` is in no layer", "aws/mod.rs:2 depends on core.rs (crate::core::Fact)"]
    );
}

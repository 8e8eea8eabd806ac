//! The layers that the documentation draws, and the dependencies that break them.
//!
//! Invariant: the drawing is the only list of layers, so the documentation and the check cannot disagree.

use std::collections::{BTreeMap, BTreeSet};

use crate::cycles::Graph;

/// The layer of each top-level module, from the line `main → … → {aws, ui}`. A layer may depend on those after it.
pub(crate) fn parse(documentation: &str) -> BTreeMap<String, usize> {
    let drawing = drawing(documentation);
    let mut layers = BTreeMap::new();
    for (layer, modules) in drawing.split(" → ").enumerate() {
        let modules = modules.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(modules);
        for module in modules.split(", ") {
            assert!(layers.insert(module.to_owned(), layer).is_none(), "`{module}` is drawn twice");
        }
    }
    layers
}

/// The line of a page, or of a crate's documentation, that draws the layers.
pub(crate) fn drawing(documentation: &str) -> &str {
    let lines = documentation.lines().map(|line| line.trim_start_matches("//!").trim());
    let mut drawings = lines.filter(|line| line.starts_with("main → "));
    let drawing = drawings.next().expect("a line that draws the layers, beginning with `main → `");
    assert!(drawings.next().is_none(), "two lines draw the layers");
    drawing
}

/// What the code and the drawing do not agree on. `lib.rs` only declares the modules, so it is in no layer.
pub(crate) fn disagreements(graph: &Graph, layers: &BTreeMap<String, usize>) -> Vec<String> {
    let modules: BTreeSet<&str> = graph.files.iter().map(|file| module(file)).filter(|name| *name != "lib").collect();
    let mut found = Vec::new();
    found.extend(
        modules.iter().filter(|name| !layers.contains_key(**name)).map(|name| format!("`{name}` is in no layer")),
    );
    found.extend(
        layers.keys().filter(|name| !modules.contains(name.as_str())).map(|name| format!("there is no `{name}`")),
    );
    for ((from, to), (line, path)) in &graph.edges {
        let (from, to) = (&graph.files[*from], &graph.files[*to]);
        if let (Some(above), Some(below)) = (layers.get(module(from)), layers.get(module(to)))
            && module(from) != module(to)
            && above >= below
        {
            found.push(format!("{from}:{line} depends on {to} ({path})"));
        }
    }
    found
}

/// The top-level module of a file.
fn module(file: &str) -> &str {
    file.split_once('/').map_or_else(|| file.trim_end_matches(".rs"), |(folder, _)| folder)
}

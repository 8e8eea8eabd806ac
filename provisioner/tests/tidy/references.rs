//! Which file of a crate names something in which other file, and on which line.
//!
//! Invariant: a path counts wherever it is written: `use`, type, expression, pattern, attribute, macro. Comments and
//! tests do not count.

use std::collections::{BTreeMap, HashMap};

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Item, Stmt};

use crate::modules::{self, Crate, FileId, ModuleId};

/// The line of a file's first reference to another, and the path that is written there.
pub(crate) type Edges = BTreeMap<(FileId, FileId), (usize, String)>;

pub(crate) fn edges(parsed: &Crate) -> Edges {
    let mut edges = Edges::new();
    for (id, module) in parsed.modules.iter().enumerate() {
        let mut references = References { parsed, module: id, scopes: Vec::new(), edges: &mut edges };
        module.items.iter().for_each(|item| references.visit_item(item));
    }
    edges
}

struct References<'a> {
    parsed: &'a Crate,
    module: ModuleId,
    /// Names that belong to a block of code, innermost last: where an import leads, or nothing for an item.
    scopes: Vec<HashMap<String, Option<Vec<String>>>>,
    edges: &'a mut Edges,
}

impl References<'_> {
    fn add(&mut self, path: &[String], is_glob: bool, line: usize) {
        let Some(resolved) = self.without_local_names(path) else { return };
        let from = self.parsed.modules[self.module].file;
        for to in self.parsed.files_of(self.module, &resolved, is_glob) {
            if to != from {
                let edge = self.edges.entry((from, to)).or_insert_with(|| (line, path.join("::")));
                if line < edge.0 {
                    *edge = (line, path.join("::"));
                }
            }
        }
    }

    /// Replaces the names that a block imports. Nothing if the path begins with an item of a block.
    fn without_local_names(&self, path: &[String]) -> Option<Vec<String>> {
        let mut path = path.to_vec();
        for scope in self.scopes.iter().rev() {
            match scope.get(&path[0]) {
                Some(Some(target)) => path = [target.as_slice(), &path[1..]].concat(),
                Some(None) => return None,
                None => {}
            }
        }
        Some(path)
    }

    /// Adds every path of at least two segments in the tokens of a macro or an attribute, which have a syntax of their
    /// own. Attributes also name functions and modules in strings, as in `#[serde(with = "…")]`.
    fn tokens(&mut self, tokens: &TokenStream, in_strings: bool) {
        let mut path: Vec<String> = Vec::new();
        let mut line = 0;
        // Colons since the last segment; a path that begins with them leads into another crate.
        let mut colons = 0;
        let mut foreign = false;
        for token in tokens.clone() {
            match &token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(ident) => {
                    if colons != 2 || path.is_empty() {
                        self.finish(&mut path, foreign, line);
                        foreign = colons == 2;
                        line = ident.span().start().line;
                    }
                    path.push(ident.unraw().to_string());
                }
                TokenTree::Group(group) => {
                    // `a::{b, c}` and `a::<T>` end the path before them.
                    self.finish(&mut path, foreign, line);
                    self.tokens(&group.stream(), in_strings);
                }
                TokenTree::Literal(literal) if in_strings => {
                    self.finish(&mut path, foreign, line);
                    if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string())
                        && let Ok(path) = text.parse::<syn::Path>()
                        && path.segments.len() > 1
                    {
                        self.add(&segments(&path), true, literal.span().start().line);
                    }
                }
                _ => self.finish(&mut path, foreign, line),
            }
            colons = 0;
        }
        self.finish(&mut path, foreign, line);
    }

    fn finish(&mut self, path: &mut Vec<String>, foreign: bool, line: usize) {
        if path.len() > 1 && !foreign {
            self.add(path, false, line);
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for References<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            _ if modules::is_test(modules::attributes(item)) => {}
            // A module that is written inside another is visited by itself.
            Item::Mod(_) => {}
            item => visit::visit_item(self, item),
        }
    }

    fn visit_item_use(&mut self, declaration: &'ast syn::ItemUse) {
        for import in modules::imports(declaration) {
            self.add(&import.path, import.is_glob, import.line);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            self.add(&segments(path), false, path.segments[0].ident.span().start().line);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.visit_path(&called.path);
        self.tokens(&called.tokens, false);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        match &attribute.meta {
            syn::Meta::NameValue(pair) if pair.path.is_ident("doc") => {}
            syn::Meta::List(list) => {
                self.visit_path(&list.path);
                self.tokens(&list.tokens, true);
            }
            meta => self.visit_meta(meta),
        }
    }

    /// `pub(in crate::x)` says who may use an item, not what the item uses.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_block(&mut self, block: &'ast syn::Block) {
        let mut scope = HashMap::new();
        for statement in &block.stmts {
            match statement {
                Stmt::Item(item) if modules::is_test(modules::attributes(item)) => {}
                Stmt::Item(Item::Use(declaration)) => {
                    for import in modules::imports(declaration) {
                        scope.extend(import.name.map(|name| (name, Some(import.path))));
                    }
                }
                Stmt::Item(item) => scope.extend(modules::name(item).map(|name| (name, None))),
                _ => {}
            }
        }
        self.scopes.push(scope);
        visit::visit_block(self, block);
        self.scopes.pop();
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        let attributes = match statement {
            Stmt::Local(local) => local.attrs.as_slice(),
            Stmt::Macro(called) => &called.attrs,
            Stmt::Expr(expression, _) => attributes(expression),
            Stmt::Item(_) => &[],
        };
        if !modules::is_test(attributes) {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !modules::is_test(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !modules::is_test(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        if !modules::is_test(&variant.attrs) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if !modules::is_test(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }
}

fn segments(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect()
}

/// The attributes of an expression that can be a statement.
fn attributes(expression: &Expr) -> &[Attribute] {
    match expression {
        Expr::Assign(inner) => &inner.attrs,
        Expr::Await(inner) => &inner.attrs,
        Expr::Block(inner) => &inner.attrs,
        Expr::Call(inner) => &inner.attrs,
        Expr::ForLoop(inner) => &inner.attrs,
        Expr::If(inner) => &inner.attrs,
        Expr::Loop(inner) => &inner.attrs,
        Expr::Macro(inner) => &inner.attrs,
        Expr::Match(inner) => &inner.attrs,
        Expr::MethodCall(inner) => &inner.attrs,
        Expr::Return(inner) => &inner.attrs,
        Expr::Try(inner) => &inner.attrs,
        Expr::While(inner) => &inner.attrs,
        _ => &[],
    }
}

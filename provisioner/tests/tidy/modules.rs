//! The modules of a crate as its sources declare them, and the files that a path leads through.
//!
//! Invariant: code that is compiled for tests alone is not part of the tree, so nothing depends on it or through it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use syn::ext::IdentExt as _;
use syn::punctuated::Punctuated;
use syn::{Attribute, Item, Meta, Token, UseTree};

/// The sources of a crate by their path below `src`.
pub(crate) type Sources = BTreeMap<String, String>;

pub(crate) type FileId = usize;
pub(crate) type ModuleId = usize;

/// How deep aliases and glob imports may refer to each other.
const DEPTH: usize = 32;

/// What a name in a module stands for.
enum Name {
    Module(ModuleId),
    Item,
    Import(Vec<String>),
}

pub(crate) struct Module {
    pub(crate) file: FileId,
    pub(crate) items: Vec<Item>,
    root: ModuleId,
    parent: Option<ModuleId>,
    names: HashMap<String, Vec<Name>>,
    globs: Vec<Vec<String>>,
}

/// A crate with a library, and with a binary beside it if there is a `main.rs`.
pub(crate) struct Crate {
    pub(crate) files: Vec<String>,
    pub(crate) modules: Vec<Module>,
    name: String,
}

/// One name that a `use` declaration brings into scope.
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    /// `None` for a glob import and for `as _`.
    pub(crate) name: Option<String>,
    pub(crate) is_glob: bool,
    pub(crate) line: usize,
}

impl Crate {
    /// Follows the module declarations from the roots. Panics if a file is missing or is part of no module.
    pub(crate) fn parse(name: &str, sources: &Sources) -> Self {
        let mut parsed = Self { files: Vec::new(), modules: Vec::new(), name: name.replace('-', "_") };
        let mut only_tests = BTreeSet::new();
        for root in ["lib.rs", "main.rs"].into_iter().filter(|root| sources.contains_key(*root)) {
            parsed.file(root, "", None, sources, &mut only_tests);
        }
        let unknown: Vec<_> = sources
            .keys()
            .filter(|path| !parsed.files.contains(path) && !only_tests.iter().any(|folder| belongs(path, folder)))
            .collect();
        assert!(unknown.is_empty(), "no module declaration leads to {unknown:?}");
        parsed
    }

    /// Adds the module in a file, and the modules below it. Its child modules are in `folder`, which ends in `/`.
    fn file(
        &mut self,
        path: &str,
        folder: &str,
        parent: Option<ModuleId>,
        sources: &Sources,
        only_tests: &mut BTreeSet<String>,
    ) -> ModuleId {
        let parsed = syn::parse_file(&sources[path]).unwrap_or_else(|error| {
            panic!("{path}:{}: {error}", error.span().start().line);
        });
        self.files.push(path.to_owned());
        self.module(self.files.len() - 1, folder, parent, parsed.items, sources, only_tests)
    }

    fn module(
        &mut self,
        file: FileId,
        folder: &str,
        parent: Option<ModuleId>,
        items: Vec<Item>,
        sources: &Sources,
        only_tests: &mut BTreeSet<String>,
    ) -> ModuleId {
        let id = self.modules.len();
        let root = parent.map_or(id, |parent| self.modules[parent].root);
        let (names, globs) = (HashMap::new(), Vec::new());
        self.modules.push(Module { file, items: Vec::new(), root, parent, names, globs });
        let mut kept = Vec::new();
        for item in items {
            if is_test(attributes(&item)) {
                if let Item::Mod(module) = &item {
                    only_tests.insert(format!("{folder}{}", module.ident.unraw()));
                }
                continue;
            }
            match item {
                Item::Mod(module) => {
                    let name = module.ident.unraw().to_string();
                    let moved = module.attrs.iter().any(|attribute| attribute.path().is_ident("path"));
                    assert!(!moved, "{}: `#[path]` is not supported", self.files[file]);
                    let below = format!("{folder}{name}/");
                    let child = if let Some((_, items)) = module.content {
                        self.module(file, &below, Some(id), items, sources, only_tests)
                    } else {
                        let paths = [format!("{folder}{name}.rs"), format!("{below}mod.rs")];
                        let path = paths.iter().find(|path| sources.contains_key(*path));
                        let path = path.unwrap_or_else(|| panic!("{}: no file for `{name}`", self.files[file]));
                        self.file(path, &below, Some(id), sources, only_tests)
                    };
                    self.modules[id].names.entry(name).or_default().push(Name::Module(child));
                }
                Item::Use(ref declaration) => {
                    for import in imports(declaration) {
                        if import.is_glob {
                            self.modules[id].globs.push(import.path);
                        } else if let Some(name) = import.name {
                            self.modules[id].names.entry(name).or_default().push(Name::Import(import.path));
                        }
                    }
                    kept.push(item);
                }
                item => {
                    if let Some(name) = name(&item) {
                        self.modules[id].names.entry(name).or_default().push(Name::Item);
                    }
                    kept.push(item);
                }
            }
        }
        self.modules[id].items = kept;
        id
    }

    /// The files that bind a name of this path, from the first re-export to the definition. A module that the path
    /// only passes through does not count: its file declares the next module. Empty for a path into another crate.
    pub(crate) fn files_of(&self, module: ModuleId, path: &[String], is_glob: bool) -> BTreeSet<FileId> {
        let mut files = BTreeSet::new();
        let reached = self.start(module, path, &mut files, DEPTH);
        if is_glob {
            files.extend(reached.into_iter().map(|module| self.modules[module].file));
        }
        files
    }

    /// The modules that a path names; the files on the way to them are added to `files`.
    fn start(
        &self,
        module: ModuleId,
        path: &[String],
        files: &mut BTreeSet<FileId>,
        depth: usize,
    ) -> BTreeSet<ModuleId> {
        let Some((first, rest)) = path.split_first() else { return BTreeSet::new() };
        match first.as_str() {
            "crate" => self.walk(self.modules[module].root, rest, files, depth),
            "self" | "super" => self.walk(module, path, files, depth),
            _ if self.knows(module, first, depth) => self.walk(module, path, files, depth),
            // The binary names the library as any other crate does. The library is parsed first.
            name if name == self.name => self.walk(0, rest, files, depth),
            _ => BTreeSet::new(),
        }
    }

    fn walk(
        &self,
        module: ModuleId,
        path: &[String],
        files: &mut BTreeSet<FileId>,
        depth: usize,
    ) -> BTreeSet<ModuleId> {
        let here = &self.modules[module];
        let Some((first, rest)) = path.split_first() else { return BTreeSet::from([module]) };
        let mut reached = BTreeSet::new();
        if depth == 0 {
            return reached;
        }
        match first.as_str() {
            "self" => return self.walk(module, rest, files, depth),
            "super" => return self.walk(here.parent.expect("a parent module"), rest, files, depth),
            _ => {}
        }
        if let Some(names) = here.names.get(first) {
            // A function and a module may share a name, and only the module can lead further.
            let leads_on = |name: &&Name| matches!(name, Name::Module(_));
            let only_modules = !rest.is_empty() && names.iter().any(|name| leads_on(&name));
            for name in names.iter().filter(|name| !only_modules || leads_on(name)) {
                match name {
                    Name::Module(child) => reached.extend(self.walk(*child, rest, files, depth)),
                    Name::Item => _ = files.insert(here.file),
                    Name::Import(target) => {
                        files.insert(here.file);
                        for target in self.start(module, target, files, depth - 1) {
                            reached.extend(self.walk(target, rest, files, depth - 1));
                        }
                    }
                }
            }
            return reached;
        }
        // Either a glob import brings the name here, or a macro makes it.
        files.insert(here.file);
        for source in self.sources_of(module, first, depth) {
            reached.extend(self.walk(source, path, files, depth - 1));
        }
        reached
    }

    fn knows(&self, module: ModuleId, name: &str, depth: usize) -> bool {
        self.modules[module].names.contains_key(name) || !self.sources_of(module, name, depth).is_empty()
    }

    /// The modules from which a glob import brings a name.
    fn sources_of(&self, module: ModuleId, name: &str, depth: usize) -> Vec<ModuleId> {
        if depth == 0 {
            return Vec::new();
        }
        let globs = self.modules[module].globs.iter();
        globs
            .flat_map(|glob| self.start(module, glob, &mut BTreeSet::new(), depth - 1))
            .filter(|source| *source != module && self.knows(*source, name, depth - 1))
            .collect()
    }
}

fn belongs(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

/// The names that a declaration brings into scope, those of other crates included.
pub(crate) fn imports(declaration: &syn::ItemUse) -> Vec<Import> {
    let mut found = Vec::new();
    if declaration.leading_colon.is_none() {
        flatten(&declaration.tree, &[], &mut found);
    }
    found
}

fn flatten(tree: &UseTree, prefix: &[String], found: &mut Vec<Import>) {
    let join = |ident: &syn::Ident| -> Vec<String> {
        let name = ident.unraw().to_string();
        if name == "self" && !prefix.is_empty() { prefix.to_vec() } else { [prefix, &[name]].concat() }
    };
    match tree {
        UseTree::Path(path) => flatten(&path.tree, &join(&path.ident), found),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, prefix, found)),
        UseTree::Name(name) => {
            let path = join(&name.ident);
            let line = name.ident.span().start().line;
            found.push(Import { name: path.last().cloned(), path, is_glob: false, line });
        }
        UseTree::Rename(rename) => {
            let name = rename.rename.unraw().to_string();
            let line = rename.ident.span().start().line;
            found.push(Import { path: join(&rename.ident), name: (name != "_").then_some(name), is_glob: false, line });
        }
        UseTree::Glob(glob) => {
            let line = glob.star_token.spans[0].start().line;
            found.push(Import { path: prefix.to_vec(), name: None, is_glob: true, line });
        }
    }
}

/// The name that an item defines.
pub(crate) fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.unraw().to_string())
}

pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether these attributes keep the code out of every build but that of the tests.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("cfg") => {
            list.parse_args::<Meta>().is_ok_and(|condition| requires_test(&condition))
        }
        _ => false,
    })
}

fn requires_test(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|conditions| conditions.iter().any(requires_test)),
        _ => false,
    }
}

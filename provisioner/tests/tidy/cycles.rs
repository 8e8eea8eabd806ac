//! Finds dependency cycles between the files of a crate.
//!
//! Invariant: if no cycle is found, the files can be ordered so that each depends only on later ones.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::modules::{Crate, FileId, Sources};
use crate::references::{Edges, edges};

/// The files of a crate and their dependencies.
pub(crate) struct Graph {
    pub(crate) files: Vec<String>,
    pub(crate) edges: Edges,
    next: BTreeMap<FileId, BTreeSet<FileId>>,
}

impl Graph {
    pub(crate) fn of(name: &str, sources: &Sources) -> Self {
        let parsed = Crate::parse(name, sources);
        let edges = edges(&parsed);
        let mut next: BTreeMap<FileId, BTreeSet<FileId>> = BTreeMap::new();
        for (from, to) in edges.keys() {
            next.entry(*from).or_default().insert(*to);
        }
        Self { files: parsed.files, edges, next }
    }

    /// The strongly connected components of more than one file, each as a list of cycles that share no dependency.
    pub(crate) fn cycles(&self) -> Vec<Vec<String>> {
        let reachable: Vec<BTreeSet<FileId>> = (0..self.files.len()).map(|file| self.reachable(file)).collect();
        let mut seen: BTreeSet<FileId> = BTreeSet::new();
        let mut found = Vec::new();
        for file in 0..self.files.len() {
            if !reachable[file].contains(&file) || seen.contains(&file) {
                continue;
            }
            let component: BTreeSet<FileId> =
                reachable[file].iter().copied().filter(|other| reachable[*other].contains(&file)).collect();
            seen.extend(&component);
            let within = self.edges.keys().filter(|(from, to)| component.contains(from) && component.contains(to));
            let mut cycles: Vec<Vec<FileId>> = within.map(|(from, to)| self.shortest(*to, *from)).collect();
            cycles.sort_by_key(Vec::len);
            // Cycles that share a dependency with a shorter one say nothing new.
            let mut shown = BTreeSet::new();
            cycles.retain(|cycle| {
                let dependencies: Vec<_> = dependencies(cycle).collect();
                let is_new = dependencies.iter().all(|dependency| !shown.contains(dependency));
                if is_new {
                    shown.extend(dependencies);
                }
                is_new
            });
            found.push(cycles.iter().map(|cycle| self.print(cycle)).collect());
        }
        found
    }

    fn reachable(&self, from: FileId) -> BTreeSet<FileId> {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(file) = open.pop() {
            open.extend(self.next.get(&file).into_iter().flatten().filter(|next| reached.insert(**next)));
        }
        reached
    }

    /// The shortest way from one file to another that it reaches, both included.
    fn shortest(&self, from: FileId, to: FileId) -> Vec<FileId> {
        let mut before = BTreeMap::from([(from, from)]);
        let mut open = VecDeque::from([from]);
        while let Some(file) = open.pop_front() {
            for next in self.next.get(&file).into_iter().flatten() {
                if !before.contains_key(next) {
                    before.insert(*next, file);
                    open.push_back(*next);
                }
            }
        }
        let mut way = vec![to];
        while way[way.len() - 1] != from {
            way.push(before[&way[way.len() - 1]]);
        }
        way.reverse();
        way
    }

    /// A cycle with the line of each dependency, beginning with the first file by name: `a.rs:3 → b.rs:7 → a.rs`.
    fn print(&self, cycle: &[FileId]) -> String {
        let first = (0..cycle.len()).min_by_key(|place| &self.files[cycle[*place]]).unwrap_or_default();
        let turned: Vec<FileId> = cycle[first..].iter().chain(&cycle[..first]).copied().collect();
        let steps = dependencies(&turned).map(|dependency| {
            let (line, path) = &self.edges[&dependency];
            format!("{}:{line} ({path}) → ", self.files[dependency.0])
        });
        steps.collect::<String>() + &self.files[turned[0]]
    }
}

fn dependencies(cycle: &[FileId]) -> impl Iterator<Item = (FileId, FileId)> + '_ {
    (0..cycle.len()).map(|place| (cycle[place], cycle[(place + 1) % cycle.len()]))
}

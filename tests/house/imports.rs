//! Which file imports which, read from their `use` lines.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A module's path, such as `engine::upload`; empty for the root.
type Module = String;

/// For each file, by module, the modules that it imports.
pub(crate) type Graph = BTreeMap<Module, BTreeSet<Module>>;

/// Returns the text without its tests and comments.
pub(crate) fn code(text: &str) -> String {
    let body = text.split("\nmod tests {").next().unwrap_or(text);
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    body.lines().filter(is_code).collect::<Vec<_>>().join("\n")
}

/// Reads the imports of the files of a crate whose sources lie below `source`.
pub(crate) fn graph(source: &Path, files: &[PathBuf]) -> Graph {
    let modules: BTreeMap<Module, String> = files
        .iter()
        .filter(|file| !file.to_string_lossy().ends_with("_portable.rs"))
        .map(|file| {
            (
                module_of(source, file),
                code(&fs::read_to_string(file).unwrap()),
            )
        })
        .collect();
    let mut graph = Graph::new();
    for (module, text) in &modules {
        let is_parent = modules
            .keys()
            .any(|other| other.starts_with(&format!("{module}::")));
        let mut imported = BTreeSet::new();
        for path in uses(text) {
            if let Some(target) = resolve(module, is_parent, &path, &modules)
                && target != *module
            {
                imported.insert(target);
            }
        }
        graph.insert(module.clone(), imported);
    }
    graph
}

fn module_of(source: &Path, file: &Path) -> Module {
    let relative = file.strip_prefix(source).unwrap().with_extension("");
    let mut parts: Vec<_> = relative
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if matches!(
        parts.last().map(String::as_str),
        Some("mod" | "lib" | "main")
    ) {
        parts.pop();
    }
    parts.join("::")
}

/// Returns the paths of all `use` items, braces expanded.
fn uses(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for item in text.split(';') {
        let item = item.trim_start();
        let start = item
            .rfind("\nuse ")
            .map(|at| at + 1)
            .or(item.starts_with("use ").then_some(0));
        let start = start.or_else(|| {
            item.rfind("pub use ")
                .or_else(|| item.rfind("pub(crate) use "))
        });
        let Some(start) = start else { continue };
        let item = &item[start..];
        let path = item.split_once("use ").map_or("", |(_, path)| path);
        expand("", path.trim(), &mut paths);
    }
    paths
}

fn expand(prefix: &str, path: &str, paths: &mut Vec<String>) {
    let Some((head, rest)) = path.split_once('{') else {
        let plain = path.split(" as ").next().unwrap_or(path).trim();
        paths.push(format!("{prefix}{plain}"));
        return;
    };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let prefix = format!("{prefix}{}", head.trim());
    let (mut depth, mut start) = (0, 0);
    for (at, character) in inner.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&prefix, inner[start..at].trim(), paths);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !inner[start..].trim().is_empty() {
        expand(&prefix, inner[start..].trim(), paths);
    }
}

/// Returns the module that a path leads to, if it is of this crate.
fn resolve(
    module: &str,
    is_parent: bool,
    path: &str,
    modules: &BTreeMap<Module, String>,
) -> Option<Module> {
    let mut base: Vec<&str> = module.split("::").filter(|part| !part.is_empty()).collect();
    let mut parts = path.split("::").map(str::trim).peekable();
    match parts.peek().copied()? {
        "crate" => {
            base.clear();
            parts.next();
        }
        "self" => {
            parts.next();
        }
        "super" => {
            while parts.peek() == Some(&"super") {
                base.pop();
                parts.next();
            }
        }
        // A parent may name its children without `self`.
        child if is_parent && modules.contains_key(&join(&base, child)) => {}
        _ => return None,
    }
    let mut target = base.join("::");
    for part in parts {
        let next = if target.is_empty() {
            part.to_owned()
        } else {
            format!("{target}::{part}")
        };
        if !modules.contains_key(&next) {
            break;
        }
        target = next;
    }
    modules.contains_key(&target).then_some(target)
}

fn join(base: &[&str], child: &str) -> String {
    base.iter()
        .copied()
        .chain([child])
        .collect::<Vec<_>>()
        .join("::")
}

/// Returns a line for each pair of modules that reach each other.
pub(crate) fn circles(graph: &Graph) -> Vec<String> {
    let reach = |from: &Module| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(module) = open.pop() {
            for next in graph.get(&module).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<_, _> = graph.keys().map(|module| (module, reach(module))).collect();
    let mut found = Vec::new();
    for (one, from_one) in &reached {
        for other in from_one.iter().filter(|other| other > one) {
            if reached.get(other).is_some_and(|back| back.contains(*one)) {
                found.push(format!("{one} <-> {other}"));
            }
        }
    }
    found
}

#[test]
fn a_circle_is_seen() {
    let text = "use crate::{\n    b::{C, d::E},\n    f,\n};\npub use self::g::H;";
    assert_eq!(
        uses(text),
        ["crate::b::C", "crate::b::d::E", "crate::f", "self::g::H"]
    );
    let graph = [("a", ["b"]), ("b", ["c"]), ("c", ["a"])]
        .into_iter()
        .map(|(from, to)| (from.to_owned(), to.into_iter().map(str::to_owned).collect()))
        .collect();
    assert_eq!(circles(&graph).len(), 3);
}

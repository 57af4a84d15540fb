//! From files to a set: in which order, and what stands for files that are not there.
//!
//! Whoever links the set wants every import to be there. One that the server does not have, or has under
//! another name, gets a file that defines nothing and passes on those that define what is wanted of it. So no
//! byte of a file that came is changed. The order is that of compilers, and depends on nothing but the files.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;

use super::file::{File, Set};
use super::{Assembled, Assembly, Error, likeness};
use crate::subgraph::descriptors::Descriptors;

/// Makes a set of what was assembled. All that is wanted is there.
pub(super) fn link(assembly: &Assembly) -> Result<Assembled, Error> {
    let mut files = assembly.files.clone();
    for name in unfound(assembly) {
        let to = definers(assembly, &files, &name);
        files.insert(name.clone(), File::forwarding(&name, to));
    }
    let (services, left_out): (Vec<_>, Vec<_>) =
        assembly.wanted.iter().cloned().partition(|service| assembly.definers.contains_key(service));
    // In the order of services and not of files, whose paths are a matter of who compiled them.
    let roots = services.iter().filter_map(|service| assembly.definers.get(service));
    let set = Set { file: ordered(&files, roots).into_iter().map(|file| file.bytes.clone()).collect() };
    let bytes = set.encode_to_vec();
    Descriptors::read(&bytes).map_err(Error::Broken)?;
    Ok(Assembled { bytes, services, left_out })
}

/// The imports that no file is named after.
fn unfound(assembly: &Assembly) -> BTreeSet<String> {
    let imports = assembly.files.values().flat_map(|file| &file.imports);
    imports.filter(|name| !assembly.files.contains_key(*name)).cloned().collect()
}

/// The files that define what is wanted of an import: the one that was sent for it, or else those that define
/// what its importers refer to and do not import otherwise; of these, those whose path is most like it.
fn definers(assembly: &Assembly, files: &BTreeMap<String, File>, import: &str) -> Vec<String> {
    if let Some(alias) = assembly.aliases.get(import) {
        return vec![alias.clone()];
    }
    let importers: Vec<&File> =
        files.values().filter(|file| file.imports.iter().any(|name| name == import)).collect();
    let mut found = BTreeSet::new();
    for importer in &importers {
        let of = |symbol: &String| assembly.definers.get(symbol);
        found.extend(importer.refers.iter().filter_map(of).filter(|name| !importer.imports.contains(name)));
    }
    // A file must not come to import itself.
    found.retain(|name| {
        let reached = reached(files, name);
        importers.iter().all(|importer| !reached.contains(importer.name.as_str()))
    });
    let most = found.iter().map(|name| likeness(import, name)).max().unwrap_or_default();
    found.into_iter().filter(|name| likeness(import, name) == most).cloned().collect()
}

/// A file and all that it imports.
fn reached<'a>(files: &'a BTreeMap<String, File>, from: &'a str) -> BTreeSet<&'a str> {
    let (mut reached, mut waiting) = (BTreeSet::new(), vec![from]);
    while let Some(name) = waiting.pop() {
        if reached.insert(name) {
            let imports = files.get(name).map(|file| file.imports.as_slice()).unwrap_or_default();
            waiting.extend(imports.iter().map(String::as_str));
        }
    }
    reached
}

/// The files that are reached from some, imports before importers.
fn ordered<'a>(files: &'a BTreeMap<String, File>, roots: impl Iterator<Item = &'a String>) -> Vec<&'a File> {
    let (mut order, mut entered, mut left) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for root in roots {
        let mut path = vec![root.as_str()];
        while let Some(name) = path.last().copied() {
            let Some(file) = files.get(name) else {
                path.pop();
                continue;
            };
            // Each file is looked at twice: when it is entered, and when all that it imports is done.
            if entered.insert(name) {
                let open = file.imports.iter().map(String::as_str).filter(|import| !entered.contains(import));
                path.extend(open.collect::<Vec<_>>().into_iter().rev());
            } else {
                path.pop();
                if left.insert(name) {
                    order.push(file);
                }
            }
        }
    }
    order
}

//! From files to a set: in which order, and what stands for files that are not there.
//!
//! Whoever links the set wants every import to be there. One that the server does not have, or has under
//! another name, gets a file that defines nothing and passes on those that define what is wanted of it. So no
//! byte of a file that came is changed. The order is that of compilers, and depends on nothing but the files.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;

use super::file::{File, Set};
use super::{Assembled, Assembly, Error, IMPORTS_MAX, TOO_MANY_IMPORTS, likeness};
use crate::subgraph::descriptors::Descriptors;

/// Makes a set of what was assembled. All that is wanted is there.
pub(super) fn link(assembly: &Assembly) -> Result<Assembled, Error> {
    let mut files = assembly.files.clone();
    let mut stand_ins = StandIns::of(assembly);
    for name in unfound(assembly) {
        let to = stand_ins.choose(assembly, &name)?;
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

/// Who imports whom, and who needs what that it does not import: what finds the files that stand for one that
/// is not there. A stranger chose the files, so each is looked at once and not for each import.
struct StandIns {
    importers: BTreeMap<String, Vec<String>>,
    /// Of each file, those that define what it refers to and that it does not import.
    needs: BTreeMap<String, BTreeSet<String>>,
    imports_count: usize,
}

impl StandIns {
    fn of(assembly: &Assembly) -> StandIns {
        let mut importers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut needs = BTreeMap::new();
        for file in assembly.files.values() {
            let imports: BTreeSet<&String> = file.imports.iter().collect();
            for import in &imports {
                importers.entry((*import).clone()).or_default().push(file.name.clone());
            }
            let definers = file.refers.iter().filter_map(|symbol| assembly.definers.get(symbol));
            let needed = definers.filter(|name| !imports.contains(name)).cloned().collect();
            needs.insert(file.name.clone(), needed);
        }
        StandIns { importers, needs, imports_count: assembly.imports_count }
    }

    /// The files that define what is wanted of an import: the one that was sent for it, or else those that
    /// define what its importers refer to and do not import otherwise; of these, those whose path is most
    /// like it.
    fn choose(&mut self, assembly: &Assembly, import: &str) -> Result<Vec<String>, Error> {
        let chosen = match assembly.aliases.get(import) {
            Some(alias) => vec![alias.clone()],
            None => self.likeliest(import),
        };
        self.imports_count += chosen.len();
        if self.imports_count > IMPORTS_MAX {
            return Err(TOO_MANY_IMPORTS);
        }
        for name in &chosen {
            self.importers.entry(name.clone()).or_default().push(import.to_owned());
        }
        Ok(chosen)
    }

    fn likeliest(&self, import: &str) -> Vec<String> {
        let importers = self.importers.get(import).map(Vec::as_slice).unwrap_or_default();
        let mut found: BTreeSet<&String> =
            importers.iter().filter_map(|importer| self.needs.get(importer)).flatten().collect();
        // A file must not come to import itself.
        let above = self.above(import);
        found.retain(|name| !above.contains(name.as_str()));
        let most = found.iter().map(|name| likeness(import, name)).max().unwrap_or_default();
        found.into_iter().filter(|name| likeness(import, name) == most).cloned().collect()
    }

    /// A file and all that come to import it.
    fn above<'a>(&'a self, import: &'a str) -> BTreeSet<&'a str> {
        let (mut above, mut waiting) = (BTreeSet::new(), vec![import]);
        while let Some(name) = waiting.pop() {
            if above.insert(name) {
                let importers = self.importers.get(name).map(Vec::as_slice).unwrap_or_default();
                waiting.extend(importers.iter().map(String::as_str));
            }
        }
        above
    }
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

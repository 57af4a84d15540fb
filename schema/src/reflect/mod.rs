//! How do the answers of a server that describes itself become one set of descriptors that fits together?
//!
//! Servers differ: some send one file at a time, some a file with all that it imports, some leave imports out;
//! some know a file by another path than the one it is imported by, and some never had a file that nothing
//! needs. So it is the assembly that asks: for services, for the file of each, and then for what is missing,
//! by the name of the file and by the name of the type. Files stay the bytes that came. It ends after a
//! bounded number of questions, and when something is missing it says what, and who needs it. Nothing is sent
//! from here: whoever drives it carries questions and answers.

mod file;
mod link;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

pub use file::Bundle;
pub use wire::Voice;

use crate::subgraph::descriptors::{self, BYTES_MAX};
use file::File;

/// The most files of one set. The largest known APIs have a few hundred.
const FILES_MAX: usize = 2_000;

/// The most questions: one for each file, and some that lead nowhere.
const ASKS_MAX: usize = FILES_MAX + 1_000;

/// The most services that a server may list.
const SERVICES_MAX: usize = 1_000;

/// The most imports of all files together, those of files that stand for others among them. Files of the largest known APIs have ten each.
const IMPORTS_MAX: usize = 20_000;

const TOO_MANY_IMPORTS: Error = Error::TooMuch("20000 imports");

/// The longest name that is asked for, or that somebody is told of; no file has or imports a longer path.
const NAME_BYTES_MAX: usize = 512;

/// How far into a path its file is looked for under a shorter one.
const DEPTH_MAX: usize = 16;

/// What serves machines and not people, and is never asked for.
const INFRASTRUCTURE: [&str; 3] = ["grpc.", "kratos.api.", "turnout.registry."];

/// A path by which files are found that need not come from the server: they are protobuf's own.
const WELL_KNOWN: &str = "google/protobuf/";

/// A question to a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ask {
    /// Which services are there?
    Services,
    /// Which file defines this service or type?
    Symbol(String),
    /// What is in the file of this name?
    File(String),
}

/// An answer of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The full names of its services.
    Services(Vec<String>),
    /// Files, each an encoded FileDescriptorProto.
    Files(Vec<Bytes>),
    /// It has no answer; what it says about that.
    Nothing(String),
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// To ask this, and to `take` the answer.
    Ask(Ask),
    /// All is there.
    Done(Assembled),
    /// It cannot be done.
    Failed(Error),
}

/// Descriptors that fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assembled {
    /// An encoded FileDescriptorSet, imports before those who import them.
    pub bytes: Vec<u8>,
    /// The services that were asked for and found.
    pub services: Vec<String>,
    /// The services that the server lists and does not describe.
    pub left_out: Vec<String>,
}

/// Why there are no descriptors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It does not say which services it has.
    #[error("the server does not list its services: {0}")]
    NotListed(String),
    /// There is nothing but infrastructure.
    #[error("the server lists no service of its own")]
    NoService,
    /// It describes none of the services that are wanted.
    #[error("the server does not describe {service:?}: {said}")]
    NotDescribed {
        /// One of them.
        service: String,
        /// What the server said to it.
        said: String,
    },
    /// A type is missing.
    #[error("{file:?} refers to {symbol}, which the server does not describe{}", unfound(imports))]
    Missing {
        /// Who refers to it.
        file: String,
        /// The full name of the type.
        symbol: String,
        /// The imports of that file that the server does not have.
        imports: Vec<String>,
    },
    /// More came than is taken.
    #[error("the server describes itself with more than {0}")]
    TooMuch(&'static str),
    /// What came does not fit together.
    #[error(transparent)]
    Broken(descriptors::Error),
}

fn unfound(imports: &[String]) -> String {
    match imports {
        [] => String::new(),
        imports => format!("; these imports of it were not found: {}", imports.join(", ")),
    }
}

/// Descriptors in the making.
#[derive(Debug)]
pub struct Assembly {
    bundle: Arc<Bundle>,
    /// The services that are wanted; empty until the server has listed them.
    wanted: Vec<String>,
    asks: usize,
    files_bytes: usize,
    imports_count: usize,
    files: BTreeMap<String, File>,
    /// Who defines a type or a service.
    definers: BTreeMap<String, String>,
    /// Names of files under which a server gave files of other names.
    aliases: BTreeMap<String, String>,
    /// What was asked for and is not there, with what the server said.
    unknown: BTreeMap<Ask, String>,
    imports: VecDeque<String>,
    /// Types that are referred to, with a file that does so.
    references: VecDeque<(String, String)>,
    /// Types that the server does not know by name; the files that define them may still turn up.
    doubtful: VecDeque<(String, String)>,
    /// Files whose imports were looked for under shorter paths.
    searched: BTreeSet<String>,
    failure: Option<Error>,
}

impl Assembly {
    /// Begins. Without wanted services, those that the server lists are.
    pub fn new(bundle: Arc<Bundle>, wanted: Vec<String>) -> Assembly {
        Assembly {
            bundle,
            wanted,
            asks: 0,
            files_bytes: 0,
            imports_count: 0,
            files: BTreeMap::new(),
            definers: BTreeMap::new(),
            aliases: BTreeMap::new(),
            unknown: BTreeMap::new(),
            imports: VecDeque::new(),
            references: VecDeque::new(),
            doubtful: VecDeque::new(),
            searched: BTreeSet::new(),
            failure: None,
        }
    }

    /// What to do next. Asking again without an answer in between gives the same.
    pub fn step(&mut self) -> Step {
        match self.next() {
            Ok(Some(_)) if self.asks >= ASKS_MAX => Step::Failed(Error::TooMuch("3000 questions can learn")),
            Ok(Some(ask)) => Step::Ask(ask),
            Ok(None) => match link::link(self) {
                Ok(assembled) => Step::Done(assembled),
                Err(error) => Step::Failed(error),
            },
            Err(error) => Step::Failed(error),
        }
    }

    /// Takes the answer to a question.
    pub fn take(&mut self, ask: &Ask, reply: Reply) {
        self.asks += 1;
        match (ask, reply) {
            (Ask::Services, Reply::Services(listed)) => self.list(listed),
            (Ask::Services, Reply::Nothing(said)) => self.fail(Error::NotListed(said)),
            (Ask::Services, Reply::Files(_)) => {
                self.fail(Error::NotListed("it sent files instead".to_owned()));
            }
            (Ask::Symbol(_) | Ask::File(_), Reply::Files(files)) => self.add(ask, files),
            (Ask::Symbol(_) | Ask::File(_), Reply::Nothing(said)) => {
                self.unknown.insert(ask.clone(), said);
            }
            (Ask::Symbol(_) | Ask::File(_), Reply::Services(_)) => {
                self.unknown.insert(ask.clone(), "it sent names instead".to_owned());
            }
        }
    }

    fn next(&mut self) -> Result<Option<Ask>, Error> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if self.wanted.is_empty() {
            return Ok(Some(Ask::Services));
        }
        if let Some(ask) = self.next_service()? {
            return Ok(Some(ask));
        }
        loop {
            if let Some(ask) = self.next_import().or_else(|| self.next_reference()) {
                return Ok(Some(ask));
            }
            if !self.imports.is_empty() {
                continue;
            }
            let Some((symbol, file)) = self.doubtful.pop_front() else { return Ok(None) };
            if !self.definers.contains_key(&symbol) {
                return Err(self.missing(symbol, file));
            }
        }
    }

    /// The next service whose file is not there.
    fn next_service(&self) -> Result<Option<Ask>, Error> {
        let open = |service: &&String| !self.definers.contains_key(*service);
        let ask = |service: &String| Ask::Symbol(service.clone());
        let mut open = self.wanted.iter().filter(open).map(ask);
        if let Some(ask) = open.find(|ask| !self.unknown.contains_key(ask)) {
            return Ok(Some(ask));
        }
        if self.wanted.iter().any(|service| self.definers.contains_key(service)) {
            return Ok(None);
        }
        let service = self.wanted.first().cloned().unwrap_or_default();
        let said = self.unknown.get(&Ask::Symbol(service.clone())).cloned().unwrap_or_default();
        Err(Error::NotDescribed { service, said })
    }

    fn next_import(&mut self) -> Option<Ask> {
        while let Some(name) = self.imports.front().cloned() {
            let ask = Ask::File(name.clone());
            let known = self.files.contains_key(&name) || self.aliases.contains_key(&name);
            let bundled = self.bundle.file(&name).cloned();
            let refused = self.unknown.contains_key(&ask);
            if known {
                self.imports.pop_front();
            } else if let Some(file) = bundled.filter(|_| refused || name.starts_with(WELL_KNOWN)) {
                self.imports.pop_front();
                self.keep(file);
            } else if refused {
                self.imports.pop_front();
            } else {
                return Some(ask);
            }
        }
        None
    }

    /// The next type that nobody defines. One that the server does not know either may be in a file that it
    /// has under another path.
    fn next_reference(&mut self) -> Option<Ask> {
        while let Some((symbol, file)) = self.references.front().cloned() {
            let ask = Ask::Symbol(symbol.clone());
            if self.definers.contains_key(&symbol) {
                self.references.pop_front();
            } else if let Some(bundled) = self.bundle.definer(&symbol).cloned() {
                self.keep(bundled);
            } else if self.unknown.contains_key(&ask) || symbol.len() > NAME_BYTES_MAX {
                self.references.pop_front();
                if self.searched.insert(file.clone()) {
                    let paths: Vec<String> =
                        self.unfound_imports(&file).iter().flat_map(|path| shorter(path)).collect();
                    self.imports.extend(paths);
                }
                self.doubtful.push_back((symbol, file));
            } else {
                return Some(ask);
            }
            if !self.imports.is_empty() {
                return None;
            }
        }
        None
    }

    fn list(&mut self, listed: Vec<String>) {
        if listed.len() > SERVICES_MAX {
            return self.fail(Error::TooMuch("1000 services"));
        }
        let own = |name: &String| {
            !name.is_empty()
                && name.len() <= NAME_BYTES_MAX
                && !INFRASTRUCTURE.iter().any(|package| name.starts_with(package))
        };
        let own: BTreeSet<String> = listed.into_iter().filter(own).collect();
        self.wanted = own.into_iter().collect();
        if self.wanted.is_empty() {
            self.fail(Error::NoService);
        }
    }

    /// Takes files that were sent for a question. The first file of a name counts, as it does for who links.
    fn add(&mut self, ask: &Ask, files: Vec<Bytes>) {
        let mut names = Vec::new();
        for file in files.into_iter().filter_map(File::read) {
            names.push(file.name.clone());
            self.keep(file);
        }
        let answered = match ask {
            Ask::Services => true,
            Ask::Symbol(name) => self.definers.contains_key(name),
            Ask::File(name) => {
                let alias = names.iter().max_by_key(|other| likeness(name, other)).cloned();
                match alias {
                    Some(other) if !self.files.contains_key(name) => {
                        self.aliases.insert(name.clone(), other);
                    }
                    Some(_) | None => {}
                }
                !names.is_empty()
            }
        };
        if !answered {
            self.unknown.insert(ask.clone(), "files that do not have it".to_owned());
        }
    }

    fn keep(&mut self, file: File) {
        if self.files.contains_key(&file.name) {
            return;
        }
        self.files_bytes += file.bytes.len();
        if self.files_bytes > BYTES_MAX {
            return self.fail(Error::TooMuch("16 MiB of descriptors"));
        }
        if self.files.len() == FILES_MAX {
            return self.fail(Error::TooMuch("2000 files"));
        }
        self.imports_count += file.imports.len();
        if self.imports_count > IMPORTS_MAX {
            return self.fail(TOO_MANY_IMPORTS);
        }
        if file.imports.iter().chain([&file.name]).any(|path| path.len() > NAME_BYTES_MAX) {
            return self.fail(Error::TooMuch("512 bytes in the path of a file"));
        }
        self.imports.extend(file.imports.iter().cloned());
        self.references.extend(file.refers.iter().map(|symbol| (symbol.clone(), file.name.clone())));
        for symbol in &file.defines {
            self.definers.entry(symbol.clone()).or_insert_with(|| file.name.clone());
        }
        self.files.insert(file.name.clone(), file);
    }

    fn fail(&mut self, error: Error) {
        self.failure.get_or_insert(error);
    }

    fn missing(&self, symbol: String, file: String) -> Error {
        let imports = self.unfound_imports(&file);
        Error::Missing { file, symbol, imports }
    }

    fn unfound_imports(&self, file: &str) -> Vec<String> {
        let imports = self.files.get(file).map(|file| file.imports.as_slice()).unwrap_or_default();
        let unfound = |name: &&String| !self.files.contains_key(*name) && !self.aliases.contains_key(*name);
        imports.iter().filter(unfound).cloned().collect()
    }
}

/// The paths that a file may have when its server knows it from further inside: `b/c.proto` and `c.proto`.
fn shorter(path: &str) -> impl Iterator<Item = String> + use<'_> {
    path.match_indices('/').take(DEPTH_MAX).map(|(at, _)| path[at + 1..].to_owned())
}

/// How many of their last parts two paths have in common.
fn likeness(one: &str, other: &str) -> usize {
    one.rsplit('/').zip(other.rsplit('/')).take_while(|(one, other)| one == other).count()
}

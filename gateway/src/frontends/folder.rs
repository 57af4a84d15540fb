//! What is in the directory of frontend versions?
//!
//! ```text
//! frontend-versions/web/app.yaml                     who gets which version
//! frontend-versions/web/2.5.0/manifest.yaml          what it was built for
//! frontend-versions/web/2.5.0/operations/*.graphql   what it sends
//! frontend-versions/web/2.5.0/page/index.html        what a browser gets
//! ```
//!
//! A directory without `app.yaml` is somebody else's and passed over, and so is one without `manifest.yaml`
//! inside an app. Sizes and counts are bounded, and nothing outside of the directory is read, whatever links
//! say. Everything here blocks. Whether what is read can be published is a question for `publish`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use turnout_control::frontend::{App, Document, Frontend};
use turnout_control::id::{AppName, FrontendId};
use turnout_schema::Digest;

use super::{assignment, documents, manifest};
use crate::config::File;

/// The most entries of one directory that are looked at.
const ENTRIES_MAX: usize = 2_000;
/// The largest file but a page's: a manifest of persisted documents.
const FILE_BYTES_MAX: u64 = 2 << 20;

/// The names of the two files that make a directory an app's and a version's.
pub const APP_FILE: &str = "app.yaml";
/// See [`APP_FILE`].
pub const MANIFEST_FILE: &str = "manifest.yaml";

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Folder {
    /// Who gets which version, by app.
    pub apps: BTreeMap<AppName, Reading<App>>,
    /// The versions.
    pub versions: BTreeMap<FrontendId, Reading<Version>>,
    /// What is wrong with places that have no name of an app or a version.
    pub odd: Vec<String>,
}

/// What was read in one place.
#[derive(Clone, Debug)]
pub struct Reading<T> {
    /// Its file, or its directory.
    pub place: PathBuf,
    /// Of all texts that it was read from.
    pub digest: Digest,
    /// What they say, or every mistake in them.
    pub read: Result<T, String>,
}

/// A version as its directory has it.
#[derive(Clone, Debug)]
pub struct Version {
    /// What it was built for.
    pub frontend: Frontend,
    /// The operations it sends.
    pub documents: Vec<Document>,
    /// Where its page is; there is an `index.html` in it.
    pub page: Option<PathBuf>,
}

/// By what a change of the directory is noticed: names, sizes and times.
pub type Marks = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// Reads a directory. One that is not there is empty.
pub fn read(root: &Path) -> Folder {
    let mut folder = Folder::default();
    let Ok(canonical) = root.canonicalize() else { return folder };
    for (name, directory) in entries(root, &mut folder.odd) {
        if !directory.join(APP_FILE).is_file() {
            continue;
        }
        match name.parse::<AppName>() {
            Ok(app) => read_app(&canonical, &directory, app, &mut folder),
            Err(why) => folder.odd.push(format!("{}: the name of an app {why}", directory.display())),
        }
    }
    folder
}

fn read_app(root: &Path, directory: &Path, app: AppName, folder: &mut Folder) {
    let place = directory.join(APP_FILE);
    folder.apps.insert(app.clone(), read_assignment(root, &place, Some(&app)));
    for (name, directory) in entries(directory, &mut folder.odd) {
        if !directory.join(MANIFEST_FILE).is_file() {
            continue;
        }
        match name.parse() {
            Ok(version) => {
                let id = FrontendId { app: app.clone(), version };
                let read = read_version(root, &directory, Some(&id));
                folder.versions.insert(id, read);
            }
            Err(why) => folder.odd.push(format!("{}: a version {why}", directory.display())),
        }
    }
}

/// Reads an `app.yaml`.
pub fn read_assignment(root: &Path, place: &Path, expected: Option<&AppName>) -> Reading<App> {
    let text = text(root, place);
    let digest = Digest::of(text.as_deref().unwrap_or_default().as_bytes());
    let read = text.and_then(|text| {
        let file = File { path: place.to_owned(), text };
        assignment::read(&file, expected).map_err(|mistakes| mistakes.to_string())
    });
    Reading { place: place.to_owned(), digest, read }
}

/// Reads the directory of a version, and nothing outside of `root`.
pub fn read_version(root: &Path, directory: &Path, expected: Option<&FrontendId>) -> Reading<Version> {
    let mut texts = Vec::new();
    let read = version(root, directory, expected, &mut texts);
    Reading { place: directory.to_owned(), digest: Digest::of(texts.join("\0").as_bytes()), read }
}

fn version(
    root: &Path,
    directory: &Path,
    expected: Option<&FrontendId>,
    texts: &mut Vec<String>,
) -> Result<Version, String> {
    let place = directory.join(MANIFEST_FILE);
    let text = text(root, &place)?;
    texts.push(text.clone());
    let file = File { path: place, text };
    let manifest = manifest::read(&file, expected).map_err(|mistakes| mistakes.to_string())?;
    let mut wrong = Vec::new();
    let page = manifest.page.map(|page| directory.join(page));
    if let Some(page) = &page
        && inside(root, &page.join("index.html")).is_err()
    {
        wrong.push(format!(
            "{}: page: there is no {}",
            file.path.display(),
            page.join("index.html").display()
        ));
    }
    let documents = match &manifest.documents {
        Some(documents) => read_documents(root, &directory.join(documents)),
        None => Ok(Vec::new()),
    };
    let documents = documents.unwrap_or_else(|told| {
        wrong.extend(told);
        Vec::new()
    });
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    texts.extend(documents.iter().flat_map(|document| [document.id.clone(), document.text.clone()]));
    Ok(Version { frontend: manifest.frontend, documents, page })
}

/// Reads operations: a manifest of persisted documents, or a directory of files.
pub fn read_documents(root: &Path, place: &Path) -> Result<Vec<Document>, Vec<String>> {
    let about = |told: Vec<String>| -> Vec<String> {
        told.into_iter().map(|told| format!("{}: {told}", place.display())).collect()
    };
    if !place.is_dir() {
        let text = text(root, place).map_err(|why| vec![why])?;
        return documents::from_json(&text).map_err(about);
    }
    let (mut files, mut wrong) = (Vec::new(), Vec::new());
    for (name, path) in entries(place, &mut wrong) {
        if !(name.ends_with(".graphql") || name.ends_with(".gql")) {
            continue;
        }
        match text(root, &path) {
            Ok(text) => files.push((name, text)),
            Err(why) => wrong.push(why),
        }
    }
    match documents::from_files(files) {
        Ok(documents) if wrong.is_empty() => Ok(documents),
        Ok(_) => Err(wrong),
        Err(told) => Err(wrong.into_iter().chain(about(told)).collect()),
    }
}

/// What would differ if something in the directory had changed. Costs a look at each file, and reads none.
pub fn marks(root: &Path) -> Marks {
    let (mut marks, mut odd) = (Vec::new(), Vec::new());
    let mut below = vec![(root.to_owned(), 0)];
    while let Some((directory, depth)) = below.pop() {
        for (_, path) in entries(&directory, &mut odd) {
            let Ok(meta) = fs::metadata(&path) else { continue };
            // An app, a version, its operations and its page: what is deeper is named by its content.
            if meta.is_dir() && depth < 3 {
                let theirs = depth == 0 && !path.join(APP_FILE).is_file();
                if !theirs {
                    below.push((path, depth + 1));
                }
            } else if meta.is_file() {
                marks.push((path, meta.len(), meta.modified().ok()));
            }
        }
    }
    marks.sort();
    marks
}

/// A path without its links, if it is a file below `root`, which has none.
pub fn inside(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let real = path.canonicalize()?;
    if real.starts_with(root) && real.is_file() { Ok(real) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// The entries of a directory by name, without those whose names begin with a dot.
fn entries(directory: &Path, odd: &mut Vec<String>) -> Vec<(String, PathBuf)> {
    let Ok(listing) = fs::read_dir(directory) else { return Vec::new() };
    let mut entries: Vec<(String, PathBuf)> = listing
        .flatten()
        .take(ENTRIES_MAX + 1)
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        .filter(|(name, _)| !name.starts_with('.'))
        .collect();
    if entries.len() > ENTRIES_MAX {
        odd.push(format!(
            "{}: has more than {ENTRIES_MAX} entries; the rest is not looked at",
            directory.display()
        ));
        entries.truncate(ENTRIES_MAX);
    }
    entries.sort();
    entries
}

fn text(root: &Path, path: &Path) -> Result<String, String> {
    let about = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let real = path.canonicalize().map_err(|error| about(&error))?;
    if !real.starts_with(root) {
        return Err(about(&"is a link that leads out of the directory of frontends"));
    }
    let file = fs::File::open(real).map_err(|error| about(&error))?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| about(&error))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(about(&format!("is larger than {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

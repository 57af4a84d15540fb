//! Which bytes are behind a path below a page's directory?
//!
//! Only files in that directory are ever given out: a path is made of plain names, and what it leads to without
//! its links must be inside. Files are kept in memory as long as they are on the disk as they were; what is
//! kept is bounded, and the oldest goes first. Reading blocks and is done where it may.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use turnout_schema::Digest;

use crate::frontends::folder::inside;

/// The largest file that is served.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// All that is kept in memory.
const KEPT_BYTES_MAX: usize = 64 << 20;

/// Files below a directory.
#[derive(Debug)]
pub(super) struct Files {
    root: Arc<Path>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    files: HashMap<PathBuf, (Mark, Arc<File>)>,
    /// In the order in which they came.
    order: VecDeque<PathBuf>,
    bytes: usize,
}

/// By what a change of a file is noticed.
type Mark = (u64, Option<SystemTime>);

/// A file as it is served.
#[derive(Debug)]
pub(super) struct File {
    pub(super) bytes: Bytes,
    pub(super) tag: HeaderValue,
    pub(super) kind: &'static str,
}

impl Files {
    /// Those below this directory.
    pub(super) fn new(root: Arc<Path>) -> Files {
        Files { root, kept: Mutex::default() }
    }

    /// A file of a page; `None` when there is none that may be given out.
    pub(super) async fn get(self: &Arc<Files>, page: &Path, path: &str) -> Option<Arc<File>> {
        if !is_plain(path) {
            return None;
        }
        let (this, page, path) = (self.clone(), page.to_owned(), path.to_owned());
        tokio::task::spawn_blocking(move || this.read(&page, &path)).await.ok().flatten()
    }

    fn read(&self, page: &Path, path: &str) -> Option<Arc<File>> {
        let root = self.root.canonicalize().ok()?;
        let directory = page.canonicalize().ok().filter(|page| page.starts_with(&root))?;
        let place = inside(&directory, &page.join(path)).ok()?;
        let meta = fs::metadata(&place).ok()?;
        let mark = (meta.len(), meta.modified().ok());
        if let Some(known) = self.known(&place, mark) {
            return Some(known);
        }
        if meta.len() > FILE_BYTES_MAX {
            tracing::warn!(file = %place.display(), "is larger than {FILE_BYTES_MAX} bytes and is not served");
            return None;
        }
        let bytes = Bytes::from(fs::read(&place).ok()?);
        let file = Arc::new(File { tag: tag(&bytes), kind: kind(path), bytes });
        self.keep(place, mark, &file);
        Some(file)
    }

    fn known(&self, place: &Path, mark: Mark) -> Option<Arc<File>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, file) = kept.files.get(place)?;
        (*seen == mark).then(|| file.clone())
    }

    fn keep(&self, place: PathBuf, mark: Mark, file: &Arc<File>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += file.bytes.len();
        match kept.files.insert(place.clone(), (mark, file.clone())) {
            Some((_, older)) => kept.bytes -= older.bytes.len(),
            None => kept.order.push_back(place),
        }
        while kept.bytes > KEPT_BYTES_MAX {
            let Some(oldest) = kept.order.pop_front() else { return };
            if let Some((_, gone)) = kept.files.remove(&oldest) {
                kept.bytes -= gone.bytes.len();
            }
        }
    }
}

/// Whether a path is made of names and nothing else.
fn is_plain(path: &str) -> bool {
    path.len() <= 1024
        && path
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0', ':']))
}

/// The tag of a content.
pub(in crate::http) fn tag(bytes: &[u8]) -> HeaderValue {
    let text = format!("\"{}\"", &Digest::of(bytes).hex()[..32]);
    HeaderValue::from_str(&text).expect("digits are a header")
}

/// Whether the caller has the content already.
pub(in crate::http) fn has(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let (Some(known), Ok(tag)) = (headers.get(header::IF_NONE_MATCH), tag.to_str()) else { return false };
    let Ok(known) = known.to_str() else { return false };
    let known = known.split(',').map(str::trim);
    known.into_iter().any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

/// What a file is, by its name.
fn kind(path: &str) -> &'static str {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "wasm" => "application/wasm",
        "txt" | "md" => "text/plain; charset=utf-8",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_made_of_names() {
        for path in ["index.html", "assets/app-1a2b.js", "a/b/c d.png", "ä.svg"] {
            assert!(is_plain(path), "{path}");
        }
        for path in
            ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".env", "a/.git/config", "a\\b", "a\0", "c:x"]
        {
            assert!(!is_plain(path), "{path:?}");
        }
    }

    #[test]
    fn a_caller_has_a_content_by_its_tag() {
        let tag = tag(b"content");
        let asked = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, value.parse().unwrap());
            has(&headers, &tag)
        };
        let text = tag.to_str().unwrap().to_owned();
        assert!(asked(&text) && asked(&format!("\"a\", W/{text}")) && asked("*"));
        assert!(!asked("\"a\"") && !has(&HeaderMap::new(), &tag));
    }

    #[tokio::test]
    async fn only_files_of_the_page_are_given_out_and_a_changed_one_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let page = directory.path().join("web/1.0.0/page");
        fs::create_dir_all(page.join("assets")).unwrap();
        fs::write(page.join("assets/app.js"), "one").unwrap();
        fs::write(directory.path().join("web/secret.txt"), "secret").unwrap();
        std::os::unix::fs::symlink(directory.path().join("web/secret.txt"), page.join("link.txt")).unwrap();
        let files = Arc::new(Files::new(directory.path().into()));
        let got = async |path: &str| files.get(&page, path).await.map(|file| file.bytes.clone());
        assert_eq!(got("assets/app.js").await.as_deref(), Some(&b"one"[..]));
        for path in ["../../secret.txt", "link.txt", "assets", "assets/none.js", "/etc/passwd"] {
            assert_eq!(got(path).await, None, "{path}");
        }
        fs::write(page.join("assets/app.js"), "another").unwrap();
        assert_eq!(got("assets/app.js").await.as_deref(), Some(&b"another"[..]));
        let outside = files.get(Path::new("/etc"), "hostname").await;
        assert!(outside.is_none());
    }
}

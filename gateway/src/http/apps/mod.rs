//! Pages of frontends: the version that a visitor is assigned, and the files of each version.
//!
//! `/apps/web/` is the page of the version that the rules of `web` give this visitor, with that version's token
//! in the page and in a cookie; a path without a file's extension below it is the page too, so that a page can
//! route by its address. `/apps/web@2.4.1/…` are the files of one version, which never change, and its page for
//! those who may have it. `/apps/web/assignment` says who was given what and why. Pages are files below
//! `frontends.dir`; where a path leads out of a page's directory, there is nothing.

mod files;
mod page;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Redirect, Response};
use axum::routing::get;
use serde_json::json;
use turnout_control::frontend::{App, Frontends, Lifecycle, Trust};
use turnout_control::id::{AppName, FrontendId};
use turnout_control::slot::{Unit, UnitKind};

use files::Files;
pub(super) use files::{has, tag};

use crate::clock::rfc3339;
use crate::frontends::Publishing;
use crate::identity::{self, Callers, Guest, Pass, Reader, Scheme, Tokens};

/// A page and its files come from here, and from nowhere else.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'";
const NEVER: HeaderValue = HeaderValue::from_static("no-store");
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Serves pages.
#[derive(Clone, Debug)]
pub struct Apps {
    publishing: Publishing,
    tokens: Arc<Tokens>,
    guests: Arc<Reader>,
    files: Arc<Files>,
    /// What records of this revision say.
    read: Arc<Mutex<(u64, Arc<Frontends>)>>,
}

impl Apps {
    /// The pages of what is published, for those who are known by these tokens and settings.
    pub fn new(publishing: Publishing, callers: &Callers) -> Apps {
        let files = Arc::new(Files::new(publishing.root.clone()));
        let (tokens, guests) = (callers.tokens().clone(), Arc::new(callers.reader()));
        Apps { publishing, tokens, guests, files, read: Arc::default() }
    }

    /// Who is published: as requests see it, and before there are any requests as it was written.
    fn frontends(&self) -> Arc<Frontends> {
        let generation = self.publishing.generations.borrow().clone();
        match generation.map(|generation| generation.frontends.clone()) {
            Some(frontends) if !frontends.published.is_empty() => frontends,
            Some(_) | None => {
                let records = self.publishing.publisher.records();
                let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
                if read.0 != records.revision {
                    *read = (records.revision, Arc::new(Frontends::read(&records, None).0));
                }
                read.1.clone()
            }
        }
    }

    /// Where the page of a version is.
    fn page(&self, id: &FrontendId) -> Option<PathBuf> {
        let look = self.publishing.looks.borrow();
        look.folder.versions.get(id)?.read.as_ref().ok()?.page.clone()
    }
}

/// The routes below `/apps/`.
pub(super) fn router(apps: Apps) -> Router {
    Router::new()
        .route("/apps/{app}", get(slash))
        .route("/apps/{app}/", get(root))
        .route("/apps/{app}/{*path}", get(below))
        .with_state(apps)
}

/// Relative addresses of a page begin in its directory.
async fn slash(Path(app): Path<String>) -> Response {
    match place(&app) {
        Some(_) => Redirect::permanent(&format!("/apps/{app}/")).into_response(),
        None => missing(),
    }
}

async fn root(apps: State<Apps>, Path(app): Path<String>, headers: HeaderMap) -> Response {
    below(apps, Path((app, String::new())), headers).await
}

async fn below(
    State(apps): State<Apps>,
    Path((app, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    match place(&app) {
        Some(Place::App(app)) if path == "assignment" => assignment(&apps, &app, &headers),
        Some(Place::App(app)) if !is_file(&path) => {
            let frontends = apps.frontends();
            match frontends.apps.get(&app) {
                Some(app) => assigned_page(&apps, (&frontends, app), &headers).await,
                None => missing(),
            }
        }
        Some(Place::Version(id)) if !is_file(&path) || path == "index.html" => {
            versions_page(&apps, &id, &headers).await
        }
        Some(Place::Version(id)) => asset(&apps, &id, &path, &headers).await,
        Some(Place::App(_)) | None => missing(),
    }
}

/// What the first part of a path names.
enum Place {
    App(AppName),
    Version(FrontendId),
}

fn place(text: &str) -> Option<Place> {
    if text.contains('@') {
        return text.parse().ok().map(Place::Version);
    }
    text.parse().ok().map(Place::App)
}

/// Whether a path is that of a file, and not a place within a page.
fn is_file(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|last| last.contains('.'))
}

async fn assigned_page(apps: &Apps, (frontends, app): (&Frontends, &App), headers: &HeaderMap) -> Response {
    let guest = apps.guests.guest(headers);
    let version = app.assign(guest.units.visitor(), guest.at).0.clone();
    let id = FrontendId { app: app.name.clone(), version };
    match frontends.published.get(&id).map(|known| known.state) {
        Some(Lifecycle::Preview | Lifecycle::Active | Lifecycle::Deprecated) => {
            serve(apps, &id, guest, headers).await
        }
        Some(Lifecycle::Retired) => gone(&id),
        None => missing(),
    }
}

/// The page of one version, for those who may have it.
async fn versions_page(apps: &Apps, id: &FrontendId, headers: &HeaderMap) -> Response {
    let (frontends, guest) = (apps.frontends(), apps.guests.guest(headers));
    let Some(known) = frontends.published.get(id) else { return missing() };
    let is_assigned = || {
        let app = frontends.apps.get(&id.app);
        app.is_some_and(|app| *app.assign(guest.units.visitor(), guest.at).0 == id.version)
    };
    let was_given = || guest.before.as_ref().is_some_and(|pass| pass.names(id, guest.at));
    // The page comes with a token, so an address may choose no more than a header may.
    let may_choose = match (known.state, guest.trust) {
        (Lifecycle::Retired, _) => return gone(id),
        (Lifecycle::Active | Lifecycle::Deprecated, Trust::Claims) => true,
        (Lifecycle::Active | Lifecycle::Deprecated, Trust::Signed) | (Lifecycle::Preview, _) => false,
    };
    if may_choose || is_assigned() || was_given() { serve(apps, id, guest, headers).await } else { missing() }
}

/// The page of a version with a token of its own.
async fn serve(apps: &Apps, id: &FrontendId, guest: Guest, headers: &HeaderMap) -> Response {
    let Some(page) = apps.page(id) else { return missing() };
    let Some(file) = apps.files.get(&page, "index.html").await else { return missing() };
    let scheme = scheme(headers);
    let pass = Pass::new(id.clone(), guest.units, guest.before.as_deref(), guest.at);
    let token = apps.tokens.mint(&pass);
    let html = page::with_token(&String::from_utf8_lossy(&file.bytes), &token);
    let mut response = ([(header::CONTENT_TYPE, file.kind)], html).into_response();
    let head = response.headers_mut();
    head.insert(header::CACHE_CONTROL, NEVER);
    if let Ok(cookie) = HeaderValue::from_str(&identity::cookie(&token, scheme)) {
        head.append(header::SET_COOKIE, cookie);
    }
    protect(head);
    response
}

/// A file of a published version, whatever its state is: tabs that are open go on loading their parts. What only
/// waits in the directory is nobody's business, and may still change.
async fn asset(apps: &Apps, id: &FrontendId, path: &str, headers: &HeaderMap) -> Response {
    if !apps.frontends().published.contains_key(id) {
        return missing();
    }
    let Some(page) = apps.page(id) else { return missing() };
    let Some(file) = apps.files.get(&page, path).await else { return missing() };
    let mut response = if has(headers, &file.tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, file.kind)], file.bytes.clone()).into_response()
    };
    let head = response.headers_mut();
    head.insert(header::ETAG, file.tag.clone());
    head.insert(header::CACHE_CONTROL, FOR_EVER);
    protect(head);
    response
}

/// What a visitor is given, and why.
fn assignment(apps: &Apps, app: &AppName, headers: &HeaderMap) -> Response {
    let (frontends, guest) = (apps.frontends(), apps.guests.guest(headers));
    let Some(known) = frontends.apps.get(app) else { return missing() };
    let (version, rule) = known.assign(guest.units.visitor(), guest.at);
    let unit = guest.units.visitor().unit.map(Unit::kind);
    // Somebody who has no name and no cookie is another one each time.
    let unit = unit.filter(|kind| *kind != UnitKind::Anonymous || guest.before.is_some());
    let token = guest
        .before
        .as_ref()
        .map(|pass| json!({ "frontend": pass.frontend.to_string(), "expires": rfc3339(pass.expires) }));
    let told = json!({
        "app": app.to_string(),
        "version": version.to_string(),
        "rule": rule.map(|place| place + 1),
        "unit": unit.map(UnitKind::as_str),
        "token": token,
        "target": format!("{app}@{version}"),
    });
    ([(header::CACHE_CONTROL, NEVER)], Json(told)).into_response()
}

/// How a page was asked for, as the edge in front of the gateway says.
fn scheme(headers: &HeaderMap) -> Scheme {
    let forwarded = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    let first = forwarded.and_then(|proto| proto.split(',').next()).map(str::trim);
    if first.is_some_and(|proto| proto.eq_ignore_ascii_case("https")) { Scheme::Https } else { Scheme::Http }
}

fn protect(head: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        head.insert(name, HeaderValue::from_static(value));
    }
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, NEVER)], "there is no page at this address\n")
        .into_response()
}

fn gone(id: &FrontendId) -> Response {
    let text = format!("{id} was retired; /apps/{}/ has the version that replaces it\n", id.app);
    (StatusCode::GONE, [(header::CACHE_CONTROL, NEVER)], text).into_response()
}

//! Who may do what on the admin listener.
//!
//! Tokens have roles: `read` looks, `operate` changes, `register` registers services, and only those
//! its patterns name. Without a tokens file everyone on the admin listener may do everything, which
//! the configuration allows on loopback only, and then it must also be called by a name of loopback: a
//! page can point its own name here, and is then of the same origin. A token is kept as its sha256, and
//! compared in constant time. Pages of other origins are refused whatever they send: a browser carries
//! requests for anyone.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Uri, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tonic::Status;

use super::body;
use crate::registry::serve::{Kind, Trouble};

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Looking at everything.
    Read,
    /// Changing policies, rollouts and frontends.
    Operate,
    /// Registering services.
    Register,
}

/// A token, without the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is called in logs.
    pub name: String,
    /// The sha256 of its text.
    pub sha256: [u8; 32],
    /// What it allows.
    pub roles: Vec<Role>,
    /// The services it may register; a `*` at the end stands for any rest.
    pub services: Vec<String>,
}

/// Who may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everyone, because the listener is on loopback.
    Open,
    /// Whoever has one of these.
    Tokens(Vec<Token>),
}

/// Who asks; every request on the admin listener carries it once it was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Anyone on this machine.
    Local,
    /// Whoever holds this token.
    Token(Arc<Token>),
}

impl Caller {
    /// Whether the caller may register this service.
    pub(crate) fn may_register(&self, service: &str) -> Result<(), Trouble> {
        let Caller::Token(token) = self else { return Ok(()) };
        let covers = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => service.starts_with(start),
            None => service == pattern,
        };
        if token.services.iter().any(covers) {
            return Ok(());
        }
        Err(Trouble::new(
            Kind::Forbidden,
            "TOKEN_OF_ANOTHER",
            format!("the token {:?} may not register {service:?}", token.name),
            "Use the service's own token, or add the service to `services` of this one in the tokens file.",
        ))
    }
}

impl Access {
    fn caller(&self, uri: &Uri, headers: &HeaderMap, needed: &[Role]) -> Result<Caller, Denied> {
        let tokens = match self {
            Access::Open if local(host(uri, headers)) => return Ok(Caller::Local),
            Access::Open => return Err(Denied::Host),
            Access::Tokens(tokens) => tokens,
        };
        let mut sent = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (sent.next(), sent.next()) else { return Err(Denied::Unknown) };
        let text = value.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
        let hash: [u8; 32] = Sha256::digest(text.ok_or(Denied::Unknown)?).into();
        let token = tokens.iter().find(|token| same(&token.sha256, &hash)).ok_or(Denied::Unknown)?;
        if needed.iter().any(|role| token.roles.contains(role)) {
            Ok(Caller::Token(Arc::new(token.clone())))
        } else {
            Err(Denied::Role(needed[0]))
        }
    }
}

/// The hashes are compared as a whole, so that time tells nothing about where they differ.
fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

enum Denied {
    Unknown,
    Role(Role),
    Origin,
    Host,
}

/// Lets a request through with its `Caller`, or answers it.
pub async fn guard(
    State(access): State<watch::Receiver<Arc<Access>>>,
    mut request: Request,
    next: Next,
) -> Response {
    let grpc = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    let verdict = if foreign(request.uri(), request.headers()) {
        Err(Denied::Origin)
    } else {
        match needed(request.method(), request.uri()) {
            &[] => Ok(Caller::Local),
            roles => access.borrow().caller(request.uri(), request.headers(), roles),
        }
    };
    match verdict {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(denied) => {
            // Over HTTP/1.1 an answer to someone who still sends is lost with the connection.
            if request.version() < Version::HTTP_2 {
                let (head, unread) = request.into_parts();
                let _ = body::read(&head.headers, unread, 0).await;
            }
            refuse(&denied, grpc)
        }
    }
}

/// The roles of which a request needs one; none for health.
fn needed(method: &Method, uri: &Uri) -> &'static [Role] {
    let path = uri.path();
    if matches!(path, "/livez" | "/readyz") {
        return &[];
    }
    let changes = match path.strip_prefix("/turnout.registry.v1.Registry/") {
        Some(rpc) => matches!(rpc, "Register" | "KeepAlive" | "Deregister" | "PutSchema"),
        None => path.starts_with("/registry/") && !matches!(*method, Method::GET | Method::HEAD),
    };
    if changes {
        &[Role::Register]
    } else if path.starts_with("/registry/") || path.starts_with("/turnout.registry.") {
        &[Role::Read, Role::Register, Role::Operate]
    } else {
        &[Role::Read, Role::Operate]
    }
}

/// Whether a browser sent this for a page of another origin.
fn foreign(uri: &Uri, headers: &HeaderMap) -> bool {
    if matches!(text(headers, "sec-fetch-site"), Some("cross-site" | "same-site")) {
        return true;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let own = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    own.is_none() || own != host(uri, headers)
}

/// The name by which the listener was called; browsers always say it.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    uri.authority().map(|authority| authority.as_str()).or_else(|| text(headers, "host"))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether a name can only mean this machine, whatever a name server says.
fn local(host: Option<&str>) -> bool {
    let Some(host) = host else { return true };
    let Ok(authority) = host.parse::<http::uri::Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn refuse(denied: &Denied, grpc: bool) -> Response {
    let (code, message, help) = match denied {
        Denied::Unknown => (
            "UNAUTHENTICATED",
            "this listener asks for a token".to_owned(),
            "Send `authorization: Bearer TOKEN` with a token of admin.tokens.file.",
        ),
        Denied::Role(role) => (
            "FORBIDDEN",
            format!("the token does not have the role {:?}", format!("{role:?}").to_lowercase()),
            "Use a token that has it, or add the role in admin.tokens.file.",
        ),
        Denied::Origin => (
            "FOREIGN_ORIGIN",
            "a page of another origin sent this request".to_owned(),
            "Call the admin listener from its own pages or from outside a browser.",
        ),
        Denied::Host => (
            "FOREIGN_HOST",
            "without tokens this listener answers only to localhost and addresses of loopback".to_owned(),
            "Call it as 127.0.0.1, or set admin.tokens.file.",
        ),
    };
    let unauthenticated = matches!(denied, Denied::Unknown);
    if grpc {
        let text = format!("{code}: {message}. {help}");
        let status =
            if unauthenticated { Status::unauthenticated(text) } else { Status::permission_denied(text) };
        return status.into_http();
    }
    let mut answer = Trouble::new(Kind::Forbidden, code, message, help).into_response();
    if unauthenticated {
        *answer.status_mut() = http::StatusCode::UNAUTHORIZED;
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, http::HeaderValue::from_static("Bearer"));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, roles: &[Role], services: &[&str]) -> Token {
        Token {
            name: name.into(),
            sha256: Sha256::digest(name).into(),
            roles: roles.to_vec(),
            services: services.iter().map(|&service| service.to_owned()).collect(),
        }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_token_opens_what_its_roles_name() {
        let access = Access::Tokens(vec![token("ci", &[Role::Register], &["catalog", "orders-*"])]);
        let sent = headers(&[("authorization", "Bearer ci")]);
        let caller = access.caller(&Uri::default(), &sent, &[Role::Register]).ok().unwrap();
        assert!(caller.may_register("catalog").is_ok());
        assert!(caller.may_register("orders-eu").is_ok());
        assert_eq!(caller.may_register("users").unwrap_err().code, "TOKEN_OF_ANOTHER");
        assert!(matches!(
            access.caller(&Uri::default(), &sent, &[Role::Operate]),
            Err(Denied::Role(Role::Operate))
        ));
    }

    #[test]
    fn a_wrong_missing_or_doubled_token_opens_nothing() {
        let access = Access::Tokens(vec![token("ci", &[Role::Read], &[])]);
        let mut doubled = headers(&[("authorization", "Bearer ci")]);
        doubled.append(header::AUTHORIZATION, "Bearer ci".parse().unwrap());
        for sent in [
            headers(&[]),
            headers(&[("authorization", "Bearer CI")]),
            headers(&[("authorization", "Bearer ")]),
            headers(&[("authorization", "Basic ci")]),
            headers(&[("authorization", "bearer ci")]),
            doubled,
        ] {
            assert!(
                matches!(access.caller(&Uri::default(), &sent, &[Role::Read]), Err(Denied::Unknown)),
                "{sent:?}"
            );
        }
    }

    #[test]
    fn pages_of_other_origins_are_foreign() {
        let uri: Uri = "/graphql".parse().unwrap();
        for (sent, expected) in [
            (headers(&[("host", "127.0.0.1:4001")]), false),
            (headers(&[("host", "127.0.0.1:4001"), ("origin", "http://127.0.0.1:4001")]), false),
            (headers(&[("host", "127.0.0.1:4001"), ("origin", "http://evil.example")]), true),
            (headers(&[("host", "127.0.0.1:4001"), ("origin", "null")]), true),
            (headers(&[("host", "127.0.0.1:4001"), ("sec-fetch-site", "cross-site")]), true),
            (headers(&[("host", "127.0.0.1:4001"), ("sec-fetch-site", "same-origin")]), false),
        ] {
            assert_eq!(foreign(&uri, &sent), expected, "{sent:?}");
        }
    }

    #[test]
    fn only_health_is_open_to_all() {
        let role = |method: Method, path: &str| needed(&method, &path.parse().unwrap()).first().copied();
        assert_eq!(role(Method::GET, "/livez"), None);
        assert_eq!(role(Method::GET, "/metrics"), Some(Role::Read));
        assert_eq!(role(Method::PUT, "/registry/v1/instances/a/b"), Some(Role::Register));
        assert_eq!(role(Method::GET, "/registry/v1/services"), Some(Role::Read));
        assert_eq!(role(Method::POST, "/turnout.registry.v1.Registry/Register"), Some(Role::Register));
        assert_eq!(role(Method::POST, "/turnout.registry.v1.Registry/List"), Some(Role::Read));
    }
}

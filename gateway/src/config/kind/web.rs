//! URLs, browser origins and header names.
//!
//! URLs of HTTP are parsed and keep their parts; the URL of PostgreSQL is only checked for its scheme
//! and otherwise left to the driver, because it is a secret and drivers take forms that HTTP does not
//! know.

use http::{HeaderName, HeaderValue, Uri};

use super::value::Origin;
use super::{Complaint, Secret, crop};

/// The gateway writes these itself, or they belong to one connection.
const OWN_HEADERS: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "grpc-timeout",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "upgrade",
];
/// The same, by beginning.
const OWN_PREFIXES: &[&str] = &["grpc-", "x-turnout-", "x-frontend-", ":"];

pub(super) fn http_url(text: &str) -> Result<Uri, Complaint> {
    let shown = crop(text);
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(Complaint::new(format!("`{shown}` is not a URL")).rather(&format!("http://{text}")));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    if authority.contains('@') {
        return Err(Complaint::new("the URL holds a user name or password").secret());
    }
    if scheme != "http" && scheme != "https" {
        return Err(Complaint::new(format!("`{}` is not a scheme for this URL", crop(scheme)))
            .hint("it takes http:// or https://"));
    }
    let url: Uri = text.parse().map_err(|_| Complaint::new(format!("`{shown}` is not a URL")))?;
    if url.host().is_none_or(str::is_empty) || authority.ends_with(':') {
        return Err(Complaint::new(format!("`{shown}` names no host or no port after `:`")));
    }
    if let Some((_, port)) = authority.rsplit_once(':')
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_err()
    {
        return Err(Complaint::new(format!("port {} is above 65535", crop(port))));
    }
    Ok(url)
}

pub(super) fn postgres_url(text: &str) -> Result<Secret, Complaint> {
    let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
    match rest {
        Some(rest)
            if !rest.is_empty() && !rest.contains(|char: char| char.is_whitespace() || char.is_control()) =>
        {
            Ok(Secret::new(text))
        }
        Some(_) => Err(Complaint::new("the URL is cut short or holds a space")),
        None => Err(Complaint::new("the URL does not begin with `postgres://`")),
    }
}

pub(super) fn origin(text: &str) -> Result<Origin, Complaint> {
    if text == "*" {
        return Ok(Origin::Any);
    }
    let url = match http_url(text) {
        Ok(url) => url,
        Err(complaint) if text.contains("://") => return Err(complaint),
        Err(_) => {
            return Err(Complaint::new(format!("`{}` is not an origin", crop(text)))
                .hint("an origin has a scheme, such as `https://app.example.com`"));
        }
    };
    let bare = format!(
        "{}://{}",
        url.scheme_str().unwrap_or("https"),
        url.authority().map_or("", |host| host.as_str())
    );
    if bare != text {
        return Err(Complaint::new(format!("`{}` has a path; an origin has none", crop(text))).rather(&bare));
    }
    if bare.contains('*') {
        return Err(Complaint::new(format!("`{}`: a part of an origin cannot be `*`", crop(text)))
            .hint("write each origin, or `*` alone for any"));
    }
    match HeaderValue::from_str(&bare.to_ascii_lowercase()) {
        Ok(value) => Ok(Origin::Exact(value)),
        Err(_) => Err(Complaint::new(format!("`{}` is not an origin", crop(text)))),
    }
}

pub(super) fn header(text: &str) -> Result<HeaderName, Complaint> {
    let name: HeaderName =
        text.parse().map_err(|_| Complaint::new(format!("`{}` is not a header name", crop(text))))?;
    let is_own = OWN_HEADERS.contains(&name.as_str())
        || OWN_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
    if is_own {
        return Err(
            Complaint::new(format!("`{name}` cannot be forwarded")).hint("the gateway sets it itself")
        );
    }
    Ok(name)
}

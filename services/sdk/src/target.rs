//! Which registry a service joins: the meaning of `TURNOUT_REGISTRY_URL`.
//!
//! Text becomes a [`Registry`] here, once; what comes out is complete. Neither `Debug` nor any error
//! shows a token or a password.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use http::uri::Authority;
use percent_encoding::percent_decode_str;

use crate::Error;

/// The address when nothing says otherwise: the admin port of a gateway on this machine.
const DEFAULT_URL: &str = "http://127.0.0.1:4001";
/// The root of Turnout's keys in etcd when the address names none.
const DEFAULT_ROOT: &str = "/turnout/v1";

/// A registry to join.
#[derive(Clone, PartialEq)]
pub struct Registry {
    pub(crate) target: Target,
    pub(crate) token: Option<String>,
}

/// Where it is, and what is spoken there.
#[derive(Clone, PartialEq)]
pub(crate) enum Target {
    /// A gateway's HTTP API; the address without a trailing slash.
    Http { base: String },
    /// A gateway's gRPC API; the address as `http` or `https`.
    Grpc { base: String },
    /// etcd itself; each member as `http` or `https`, root without a trailing slash.
    Etcd { members: Vec<String>, root: String, user: Option<(String, String)> },
    /// None: the service only serves.
    Nowhere,
}

impl Registry {
    /// Reads an address:
    ///
    /// | address | registers |
    /// |---|---|
    /// | `http://host:port`, `https://host:port` | over the HTTP API of a gateway's admin port |
    /// | `grpc://host:port`, `grpcs://host:port` | over the gRPC API of the same port |
    /// | `etcd://user:password@h1:2379,h2:2379/turnout/v1` | straight into etcd; user and root are optional; `etcds` for TLS |
    /// | `none` | nowhere |
    pub fn parse(url: &str) -> Result<Self, Error> {
        let url = url.trim();
        let target = if url == "none" {
            Target::Nowhere
        } else {
            let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
            match scheme {
                "http" | "https" => Target::Http { base: gateway(scheme, rest, url)? },
                "grpc" => Target::Grpc { base: gateway("http", rest, url)? },
                "grpcs" => Target::Grpc { base: gateway("https", rest, url)? },
                "etcd" => etcd("http", rest, url)?,
                "etcds" => etcd("https", rest, url)?,
                _ => {
                    let why = "expected http://, https://, grpc://, grpcs://, etcd://, etcds:// or `none`";
                    return Err(mistake(url, why));
                }
            }
        };
        Ok(Self { target, token: None })
    }

    /// Reads `TURNOUT_REGISTRY_URL` (default `http://127.0.0.1:4001`) and `TURNOUT_REGISTRY_TOKEN`.
    pub fn from_env() -> Result<Self, Error> {
        let registry = Self::parse(&variable("TURNOUT_REGISTRY_URL").unwrap_or_else(|| DEFAULT_URL.into()))?;
        Ok(match variable("TURNOUT_REGISTRY_TOKEN") {
            Some(token) => registry.token(token),
            None => registry,
        })
    }

    /// Sends `authorization: Bearer TOKEN` with every call to a gateway.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }
}

impl FromStr for Registry {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self, Error> {
        Self::parse(url)
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Http { base } => out.write_str(base),
            Target::Grpc { base } => write!(out, "{base} (gRPC)"),
            Target::Etcd { members, root, .. } => write!(out, "etcd {}{root}", members.join(",")),
            Target::Nowhere => out.write_str("none"),
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|_| "…");
        out.debug_struct("Registry").field("target", &self.to_string()).field("token", &token).finish()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where this crate reads the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

fn gateway(scheme: &str, rest: &str, url: &str) -> Result<String, Error> {
    let base = format!("{scheme}://{}", rest.trim_end_matches('/'));
    let uri: Uri = base.parse().map_err(|why| mistake(url, &format!("not an address: {why}")))?;
    let authority = uri.authority().ok_or_else(|| mistake(url, "the host is missing"))?;
    if authority.as_str().contains('@') {
        return Err(mistake(url, "no user belongs here; set TURNOUT_REGISTRY_TOKEN"));
    }
    if authority.host().is_empty() {
        return Err(mistake(url, "the host is missing"));
    }
    if authority.port_u16().is_none() && (url.starts_with("grpc") || names_port(authority)) {
        return Err(mistake(url, "the port is missing or not a number"));
    }
    if url.starts_with("grpc") && uri.path().len() > 1 {
        return Err(mistake(url, "a gRPC address has no path"));
    }
    if uri.query().is_some() {
        return Err(mistake(url, "no query belongs here"));
    }
    Ok(base)
}

fn etcd(scheme: &str, rest: &str, url: &str) -> Result<Target, Error> {
    let (authority, path) = match rest.split_once('/') {
        Some((authority, path)) => (authority, path.trim_matches('/')),
        None => (rest, ""),
    };
    if path.contains(['?', '#']) {
        return Err(mistake(url, "no query belongs here"));
    }
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((credentials, hosts)) => {
            let (name, password) = credentials
                .split_once(':')
                .ok_or_else(|| mistake(url, "expected user:password before the `@`"))?;
            (Some((decoded(name, url)?, decoded(password, url)?)), hosts)
        }
        None => (None, authority),
    };
    let members = hosts.split(',').map(|host| member(scheme, host.trim(), url)).collect::<Result<_, _>>()?;
    let root = if path.is_empty() { DEFAULT_ROOT.to_owned() } else { format!("/{path}") };
    Ok(Target::Etcd { members, root, user })
}

fn member(scheme: &str, host: &str, url: &str) -> Result<String, Error> {
    if host.is_empty() {
        return Err(mistake(url, "a host is missing"));
    }
    let uri: Uri = format!("{scheme}://{host}")
        .parse()
        .map_err(|why| mistake(url, &format!("`{host}` is not host:port: {why}")))?;
    let authority = uri.authority().filter(|authority| !authority.host().is_empty());
    let authority = authority.ok_or_else(|| mistake(url, "a host is missing"))?;
    match authority.port_u16() {
        Some(_) => Ok(format!("{scheme}://{host}")),
        None if names_port(authority) => Err(mistake(url, "a port is not a number")),
        None => Ok(format!("{scheme}://{host}:2379")),
    }
}

/// Whether something stands where the port belongs.
fn names_port(authority: &Authority) -> bool {
    authority.as_str().len() > authority.host().len()
}

fn decoded(part: &str, url: &str) -> Result<String, Error> {
    let text = percent_decode_str(part).decode_utf8();
    Ok(text.map_err(|_| mistake(url, "user and password are not UTF-8 after percent-decoding"))?.into_owned())
}

/// The mistake, with the address as given but without what stands before an `@`.
fn mistake(url: &str, why: &str) -> Error {
    let shown = match url.rsplit_once('@') {
        Some((before, after)) => match before.split_once("://") {
            Some((scheme, _)) => format!("{scheme}://…@{after}"),
            None => format!("…@{after}"),
        },
        None => url.to_owned(),
    };
    Error::Registry { url: shown, why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Registry::parse(url).unwrap().target
    }

    fn refusal(url: &str) -> String {
        Registry::parse(url).unwrap_err().to_string()
    }

    #[test]
    fn the_scheme_chooses_the_protocol() {
        assert!(target("http://127.0.0.1:4001/") == Target::Http { base: "http://127.0.0.1:4001".into() });
        assert!(target("https://turnout/admin") == Target::Http { base: "https://turnout/admin".into() });
        assert!(target("grpc://[::1]:4001") == Target::Grpc { base: "http://[::1]:4001".into() });
        assert!(target("grpcs://turnout:4001") == Target::Grpc { base: "https://turnout:4001".into() });
        assert!(target(" none ") == Target::Nowhere);
    }

    #[test]
    fn etcd_takes_members_user_and_root() {
        let full = target("etcd://root:p%40ss@h1:2379,h2,[::1]:1/my/root/");
        let expected = Target::Etcd {
            members: vec!["http://h1:2379".into(), "http://h2:2379".into(), "http://[::1]:1".into()],
            root: "/my/root".into(),
            user: Some(("root".into(), "p@ss".into())),
        };
        assert!(full == expected);
        let short = target("etcds://h1");
        let expected =
            Target::Etcd { members: vec!["https://h1:2379".into()], root: "/turnout/v1".into(), user: None };
        assert!(short == expected);
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            ("", "expected http://"),
            ("127.0.0.1:4001", "expected http://"),
            ("ftp://host", "expected http://"),
            ("http://", "not an address"),
            ("http://user:word@host", "no user belongs here"),
            ("http://host?x=1", "no query belongs here"),
            ("http://host:x", "not a number"),
            ("http://host:99999", "not a number"),
            ("grpc://host", "port is missing"),
            ("grpc://host:1/path", "no path"),
            ("etcd://h1:x", "not a number"),
            ("etcd://h1/a?b", "no query"),
            ("etcd://", "a host is missing"),
            ("etcd://h1,,h2", "a host is missing"),
            ("etcd://root@h1", "user:password"),
        ];
        for (url, why) in cases {
            let told = refusal(url);
            assert!(told.contains(why), "{url}: {told}");
        }
    }

    #[test]
    fn secrets_are_never_shown() {
        let told = refusal("http://user:geheim@host");
        assert!(!told.contains("geheim"), "{told}");
        let registry = Registry::parse("etcd://user:geheim@h1").unwrap().token("geheim");
        let shown = format!("{registry:?} {registry}");
        assert!(shown.contains("h1") && !shown.contains("geheim"), "{shown}");
    }
}

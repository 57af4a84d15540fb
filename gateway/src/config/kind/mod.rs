//! What kinds of values are there, and how is text of each kind read?
//!
//! A `Kind` is the type of a setting as a user sees it; `parse` turns text into a `Value` or a
//! `Complaint` that says what is wrong and what would be right. A value knows its kind and prints as
//! the text it would be read from. Lists are read item by item by the caller where the file has a list,
//! and from commas here.

mod address;
mod entry;
mod quantity;
mod share;
mod value;
mod web;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use turnout_control::id::ServiceName;

use super::mistake::crop;
pub(super) use value::Value;
pub use value::{Origin, Secret};

/// The type of a setting.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Address,
    /// Relative to the directory of the file.
    Path,
    Duration {
        least: Duration,
        most: Duration,
    },
    /// Bytes.
    Size {
        least: u64,
        most: u64,
    },
    Integer {
        least: u64,
        most: u64,
    },
    /// Per cent, of which there may be decimals down to a millionth of all.
    Share,
    Boolean,
    Choice(&'static [&'static str]),
    Text,
    Secret,
    /// The name of an app or a service.
    Name,
    /// The root of all keys in etcd.
    KeyPrefix,
    /// What the keys of another registry begin with.
    SourcePrefix,
    /// A semver tag.
    Version,
    /// Where the descriptors of a service are.
    Schema,
    /// A field of a registration, and where in a JSON value it is.
    Pointer,
    HttpUrl,
    /// Secret, because it holds the password.
    PostgresUrl,
    /// An origin of a browser page, or `*`.
    Origin,
    Header,
    Cidr,
    List(&'static Kind),
}

/// Why text is not a value of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) reason: String,
    pub(super) hint: Option<String>,
    /// The text holds a secret although its kind does not say so.
    pub(super) secret: bool,
}

impl Complaint {
    pub(super) fn new(reason: impl Into<String>) -> Complaint {
        Complaint { reason: reason.into(), hint: None, secret: false }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Complaint {
        self.hint = Some(hint.into());
        self
    }

    /// The hint is the very text to write.
    fn rather(self, text: &str) -> Complaint {
        let hint = format!("did you mean `{}`?", crop(text));
        self.hint(hint)
    }

    fn secret(mut self) -> Complaint {
        self.secret = true;
        self
    }
}

impl Kind {
    /// Reads `text`.
    pub(super) fn parse(&self, text: &str) -> Result<Value, Complaint> {
        let trimmed = text.trim();
        match self {
            Kind::List(item) => {
                let items = trimmed.split(',').map(str::trim).filter(|item| !item.is_empty());
                Ok(Value::List(items.map(|text| item.parse(text)).collect::<Result<_, _>>()?))
            }
            Kind::Secret => secret(text),
            _ if trimmed.is_empty() => Err(Complaint::new(format!("is empty; it takes {}", self.describe()))),
            Kind::Address => address::address(trimmed).map(Value::Address),
            Kind::Cidr => address::cidr(trimmed).map(Value::Cidr),
            Kind::Path => path(trimmed),
            Kind::Duration { least, most } => quantity::duration(trimmed, *least, *most).map(Value::Duration),
            Kind::Size { least, most } => quantity::size(trimmed, *least, *most).map(Value::Size),
            Kind::Integer { least, most } => quantity::integer(trimmed, *least, *most).map(Value::Integer),
            Kind::Share => share::share(trimmed).map(Value::Share),
            Kind::Boolean => boolean(trimmed),
            Kind::Choice(names) => choice(trimmed, names),
            Kind::Text => printable(trimmed).map(Value::Text),
            Kind::Name => name(trimmed).map(Value::Text),
            Kind::KeyPrefix => key_prefix(trimmed),
            Kind::SourcePrefix => entry::prefix(trimmed),
            Kind::Version => entry::version(trimmed),
            Kind::Schema => entry::schema(trimmed),
            Kind::Pointer => entry::pointer(trimmed),
            Kind::HttpUrl => web::http_url(trimmed).map(Value::Url),
            Kind::PostgresUrl => web::postgres_url(trimmed).map(Value::Secret),
            Kind::Origin => web::origin(trimmed).map(Value::Origin),
            Kind::Header => web::header(trimmed).map(Value::Header),
        }
    }

    /// "an address such as `127.0.0.1:4000`": follows "takes".
    pub(super) fn describe(&self) -> String {
        let text = match self {
            Kind::Address => "an address such as `127.0.0.1:4000`",
            Kind::Path => "a path",
            Kind::Duration { least, most } => {
                let (least, most) = (quantity::show_duration(*least), quantity::show_duration(*most));
                return format!("a duration from `{least}` to `{most}`");
            }
            Kind::Size { least, most } => {
                let (least, most) = (quantity::show_size(*least), quantity::show_size(*most));
                return format!("a size from `{least}` to `{most}`");
            }
            Kind::Integer { least, most } => return format!("a whole number from {least} to {most}"),
            Kind::Share => "a share such as `5%`",
            Kind::Boolean => "`true` or `false`",
            Kind::Choice(names) => return one_of(names),
            Kind::Text => "a text",
            Kind::Secret => "a secret text",
            Kind::Name => "a name such as `web`",
            Kind::KeyPrefix => "a key prefix such as `/turnout/v1`",
            Kind::SourcePrefix => "a key prefix such as `/microservices`",
            Kind::Version => "a version such as `1.5.0`",
            Kind::Schema => "`reflection`, `off`, `sha256:…` or a path",
            Kind::Pointer => "a field and where it is, such as `address=/addr`",
            Kind::HttpUrl => "a URL with `http://` or `https://`",
            Kind::PostgresUrl => "a URL such as `postgres://user@host/name`",
            Kind::Origin => "an origin such as `https://app.example.com`",
            Kind::Header => "a header name such as `accept-language`",
            Kind::Cidr => "a network such as `10.0.0.0/8`",
            Kind::List(item) => return format!("a list, each item {}", item.describe()),
        };
        text.to_owned()
    }

    /// Whether a value must never be shown.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self, Kind::Secret | Kind::PostgresUrl)
    }
}

/// "`a`, `b` or `c`".
fn one_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

fn secret(text: &str) -> Result<Value, Complaint> {
    if text.is_empty() {
        return Err(Complaint::new("is empty"));
    }
    Ok(Value::Secret(Secret::new(text)))
}

fn path(text: &str) -> Result<Value, Complaint> {
    let text = printable(text)?;
    match text.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            Err(Complaint::new(format!("`{}`: `~` is not expanded", crop(&text)))
                .rather(&format!("${{HOME}}{rest}")))
        }
        _ => Ok(Value::Path(PathBuf::from(text))),
    }
}

fn boolean(text: &str) -> Result<Value, Complaint> {
    let not = || Complaint::new(format!("takes `true` or `false`, not `{}`", crop(text)));
    match text {
        "true" => Ok(Value::Boolean(true)),
        "false" => Ok(Value::Boolean(false)),
        _ => Err(match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "1" => not().rather("true"),
            "false" | "no" | "off" | "n" | "0" => not().rather("false"),
            _ => not(),
        }),
    }
}

fn choice(text: &str, names: &'static [&'static str]) -> Result<Value, Complaint> {
    if let Some(name) = names.iter().find(|name| **name == text) {
        return Ok(Value::Choice(name));
    }
    let complaint = Complaint::new(format!("takes {}, not `{}`", one_of(names), crop(text)));
    Err(match super::suggest::nearest(text, names) {
        Some(near) => complaint.rather(near),
        None => complaint,
    })
}

fn printable(text: &str) -> Result<String, Complaint> {
    match text.chars().find(|char| char.is_control()) {
        Some(char) => Err(Complaint::new(format!("holds the control character U+{:04X}", u32::from(char)))),
        None => Ok(text.to_owned()),
    }
}

/// The name of a service or an app.
pub(super) fn name(text: &str) -> Result<String, Complaint> {
    match text.parse::<ServiceName>() {
        Ok(name) => Ok(name.to_string()),
        Err(error) => Err(Complaint::new(format!("the name `{}` {error}", crop(text)))),
    }
}

fn key_prefix(text: &str) -> Result<Value, Complaint> {
    let text = printable(text)?;
    let bare = text.trim_matches('/');
    if bare.is_empty() {
        return Err(
            Complaint::new("would take the whole of etcd").hint("write a prefix such as `/turnout/v1`")
        );
    }
    if text.contains(char::is_whitespace) || bare.split('/').any(str::is_empty) {
        return Err(Complaint::new(format!("`{}` is not a key prefix such as `/turnout/v1`", crop(&text))));
    }
    if text.len() != bare.len() + 1 || !text.starts_with('/') {
        return Err(Complaint::new(format!("`{}` must begin with `/` and not end with it", crop(&text)))
            .rather(&format!("/{bare}")));
    }
    Ok(Value::KeyPrefix(text))
}

/// Whether only this machine can reach it.
pub(super) fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

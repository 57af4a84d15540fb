//! How an operator describes entries that no other layout fits: a template of keys, and what values are.
//!
//! `/services/{service}/{version}/{id}` has pieces that are compared and pieces that are taken. A field
//! comes from the key or from the value, never from both. A template that could not give a service and
//! an address is refused when it is made.

use std::collections::BTreeMap;
use std::str::FromStr;

/// What a piece of a key or a place in a value can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The service's name.
    Service,
    /// The instance's name.
    Id,
    /// Its version.
    Version,
    /// Its host and port, maybe after a scheme.
    Address,
    /// Its host alone.
    Host,
    /// Its port alone.
    Port,
    /// Its share of calls, 0 to 1000.
    Weight,
    /// An object with texts or numbers for operators. Only in values.
    Meta,
}

impl Field {
    /// All of them.
    pub const ALL: [Field; 8] = [
        Field::Service,
        Field::Id,
        Field::Version,
        Field::Address,
        Field::Host,
        Field::Port,
        Field::Weight,
        Field::Meta,
    ];

    /// The word in a template.
    pub fn as_str(self) -> &'static str {
        match self {
            Field::Service => "service",
            Field::Id => "id",
            Field::Version => "version",
            Field::Address => "address",
            Field::Host => "host",
            Field::Port => "port",
            Field::Weight => "weight",
            Field::Meta => "meta",
        }
    }
}

impl FromStr for Field {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Field, TemplateError> {
        let named = Field::ALL.into_iter().find(|field| field.as_str() == text);
        named.ok_or_else(|| TemplateError::Unknown(text.to_owned()))
    }
}

/// What the values are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// An address, maybe after a scheme.
    Text,
    /// JSON, with the pointers (RFC 6901) to what it tells.
    Json(BTreeMap<Field, String>),
    /// Nothing that is looked at.
    Unread,
}

/// How entries are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
    content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Field(Field),
}

/// Why a template describes nothing that could be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is no such field.
    #[error("there is no field {0:?}")]
    Unknown(String),
    /// A piece is neither text nor a field.
    #[error("the piece {0:?} must be either a text or one field in braces")]
    Mixed(String),
    /// The key cannot hold this field.
    #[error("a key cannot hold the field {:?}", .0.as_str())]
    NotInKey(Field),
    /// The field comes from two places.
    #[error("the field {:?} is taken from two places", .0.as_str())]
    Twice(Field),
    /// The pointer is none.
    #[error("the pointer {pointer:?} of the field {:?} must begin with \"/\"", .field.as_str())]
    Pointer {
        /// Whose it is.
        field: Field,
        /// What was written.
        pointer: String,
    },
    /// No service would be known.
    #[error("neither the key nor the value gives a service")]
    NoService,
    /// No address would be known.
    #[error("neither the key nor the value gives an address, or a host and a port")]
    NoAddress,
}

impl Template {
    /// The template of keys below the prefix of the source, and of their values.
    pub fn new(key: &str, content: Content) -> Result<Template, TemplateError> {
        let pieces = split(key).map(piece).collect::<Result<Vec<_>, _>>()?;
        let mut given = Vec::new();
        let in_key = pieces.iter().filter_map(|piece| match piece {
            Piece::Field(field) => Some(*field),
            Piece::Literal(_) => None,
        });
        let in_value = match &content {
            Content::Text => vec![Field::Address],
            Content::Json(pointers) => pointers.keys().copied().collect(),
            Content::Unread => Vec::new(),
        };
        for field in in_key.chain(in_value) {
            if given.contains(&field) {
                return Err(TemplateError::Twice(field));
            }
            given.push(field);
        }
        check(&given)?;
        if let Content::Json(pointers) = &content
            && let Some((field, pointer)) = pointers.iter().find(|(_, pointer)| !pointer.starts_with('/'))
        {
            return Err(TemplateError::Pointer { field: *field, pointer: pointer.clone() });
        }
        Ok(Template { pieces, content })
    }

    /// What the values are.
    pub(super) fn content(&self) -> &Content {
        &self.content
    }

    /// The fields that a key gives, if it is one of these.
    pub(super) fn take(&self, path: &str) -> Option<BTreeMap<Field, String>> {
        let mut found = BTreeMap::new();
        let mut said = split(path);
        for piece in &self.pieces {
            let said = said.next()?;
            match piece {
                Piece::Literal(text) if text == said => {}
                Piece::Field(field) if !said.is_empty() => {
                    found.insert(*field, said.to_owned());
                }
                Piece::Literal(_) | Piece::Field(_) => return None,
            }
        }
        said.next().is_none().then_some(found)
    }
}

/// The pieces of a key. One slash before the first is the same as none.
fn split(key: &str) -> std::str::Split<'_, char> {
    key.strip_prefix('/').unwrap_or(key).split('/')
}

fn piece(text: &str) -> Result<Piece, TemplateError> {
    let name = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    match name {
        Some(name) => match name.parse()? {
            Field::Meta => Err(TemplateError::NotInKey(Field::Meta)),
            field => Ok(Piece::Field(field)),
        },
        None if text.contains(['{', '}']) => Err(TemplateError::Mixed(text.to_owned())),
        None => Ok(Piece::Literal(text.to_owned())),
    }
}

fn check(given: &[Field]) -> Result<(), TemplateError> {
    if !given.contains(&Field::Service) {
        return Err(TemplateError::NoService);
    }
    // An address beside a host or a port would leave open which one is meant.
    let parts = [Field::Host, Field::Port].map(|field| given.contains(&field));
    match (given.contains(&Field::Address), parts) {
        (true, [false, false]) | (false, [true, true]) => Ok(()),
        (true, _) => Err(TemplateError::Twice(Field::Address)),
        (false, _) => Err(TemplateError::NoAddress),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(pointers: &[(Field, &str)]) -> Content {
        Content::Json(pointers.iter().map(|(field, pointer)| (*field, (*pointer).to_owned())).collect())
    }

    #[test]
    fn a_template_says_why_it_describes_nothing() {
        for (key, content, why) in [
            ("/{service}/{what}", Content::Text, "there is no field \"what\""),
            (
                "/a-{service}",
                Content::Text,
                "the piece \"a-{service}\" must be either a text or one field in braces",
            ),
            ("/{service}/{service}", Content::Text, "the field \"service\" is taken from two places"),
            ("/{service}/{address}", Content::Text, "the field \"address\" is taken from two places"),
            ("/{service}/{host}", Content::Text, "the field \"address\" is taken from two places"),
            ("/{service}/{meta}", Content::Text, "a key cannot hold the field \"meta\""),
            ("/{id}", Content::Text, "neither the key nor the value gives a service"),
            (
                "/{service}/{host}",
                Content::Unread,
                "neither the key nor the value gives an address, or a host and a port",
            ),
            (
                "/{service}/{id}",
                json(&[(Field::Address, "addr")]),
                "the pointer \"addr\" of the field \"address\" must begin with \"/\"",
            ),
        ] {
            assert_eq!(Template::new(key, content).unwrap_err().to_string(), why, "{key}");
        }
    }

    #[test]
    fn a_key_fits_piece_by_piece() {
        let template = Template::new("/services/{service}/{id}", Content::Text).unwrap();
        let found = template.take("services/cart/a").unwrap();
        assert_eq!(found[&Field::Service], "cart");
        assert_eq!(template.take("/services/cart/a").unwrap(), found);
        for path in ["", "services", "services/cart", "services//a", "service/cart/a", "services/cart/a/b"] {
            assert_eq!(template.take(path), None, "{path}");
        }
    }
}

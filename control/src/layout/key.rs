//! What of a key a layout describes: the part below the prefix of its source, and its pieces.
//!
//! A prefix ends where a piece ends: `/microservices` is no prefix of `/microservices2/cart/a`, and keys
//! of `foo2` never come to `foo`.

use super::problem::Problem;

/// etcd has no bound of its own on keys; nothing that registers needs more.
const KEY_BYTES_MAX: usize = 1024;

/// The part of a key below the prefix, without the slash between the two.
pub(super) fn below<'a>(prefix: &str, key: &'a [u8]) -> Result<&'a str, Problem> {
    if key.len() > KEY_BYTES_MAX {
        return Err(Problem::Key("has more than 1024 bytes"));
    }
    let key = str::from_utf8(key).map_err(|_| Problem::Key("is not UTF-8"))?;
    let rest = key.strip_prefix(prefix).ok_or(Problem::Outside)?;
    match rest.strip_prefix('/') {
        // Old constructors of registry-etcd leave out the prefix and keep the slash after it.
        Some(below) if !prefix.ends_with('/') => Ok(below),
        None if !prefix.is_empty() && !prefix.ends_with('/') => Err(Problem::Outside),
        Some(_) | None => Ok(rest),
    }
}

/// The service and what identifies the entry inside it, where a key has these two pieces.
pub(super) fn two(path: &str) -> Result<(&str, &str), Problem> {
    match path.split_once('/') {
        Some((service, entry)) if !service.is_empty() && !entry.is_empty() && !entry.contains('/') => {
            Ok((service, entry))
        }
        Some(_) | None => Err(Problem::Key("must have two pieces below the prefix: a service and an id")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_a_piece_ends() {
        for (prefix, key, expected) in [
            ("/microservices", "/microservices/cart/a", Ok("cart/a")),
            ("/microservices/", "/microservices/cart/a", Ok("cart/a")),
            ("/microservices", "/microservices2/cart/a", Err(Problem::Outside)),
            ("/microservices", "/microservices", Err(Problem::Outside)),
            ("user", "user.rpc/7", Err(Problem::Outside)),
            ("", "user.rpc/7", Ok("user.rpc/7")),
            ("", "/cart/10.0.0.7:1", Ok("cart/10.0.0.7:1")),
            ("/", "/cart/10.0.0.7:1", Ok("cart/10.0.0.7:1")),
            ("/", "//cart//x/", Ok("/cart//x/")),
        ] {
            assert_eq!(below(prefix, key.as_bytes()), expected, "{prefix} {key}");
        }
        assert_eq!(below("", &[0xff]), Err(Problem::Key("is not UTF-8")));
        assert_eq!(below("", &[b'a'; 1025]), Err(Problem::Key("has more than 1024 bytes")));
    }

    #[test]
    fn two_pieces_are_neither_one_nor_three() {
        assert_eq!(two("cart/a"), Ok(("cart", "a")));
        for path in ["", "cart", "cart/", "/a", "cart/a/b", "//"] {
            assert!(two(path).is_err(), "{path}");
        }
    }
}
